"""Revisions and the path between two of them, as values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Direction(StrEnum):
    UPGRADE = "upgrade"
    DOWNGRADE = "downgrade"


@dataclass(frozen=True, slots=True)
class Revision:
    """One migration script. `path` is relative to the project where it can be; `source` is its whole text."""

    id: str
    down_revisions: tuple[str, ...]
    message: str
    path: str
    source: str
    is_head: bool = False
    branch_labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RevisionPath:
    """Revisions to run, in the order in which they run.

    `start` are the revisions that the database is stamped with (() = base), `target` those it will be stamped with.
    """

    direction: Direction
    start: tuple[str, ...]
    target: tuple[str, ...]
    revisions: tuple[Revision, ...]

    @property
    def is_empty(self) -> bool:
        return not self.revisions


def named(revisions: tuple[str, ...]) -> str:
    """Where a database stands, for a reader: its revisions, or "base"."""
    return ", ".join(revisions) or "base"
