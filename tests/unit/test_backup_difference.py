"""What differs between two backups, in words; nothing differs from itself, and the way back is the mirror."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handrail.backups.difference import BackupDifference, Change, Difference, RowDifference, compare_backups
from handrail.backups.record import BackupRecord
from handrail.errors import UsageError
from handrail.facts import (
    ColumnFacts,
    DatabaseFacts,
    Fingerprint,
    GroupDigest,
    ObjectKind,
    SchemaObject,
    TableFacts,
    TableFingerprint,
    TableName,
)
from unit.test_manifest import RECORD

USERS, BOOKINGS, NOTES = TableName("users"), TableName("bookings"), TableName("notes", "app")
ID, SEATS = ColumnFacts("id", "integer", nullable=False), ColumnFacts("seats", "integer", nullable=False, default="1")
NAME = ColumnFacts("name", "text", nullable=True)


def counted(table: TableName, rows: int, digest: str, *columns: str) -> TableFingerprint:
    return TableFingerprint(table, rows, (GroupDigest(columns or ("id",), digest),))


def record(
    id_: str,
    tables: tuple[TableFacts, ...],
    rows: tuple[TableFingerprint, ...],
    *,
    objects: tuple[SchemaObject, ...] = (),
    sequences: tuple[tuple[str, int], ...] = (),
    algorithm: str = "pg-1",
) -> BackupRecord:
    facts = replace(RECORD.facts, tables=tables, objects=objects)
    return replace(RECORD, id=id_, facts=facts, fingerprint=Fingerprint(algorithm, rows, sequences))


OLD = record(
    "old",
    (TableFacts(USERS, (ID, NAME), ("id",)), TableFacts(BOOKINGS, (ID, SEATS)), TableFacts(NOTES, (ID,))),
    (
        counted(USERS, 7, "aa", "id", "name"),
        counted(BOOKINGS, 1200, "bb", "id", "seats"),
        counted(NOTES, 3, "cc"),
    ),
    objects=(
        SchemaObject(ObjectKind.INDEX, "ix", BOOKINGS, "CREATE INDEX ix ON bookings (seats)"),
        SchemaObject(ObjectKind.ENUM, "status", None, "SCHEDULED\nATTENDED"),
        SchemaObject(ObjectKind.CONSTRAINT, "ck", BOOKINGS, "CHECK (seats > 0)", is_valid=False),
    ),
    sequences=(("bookings_id_seq", 1200),),
)
NEW = replace(
    record(
        "new",
        (
            TableFacts(USERS, (NAME, ID)),
            TableFacts(BOOKINGS, (ID, replace(SEATS, type="bigint", default=None, nullable=True), NAME)),
            TableFacts(TableName("extra"), (ID,)),
        ),
        (
            counted(USERS, 7, "ab", "id", "name"),
            counted(BOOKINGS, 1250, "bc", "id", "seats", "name"),
            counted(TableName("extra"), 2, "dd"),
        ),
        objects=(
            SchemaObject(ObjectKind.ENUM, "status", None, "SCHEDULED\nATTENDED\nMISSED"),
            SchemaObject(ObjectKind.CONSTRAINT, "ck", BOOKINGS, "CHECK (seats > 0)"),
            SchemaObject(ObjectKind.VIEW, "busy", None, "SELECT 1"),
        ),
        sequences=(("bookings_id_seq", 1250),),
    ),
    revisions=("e5", "d4b2"),
    server_version="15.19",
)


def test_everything_that_differs_is_told() -> None:
    assert compare_backups(OLD, NEW).lines == (
        "changed  server postgresql: 15.18, now 15.19",
        "gone     revision c3a1",
        "added    revision e5",
        "gone     table app.notes",
        "added    table extra",
        "added    column bookings.name: text",
        "changed  column bookings.seats: integer NOT NULL DEFAULT 1, now bigint",
        "changed  column order users: id, name, now name, id",
        "gone     primary key users: id",
        "gone     index ix on bookings: CREATE INDEX ix ON bookings (seats)",
        "changed  constraint ck on bookings: CHECK (seats > 0) (not valid), now CHECK (seats > 0)",
        "added    view busy: SELECT 1",
        "changed  enum status: SCHEDULED, ATTENDED, now SCHEDULED, ATTENDED, MISSED",
        "rows     app.notes: 3, now no table (-3)",
        "rows     bookings: 1,200, now 1,250 (+50)",
        "rows     extra: no table, now 2 (+2)",
        "changed  sequence bookings_id_seq: 1200, now 1250",
        "not compared: values in users: its columns changed, so its rows are compared by number only",
    )


def test_values_differ_though_their_number_does_not() -> None:
    new = replace(OLD, id="new", fingerprint=replace(OLD.fingerprint, tables=(counted(USERS, 7, "ab", "id", "name"),)))
    old = replace(OLD, fingerprint=replace(OLD.fingerprint, tables=OLD.fingerprint.tables[:1]))
    found = compare_backups(old, new)
    assert found == BackupDifference("old", "new", rows=(RowDifference(USERS, 7, 7),))
    assert found.lines == ("values   users: 7 rows as before, with other values",)


def test_a_renamed_column_leaves_the_rows_as_they_are() -> None:
    tables = (TableFacts(NOTES, (replace(ID, name="number"),)),)
    new = record("new", tables, (counted(NOTES, 3, "cc", "number"),))
    old = record("old", (TableFacts(NOTES, (ID,)),), (counted(NOTES, 3, "cc"),))
    assert compare_backups(old, new) == BackupDifference(
        "old",
        "new",
        schema=(
            Difference("column", "app.notes.id", Change.GONE, before="integer NOT NULL"),
            Difference("column", "app.notes.number", Change.ADDED, after="integer NOT NULL"),
        ),
    )


def test_columns_say_what_they_are() -> None:
    columns = (
        replace(NAME, collation="C", default="'x'"),
        replace(NAME, name="unchecked", not_null_unchecked="nn"),
        replace(NAME, name="doubled", generated=True, default="id * 2"),
        replace(NAME, name="bare", generated=True),
    )
    new = record("new", (TableFacts(USERS, columns),), ())
    old = record("old", (TableFacts(USERS, ()),), ())
    assert [one.after for one in compare_backups(old, new).schema] == [
        "text GENERATED",
        "text GENERATED id * 2",
        "text COLLATE C DEFAULT 'x'",
        "text NOT NULL for new rows only",
    ]


def test_other_digests_compare_by_number() -> None:
    new = replace(OLD, id="new", fingerprint=replace(OLD.fingerprint, algorithm="pg-2"))
    assert compare_backups(OLD, new).lines == (
        "not compared: values: digested as pg-1 in the one and pg-2 in the other, so rows are compared by number only",
    )


def test_encrypted_digests_compare_by_number() -> None:
    bare = tuple(replace(table, digests=()) for table in OLD.fingerprint.tables)
    sealed = replace(OLD, id="sealed", fingerprint=replace(OLD.fingerprint, tables=bare), sealed_digests="-----BEGIN")
    fewer = (replace(bare[0], rows=bare[0].rows - 1), *bare[1:])
    less = replace(sealed, id="less", fingerprint=replace(OLD.fingerprint, tables=fewer))
    limit = (
        "not compared: values: the digests of {} are encrypted (--identity FILE), so rows are compared by number only"
    )
    assert compare_backups(OLD, sealed).lines == (limit.format("sealed"),)
    told = compare_backups(sealed, less).lines
    assert (len(told), told[-1]) == (2, limit.format("sealed and less"))


def test_another_major_version_compares_definitions_by_name() -> None:
    facts = replace(OLD.facts, version="18.1", objects=tuple(replace(one, definition="…") for one in OLD.facts.objects))
    new = replace(OLD, id="new", facts=facts, server_version="18.1")
    assert compare_backups(OLD, new).lines == (
        "changed  server postgresql: 15.18, now 18.1",
        "not compared: definitions of indexes, constraints, views and the like: PostgreSQL 15.18 and 18.1 word them"
        " differently, so they are compared by name",
    )


def test_what_a_part_does_not_hold_is_not_gone() -> None:
    part = replace(
        OLD, id="part", tables=(USERS,), fingerprint=replace(OLD.fingerprint, tables=OLD.fingerprint.tables[:1])
    )
    bare = replace(OLD, id="bare", schema_only=True, fingerprint=Fingerprint("pg-1", ()))
    assert compare_backups(OLD, part).lines == ("not compared: rows of other tables: part holds those of users only",)
    assert compare_backups(bare, OLD).lines == ("not compared: rows and sequences: bare holds definitions only",)


def test_a_table_written_to_meanwhile_is_not_compared() -> None:
    fingerprint = replace(OLD.fingerprint, tables=(*OLD.fingerprint.tables[:2], counted(NOTES, 4, "cd")))
    new = replace(OLD, id="new", fingerprint=fingerprint, changed_meanwhile=(NOTES,))
    assert compare_backups(OLD, new).lines == (
        "not compared: rows of app.notes: it was written to while its files were copied",
    )


def test_other_engines_refuse() -> None:
    with pytest.raises(UsageError) as caught:
        compare_backups(OLD, replace(OLD, id="new", engine="sqlite"))
    assert (caught.value.message, caught.value.why, caught.value.hint) == (
        "backups old and new cannot be compared",
        "one is of postgresql, the other of sqlite: types and definitions are worded differently",
        "choose two of one engine: handrail backup list",
    )


NAMES = st.sampled_from([USERS, BOOKINGS, NOTES])
COLUMNS = st.builds(
    ColumnFacts,
    st.sampled_from(["a", "b", "c"]),
    st.sampled_from(["integer", "text"]),
    st.booleans(),
    st.sampled_from([None, "1"]),
)
OBJECTS = st.builds(
    SchemaObject,
    st.sampled_from(ObjectKind),
    st.sampled_from(["x", "y"]),
    st.one_of(st.none(), NAMES),
    st.sampled_from(["d", "e"]),
    st.booleans(),
)


@st.composite
def records(draw: st.DrawFn) -> BackupRecord:
    names = sorted(draw(st.sets(NAMES)), key=str)
    tables = tuple(
        TableFacts(name, tuple(draw(st.lists(COLUMNS, max_size=3, unique_by=lambda one: one.name)))) for name in names
    )
    rows = tuple(
        counted(table.name, draw(st.integers(0, 2)), draw(st.sampled_from(["aa", "bb"])), *table.column_names())
        for table in tables
    )
    objects = draw(st.lists(OBJECTS, max_size=4, unique_by=lambda one: (one.kind, one.name, str(one.table))))
    facts = DatabaseFacts("postgresql", draw(st.sampled_from(["15.1", "18.1"])), frozenset(), tables, tuple(objects), 0)
    sequences = tuple(draw(st.dictionaries(st.sampled_from(["s", "t"]), st.integers(0, 2))).items())
    print_ = Fingerprint(draw(st.sampled_from(["pg-1", "pg-2"])), rows, sequences)
    revisions = tuple(draw(st.sets(st.sampled_from(["a1", "b2"]))))
    return replace(RECORD, facts=facts, fingerprint=print_, revisions=revisions, schema_only=draw(st.booleans()))


@given(records())
def test_nothing_differs_from_itself(one: BackupRecord) -> None:
    assert compare_backups(one, one).is_empty


BACK = {Change.ADDED: Change.GONE, Change.GONE: Change.ADDED, Change.CHANGED: Change.CHANGED}


def mirrored(found: tuple[Difference, ...]) -> set[Difference]:
    return {replace(one, change=BACK[one.change], before=one.after, after=one.before) for one in found}


@given(records(), records())
def test_the_way_back_is_the_mirror(one: BackupRecord, other: BackupRecord) -> None:
    there, back = compare_backups(one, other), compare_backups(other, one)
    for name in ("origin", "schema", "sequences"):
        assert mirrored(getattr(there, name)) == set(getattr(back, name)), name
    assert {RowDifference(row.table, row.after, row.before) for row in there.rows} == set(back.rows)
    assert len(there.not_compared) == len(back.not_compared)
