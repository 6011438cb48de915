"""The [drill] table: what a drill checks beyond what it always does, and how often one is wanted."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from handrail.config_durations import Duration
from handrail.config_retention import Age


@dataclass(frozen=True, slots=True)
class DrillSettings:
    """`query` must give a true value on the restored copy, `command` (run without a shell) must exit 0, each within
    `timeout`; the last drill that passed may be as old as `max_age`."""

    query: str | None = None
    command: str | None = None
    timeout: Duration = 300.0
    max_age: Age | None = None

    def __post_init__(self) -> None:
        if self.query is not None and not self.query.strip():
            raise ValueError("`query` is empty")
        if self.command is not None and not shlex.split(self.command):
            raise ValueError("`command` is empty")
