"""The rules on locks with the catalog and the rows of real databases: what is harmless there is not spoken of."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from handrail.databases.database import Database
from handrail.databases.postgres.database import PostgresDatabase
from handrail.databases.sqlite.database import SqliteDatabase
from handrail.facts import DatabaseAddress
from handrail.lint.engine import judge, questions_of
from handrail.lint.rule import LintContext
from handrail.lint.samples import upgrade
from handrail.lint.settings import LintSettings
from handrail.migrations.reading import read_script
from handrail.migrations.revision import Revision
from support.postgres import PostgresServer

#: `make test-servers` runs it on the others.
ONLY_NEWEST_SERVER = True

SCHEMA = (
    'CREATE TABLE "user" (id integer PRIMARY KEY, "order" text, email text, room_id integer, hall_id integer)',
    'CREATE INDEX ix_room ON "user" (room_id, id)',
    "INSERT INTO \"user\" VALUES (1, NULL, 'a', 1, 1), (2, NULL, 'b', 1, 1), (3, 'c', 'c', 1, 1)",
)
ONLY_POSTGRES = (
    "CREATE TABLE bookings (id integer PRIMARY KEY, topic varchar(20), price numeric(12,2), made timestamptz,"
    " seats integer, note text, CONSTRAINT ck CHECK (note IS NOT NULL))",
    "INSERT INTO bookings VALUES (1, 'a', 1, now(), 1, 'x')",
    "ANALYZE",
)


def messages(database: Database, *lines: str) -> dict[str, list[str]]:
    """What the rules say of a script, by their codes."""
    script = read_script(Revision("r", (), "", "r.py", upgrade(*lines)))
    facts = database.facts()
    context = LintContext((script,), facts, engines=frozenset({facts.engine}))
    context = replace(context, answers=database.count_rows(questions_of(context), seconds=5))
    found: dict[str, list[str]] = {}
    for finding in judge(context, LintSettings()):
        found.setdefault(finding.rule, []).append(f"{finding.severity} {finding.message}")
    return found


def judge_both(database: Database) -> None:
    found = messages(
        database,
        "with op.batch_alter_table('user') as batch_op:",
        "    batch_op.alter_column('order', existing_type=sa.Text(), nullable=False)",
        "    batch_op.alter_column('email', existing_type=sa.Text(), nullable=False)",
        "    batch_op.create_foreign_key('fk_room', 'rooms', ['room_id'], ['id'])",
        "    batch_op.create_foreign_key('fk_hall', 'rooms', ['hall_id'], ['id'])",
    )
    assert found["HR-MF101"] == ["error 2 NULLs in user.order: NOT NULL is refused"]
    assert [text.partition(":")[0] for text in found["HR-LK115"]] == ["info no index on user.hall_id"]


def test_on_sqlite(tmp_path: Path) -> None:
    file = tmp_path / "local.db"
    with closing(sqlite3.connect(file)) as raw, raw:
        for statement in SCHEMA:
            raw.execute(statement)
    judge_both(SqliteDatabase(DatabaseAddress("sqlite", str(file)), work_dir=tmp_path / "work"))


def test_on_postgresql(postgres_server: PostgresServer) -> None:
    address = postgres_server.clone()
    postgres_server.execute(address, [*SCHEMA, *ONLY_POSTGRES])
    try:
        database = PostgresDatabase(address)
        judge_both(database)
        harmless = messages(
            database,
            "op.alter_column('bookings', 'topic', type_=sa.String(50))",
            "op.alter_column('bookings', 'price', type_=sa.Numeric(14, 2))",
            "op.alter_column('bookings', 'made', type_=sa.DateTime(timezone=True))",
            "op.alter_column('bookings', 'note', nullable=False)",
            "op.alter_column('bookings', 'id', nullable=False)",
        )
        assert not {"HR-LK106", "HR-LK107", "HR-MF101"} & harmless.keys()
        found = messages(
            database,
            "op.alter_column('bookings', 'seats', type_=sa.BigInteger())",
            "op.alter_column('bookings', 'made', type_=sa.DateTime())",
            "op.execute('ALTER TABLE public.bookings ALTER topic TYPE varchar(10)')",
        )
        assert [text.partition(" (")[0] for text in found["HR-LK107"]] == [
            "info changing bookings.seats from integer to bigint rewrites the table",
            "info changing bookings.made from timestamptz to timestamp rewrites the table",
            "info changing public.bookings.topic from varchar(20) to varchar(10) rewrites the table",
        ]
    finally:
        postgres_server.drop(address.database)
