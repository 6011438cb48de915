"""Runs whose process is gone."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from handrail.journal.file import FileJournal
from handrail.journal.journal import EventKind, JournalEvent
from handrail.workflows.run import Equipment, Listener, Run, run_of


def left_open(kit: Equipment, heard: Listener, command: str, data: Mapping[str, str]) -> Run:
    """A run that has begun and that nobody holds, as one that was killed."""
    run = run_of(kit, kit.new_run_id(), heard)
    run.begin(command, data)
    return run


def interrupted(folder: Path, run_id: str, **data: str) -> None:
    """In the journal of a project's development, a run that has begun and that nobody holds."""
    started = JournalEvent(run_id, datetime(2026, 1, 1, tzinfo=UTC), EventKind.RUN_STARTED, data=data)
    FileJournal(folder / ".handrail" / "journal" / "development").append(started)
