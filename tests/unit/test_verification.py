"""A restored copy that differs in anything is told; one that is equal is not accused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handrail.backups.record import Verification
from handrail.backups.verification import compare_restored, compare_revisions, is_to_compare
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
from support.pace import cost
from unit.test_manifest import FAILED, PROOF, RECORD

DAY = timedelta(days=1)
BOOKINGS, USERS = TableName("bookings"), TableName("users", "app")


def printed(table: TableName, rows: int, digest: str) -> TableFingerprint:
    return TableFingerprint(table, rows, (GroupDigest(("id", "topic"), digest),))


PRINT = Fingerprint("a1", (printed(BOOKINGS, 2, "aa"), printed(USERS, 5, "bb")), (("bookings_id_seq", 7),))
COLUMNS = (ColumnFacts("id", "integer", False), ColumnFacts("topic", "text", True))
INDEX = SchemaObject(ObjectKind.INDEX, "ix_topic", BOOKINGS, "CREATE INDEX …")
CHECK = SchemaObject(ObjectKind.CONSTRAINT, "ck", USERS, "CHECK (id > 0)")
FACTS = DatabaseFacts(
    "postgresql",
    "15.18",
    frozenset(),
    (TableFacts(BOOKINGS, COLUMNS, ("id",)), TableFacts(USERS, COLUMNS, ("id",))),
    (INDEX, CHECK),
    8192,
)


def with_tables(*tables: TableFingerprint) -> Fingerprint:
    return replace(PRINT, tables=tables)


def test_an_equal_copy_has_no_differences() -> None:
    assert compare_restored(PRINT, PRINT, FACTS, FACTS) == ()


def test_what_may_differ() -> None:
    """Sizes and statistics are not content; a sequence may be later; objects come in any order."""
    later = replace(PRINT, sequences=(("bookings_id_seq", 8),), tables=PRINT.tables[::-1])
    tables = tuple(replace(table, rows_estimate=9, size_bytes=9) for table in FACTS.tables)
    other = replace(FACTS, version="18.1", size_bytes=1, tables=tables[::-1], objects=FACTS.objects[::-1])
    assert compare_restored(PRINT, later, FACTS, other) == ()


@pytest.mark.parametrize(
    ("restored", "expected"),
    [
        (replace(PRINT, algorithm="b1"), ("fingerprints cannot be compared: a1 against b1",)),
        (with_tables(PRINT.tables[1]), ("table bookings is missing",)),
        (with_tables(printed(BOOKINGS, 1, "aa"), PRINT.tables[1]), ("table bookings has 1 rows, the source had 2",)),
        (with_tables(PRINT.tables[0], printed(USERS, 5, "bc")), ("table app.users: rows differ from the source",)),
        (
            with_tables(*PRINT.tables, printed(TableName("extra"), 0, "")),
            ("table extra is not in the source",),
        ),
        (
            with_tables(replace(PRINT.tables[0], digests=()), PRINT.tables[1]),
            ("table bookings: rows differ from the source",),
        ),
        (
            replace(PRINT, sequences=(("bookings_id_seq", 6),)),
            ("sequence bookings_id_seq is at 6, the source was at 7",),
        ),
        (replace(PRINT, sequences=()), ("sequence bookings_id_seq is at nothing, the source was at 7",)),
    ],
)
def test_rows_that_differ_are_told(restored: Fingerprint, expected: tuple[str, ...]) -> None:
    assert compare_restored(PRINT, restored, FACTS, FACTS) == expected


def with_bookings(**changes: object) -> DatabaseFacts:
    changed: Callable[..., TableFacts] = replace
    return replace(FACTS, tables=(changed(FACTS.tables[0], **changes), FACTS.tables[1]))


@pytest.mark.parametrize(
    ("restored", "expected"),
    [
        (with_bookings(columns=COLUMNS[::-1]), ("table bookings: columns differ from the source",)),
        (with_bookings(primary_key=()), ("table bookings: the primary key differs from the source",)),
        (replace(FACTS, objects=(CHECK,)), ("index ix_topic is missing",)),
        (
            replace(FACTS, objects=(INDEX, replace(CHECK, definition="CHECK (id > 1)"))),
            ("constraint ck differs from the source",),
        ),
        (
            replace(FACTS, objects=(INDEX, replace(CHECK, is_valid=False))),
            ("constraint ck is not valid, the source's was",),
        ),
        (
            replace(FACTS, objects=(*FACTS.objects, SchemaObject(ObjectKind.TRIGGER, "t", USERS, "…"))),
            ("trigger t is not in the source",),
        ),
    ],
)
def test_a_schema_that_differs_is_told(restored: DatabaseFacts, expected: tuple[str, ...]) -> None:
    assert compare_restored(PRINT, PRINT, FACTS, restored) == expected


def test_an_invalid_index_may_be_missing_but_nothing_else() -> None:
    """pg_dump leaves INVALID indexes out; it keeps NOT VALID constraints."""
    source = replace(FACTS, objects=(replace(INDEX, is_valid=False), replace(CHECK, is_valid=False)))
    without_index = replace(source, objects=source.objects[1:])
    assert compare_restored(PRINT, PRINT, source, without_index) == ()
    assert compare_restored(PRINT, PRINT, source, replace(FACTS, objects=())) == ("constraint ck is missing",)


names = st.sampled_from([TableName(name, schema) for name in ("a", "b", "가") for schema in (None, "s")])
fingerprints = st.dictionaries(names, st.tuples(st.integers(0, 3), st.sampled_from(["x", "y"])), max_size=6)


def test_what_no_table_shows_is_told_when_both_digests_are_known() -> None:
    source = replace(PRINT, content="ab")
    told = ("what no table shows differs from the source: indexes, or settings of the database",)
    for content, expected in (("ab", ()), ("", ()), ("cd", told)):
        restored = replace(PRINT, content=content)
        assert compare_restored(source, restored, FACTS, FACTS) == expected


def test_revisions_are_compared_in_any_order() -> None:
    assert compare_revisions(("b", "a"), ("a", "b")) == ()
    assert compare_revisions(("a", "b"), ("a",)) == ("it is at a, the source was at a, b",)
    assert compare_revisions((), ("a",)) == ("it is at a, the source was at base",)


def fingerprint(tables: dict[TableName, tuple[int, str]]) -> Fingerprint:
    return Fingerprint("a1", tuple(printed(name, *tables[name]) for name in sorted(tables, key=str)))


@given(source=fingerprints, restored=fingerprints)
def test_differences_are_told_exactly_when_there_are_some(
    source: dict[TableName, tuple[int, str]], restored: dict[TableName, tuple[int, str]]
) -> None:
    nothing = DatabaseFacts("sqlite", "3", frozenset(), (), (), 0)
    found = compare_restored(fingerprint(source), fingerprint(restored), nothing, nothing)
    assert bool(found) == (source != restored)
    differing = {name for name in {*source, *restored} if source.get(name) != restored.get(name)}
    assert len(found) == len(differing)


@pytest.mark.parametrize(
    ("verifications", "unless_asked"),
    [((), True), ((PROOF,), False), ((PROOF, FAILED), True), ((FAILED, replace(PROOF, at=FAILED.at + DAY)), False)],
)
def test_what_is_restored_is_compared_where_no_proof_stands(
    verifications: tuple[Verification, ...], unless_asked: bool
) -> None:
    record = replace(RECORD, verifications=verifications)
    assert [is_to_compare(record, asked) for asked in (None, True, False)] == [unless_asked, True, False]


def test_many_tables_are_compared_in_one_pass() -> None:
    """Looking each one up among all took hours for 100,000 tables."""
    names = [TableName(f"t{number}") for number in range(10_000)]
    prints = with_tables(*(printed(name, 1, "aa") for name in names))
    facts = replace(FACTS, tables=tuple(TableFacts(name, COLUMNS) for name in names))
    mixed = replace(prints, tables=prints.tables[::-1])
    assert compare_restored(prints, mixed, facts, facts) == ()
    assert cost(lambda: compare_restored(prints, mixed, facts, facts), times=1) < 10
