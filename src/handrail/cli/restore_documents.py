"""What `--json` prints about restores and continuous archives."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from handrail.archives.archive import Instruction
from handrail.backups.difference import BackupDifference
from handrail.backups.moments import ArchiveState
from handrail.databases.database import Probe, SideTable
from handrail.facts import Fingerprint


@dataclass(frozen=True, slots=True)
class ArchiveDocument:
    """The archive as it is, and everything that somebody has to look at (`faults`, in words)."""

    state: ArchiveState
    faults: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Setup:
    """What to install, in the order in which it is to be done."""

    instructions: tuple[Instruction, ...]


@dataclass(frozen=True, slots=True)
class ArchiveEnded:
    """Keeping the archive has ended, as it was asked to."""

    tool: str


@dataclass(frozen=True, slots=True)
class MomentDocument:
    """The database as of a moment. `asked` is null for the newest, `reached` is when the last change in it was read
    (null when the tool does not tell). `difference` goes from the moment to the live database; null when that cannot be
    read."""

    asked: datetime | None
    reached: datetime | None
    revisions: tuple[str, ...]
    checks: tuple[Probe, ...]
    fingerprint: Fingerprint
    difference: BackupDifference | None
    remarks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Restored:
    """Which backup was restored where; `aside` names what was there before, null for a new database. `side` is how the
    live table compares with the one restored beside it, where it was one table. With --to-time `backup` is "" and
    `moment` tells what was found. `compared`: the restored rows were compared with the source's and are the same;
    `proven_at`: when the backup had been proven before, null where it was not, or failed since."""

    backup: str
    into: str
    aside: str | None
    side: SideTable | None = None
    moment: MomentDocument | None = None
    compared: bool = False
    proven_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Sheet:
    """The recovery sheet of a backup: a text that a shell can read."""

    backup: str
    text: str
