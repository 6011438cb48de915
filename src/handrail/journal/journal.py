"""The contract of a journal: what runs did, appended before and after each step.

* `append` returns when the event survives a power cut; events of one run keep their order.
* A torn last line (power cut while appending) is ignored, and never continued by a later event. Anything else that
  cannot be read raises JournalError: a run that is not understood must not look ended.
* No event holds a password or a row of data.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from handrail.errors import UsageError


class JournalError(UsageError):
    """The journal cannot be written or read; a run without a journal does not start. Nothing was touched: whoever has
    touched the database says so by another error."""

    code = "HR120"


class EventKind(StrEnum):
    RUN_STARTED = "run_started"
    STEP_STARTED = "step_started"
    STEP_DONE = "step_done"
    STEP_FAILED = "step_failed"
    COMMITTED = "committed"
    UNDO_STARTED = "undo_started"
    UNDO_DONE = "undo_done"
    #: The database is not as before and nobody decided what to do; blocks the next run until `handrail recover`.
    WITHHELD = "withheld"
    RUN_ENDED = "run_ended"


@dataclass(frozen=True, slots=True)
class JournalEvent:
    """One event. `data` holds short texts (revision ids, backup id, database address without password)."""

    run_id: str
    at: datetime
    kind: EventKind
    step: str = ""
    data: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class JournalledRun:
    """All events of one run, in order."""

    run_id: str
    events: tuple[JournalEvent, ...]

    @property
    def is_open(self) -> bool:
        """True until the run has ended; a run that was killed, or whose undoing was withheld, stays open."""
        return all(event.kind is not EventKind.RUN_ENDED for event in self.events)

    @property
    def started(self) -> JournalEvent:
        return self.events[0]

    def last(self, kind: EventKind, step: str | None = None) -> JournalEvent | None:
        matching = (e for e in reversed(self.events) if e.kind is kind and (step is None or e.step == step))
        return next(matching, None)


class Journal(Protocol):
    """Where runs are recorded."""

    def append(self, event: JournalEvent) -> None: ...

    def runs(self) -> tuple[JournalledRun, ...]:
        """All runs, oldest first."""
        ...

    def open_runs(self) -> tuple[JournalledRun, ...]:
        """Runs that have not ended, oldest first."""
        ...

    def held(self, run_id: str) -> AbstractContextManager[None]:
        """Within the block `is_held` is true of this run, for every process, and no longer when this one is killed. It
        can begin before the run's first event."""
        ...

    def is_held(self, run_id: str) -> bool: ...


def dead_runs(journal: Journal) -> tuple[JournalledRun, ...]:
    """Open runs that nobody holds, oldest first: killed ones, and those whose undoing was withheld. A run is held from
    before its first event until after its last, so one that is not held and open after that is dead."""
    unheld = {run.run_id for run in journal.open_runs() if not journal.is_held(run.run_id)}
    return tuple(run for run in journal.open_runs() if run.run_id in unheld) if unheld else ()
