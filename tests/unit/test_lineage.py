"""Backups that build on others: what one is restored from, and what the next is built on."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handrail.backups.lineage import Chains, Chosen, increment_or_whole, lineage_of, needs, to_build_on
from handrail.backups.manifest import manifest_text, read_manifest
from handrail.backups.methods import Format, Method
from handrail.backups.record import BackupRecord
from handrail.errors import BackupError
from unit.test_manifest import FAILED, PROOF, RECORD


def backup(number: int, parent: int | None = None) -> BackupRecord:
    return replace(
        RECORD,
        id=f"b{number}",
        created_at=RECORD.created_at + timedelta(hours=number),
        format=Format.PG_BASE if parent is None else Format.PG_INCREMENT,
        parent="" if parent is None else f"b{parent}",
        inventory=replace(RECORD.artifact, key=f"development/b{number}/inventory.zst"),
    )


def said(error: pytest.ExceptionInfo[BackupError]) -> tuple[str, str, str]:
    return error.value.message, error.value.why, error.value.hint


def test_a_manifest_keeps_what_a_chain_needs() -> None:
    record = backup(2, 1)
    text = manifest_text(record)
    assert b'"version": 3,' in text
    assert read_manifest(text, name="m") == record
    assert b'"version": 1,' in manifest_text(backup(1))


@given(st.lists(st.integers(0, 100), max_size=8), st.randoms())
def test_a_chain_leads_from_a_whole_one_to_itself(choices: Sequence[int], chance: random.Random) -> None:
    records = [backup(0)]
    for number, choice in enumerate(choices, 1):
        records.append(backup(number, choice % number))
    shuffled = list(records)
    chance.shuffle(shuffled)
    for record in records:
        chain = lineage_of(record, shuffled)
        assert chain[-1] == record
        assert [one.parent for one in chain] == ["", *(one.id for one in chain[:-1])]
    assert needs(shuffled) == {one.id: (one.parent,) for one in records[1:]}
    assert to_build_on(shuffled, RECORD.database, Method.BASE) == records[-1]


def test_one_that_is_gone() -> None:
    with pytest.raises(BackupError) as raised:
        lineage_of(backup(3, 2), [backup(2, 1), backup(3, 2)])
    assert said(raised) == (
        "backup b3 cannot be restored",
        "b2 holds what changed since b1, which is in no store",
        "choose another backup (handrail backup list), or bring that one's folder back into the store",
    )
    assert to_build_on([backup(3, 2), backup(2, 1), backup(0)], RECORD.database, Method.BASE) == backup(0)


def test_manifests_that_lead_in_a_circle() -> None:
    with pytest.raises(BackupError) as raised:
        lineage_of(backup(1, 2), [backup(2, 1), backup(1, 2)])
    assert raised.value.why == "b2 holds what changed since b1, which is in no store"


@pytest.mark.parametrize(
    "records",
    [
        (),
        (replace(backup(1), inventory=None),),
        (replace(backup(1), database="postgresql://elsewhere/other"),),
        (backup(2, 1),),
        (replace(backup(1), verifications=(FAILED,)),),
    ],
)
def test_nothing_to_build_on(records: Sequence[BackupRecord]) -> None:
    with pytest.raises(BackupError) as raised:
        to_build_on(records, RECORD.database, Method.COPY)
    assert said(raised) == (
        "there is no backup by copy to build on",
        "an increment is what changed since another backup",
        "make a whole one: handrail backup create --method copy",
    )


def proven(number: int, parent: int | None = None) -> BackupRecord:
    return replace(backup(number, parent), verifications=(PROOF,))


LINE = (proven(0), proven(1, 0), proven(2, 1))


@pytest.mark.parametrize(
    ("records", "hours", "needs_proof", "chosen"),
    [
        (LINE, 71, True, Chosen(Method.INCREMENT, "the whole one, b0, is 2 days 23 h old")),
        # One more would have the whole one be older than three days before the following is made.
        (LINE, 72, True, Chosen(Method.BASE, "the whole one, b0, would be over 3 days old before the next is due")),
        (LINE, -1, True, Chosen(Method.BASE, "the whole one, b0, is from the future")),
        (LINE[1:], 3, True, Chosen(Method.BASE, "there is no backup by base to build on")),
        ((), 3, False, Chosen(Method.BASE, "there is no backup by base to build on")),
        ((*LINE, backup(3, 2)), 4, True, Chosen(Method.BASE, "b3 is the newest, and was not proven to restore")),
        ((*LINE, backup(3, 2)), 4, False, Chosen(Method.INCREMENT, "the whole one, b0, is 4 h old")),
        (
            (*LINE, replace(backup(3, 1), verifications=(FAILED,))),
            4,
            False,
            Chosen(Method.BASE, "b3, which builds on the same, does not restore"),
        ),
        # The line that failed was left behind by a new whole one.
        (
            (*LINE, replace(backup(3, 1), verifications=(FAILED,)), proven(4)),
            5,
            True,
            Chosen(Method.INCREMENT, "the whole one, b4, is 1 h old"),
        ),
    ],
)
def test_increment_or_whole(records: Sequence[BackupRecord], hours: int, needs_proof: bool, chosen: Chosen) -> None:
    """An hour before the next is due."""
    now = RECORD.created_at + timedelta(hours=hours)
    chains = Chains(timedelta(days=3), now + timedelta(hours=1), needs_proof)
    assert increment_or_whole(records, RECORD.database, Method.BASE, chains, now) == chosen


@given(st.integers(1, 30), st.integers(1, 90), st.data())
def test_a_chain_never_outlives_its_whole_one(days: int, hours: int, data: st.DataObject) -> None:
    """Whatever a call is late by, each increment is made while the whole one is young enough."""
    every, gap, now = timedelta(days=days), timedelta(hours=hours), RECORD.created_at
    records: list[BackupRecord] = []
    for number in range(12):
        late = timedelta(seconds=data.draw(st.integers(0, 3599)))
        chains = Chains(every, now + gap)
        chosen = increment_or_whole(records, RECORD.database, Method.BASE, chains, now + late)
        parent = number - 1 if chosen.method is Method.INCREMENT else None
        records.append(replace(proven(number, parent), created_at=now + late))
        assert now + late - lineage_of(records[-1], records)[0].created_at <= every
        now += gap
