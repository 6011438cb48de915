"""The contract of a continuous archive: what keeps every change of a database, and gives it back as of a moment.

An implementer promises:

* **Looking never raises for a sick archive.** `state` says in `problems` what is wrong, and what the engine's own tool
  said of it. It writes nothing, neither to the database nor to the archive. What is just on its way it waits for.
* **A moment** means: nothing that was committed later is there. What was committed before is, but for the last moments
  where the tool cannot tell moments apart that finely: how finely it can is a remark of its `state`.
* **Nothing live is touched.** `copy` and `write_files` read the archive and write in places of their own; the live
  database need not be there at all.
* **Nothing left behind.** What `copy` made is ended and removed on every exit; the names it chooses carry the run id,
  in the places where `Database.end_leftovers` looks, so that what a killed run left is found.
* **Whole or nothing.** What the tool restored is checked to be whole before it is given; bytes that are missing or
  damaged raise ArchiveError with the tool's words, and what was half written is removed.
* **Errors** are `ArchiveError` (the archive), `UsageError` (settings, a tool that is not installed or too old:
  `code="HR564"`). No message holds a secret, and no secret is written into a file or a command line: tools read theirs
  from the environment.

Which moment is asked for has been checked by `require_within`; that it cannot be reached all the same is an error.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from handrail.backups.moments import ArchiveState
from handrail.facts import DatabaseAddress


@dataclass(frozen=True, slots=True)
class Reached:
    """What a restore came to: `moment` of the last change that is in it (None when the tool cannot tell), and
    `remarks` for people."""

    moment: datetime | None = None
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Copy:
    """A throwaway database that can be read, dumped from, and written to without harm."""

    address: DatabaseAddress
    reached: Reached = Reached()


@dataclass(frozen=True, slots=True)
class Instruction:
    """One thing to install: what it is for, in words, the file it goes into ("" for commands to type), and its text."""

    what: str
    file: str
    text: str


class Archive(Protocol):
    """The archive of one environment's database."""

    @property
    def place(self) -> str:
        """Where the archive is, for messages; never a secret."""
        ...

    def state(self) -> ArchiveState:
        """What is there now; see above. It may start the tool, and takes seconds at most."""
        ...

    def copy(self, moment: datetime | None, run_id: str) -> AbstractContextManager[Copy]:
        """The database as it was at the moment (None: the newest), as a throwaway one: of SQLite a file, of PostgreSQL
        a server of its own, whose database has the live one's name. Removed at exit."""
        ...

    def write_files(self, moment: datetime | None, target: Path) -> Reached:
        """The engine's own files as of the moment: SQLite's file, or the data folder for a PostgreSQL server, ready to
        be started. ArchiveError when something is at the target already (an empty folder is nothing)."""
        ...

    def instructions(self) -> tuple[Instruction, ...]:
        """What to install so that the archive is kept, in the order in which it is to be done; no secrets in it."""
        ...

    def run(self) -> int:
        """Keep the archive in the foreground until a signal comes, and return the tool's exit code. UsageError where
        that is not how this archive is kept, with what is."""
        ...
