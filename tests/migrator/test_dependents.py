"""What stands in the way of a new column in an old one's place, by the catalogs of real servers."""

from __future__ import annotations

from handrail.databases.postgres.database import PostgresDatabase
from handrail.facts import TableName
from handrail.lint.dependents import dependents
from handrail.lint.engine import lint
from support.postgres import PostgresServer
from unit.building import path_of, script

TABLES = (
    "CREATE TABLE rooms (id integer PRIMARY KEY, code integer UNIQUE)",
    'CREATE TABLE bookings (id serial PRIMARY KEY, seats integer, "Seats" integer, room integer REFERENCES rooms (id),'
    " total integer GENERATED ALWAYS AS (seats * 2) STORED, plain integer, CONSTRAINT few CHECK (seats > 0))",
    "CREATE INDEX ix_seats ON bookings (seats) WHERE seats > 1",
    "CREATE INDEX ix_room ON bookings (room)",
    "CREATE VIEW full_ones AS SELECT b.seats FROM bookings b",
    "CREATE VIEW others AS SELECT plain AS seat FROM bookings",
)


def test_what_names_the_column_stands_in_the_way(postgres_server: PostgresServer) -> None:
    address = postgres_server.clone()
    try:
        postgres_server.execute(address, TABLES)
        facts = PostgresDatabase(address).facts()
        found = {
            (table, column): set(dependents(facts, TableName(table), column))
            for table, column in (
                ("bookings", "seats"),
                ("bookings", "Seats"),
                ("bookings", "id"),
                ("bookings", "room"),
                ("rooms", "id"),
                ("rooms", "code"),
            )
        }
        assert found == {
            ("bookings", "seats"): {"constraint few", "index ix_seats", "view full_ones", "column total"},
            ("bookings", "Seats"): set(),
            ("bookings", "id"): {"constraint bookings_pkey", "sequence public.bookings_id_seq"},
            ("bookings", "room"): {"constraint bookings_room_fkey", "index ix_room"},
            ("rooms", "id"): {"constraint rooms_pkey", "constraint bookings_room_fkey"},
            ("rooms", "code"): {"constraint rooms_code_key"},
        }
        change = "    op.alter_column('bookings', 'room', type_=sa.BigInteger(), existing_type=sa.Integer())"
        (hint,) = [one.fix_hint for one in lint(path_of(script(change)), None, facts) if one.rule == "HR-LK107"]
        assert hint.endswith("; to be made anew on it beforehand: constraint bookings_room_fkey, index ix_room")
        postgres_server.execute(
            address,
            [
                "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
                "CREATE TRIGGER t BEFORE UPDATE ON bookings FOR EACH ROW EXECUTE FUNCTION f()",
            ],
        )
        assert dependents(PostgresDatabase(address).facts(), TableName("bookings"), "plain") == (
            "trigger t",
            "view others",
        )
    finally:
        postgres_server.drop(address.database)


HANGING = (
    "CREATE ROLE reader_of_a_column",
    "CREATE TABLE loose (a integer, b text, c integer, PRIMARY KEY (c))",
    "CREATE TABLE t (n integer GENERATED ALWAYS AS IDENTITY, shown integer, granted integer, counted integer,"
    ' stored text, measured integer, guarded integer, used integer, ruled integer, ordered text COLLATE "C",'
    " owned integer, plain integer, joined integer)",
    "COMMENT ON COLUMN t.shown IS 'what code shows'",
    "GRANT SELECT (granted) ON t TO reader_of_a_column",
    "ALTER TABLE t ALTER counted SET STATISTICS 500",
    "ALTER TABLE t ALTER counted SET (n_distinct = 5)",
    "ALTER TABLE t ALTER stored SET STORAGE EXTERNAL",
    "CREATE STATISTICS both_of_them ON measured, plain FROM t",
    "CREATE POLICY some_rows ON t USING (guarded > 1)",
    "CREATE FUNCTION used_sum() RETURNS bigint LANGUAGE sql BEGIN ATOMIC SELECT sum(used) FROM t; END",
    "CREATE RULE kept AS ON DELETE TO loose DO INSTEAD UPDATE t SET ruled = 1 WHERE ruled = old.a",
    "CREATE SEQUENCE counter OWNED BY t.owned",
    "CREATE VIEW named_otherwise AS SELECT k.x FROM t AS k (x1, x2, x3, x4, x5, x6, x7, x8, x9, x10, x11, x12, x)",
    "CREATE TABLE parts (k integer, v integer) PARTITION BY RANGE (k)",
    "CREATE TABLE part PARTITION OF parts FOR VALUES FROM (0) TO (9)",
    "CREATE TABLE parent (v integer)",
    "CREATE TABLE child () INHERITS (parent)",
    "CREATE TYPE of_table AS (v integer)",
    "CREATE TABLE typed OF of_table",
    "CREATE TABLE sent (v integer, w integer)",
    "CREATE PUBLICATION p FOR TABLE sent (v)",
)


def test_what_hangs_on_a_column_without_naming_it_stands_in_the_way_too(postgres_server: PostgresServer) -> None:
    address = postgres_server.clone()
    try:
        postgres_server.execute(address, HANGING)
        facts = PostgresDatabase(address).facts()
        found = {
            f"{table.name}.{column.name}": dependents(facts, table.name, column.name)
            for table in facts.tables
            for column in table.columns
        }
        assert found == {
            "child.v": ("inheritance",),
            "loose.a": ("rule kept on table public.loose",),
            "loose.b": (),
            "loose.c": ("constraint loose_pkey",),
            "parent.v": ("inheritance",),
            "part.k": ("the table of which it is a partition",),
            "part.v": ("the table of which it is a partition",),
            "parts.k": ("its partitions",),
            "parts.v": ("its partitions",),
            "sent.v": ("publication p",),
            "sent.w": ("publication p",),
            "t.counted": ("its options", "its statistics target"),
            "t.granted": ("its privileges",),
            "t.guarded": ("policy some_rows on table public.t",),
            "t.joined": ("view named_otherwise",),
            "t.measured": ("statistics object public.both_of_them",),
            "t.n": ("sequence public.t_n_seq",),
            "t.ordered": ("collation pg_catalog.C",),
            "t.owned": ("sequence public.counter",),
            "t.plain": ("statistics object public.both_of_them",),
            "t.ruled": ("rule kept on table public.loose",),
            "t.shown": ("its comment",),
            "t.stored": ("its storage",),
            "t.used": ("function public.used_sum()",),
            "typed.v": ("the type of the table",),
        }
    finally:
        postgres_server.drop(address.database)
        postgres_server.execute(postgres_server.cluster.address, ["DROP ROLE reader_of_a_column"])
