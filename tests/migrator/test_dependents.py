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
            ("bookings", "id"): {"constraint bookings_pkey", "sequence of id"},
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
