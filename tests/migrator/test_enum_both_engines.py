"""One script for SQLite and PostgreSQL: written on the one, run on both, and both hold the same afterwards."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from support.enum_cells import CELLS
from support.enum_lab import Lab
from support.enum_walks import walk_both

ONLY_NEWEST_SERVER = True


def cells(*strategies: str) -> list[Any]:
    """All cells; those of other strategies only in `make test-long`."""
    return [pytest.param(name, marks=() if name.startswith(strategies) else pytest.mark.long) for name in CELLS]


@pytest.mark.parametrize("name", cells("native", "check"))
def test_written_on_sqlite(name: str, tmp_path: Path, sqlite: sa.Engine, postgres: sa.Engine) -> None:
    walk_both(Lab(tmp_path / "alembic", sqlite), Lab(tmp_path / "alembic", postgres), CELLS[name])


@pytest.mark.parametrize("name", cells("native"))
def test_written_on_postgres(name: str, tmp_path: Path, sqlite: sa.Engine, postgres: sa.Engine) -> None:
    writer = Lab(tmp_path / "alembic", postgres, attributes={"render_as_batch": True})
    walk_both(writer, Lab(tmp_path / "alembic", sqlite, attributes={"render_as_batch": True}), CELLS[name])
