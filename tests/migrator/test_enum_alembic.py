"""What Alembic itself does beside: offline mode, and its own comparison of CHECK constraints."""

from __future__ import annotations

from pathlib import Path

import alembic
import pytest
import sqlalchemy as sa

from handrail.enums.plan import Wishes
from support.enum_cells import STRATEGIES, THREE, metadata, one
from support.enum_lab import Lab
from support.enum_walks import ENGINES

ONLY_NEWEST_SERVER = True
VERSION = tuple(int(part) for part in alembic.__version__.split(".")[:3])
BY_NAME = ["alembic.autogenerate.*", "alembic.ext.checkconstraint_byname"]


def test_sql_is_written_without_a_connection(tmp_path: Path, postgres: sa.Engine, sqlite: sa.Engine) -> None:
    """Only what asks for rows is left out; on PostgreSQL, where batch mode copies nothing."""
    lab = Lab(tmp_path / "alembic", sqlite)
    for strategy, labels in (("varchar", THREE), ("native", THREE), ("native", ("scheduled", "done", "late"))):
        lab.autogenerate(metadata(one(strategy, labels)), Wishes(engines=ENGINES))
        lab.upgrade()
    other = Lab(tmp_path / "alembic", postgres)
    sql = other.sql()
    assert "raise" not in sql
    assert [line for line in sql.splitlines() if "bookings" in line or "TYPE" in line] == [
        "CREATE TABLE bookings (",
        "CREATE TYPE status AS ENUM ('scheduled', 'gone', 'done');",
        "ALTER TABLE bookings ALTER COLUMN status DROP DEFAULT, ALTER COLUMN status TYPE status USING "
        "CAST(CAST(status AS text) AS status), ALTER COLUMN status SET DEFAULT 'scheduled';",
        "ALTER TYPE status RENAME TO status_old;",
        "CREATE TYPE status AS ENUM ('scheduled', 'done', 'late');",
        "ALTER TABLE bookings ALTER COLUMN status DROP DEFAULT, ALTER COLUMN status TYPE status USING "
        "CAST(CAST(status AS text) AS status), ALTER COLUMN status SET DEFAULT 'scheduled';",
        "DROP TYPE status_old;",
    ]
    with postgres.connect() as connection:
        for statement in sql.split(";\n"):
            connection.exec_driver_sql(statement)
    assert other.differences(metadata(one("native", ("scheduled", "done", "late")))) == []


@pytest.mark.skipif(VERSION < (1, 19, 2), reason="the comparison of CHECKs can be switched on since Alembic 1.19.2")
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_checks_compared_by_name_on_sqlite(strategy: str, tmp_path: Path, sqlite: sa.Engine) -> None:
    unchanged(Lab(tmp_path / "alembic", sqlite, attributes={"more": {"autogenerate_plugins": BY_NAME}}), strategy)


@pytest.mark.skipif(VERSION < (1, 19, 2), reason="the comparison of CHECKs can be switched on since Alembic 1.19.2")
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_checks_compared_by_name_on_postgres(strategy: str, tmp_path: Path, postgres: sa.Engine) -> None:
    unchanged(Lab(tmp_path / "alembic", postgres, attributes={"more": {"autogenerate_plugins": BY_NAME}}), strategy)


def unchanged(lab: Lab, strategy: str) -> None:
    """Neither our CHECKs nor those of the types come or go by Alembic's own comparison, also not twice with a dropped
    column; somebody's own does."""
    for labels in (THREE, (*THREE, "late")):
        models = metadata(one(strategy, labels))
        lab.autogenerate(models)
        lab.upgrade()
        assert lab.differences(models) == []
    models.tables["bookings"].append_constraint(sa.CheckConstraint("id > 0", name="positive"))
    assert [one[0] for one in lab.differences(models)] == ["add_constraint"]
    lab.autogenerate(models)
    lab.upgrade()
    assert lab.differences(models) == []
    without = metadata({"bookings": {}})
    lab.autogenerate(without)
    lab.upgrade()
    assert lab.differences(without) == []
    lab.downgrade()
    assert lab.differences(models) == []
