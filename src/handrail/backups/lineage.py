"""Backups that build on others: which ones an increment is restored from, and which one the next is built on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from handrail.amounts import span
from handrail.backups.methods import Method
from handrail.backups.record import Headline
from handrail.errors import BackupError


def lineage_of(record: Headline, records: Iterable[Headline]) -> tuple[Headline, ...]:
    """What this backup is restored from, the whole one first and itself last. BackupError when one of them is gone."""
    known = {one.id: one for one in records}
    line = [record]
    while line[-1].parent:
        parent = known.get(line[-1].parent)
        if parent is None or parent in line:
            raise BackupError(
                f"backup {record.id} cannot be restored",
                why=f"{line[-1].id} holds what changed since {line[-1].parent}, which is in no store",
                hint="choose another backup (handrail backup list), or bring that one's folder back into the store",
                code="HR523",
            )
        line.append(parent)
    return tuple(reversed(line))


def needs(records: Iterable[Headline]) -> Mapping[str, tuple[str, ...]]:
    """Of each backup that builds on another: which one."""
    return {one.id: (one.parent,) for one in records if one.parent}


def to_build_on(records: Iterable[Headline], database: str, whole: Method) -> Headline:
    """The newest backup of this database that an increment can be built on: not one that has failed to restore
    since, nor one whose own parents are gone.
    BackupError when there is none; `whole` is how the first one is made."""
    every = tuple(records)
    fit = [one for one in every if one.inventory and one.database == database and not one.has_failed]
    for record in sorted(fit, key=lambda one: (one.created_at, one.id), reverse=True):
        try:
            lineage_of(record, every)
        except BackupError:
            continue
        return record
    raise BackupError(
        f"there is no backup by {whole} to build on",
        why="an increment is what changed since another backup",
        hint=f"make a whole one: handrail backup create --method {whole}",
    )


@dataclass(frozen=True, slots=True)
class Chosen:
    """How the next backup is made, and in words why so; "" where nothing was to be decided."""

    method: Method
    why: str = ""


@dataclass(frozen=True, slots=True)
class Chains:
    """When increments begin anew with a whole backup: one that would be older than `whole_every` before the next one
    is due (`until`). With `proven` nothing is built on what was not proven to restore."""

    whole_every: timedelta
    until: datetime
    proven: bool = True


def increment_or_whole(
    records: Iterable[Headline], database: str, whole: Method, chains: Chains, now: datetime
) -> Chosen:
    """Whether the next backup is an increment, or a whole one (`whole`) that the following ones build on."""
    every = tuple(records)
    try:
        parent = to_build_on(every, database, whole)
    except BackupError as error:
        return Chosen(whole, error.message)
    line = lineage_of(parent, every)
    ids, first = {one.id for one in line}, line[0]
    bad = next((one.id for one in every if one.has_failed and one.parent in ids), "")
    reasons = (
        (bad, f"{bad}, which builds on the same, does not restore"),
        (chains.proven and not parent.is_verified, f"{parent.id} is the newest, and was not proven to restore"),
        (first.created_at > now, f"the whole one, {first.id}, is from the future"),
        (
            chains.until - first.created_at > chains.whole_every,
            f"the whole one, {first.id}, would be over {span(chains.whole_every.total_seconds())} old before the next"
            " is due",
        ),
    )
    against = next((why for holds, why in reasons if holds), "")
    age = span((now - first.created_at).total_seconds())
    return Chosen(whole, against) if against else Chosen(Method.INCREMENT, f"the whole one, {first.id}, is {age} old")
