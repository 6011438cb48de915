"""Calls of run-due in this process, by a clock that a test turns."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from handrail import wiring
from handrail.cli.app import app_for
from handrail.migrator.migrator import ProjectFacts
from handrail.workflows.run import Equipment

NOW = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)


class Clock:
    """What the calls of a test take for now, and for ids made at that time."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now

    def run_id(self) -> str:
        self.now += timedelta(microseconds=1)
        return f"{self.now:%Y%m%d_%H%M%S}_{self.now.microsecond:06x}"


def turned(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of all that is called from now on."""
    clock, equipment = Clock(), wiring.Project.equipment

    def changed(project: wiring.Project, facts: ProjectFacts, identity: Path | None = None) -> Equipment:
        return replace(equipment(project, facts, identity), clock=clock, new_run_id=clock.run_id, lock_wait=0.1)

    monkeypatch.setattr(wiring.Project, "equipment", changed)
    monkeypatch.delenv("ENV", raising=False)
    return clock


def called(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    """Exit code, stdout and the error of a call in this process; ids of runs read as <id>."""
    try:
        code = app_for()(["backup", "run-due", *words], standalone_mode=False) or 0
    except SystemExit as ended:
        code = int(ended.code or 0)
    said = capsys.readouterr()
    error = said.err[said.err.index("HR") :] if code else ""
    return code, without_ids(said.out), without_ids(error)


def without_ids(text: str) -> str:
    """The same with each run's id as <id>."""
    return re.sub(r"\d{8}_\d{6}_[0-9a-f]{6}", "<id>", text)
