"""SQLite's own checks of a whole file: its b-trees and indexes, and where foreign keys lead."""

from __future__ import annotations

import re
import sqlite3

from handrail.databases.database import Probe
from handrail.databases.sqlite import catalog
from handrail.databases.sqlite.stand_ins import missing, stand_in

_SHOWN = 3
#: What quick_check says of values that a constraint should have kept out: such rows are no damage of the file.
_OF_VALUES = re.compile(r"(?:NULL|NUMERIC|TEXT|non-\w+) value in |CHECK constraint failed in ")
_OF_ORDER = "row not in PRIMARY KEY order for "


def integrity(raw: sqlite3.Connection) -> tuple[Probe, ...]:
    """`PRAGMA integrity_check` and `PRAGMA foreign_key_check`; what needs something that only the application has is
    not checked, and the probe says so. `raw` has no stand-ins for collations yet, and may have them afterwards."""
    references = _references(raw)
    return _entries(raw), references


def _entries(raw: sqlite3.Connection) -> Probe:
    sound = "every page and index entry is sound"
    try:
        faults = [str(text) for (text,) in raw.execute("PRAGMA integrity_check") if text != "ok"]
    except sqlite3.OperationalError as error:
        if not (what := missing(error)):
            raise
        faults, sound = (
            damage(raw),
            f"every page is sound; index entries and constraints were not checked, which needs {what}",
        )
    return Probe("integrity_check", not faults, _some(faults) if faults else sound)


def _references(raw: sqlite3.Connection) -> Probe:
    try:
        broken = [one.line() for one in catalog.broken_references(raw)]
    except sqlite3.OperationalError as error:
        if not (what := missing(error)):
            raise
        return Probe("foreign_key_check", True, f"not checked: it needs {what}, which only the application has")
    return Probe("foreign_key_check", not broken, _some(broken) if broken else "every foreign key leads to a row")


def damage(raw: sqlite3.Connection) -> list[str]:
    """What `PRAGMA quick_check` says of pages that are not as SQLite writes them, three lines at most."""
    try:
        own = stand_in(raw)
        raw.execute("PRAGMA ignore_check_constraints=ON")
        lines = [str(line) for (line,) in raw.execute(f"PRAGMA quick_check({_SHOWN})")]
    except sqlite3.Error as error:
        return [] if missing(error) else [str(error)]
    return [
        line
        for line in lines
        if line != "ok" and not _OF_VALUES.match(line) and not (own and line.startswith(_OF_ORDER))
    ]


def _some(lines: list[str]) -> str:
    more = f"; and {len(lines) - _SHOWN} more" if len(lines) > _SHOWN else ""
    return "; ".join(" ".join(line.split()) for line in lines[:_SHOWN]) + more
