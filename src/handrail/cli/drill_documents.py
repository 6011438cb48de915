"""What `--json` prints about drills."""

from __future__ import annotations

from dataclasses import dataclass

from handrail.backups.drill import Drill


@dataclass(frozen=True, slots=True)
class Drilled:
    """The drill that was made, or with --list all of them, newest first, and in words which documents cannot be read.
    With --schedule `text` is what to install."""

    drills: tuple[Drill, ...] = ()
    unreadable: tuple[str, ...] = ()
    text: str = ""
