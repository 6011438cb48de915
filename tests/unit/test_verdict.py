"""The verdict over before and after, with literals."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from handrail.facts import (
    BrokenReference,
    ColumnCompleteness,
    ColumnFacts,
    DatabaseFacts,
    Fingerprint,
    GroupDigest,
    ObjectKind,
    RowWrites,
    SchemaObject,
    TableFingerprint,
    TableName,
    WriteActivity,
)
from handrail.migrations.operations import Operation, OperationKind, RevisionRun
from handrail.rehearsal.compare import (
    Classification,
    Method,
    TableProof,
    Verdict,
    verdict,
    verdict_live,
)
from handrail.rehearsal.expectation import Expectation, column_groups, expect
from handrail.rehearsal.writes import own_writes
from unit.building import facts, operation, path_of, revision, table, thing

K, C = OperationKind, Classification
BOOKINGS, USERS = TableName("bookings"), TableName("users")
START = facts(table("bookings", "id", "topic", key=("id",)), table("users", "id", "name"))
ROWS = {"bookings": 2, "users": 5}


def expected(*operations: Operation, source: str = "", start: DatabaseFacts = START) -> Expectation:
    return expect(path_of(revision(source)), {"1a2b": operations}, start)


def prints(
    names: dict[TableName, tuple[tuple[str, ...], ...]], rows: dict[str, int], changed: str = "", **more: int
) -> Fingerprint:
    """A fingerprint in which digests tell the number of columns, and differ for the table `changed`."""
    tables = [
        TableFingerprint(
            name,
            rows.get(name.name, 0),
            tuple(GroupDigest(group, f"{len(group)}{'!' if name.name == changed else ''}") for group in groups),
        )
        for name, groups in names.items()
    ]
    return Fingerprint("toy", tuple(tables), tuple(more.items()))


def judge(
    found: Expectation,
    after: DatabaseFacts,
    *,
    rows: dict[str, int] | None = None,
    changed: str = "",
    start: DatabaseFacts = START,
) -> Verdict:
    one, other = column_groups(found, start)
    return verdict(prints(dict(one), ROWS), prints(dict(other), rows or ROWS, changed), start, after, found)


def test_nothing_changed() -> None:
    found = judge(Expectation(), START)
    assert found == Verdict(
        (
            TableProof(BOOKINGS, C.UNCHANGED, Method.EXACT, 2, 2),
            TableProof(USERS, C.UNCHANGED, Method.EXACT, 5, 5),
        )
    )
    assert found.is_lossless
    assert found.summary() == "2 tables unchanged (exact)"
    assert found.lines() == ("bookings: unchanged (exact, 2 rows)", "users: unchanged (exact, 5 rows)")


def test_an_added_column_is_as_declared() -> None:
    after = facts(table("bookings", "id", "topic", "attendance_status", key=("id",)), table("users", "id", "name"))
    found = judge(expected(operation(K.ADD_COLUMN, "bookings", "attendance_status")), after)
    assert found.is_lossless
    assert found.lines()[0] == "bookings: changed as declared (exact, 2 rows): added attendance_status"


def test_an_undeclared_update_says_how_to_declare_it() -> None:
    raw = operation(K.EXECUTE, sql="UPDATE bookings SET topic = upper(topic) WHERE id > 1", line=21)
    found = judge(expected(raw), START, changed="bookings")
    assert not found.is_lossless
    assert found.failures == (
        "bookings: changed though not declared (exact, 2 rows): values changed in one of id, topic",
    )
    assert (
        found.hint == "if this is meant, add to versions/x.py:21 the comment line: # handrail: changes bookings.topic"
    )
    declared = expected(raw, source="# handrail: changes bookings.topic\n")
    assert judge(declared, START).is_lossless


@pytest.mark.parametrize(("number", "text"), [(1, "1 row is gone (2 before, 1 after)"), (4, "2 rows are new (2 before, 4 after)")])  # fmt: skip
def test_rows_gone_or_new(number: int, text: str) -> None:
    raw = operation(K.EXECUTE, sql='DELETE FROM "bookings"', line=9)
    found = judge(expected(raw), START, rows={"bookings": number, "users": 5}, changed="bookings")
    assert found.tables[0].details == (text,)
    assert found.hint == "if this is meant, add to versions/x.py:9 the comment line: # handrail: changes bookings"


def test_a_table_that_is_made_and_one_that_is_dropped_read_well() -> None:
    after = facts(START.tables[0], table("rooms", "id"))
    found = expected(operation(K.DROP_TABLE, "users"), operation(K.CREATE_TABLE, "rooms"))
    judged = verdict(
        prints({BOOKINGS: (("id", "topic"),), USERS: ()}, ROWS),
        prints({BOOKINGS: (("id", "topic"),), TableName("rooms"): ()}, ROWS),
        START,
        after,
        found,
    )
    assert judged.lines() == (
        "bookings: unchanged (exact, 2 rows)",
        "users: dropped as declared (5 rows)",
        "rooms: created as declared (0 rows)",
    )
    assert judged.summary() == "1 table unchanged (exact), 2 tables changed as declared"


def test_a_table_that_vanished_and_one_that_was_dropped() -> None:
    after = facts(START.tables[0])
    found = judge(expected(operation(K.EXECUTE, sql="DROP TABLE users", line=3)), after)
    assert found.failures == ("users: changed though not declared (5 rows): the table is gone",)
    assert found.hint == "if this is meant, add to versions/x.py:3 the comment line: # handrail: drops users"
    assert judge(expected(operation(K.DROP_TABLE, "users")), after).is_lossless
    assert judge(expected(source="# handrail: drops users\n"), after).is_lossless
    assert not judge(expected(source="# handrail: changes users\n"), after).is_lossless


PLAIN = ColumnFacts("topic", "TEXT", True, "''", collation="C")


@pytest.mark.parametrize(
    ("changed", "text", "is_altered_enough"),
    [
        (replace(PLAIN, type="INTEGER"), "column topic: type was TEXT and is INTEGER", False),
        (replace(PLAIN, nullable=False), "column topic: nullable was yes and is no", True),
        (replace(PLAIN, default=None), "column topic: default was '' and is none", True),
        (replace(PLAIN, collation=None), "column topic: collation was C and is none", False),
        (replace(PLAIN, generated=True), "column topic: generated was no and is yes", False),
        (replace(PLAIN, name="title"), "column topic is gone", False),
    ],
)
def test_attributes_of_a_column(changed: ColumnFacts, text: str, is_altered_enough: bool) -> None:
    start = facts(table("bookings", "id", PLAIN))
    after = facts(table("bookings", "id", changed))
    found = judge(expected(start=start), after, start=start)
    assert found.tables[0].details == (text,)
    altered = expected(operation(K.ALTER_COLUMN, "bookings", "topic"), start=start)
    assert judge(altered, after, start=start).is_lossless is is_altered_enough
    converted = expected(operation(K.ALTER_COLUMN, "bookings", "topic", changes_values=True), start=start)
    assert judge(converted, after, start=start).is_lossless is (changed.name == "topic")
    assert judge(expected(source="# handrail: drops bookings.topic\n", start=start), after, start=start).is_lossless


def test_the_primary_key_may_not_change_by_itself() -> None:
    after = facts(table("bookings", "id", "topic"), START.tables[1])
    assert judge(Expectation(), after).tables[0].details == ("the primary key was id and is none",)
    assert judge(expected(operation(K.DROP_CONSTRAINT, "bookings", name="pk")), after).is_lossless


INDEX = thing(ObjectKind.INDEX, "ix_topic", "bookings", "CREATE INDEX ix_topic ON bookings (topic)")
TRIGGER = thing(
    ObjectKind.TRIGGER, "log", "bookings", "CREATE TRIGGER log AFTER UPDATE ON bookings BEGIN SELECT 1; END"
)
CHECK = thing(ObjectKind.CONSTRAINT, "CHECK (topic <> '')", "bookings", "CHECK (topic <> '')")
VIEW = thing(ObjectKind.VIEW, "topics", None, "CREATE VIEW topics AS SELECT topic FROM bookings")


def with_objects(*objects: SchemaObject, tables: DatabaseFacts = START) -> DatabaseFacts:
    return replace(tables, objects=objects)


@pytest.mark.parametrize("lost", [INDEX, TRIGGER, CHECK, VIEW], ids=lambda thing: str(thing.kind))
def test_objects_that_a_rebuild_loses(lost: SchemaObject) -> None:
    found = judge(Expectation(), START, start=with_objects(lost))
    text = f"{lost.kind} {lost.name} is gone"
    where = "" if lost.table is None else "bookings: changed though not declared (exact, 2 rows): "
    assert found.failures == (where + text,)


@pytest.mark.parametrize("old", [INDEX, TRIGGER, CHECK], ids=lambda thing: str(thing.kind))
def test_objects_go_with_their_table_or_by_their_own_drop(old: SchemaObject) -> None:
    start = with_objects(old)
    without = facts(START.tables[1])
    assert judge(expected(operation(K.DROP_TABLE, "bookings")), without, start=start).is_lossless
    dropped = expected(operation(K.DROP_CONSTRAINT, "bookings", name=old.name))
    assert judge(dropped, START, start=start).is_lossless
    assert judge(expected(source="# handrail: changes bookings\n"), START, start=start).is_lossless


def test_an_object_of_a_dropped_column_goes_with_it() -> None:
    after = facts(table("bookings", "id", key=("id",)), START.tables[1])
    found = judge(expected(operation(K.DROP_COLUMN, "bookings", "topic")), after, start=with_objects(INDEX))
    assert found.is_lossless


def test_a_rename_renames_in_definitions() -> None:
    operations = (
        operation(K.RENAME_TABLE, "bookings", new_table="visits"),
        operation(K.ALTER_COLUMN, "visits", "topic", to="title"),
    )
    tables = facts(table("visits", "id", "title", key=("id",)), START.tables[1])
    renamed = thing(ObjectKind.INDEX, "ix_topic", "visits", 'CREATE INDEX ix_topic ON "visits" ("title")')
    view = replace(VIEW, definition='CREATE VIEW topics AS SELECT "title" FROM "visits"')
    start = with_objects(INDEX, VIEW)
    rows = {"visits": 2, "users": 5}
    same = judge(expected(*operations), with_objects(renamed, view, tables=tables), rows=rows, start=start)
    assert same.failures == ()
    other = replace(renamed, definition="CREATE INDEX ix_topic ON visits (id)")
    found = judge(expected(*operations), with_objects(other, view, tables=tables), rows=rows, start=start)
    assert found.tables[0].details == (
        "index ix_topic changed: was CREATE INDEX ix_topic ON bookings (topic), is CREATE INDEX ix_topic ON visits (id)",
    )


def test_an_index_that_became_invalid() -> None:
    after = with_objects(replace(INDEX, is_valid=False))
    found = judge(Expectation(), after, start=with_objects(INDEX))
    assert found.tables[0].details == ("index ix_topic is not valid any more",)


def test_enum_labels() -> None:
    enum = thing(ObjectKind.ENUM, "status", None, "A\nB")
    more, fewer = replace(enum, definition="A\nX\nB"), replace(enum, definition="A")
    start = with_objects(enum)
    assert judge(Expectation(), with_objects(more), start=start).is_lossless
    assert judge(Expectation(), START, start=start).is_lossless
    assert judge(Expectation(), with_objects(fewer), start=start).failures == ("enum status changed: was A B, is A",)
    assert judge(expected(source="# handrail: changes status\n"), with_objects(fewer), start=start).is_lossless


def test_enum_labels_of_a_column_that_is_declared_to_change() -> None:
    column = ColumnFacts("state", "status", nullable=False)
    start = facts(replace(START.tables[0], columns=(*START.tables[0].columns, column)), START.tables[1])
    enum = thing(ObjectKind.ENUM, "status", None, "A\nB")
    before, after = replace(start, objects=(enum,)), replace(start, objects=(replace(enum, definition="A"),))
    declared = expected(source="# handrail: changes bookings.state\n", start=before)
    assert judge(declared, after, start=before).is_lossless
    other = expected(source="# handrail: changes bookings.topic\n", start=before)
    assert judge(other, after, start=before).failures == ("enum status changed: was A B, is A",)


def test_counters_do_not_go_back() -> None:
    one, other = column_groups(Expectation(), START)
    before = prints(dict(one), ROWS, bookings=10, free_seq=7)
    back = prints(dict(other), ROWS, bookings=9)
    found = verdict(before, back, START, START, Expectation())
    assert found.failures == (
        "bookings: changed though not declared (exact, 2 rows): the counter bookings went back from 10 to 9",
        "the counter free_seq is gone (it stood at 7)",
    )
    forth = prints(dict(other), ROWS, bookings=12, free_seq=7)
    assert verdict(before, forth, START, START, Expectation()).is_lossless


def broken(rows: int | None, *columns: str, on: str = "bookings", parent: str = "users") -> BrokenReference:
    return BrokenReference(TableName(on), columns, TableName(parent), rows)


@pytest.mark.parametrize(
    ("before", "after", "failures"),
    [
        ([broken(3, "user")], [broken(3, "user")], ()),
        ([broken(3, "user")], [broken(2, "user")], ()),
        ([broken(3, "user")], [broken(4, "user")], ("broken reference: bookings.user -> users: 4 rows (3 before)",)),
        ([broken(3, "user")], [broken(1, "room")], ("broken reference: bookings.room -> users: 1 row",)),
        ([broken(None)], [broken(None)], ()),
        ([], [broken(None)], ("broken reference: bookings -> users: foreign key mismatch, it cannot be checked",)),
    ],
)
def test_broken_references_fail_that_are_new_or_have_grown(
    before: list[BrokenReference], after: list[BrokenReference], failures: tuple[str, ...]
) -> None:
    one, other = column_groups(Expectation(), START)
    old, new = prints(dict(one), ROWS), prints(dict(other), ROWS)
    assert verdict(old, new, START, START, Expectation(), before, after).failures == failures


def test_a_broken_reference_is_the_same_under_another_name() -> None:
    found = expected(
        operation(K.RENAME_TABLE, "bookings", new_table="visits"),
        operation(K.RENAME_TABLE, "users", new_table="people"),
        operation(K.ALTER_COLUMN, "visits", "topic", to="what"),
    )
    after = facts(table("visits", "id", "what", key=("id",)), table("people", "id", "name"))
    one, other = column_groups(found, START)
    judged = verdict(
        prints(dict(one), {}),
        prints(dict(other), {}),
        START,
        after,
        found,
        [broken(2, "topic")],
        [broken(2, "what", on="visits", parent="people")],
    )
    assert judged.failures == ()


CHECK = thing(ObjectKind.CONSTRAINT, "once", "bookings", "CHECK (a > 0)")
UNCHECKED = replace(CHECK, is_valid=False)
NOTE = "constraint once on bookings checks new rows only; VALIDATE CONSTRAINT in a later revision"
LOST = "bookings: changed though not declared (exact, 2 rows): constraint once is not valid any more"
PARTED = SchemaObject(ObjectKind.INDEX, "ix", BOOKINGS, "CREATE INDEX ix ON ONLY public.bookings (id)", False)
FAILED = SchemaObject(ObjectKind.INDEX, "ix", BOOKINGS, "CREATE INDEX ix ON public.bookings (id)", False)


@pytest.mark.parametrize(
    ("before", "after", "failures", "notes"),
    [
        ((), (UNCHECKED,), (), (NOTE,)),
        ((UNCHECKED,), (UNCHECKED,), (), ()),
        ((UNCHECKED,), (CHECK,), (), ()),
        ((CHECK,), (UNCHECKED,), (LOST,), (NOTE,)),
        (
            (),
            (replace(UNCHECKED, definition="CHECK (a > 0) NOT ENFORCED"),),
            (),
            ("constraint once on bookings is NOT ENFORCED: it checks no row",),
        ),
        (
            (),
            (PARTED,),
            (),
            ("index ix on bookings is not used until every partition has its part: ATTACH PARTITION",),
        ),
        (
            (),
            (FAILED,),
            ("bookings: changed though not declared (exact, 2 rows): index ix is INVALID: building it did not finish",),
            (),
        ),
        ((FAILED,), (FAILED,), (), ()),
    ],
)
def test_what_is_not_checked_is_said_and_what_was_checked_stays_so(
    before: tuple[SchemaObject, ...],
    after: tuple[SchemaObject, ...],
    failures: tuple[str, ...],
    notes: tuple[str, ...],
) -> None:
    start = replace(START, objects=before)
    found = judge(Expectation(), replace(START, objects=after), start=start)
    assert (found.failures, found.notes) == (failures, notes)
    assert found.lines()[2:] == tuple(f"note: {note}" for note in notes)


def test_a_not_null_that_checks_new_rows_only_may_be_validated_but_not_vanish() -> None:
    def with_column(*, nullable: bool, unchecked: str | None) -> DatabaseFacts:
        column = ColumnFacts("seats", "INTEGER", nullable, not_null_unchecked=unchecked)
        return facts(table("bookings", "id", column, key=("id",)), START.tables[1])

    free = with_column(nullable=True, unchecked=None)
    unchecked, full = with_column(nullable=True, unchecked="given"), with_column(nullable=False, unchecked=None)
    undeclared = "bookings: changed though not declared (exact, 2 rows): "
    note = "constraint given on bookings checks new rows only; VALIDATE CONSTRAINT in a later revision"
    cases: dict[str, tuple[DatabaseFacts, DatabaseFacts, tuple[str, ...], tuple[str, ...]]] = {
        "added": (free, unchecked, (), (note,)),
        "kept": (unchecked, unchecked, (), ()),
        "validated": (unchecked, full, (), ()),
        "gone": (unchecked, free, (f"{undeclared}constraint given is gone",), ()),
        "weakened": (full, unchecked, (f"{undeclared}column seats: nullable was no and is yes",), (note,)),
        "tightened": (free, full, (f"{undeclared}column seats: nullable was yes and is no",), ()),
    }
    found = {name: judge(Expectation(), after, start=start) for name, (start, after, _, _) in cases.items()}
    assert {name: (one.failures, one.notes) for name, one in found.items()} == {
        name: case[2:] for name, case in cases.items()
    }


def test_an_unchecked_constraint_that_replaces_a_declared_drop_is_said() -> None:
    found = expected(operation(K.DROP_CONSTRAINT, "bookings", name="once"), start=replace(START, objects=(CHECK,)))
    judged = judge(found, replace(START, objects=(UNCHECKED,)), start=replace(START, objects=(CHECK,)))
    assert (judged.failures, judged.notes) == ((), (NOTE,))


def test_what_was_not_digested_is_not_called_proven() -> None:
    empty = Fingerprint("toy", ())
    found = verdict(empty, empty, START, START, Expectation())
    assert found.not_proven == (BOOKINGS, USERS)
    assert (found.is_lossless, found.summary()) == (True, "2 tables not proven: bookings, users")
    one, _ = column_groups(Expectation(), START)
    half = verdict(prints(dict(one), ROWS), empty, START, START, Expectation())
    assert not half.is_lossless
    other = replace(prints(dict(one), ROWS), algorithm="else")
    assert not verdict(prints(dict(one), ROWS), other, START, START, Expectation()).is_lossless


def test_added_columns_hold_their_default() -> None:
    after = facts(
        table("bookings", "id", "topic", ColumnFacts("status", "TEXT", False, "'A'"), key=("id",)), START.tables[1]
    )

    def with_evidence(nulls: int, others: int, source: str = "") -> tuple[str, ...]:
        found = expected(operation(K.ADD_COLUMN, "bookings", "status"), source=source)
        one, other = column_groups(found, START)
        evidence = ColumnCompleteness(BOOKINGS, "status", 2, nulls, others)
        before, now = prints(dict(one), ROWS), prints(dict(other), ROWS)
        return verdict(before, now, START, after, found, completeness=[evidence]).tables[0].details

    assert with_evidence(0, 0) == ("added status",)
    assert with_evidence(1, 0) == ("status is NOT NULL and 1 row is without a value",)
    assert with_evidence(0, 2) == ("2 rows are not filled with the default of status",)
    assert with_evidence(0, 2, "# handrail: changes bookings.status\n") == ("added status", "may change: status")


def test_what_the_script_wrote_itself_must_be_declared() -> None:
    """Where a table is not digested (others write to it), and also where digests are equal."""
    empty = Fingerprint("toy", ())

    def details(
        *operations: Operation, source: str = "", writes: tuple[int, int, int] = (0, 2, 0), digested: bool = False
    ) -> tuple[str, ...]:
        found = expected(*operations, source=source)
        one, other = column_groups(found, START)
        before, after = (prints(dict(one), ROWS), prints(dict(other), ROWS)) if digested else (empty, empty)
        return verdict(before, after, START, START, found, writes=[RowWrites(BOOKINGS, *writes)]).failures

    undigested = "bookings: changed though not declared: rows that the script itself wrote: "
    assert details() == (f"{undigested}2 updated",)
    assert details(writes=(1, 0, 3)) == (f"{undigested}1 inserted, 3 deleted",)
    assert details(digested=True) == (
        "bookings: changed though not declared (exact, 2 rows): rows that the script itself wrote: 2 updated",
    )
    assert details(writes=(0, 0, 0)) == ()
    assert details(source="# handrail: changes bookings\n", writes=(1, 2, 3)) == ()
    assert details(source="# handrail: changes bookings.topic\n") == ()
    assert details(source="# handrail: changes bookings.topic\n", writes=(0, 2, 1)) == (f"{undigested}1 deleted",)
    insert = operation(K.BULK_INSERT, "bookings")
    assert details(insert, writes=(4, 0, 0)) == ()
    assert details(insert, writes=(4, 1, 0)) == (f"{undigested}1 updated",)


def test_own_writes_add_up_under_the_last_name() -> None:
    rename = operation(K.RENAME_TABLE, "bookings", new_table="visits")
    runs = [
        RevisionRun("a", "upgrade", 1.0, writes=(RowWrites(BOOKINGS, 1, 2, 3), RowWrites(USERS, 0, 1, 0))),
        RevisionRun("b", "upgrade", 1.0, (rename,), writes=(RowWrites(TableName("visits"), 10, 20, 30),)),
        RevisionRun("c", "upgrade", 1.0),
    ]
    assert own_writes(runs) == (RowWrites(USERS, 0, 1, 0), RowWrites(TableName("visits"), 11, 22, 33))


def live(
    *,
    rows: int = 2,
    changed: str = "bookings",
    writes: tuple[int, int, int] | None = (0, 0, 0),
    exact: tuple[TableName, ...] = (),
    maintenance: bool = False,
    rehearsed: DatabaseFacts = START,
    added: ColumnCompleteness | None = None,
    own: tuple[int, int, int] = (0, 0, 0),
) -> Verdict:
    one, other = column_groups(Expectation(), START)
    then = WriteActivity({BOOKINGS: (100, 50, 7), USERS: (5, 0, 0)})
    now = then
    if writes is not None:
        now = WriteActivity({BOOKINGS: (100 + writes[0], 50 + writes[1], 7 + writes[2]), USERS: (5, 0, 0)})
    return verdict_live(
        before=prints(dict(one), ROWS),
        after=prints(dict(other), {"bookings": rows, "users": 5}, changed),
        facts_before=START,
        facts_after=rehearsed,
        rehearsed=rehearsed,
        expectation=Expectation() if added is None else expected(operation(K.ADD_COLUMN, "bookings", "status")),
        exact=exact,
        activity_before=then if writes is not None else WriteActivity(),
        activity_after=now,
        maintenance=maintenance,
        completeness=() if added is None else [added],
        writes=[RowWrites(BOOKINGS, *own)],
    )


def first(found: Verdict) -> tuple[Classification, Method, bool]:
    return found.tables[0].classification, found.tables[0].method, found.is_lossless


def test_live_proofs() -> None:
    assert first(live(changed="")) == (C.UNCHANGED, Method.EXACT, True)
    assert first(live()) == (C.CHANGED_UNDECLARED, Method.EXACT, False)
    assert first(live(writes=(0, 1, 0))) == (C.UNCHANGED, Method.COUNTED, True)
    assert first(live(rows=4, writes=(3, 0, 1))) == (C.UNCHANGED, Method.COUNTED, True)
    assert first(live(rows=1, writes=(3, 0, 0))) == (C.CHANGED_UNDECLARED, Method.COUNTED, False)
    assert first(live(rows=1, writes=(0, 3, 0))) == (C.CHANGED_UNDECLARED, Method.COUNTED, False)
    assert first(live(writes=None)) == (C.NOT_PROVEN, Method.NONE, False)
    assert first(live(exact=(BOOKINGS,))) == (C.UNCHANGED, Method.EXACT, True)
    assert first(live(writes=(0, 1, 0), maintenance=True)) == (C.CHANGED_UNDECLARED, Method.EXACT, False)


def test_live_own_writes_are_not_those_of_others() -> None:
    found = live(changed="", writes=(0, 2, 0), own=(0, 2, 0))
    assert found.tables[0].details == ("rows that the script itself wrote: 2 updated",)
    assert live(changed="", writes=(0, 0, 0), own=(0, 2, 0), exact=(BOOKINGS,)).tables[0].details == (
        "rows that the script itself wrote: 2 updated",
    )
    column = ColumnFacts("status", "TEXT", True)
    after = facts(table("bookings", "id", "topic", column, key=("id",)), START.tables[1])
    unmeasured = ColumnCompleteness(BOOKINGS, "status", 2, 0, None)
    kept = live(writes=(0, 2, 0), own=(0, 2, 0), rehearsed=after, added=unmeasured)
    assert kept.tables[0].details == (
        "values changed in one of id, topic, and the statistics know of no write by others",
    )
    assert live(writes=(0, 3, 0), own=(0, 2, 0), rehearsed=after, added=unmeasured).tables[0].details == (
        "added status",
        "others inserted 0, updated 1, deleted 0 meanwhile",
    )


def test_live_says_what_others_wrote() -> None:
    line = "bookings: unchanged (counted, 2 rows before, 4 after): others inserted 3, updated 0, deleted 1 meanwhile"
    assert live(rows=4, writes=(3, 0, 1)).lines()[0] == line


def test_live_others_may_fill_an_added_column_otherwise() -> None:
    column = ColumnFacts("status", "TEXT", True, "'A'")
    after = facts(table("bookings", "id", "topic", column, key=("id",)), START.tables[1])
    two = ColumnCompleteness(BOOKINGS, "status", 5, 0, 2)
    text = "2 rows are not filled with the default of status"

    def judged(**words: Any) -> tuple[bool, tuple[str, ...]]:
        found = live(changed="", rehearsed=after, added=two, **words)
        return found.is_lossless, found.tables[0].details

    others = "others inserted 1, updated 1, deleted 0 meanwhile"
    assert judged(writes=(1, 1, 0)) == (True, ("added status", f"{text} ({others})"))
    assert judged(writes=(1, 0, 5)) == (False, (text,))
    assert judged(writes=None) == (False, (text,))
    assert judged(writes=(1, 1, 0), maintenance=True) == (False, (text,))
    assert judged(writes=None, exact=(BOOKINGS,)) == (True, ("added status", "proven inside the transaction"))


def test_live_schema_must_be_as_rehearsed() -> None:
    rehearsed = facts(table("bookings", "id", "topic", "status"), START.tables[1], objects=[INDEX])
    one, other = column_groups(Expectation(), START)
    found = verdict_live(
        before=prints(dict(one), ROWS),
        after=prints(dict(other), ROWS),
        facts_before=START,
        facts_after=START,
        rehearsed=rehearsed,
        expectation=Expectation(),
        activity_before=WriteActivity(),
        activity_after=WriteActivity(),
    )
    assert found.failures == (
        "table bookings is not as rehearsed",
        "index ix_topic is not there, unlike rehearsed",
    )


def test_a_lost_object_is_declared_by_its_own_name() -> None:
    found = judge(Expectation(), START, start=with_objects(TRIGGER))
    assert found.hint == (
        "create log again in the script, or, if this is meant, "
        "say so in the script with the comment line: # handrail: changes log"
    )
    start = with_objects(TRIGGER)
    declared = expected(source="# handrail: changes log\n", start=start)
    assert declared.unresolved == ()
    assert judge(declared, START, start=start).is_lossless
    assert not judge(declared, START, start=start, changed="bookings").is_lossless


def test_a_type_may_be_spelled_otherwise() -> None:
    start = facts(table("t", ColumnFacts("a", "INT", True), ColumnFacts("b", "varchar( 50 )", True)))
    after = facts(table("t", ColumnFacts("a", "INTEGER", True), ColumnFacts("b", "VARCHAR(50)", True)))
    assert judge(Expectation(), after, start=start).is_lossless


def test_a_way_back_leaves_nothing_behind() -> None:
    back = Expectation().returning()
    assert judge(back, START).is_lossless
    enum = thing(ObjectKind.ENUM, "status", None, "A")
    tables = facts(table("bookings", "id", "topic", "status", key=("id",)), START.tables[1], table("rooms", "id"))
    found = judge(back, with_objects(INDEX, enum, tables=tables))
    assert found.failures == (
        "column bookings.status is left behind",
        "table rooms is left behind",
        "index ix_topic is left behind",
    )
