"""The contract of a command: something of the user's that is run to its end, within a time limit, its output told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class CommandResult:
    """How a command ended. `detail` is one line: the command, how it exited and what it said last, or why it did not
    run or had to be ended; no password is in it."""

    is_well: bool
    detail: str
    seconds: float = 0.0


class Commands(Protocol):
    """Runs commands, split as a shell splits words, without one.

    * Every line that a command prints is told while it runs, and kept (`kept`); passwords of URLs and those known to
      handrail are taken out before.
    * A command that does not end in time is ended with all that it started. Nothing is raised: the result says it.
    * What a command that has ended left running (a server in the background) is left alone.
    """

    def run(self, command: str, run_id: str, on_line: Callable[[str], None]) -> CommandResult: ...

    def kept(self, run_id: str) -> str:
        """Where the output of a run's commands is kept."""
        ...
