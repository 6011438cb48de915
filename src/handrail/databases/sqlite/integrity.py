"""SQLite's own checks of a whole file: its b-trees and indexes, and where foreign keys lead."""

from __future__ import annotations

import sqlite3

from handrail.databases.database import Probe
from handrail.databases.sqlite import catalog

_SHOWN = 3


def integrity(raw: sqlite3.Connection) -> tuple[Probe, ...]:
    """`PRAGMA integrity_check` and `PRAGMA foreign_key_check`."""
    faults = [str(text) for (text,) in raw.execute("PRAGMA integrity_check")]
    is_sound = faults == ["ok"]
    broken = [one.line() for one in catalog.broken_references(raw)]
    return (
        Probe("integrity_check", is_sound, "every page and index entry is sound" if is_sound else _some(faults)),
        Probe("foreign_key_check", not broken, _some(broken) if broken else "every foreign key leads to a row"),
    )


def _some(lines: list[str]) -> str:
    more = f"; and {len(lines) - _SHOWN} more" if len(lines) > _SHOWN else ""
    return "; ".join(" ".join(line.split()) for line in lines[:_SHOWN]) + more
