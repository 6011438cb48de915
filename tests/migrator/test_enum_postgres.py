"""What only PostgreSQL has: lists of an enum, other schemas, partitions, and things that depend on a column."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.util import CommandError

from handrail import check_enum, native_enum
from handrail.enums.plan import Wishes
from support.enum_cells import THREE, TWO, Change, members, metadata, one
from support.enum_lab import Lab

ONLY_NEWEST_SERVER = True


def several(labels: tuple[str, ...], default: Any = "{scheduled}", schema: str | None = None) -> sa.MetaData:
    """A column with a list of an enum."""
    found = sa.MetaData()
    type_ = sa.ARRAY(native_enum(members(labels), name="status", schema=schema))
    parts: tuple[sa.Column[Any], ...] = (
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("status", type_, server_default=default),
    )
    sa.Table("bookings", found, *parts, schema=schema)
    return found


def in_schema(labels: tuple[str, ...], strategy: str) -> sa.MetaData:
    found = sa.MetaData()
    type_: sa.Enum = check_enum(members(labels), name="status")
    if strategy == "native":
        type_ = native_enum(members(labels), name="status", schema="kinds")
    parts: tuple[sa.Column[Any], ...] = (
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("status", type_, server_default="scheduled", nullable=False),
    )
    sa.Table("bookings", found, *parts, schema="app")
    return found


def lists(lab: Lab) -> list[list[str]]:
    with lab.engine.connect() as connection:
        rows = connection.execute(sa.text("SELECT status::text[] FROM bookings ORDER BY id"))
        return [row[0] for row in rows]


@pytest.mark.parametrize("default", ["{scheduled}", sa.text("'{scheduled,scheduled}'"), None])
def test_lists(default: Any, tmp_path: Path, postgres: sa.Engine) -> None:
    lab = Lab(tmp_path / "alembic", postgres)
    four = (*THREE, "late")
    for labels in (THREE, four):
        lab.autogenerate(several(labels, default))
        lab.upgrade()
        assert lab.differences(several(labels, default)) == []
    lab.execute("INSERT INTO bookings VALUES (1, '{gone,scheduled,gone}'), (2, '{}'), (3, NULL), (4, '{done,NULL}')")
    lab.autogenerate(several(TWO, default), Wishes(mapping={"gone": "done"}))
    lab.upgrade()
    assert lab.differences(several(TWO, default)) == []
    rows = [["done", "scheduled", "done"], [], None, ["done", None]]
    assert lists(lab) == rows
    lab.autogenerate(several(("scheduled", "finished"), default), Wishes(renames={"done": "finished"}))
    lab.upgrade()
    assert lab.differences(several(("scheduled", "finished"), default)) == []
    assert lists(lab) == [["finished", "scheduled", "finished"], [], None, ["finished", None]]
    lab.downgrade("-2")
    assert lists(lab) == rows
    assert lab.differences(several(four, default)) == []
    lab.downgrade("base")
    assert lab.left() == []
    lab.upgrade()


def test_a_held_element_of_a_list_does_not_go(tmp_path: Path, postgres: sa.Engine) -> None:
    lab = Lab(tmp_path / "alembic", postgres)
    lab.autogenerate(several(THREE))
    lab.upgrade()
    lab.execute("INSERT INTO bookings VALUES (1, '{gone,scheduled,gone}')")
    lab.autogenerate(several(TWO))
    with pytest.raises(RuntimeError) as refused:
        lab.upgrade()
    assert str(refused.value) == (
        "bookings.status holds other values than will be allowed (value, rows): [('gone', 2)]; "
        "give these rows another value first: UPDATE bookings SET status = array_replace(status, ..., ...)"
    )


@pytest.mark.parametrize("strategy", ["native", "check"])
def test_other_schemas(strategy: str, tmp_path: Path, postgres: sa.Engine) -> None:
    lab = Lab(tmp_path / "alembic", postgres, attributes={"include_schemas": True})
    lab.execute("CREATE SCHEMA app")
    lab.execute("CREATE SCHEMA kinds")
    steps = [
        (TWO, Wishes()),
        (THREE, Wishes()),
        (TWO, Wishes(mapping={"gone": "done"})),
        (("scheduled", "finished"), Wishes(renames={"done": "finished"})),
        (("finished", "scheduled"), Wishes(reorders=True)),
    ]
    for number, (labels, wishes) in enumerate(steps):
        lab.autogenerate(in_schema(labels, strategy), wishes)
        lab.upgrade()
        assert lab.differences(in_schema(labels, strategy)) == []
        lab.execute(f"INSERT INTO app.bookings (id) VALUES ({number})")
        lab.execute(f"UPDATE app.bookings SET status = '{labels[1]}' WHERE id = {number}")
    other = "check" if strategy == "native" else "native"
    lab.autogenerate(in_schema(steps[-1][0], other))
    lab.upgrade()
    assert lab.differences(in_schema(steps[-1][0], other)) == []
    with postgres.connect() as connection:
        rows = connection.execute(sa.text("SELECT status::text FROM app.bookings ORDER BY id")).scalars().all()
    assert rows == ["finished", "finished", "finished", "finished", "scheduled"]
    lab.downgrade("base")
    lab.upgrade()


def test_a_partitioned_table(tmp_path: Path, postgres: sa.Engine) -> None:
    lab = Lab(tmp_path / "alembic", postgres)

    def models(labels: tuple[str, ...]) -> sa.MetaData:
        found = sa.MetaData()
        type_ = native_enum(members(labels), name="status")
        sa.Table(
            "bookings",
            found,
            sa.Column("id", sa.Integer, nullable=False),
            sa.Column("status", type_, server_default="scheduled", nullable=False),
            postgresql_partition_by="RANGE (id)",
        )
        return found

    def options(found: sa.MetaData) -> sa.MetaData:
        lab.config.attributes["include_object"] = lambda item, name, *_: not str(name).startswith("part_")
        return found

    lab.autogenerate(options(models(THREE)))
    lab.upgrade()
    lab.execute("CREATE TABLE part_1 PARTITION OF bookings FOR VALUES FROM (0) TO (10)")
    lab.execute("CREATE TABLE part_2 PARTITION OF bookings FOR VALUES FROM (10) TO (20)")
    lab.execute("INSERT INTO bookings VALUES (1, 'gone'), (12, 'done')")
    lab.autogenerate(models((*THREE, "late")))
    lab.upgrade()
    lab.autogenerate(models((*TWO, "late")), Wishes(mapping={"gone": "done"}))
    lab.upgrade()
    assert lab.rows(models((*TWO, "late")))["bookings"] == [{"status": "done"}, {"status": "done"}]
    lab.downgrade("-2")
    assert lab.rows(models(THREE))["bookings"] == [{"status": "done"}, {"status": "done"}]


DEPENDENTS = {
    "view open": "CREATE VIEW open AS SELECT id FROM bookings WHERE status = 'done'",
    "materialized view counted": "CREATE MATERIALIZED VIEW counted AS SELECT status, count(*) FROM bookings GROUP BY 1",
    "trigger told": "CREATE TRIGGER told BEFORE UPDATE OF status ON bookings EXECUTE FUNCTION "
    "suppress_redundant_updates_trigger()",
    "generated column copied": "ALTER TABLE bookings ADD copied boolean GENERATED ALWAYS AS (status = 'done') STORED",
    "index ix_open": "CREATE INDEX ix_open ON bookings (id) WHERE status <> 'done'",
    "index ix_text": "CREATE INDEX ix_text ON bookings ((status = 'done'))",
    "CHECK never_gone": "ALTER TABLE bookings ADD CONSTRAINT never_gone CHECK (status <> 'gone')",
    "function said(status)": "CREATE FUNCTION said(status) RETURNS text LANGUAGE sql AS 'SELECT $1::text'",
    "policy seen": "CREATE POLICY seen ON bookings USING (status = 'done')",
}


@pytest.mark.parametrize("what", DEPENDENTS)
def test_what_depends_on_a_column_is_named(what: str, tmp_path: Path, postgres: sa.Engine) -> None:
    """It stands in the way of another type, and neither of a new value nor of a renamed one."""
    lab = Lab(tmp_path / "alembic", postgres)
    lab.config.attributes["include_object"] = lambda item, name, *_: not str(name).startswith(("ix_", "copied"))
    lab.autogenerate(metadata(one("native", THREE)))
    lab.upgrade()
    lab.execute(DEPENDENTS[what].replace("EXECUTE", "FOR EACH ROW EXECUTE"))
    with pytest.raises(CommandError) as refused:
        lab.autogenerate(metadata(one("native")), Wishes(mapping={"gone": "done"}))
    assert str(refused.value) == (
        f"bookings.status: its type cannot change while {what} depends on it; "
        "drop what depends on it in a script before, and make it again in one after"
    )
    lab.autogenerate(
        metadata(one("native", ("scheduled", "gone", "finished", "late"))), Wishes(renames={"done": "finished"})
    )
    lab.upgrade()


def test_a_plain_index_is_no_obstacle(tmp_path: Path, postgres: sa.Engine) -> None:
    lab = Lab(tmp_path / "alembic", postgres)
    lab.config.attributes["include_object"] = lambda item, name, *_: not str(name).startswith("ix_")
    lab.autogenerate(metadata(one("native", THREE)))
    lab.upgrade()
    lab.execute("CREATE INDEX ix_status ON bookings (status)")
    lab.autogenerate(metadata(one("native")), Wishes(mapping={"gone": "done"}))
    lab.upgrade()
    assert lab.differences(metadata(one("native"))) == []


@pytest.mark.parametrize("to", ["native", "check"])
def test_unknown_rows_of_a_text_column(to: str, tmp_path: Path, postgres: sa.Engine) -> None:
    lab = Lab(tmp_path / "alembic", postgres)
    change = Change(one("varchar"), one(to))
    lab.autogenerate(metadata(change.before))
    lab.upgrade()
    lab.execute("INSERT INTO bookings VALUES (1, 'odd'), (2, 'it''s'), (3, 'odd'), (4, 'done')")
    lab.autogenerate(metadata(change.after))
    with pytest.raises(RuntimeError) as refused:
        lab.upgrade()
    assert str(refused.value) == (
        "bookings.status holds other values than will be allowed (value, rows): [(\"it's\", 1), ('odd', 2)]; "
        "give these rows another value first: UPDATE bookings SET status = ... WHERE status = ..."
    )


def test_a_default_given_as_a_member_as_sql_and_by_name(tmp_path: Path, postgres: sa.Engine) -> None:
    class Status(enum.StrEnum):
        SCHEDULED = "scheduled"
        DONE = "done"

    def models(default: Any, store: Any = "value") -> sa.MetaData:
        found = sa.MetaData()
        type_ = native_enum(Status, name="status", store=store)
        parts: tuple[sa.Column[Any], ...] = (
            sa.Column("id", sa.Integer, primary_key=True),
            sa.Column("status", type_, server_default=default),
        )
        sa.Table("bookings", found, *parts)
        return found

    lab = Lab(tmp_path / "alembic", postgres)
    for given in (models(Status.DONE), models(sa.text("'scheduled'")), models(sa.text("'done'::status"))):
        lab.autogenerate(given)
        lab.upgrade()
        assert lab.differences(given) == []
    lab.execute("INSERT INTO bookings (id) VALUES (1)")
    by_name = models("DONE", "name")
    lab.autogenerate(by_name)
    lab.upgrade()
    assert lab.differences(by_name) == []
    assert lab.texts("bookings", "status") == ["DONE"]
    lab.downgrade("base")
    assert lab.left() == []
