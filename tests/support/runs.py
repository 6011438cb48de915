"""Runs whose process is gone."""

from __future__ import annotations

from collections.abc import Mapping

from handrail.workflows.run import Equipment, Listener, Run, run_of


def left_open(kit: Equipment, heard: Listener, command: str, data: Mapping[str, str]) -> Run:
    """A run that has begun and that nobody holds, as one that was killed."""
    run = run_of(kit, kit.new_run_id(), heard)
    run.begin(command, data)
    return run
