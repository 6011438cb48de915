"""What the policy has to know about a backup: a view of its record, small enough to be made by the thousand."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from handrail.backups.methods import HOSTED, OF_A_SERVER, part_of
from handrail.backups.record import Headline

#: Its files need a server of the same version of their own: no such backup takes the place of a database's.
SERVER = "the files of a whole server"
#: It never takes the place of a database in place, and each kind keeps its newest.
_SNAPSHOT = "a snapshot of the instance"


@dataclass(frozen=True, slots=True)
class Pin:
    """A person's wish that a backup stays, until a moment or (None) until it is taken back."""

    reason: str = ""
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """One backup. `target` is the database it is of (its address), `part` what it holds in words when it is not just
    the whole database, `milestones` what a person called it."""

    id: str
    created_at: datetime
    target: str = ""
    size: int = 0
    revisions: tuple[str, ...] = ()
    is_verified: bool = False
    is_pre_migration: bool = False
    milestones: frozenset[str] = frozenset()
    pins: tuple[Pin, ...] = ()
    part: str = ""


def candidate_of(record: Headline) -> Candidate:
    """The view of a record."""
    return Candidate(
        id=record.id,
        created_at=record.created_at,
        target=record.database,
        part=part_of(record.tables, record.schema_only) or _special(record.format),
        size=record.size,
        revisions=record.revisions,
        is_verified=record.is_verified,
        is_pre_migration=record.reason.startswith(("upgrade to ", "downgrade to ")),
        milestones=record.milestones,
        pins=tuple(Pin(pin.text, pin.until) for pin in record.pins),
    )


def _special(form: str) -> str:
    if form in OF_A_SERVER:
        return SERVER
    return _SNAPSHOT if form in HOSTED else ""
