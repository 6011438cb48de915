"""One script for SQLite and PostgreSQL: written on the one, run on both, and both hold the same afterwards."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from handrail.enums.plan import Wishes
from support.enum_cells import CELLS, Change, metadata, on
from support.enum_lab import Lab

ONLY_NEWEST_SERVER = True
ENGINES = frozenset({"postgresql", "sqlite"})


def cells(*strategies: str) -> list[Any]:
    """All cells; those of other strategies only in `make test-long`."""
    return [pytest.param(name, marks=() if name.startswith(strategies) else pytest.mark.long) for name in CELLS]


@pytest.mark.parametrize("name", cells("native", "check"))
def test_written_on_sqlite(name: str, tmp_path: Path, sqlite: sa.Engine, postgres: sa.Engine) -> None:
    walk(Lab(tmp_path / "alembic", sqlite), Lab(tmp_path / "alembic", postgres), CELLS[name])


@pytest.mark.parametrize("name", cells("native"))
def test_written_on_postgres(name: str, tmp_path: Path, sqlite: sa.Engine, postgres: sa.Engine) -> None:
    writer = Lab(tmp_path / "alembic", postgres, attributes={"render_as_batch": True})
    walk(writer, Lab(tmp_path / "alembic", sqlite, attributes={"render_as_batch": True}), CELLS[name])


def walk(writer: Lab, other: Lab, change: Change) -> None:
    """Step by step on both with rows in place, down and up again, then the whole history from nothing."""
    both = (writer, other)
    change = on(change, *ENGINES)
    before, after = metadata(change.before), metadata(change.after)
    writer.autogenerate(before, Wishes(engines=ENGINES))
    rows = change.rows()
    for lab in both:
        lab.upgrade()
        assert lab.differences(before) == []
        lab.insert(before, rows)
    writer.autogenerate(after, change.wishes)
    upgraded = change.upgraded(rows)
    downgraded = change.downgraded(upgraded)
    for lab in both:
        lab.upgrade()
        assert lab.differences(after) == []
        assert lab.rows(after) == upgraded
        lab.downgrade()
        assert lab.differences(before) == []
        assert lab.rows(before) == downgraded
        lab.downgrade("base")
        assert lab.left() == []
        lab.upgrade()
        assert lab.differences(after) == []
    assert writer.differences(after) == []
