"""Which tables a backup holds, asked of its manifest."""

from __future__ import annotations

from dataclasses import replace

import pytest

from handrail.backups.held import require_table
from handrail.backups.record import BackupRecord
from handrail.errors import UsageError
from handrail.facts import Fingerprint, ObjectKind, SchemaObject, TableFacts, TableFingerprint, TableName
from unit.test_manifest import FACTS, RECORD

VERSIONS = TableName("alembic_version")
ID = RECORD.id


def of(*names: TableName, engine: str = "postgresql", alone: tuple[TableName, ...] = ()) -> BackupRecord:
    """A backup of these tables; with `alone` the rows of those only."""
    tables = tuple(TableFacts(name, ()) for name in names)
    view = SchemaObject(ObjectKind.VIEW, "by_day", None, "SELECT 1")
    prints = tuple(TableFingerprint(name, 1, ()) for name in alone or names)
    facts = replace(FACTS, engine=engine, tables=tables, objects=(view,))
    return replace(RECORD, engine=engine, facts=facts, fingerprint=Fingerprint("a", prints), tables=alone)


def said(record: BackupRecord, table: TableName) -> tuple[str, str, str] | None:
    try:
        require_table(record, table, version_table=VERSIONS)
    except UsageError as error:
        return error.message, error.why, error.hint
    return None


BOOKINGS, SEATS, AUDITED = TableName("bookings"), TableName("seats"), TableName("events", "audit")


@pytest.mark.parametrize("table", [BOOKINGS, AUDITED, VERSIONS, TableName("by_day"), TableName("bookings", "public")])
def test_a_table_that_is_there(table: TableName) -> None:
    assert said(of(BOOKINGS, AUDITED), table) is None


@pytest.mark.parametrize("name", ["Bookings", "search", "places", "notes"])
def test_sqlite_takes_any_case_and_has_virtual_tables(name: str) -> None:
    behind = [TableName(one) for one in ("search_data", "places_node", "notes_segments")]
    assert said(of(BOOKINGS, *behind, engine="sqlite"), TableName(name)) is None


def test_near_tables_are_named() -> None:
    known = of(BOOKINGS, SEATS, TableName("booking_notes"))
    assert said(known, TableName("booking")) == (
        f"backup {ID} has no table booking",
        "",
        "did you mean --table bookings or --table booking_notes?",
    )
    assert said(of(BOOKINGS, SEATS), TableName("Bookings")) == (
        f"backup {ID} has no table Bookings",
        "",
        "did you mean --table bookings?",
    )
    assert said(of(AUDITED), TableName("events")) == (
        f"backup {ID} has no table events",
        "",
        "did you mean --table audit.events?",
    )


def test_without_a_near_one_those_there_are() -> None:
    hint = f"handrail backup show {ID} lists its tables"
    assert said(of(BOOKINGS), TableName("nosuch")) == (
        f"backup {ID} has no table nosuch",
        "it has bookings, by_day",
        hint,
    )
    many = of(*(TableName(f"t{number:04}") for number in range(1234)))
    names = ", ".join(["by_day", *(f"t{number:04}" for number in range(9))])
    assert said(many, TableName("nosuch")) == (
        f"backup {ID} has no table nosuch",
        f"it has {names} and 1,225 more",
        hint,
    )


def test_a_part_has_rows_of_its_tables_alone() -> None:
    part = of(BOOKINGS, SEATS, alone=(BOOKINGS,))
    assert said(part, BOOKINGS) is None
    assert said(part, SEATS) == (
        f"backup {ID} has no rows of seats",
        "it is of bookings alone",
        "choose a backup of the whole database: handrail backup list",
    )
