"""What `--json` prints about drills and about backups that are due."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime
from typing import TYPE_CHECKING

from handrail.backups.drill import Drill
from handrail.backups.methods import Method
from handrail.backups.record import BackupRecord
from handrail.retention.decision import Rule

if TYPE_CHECKING:
    from handrail.retention.due import Due
    from handrail.workflows.due import Made


@dataclass(frozen=True, slots=True)
class Drilled:
    """The drill that was made, or with --list all of them, newest first, and in words which documents cannot be read.
    With --schedule `text` is what to install."""

    drills: tuple[Drill, ...] = ()
    unreadable: tuple[str, ...] = ()
    text: str = ""


@dataclass(frozen=True, slots=True)
class ShownBackup(BackupRecord):
    """A backup as its manifest has it, with the drills of it that any store knows, newest first."""

    drills: tuple[Drill, ...] = ()

    @classmethod
    def of(cls, record: BackupRecord, drills: tuple[Drill, ...]) -> ShownBackup:
        return cls(**{one.name: getattr(record, one.name) for one in fields(record)}, drills=drills)


@dataclass(frozen=True, slots=True)
class DueDocument:
    """What was due: tiers, the backup that was made for them (null when none was), by which method and why so ("" when
    nothing was to be decided), ids that prune deleted. `busy` tells
    why nothing was made although something was due. `next` is when a tier will be due. With --schedule `text` is what
    to install."""

    due: tuple[Rule, ...] = ()
    backup: str | None = None
    deleted: tuple[str, ...] = ()
    busy: str = ""
    next: datetime | None = None
    text: str = ""
    method: Method | None = None
    why: str = ""

    @classmethod
    def of(cls, made: Made, busy: str, following: Due | None) -> DueDocument:
        return cls(
            due=tuple(one.tier for one in made.due),
            backup=made.backup.id if made.backup else None,
            deleted=made.pruned.deleted if made.pruned else (),
            busy=busy,
            next=following.since if following else None,
            method=made.chosen.method if made.chosen else None,
            why=made.chosen.why if made.chosen else "",
        )
