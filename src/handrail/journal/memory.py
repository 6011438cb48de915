"""A journal in memory, for tests of workflows; it passes the contract suite like the file journal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from handrail.journal.journal import JournalEvent, JournalledRun


class MemoryJournal:
    """Events in a list."""

    def __init__(self) -> None:
        self._events: list[JournalEvent] = []
        self._held: list[str] = []

    def append(self, event: JournalEvent) -> None:
        self._events.append(event)

    def runs(self) -> tuple[JournalledRun, ...]:
        ids = dict.fromkeys(event.run_id for event in self._events)
        runs = (JournalledRun(id_, tuple(e for e in self._events if e.run_id == id_)) for id_ in ids)
        return tuple(sorted(runs, key=lambda run: run.started.at))

    def open_runs(self) -> tuple[JournalledRun, ...]:
        return tuple(run for run in self.runs() if run.is_open)

    @contextmanager
    def held(self, run_id: str) -> Iterator[None]:
        self._held.append(run_id)
        try:
            yield
        finally:
            self._held.remove(run_id)

    def is_held(self, run_id: str) -> bool:
        return run_id in self._held
