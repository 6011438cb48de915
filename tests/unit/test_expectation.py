"""What a path may change, composed over several revisions."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from handrail.facts import ColumnFacts, TableName
from handrail.migrations.operations import Operation, OperationKind
from handrail.rehearsal.completeness import added_columns
from handrail.rehearsal.expectation import (
    Expectation,
    RawStatement,
    TableExpectation,
    column_groups,
    expect,
    expect_each,
)
from unit.building import facts, operation, path_of, revision, table

K = OperationKind
BOOKINGS = TableName("bookings")
START = facts(table("bookings", "id", "topic", "when"), table("users", "id", "name"))


def compose(*revisions: tuple[Operation, ...], source: str = "") -> Expectation:
    scripts = [revision(source, f"r{number}") for number in range(len(revisions))]
    operations = {script.id: items for script, items in zip(scripts, revisions, strict=True)}
    return expect(path_of(*scripts), operations, START)


def test_nothing_done_nothing_expected() -> None:
    found = compose(())
    assert found == Expectation()
    whole = {BOOKINGS: (("id", "topic", "when"),), TableName("users"): (("id", "name"),)}
    assert column_groups(found, START) == (whole, whole)


def test_added_columns_are_what_a_table_has_gained() -> None:
    found = compose(
        (
            operation(K.RENAME_TABLE, "bookings", new_table="visits"),
            operation(K.ALTER_COLUMN, "visits", "topic", to="title"),
            operation(K.ADD_COLUMN, "visits", "note"),
        ),
        (operation(K.ADD_COLUMN, "visits", "seats"), operation(K.ALTER_COLUMN, "visits", "seats", to="places")),
    )
    assert found.tables[0].added_then_altered == {"places"}
    visits = TableName("visits")
    assert added_columns(found, START, None) == {visits: ("note", "places")}
    after = facts(table("visits", "id", "title", "when", "note", "places", "raw"), table("users", "id", "name"))
    assert added_columns(found, START, after) == {visits: ("note", "places", "raw")}
    assert added_columns(compose(()), START, START) == {}


def test_rename_chain_over_revisions() -> None:
    found = compose(
        (operation(K.RENAME_TABLE, "bookings", new_table="places"),),
        (operation(K.ALTER_COLUMN, "places", "topic", to="subject"),),
        (operation(K.RENAME_TABLE, "places", new_table="visits"), operation(K.ADD_COLUMN, "visits", "note")),
        (operation(K.ALTER_COLUMN, "visits", "subject", to="title"), operation(K.DROP_COLUMN, "visits", "when")),
    )
    assert found.tables == (
        TableExpectation(
            BOOKINGS,
            TableName("visits"),
            renamed=(("topic", "title"),),
            dropped=frozenset({"when"}),
            added=frozenset({"note"}),
            attributes=frozenset({"topic"}),
        ),
    )
    assert found.renamed() == {BOOKINGS: TableName("visits")}
    before, after = column_groups(found, START)
    assert before[BOOKINGS] == (("id", "topic"),)
    assert after[TableName("visits")] == (("id", "title"),)


def test_add_then_drop_is_nothing() -> None:
    assert (
        compose((operation(K.ADD_COLUMN, "bookings", "a"),), (operation(K.DROP_COLUMN, "bookings", "a"),)).tables == ()
    )


def test_create_then_drop_is_nothing() -> None:
    assert compose((operation(K.CREATE_TABLE, "new"), operation(K.DROP_TABLE, "new"))).tables == ()


def test_drop_then_create_again_is_both() -> None:
    found = compose((operation(K.DROP_TABLE, "users"), operation(K.CREATE_TABLE, "users")))
    assert found.tables == (
        TableExpectation(TableName("users"), None),
        TableExpectation(None, TableName("users")),
    )
    assert TableName("users") not in column_groups(found, START)[0]


def test_drop_then_add_column_again_keeps_nothing_of_it() -> None:
    found = compose((operation(K.DROP_COLUMN, "users", "name"), operation(K.ADD_COLUMN, "users", "name")))
    assert column_groups(found, START)[0][TableName("users")] == (("id",),)


def test_two_columns_swap_their_names() -> None:
    found = compose(
        (
            operation(K.ALTER_COLUMN, "users", "id", to="tmp"),
            operation(K.ALTER_COLUMN, "users", "name", to="id"),
            operation(K.ALTER_COLUMN, "users", "tmp", to="name"),
        )
    )
    assert column_groups(found, START)[1][TableName("users")] == (("name", "id"),)


def test_only_a_type_change_frees_values() -> None:
    found = compose(
        (
            operation(K.ALTER_COLUMN, "bookings", "topic"),
            operation(K.ALTER_COLUMN, "bookings", "when", changes_values=True),
        )
    )
    assert column_groups(found, START)[0][BOOKINGS] == (("id", "topic"),)


def test_declared_column_declared_table_and_rows() -> None:
    named = compose((), source="# handrail: changes bookings.topic\n")
    assert column_groups(named, START)[0][BOOKINGS] == (("id", "when"),)
    whole = compose((), source="# handrail: changes bookings\n")
    assert column_groups(whole, START)[0][BOOKINGS] == ()
    inserted = compose((operation(K.BULK_INSERT, "users"),))
    assert column_groups(inserted, START)[0][TableName("users")] == ()


def test_a_declaration_may_use_the_names_after_the_script() -> None:
    rename = (operation(K.ALTER_COLUMN, "bookings", "topic", to="title"),)
    for source in ("# handrail: changes bookings.title\n", "# handrail: changes bookings.topic\n"):
        found = compose(rename, source=source)
        assert found.of(BOOKINGS).declared == {"topic"}
        assert found.unresolved == ()


def test_a_schema_in_a_declaration() -> None:
    start = facts(table("bookings", "id"), *[])
    for source, resolved in (("public.bookings", True), ("other.bookings", False)):
        found = expect(path_of(revision(f"# handrail: changes {source}\n")), {}, start)
        assert (found.unresolved == ()) is resolved


def test_names_are_found_whatever_their_case() -> None:
    found = compose((operation(K.DROP_COLUMN, "Bookings", "TOPIC"),))
    assert found.of(BOOKINGS).dropped == {"topic"}


def test_generated_columns_are_kept_only_while_nothing_feeds_them_anew() -> None:
    made = ColumnFacts("total", "INTEGER", True, generated=True)
    start = facts(table("t", "a", "b", made))
    same = expect(path_of(revision()), {}, start)
    changed = expect(path_of(revision("# handrail: changes t.a\n")), {}, start)
    assert column_groups(same, start)[0][TableName("t")] == (("a", "b", "total"),)
    assert column_groups(changed, start)[0][TableName("t")] == (("b",),)


def test_raw_sql_and_dropped_objects_are_kept_for_the_verdict() -> None:
    drop = operation(K.DROP_INDEX, "bookings", name="ix")
    raw = operation(K.EXECUTE, sql="UPDATE bookings SET topic = ''", line=7)
    found = compose((drop, raw))
    assert found.objects_dropped == {(BOOKINGS, "ix")}
    assert found.raw == (RawStatement("1a2b", raw.position, "UPDATE bookings SET topic = ''"),)


def test_each_revision_for_itself() -> None:
    scripts = revision("", "r0"), revision("", "r1")
    operations = {
        "r0": (operation(K.ADD_COLUMN, "users", "a"),),
        "r1": (operation(K.ALTER_COLUMN, "users", "a", to="b"),),
    }
    middle = facts(table("bookings", "id", "topic", "when"), table("users", "id", "name", "a"))
    found = expect_each(path_of(*scripts), operations, {"r0": START, "r1": middle})
    assert found["r0"].of(TableName("users")).added == {"a"}
    assert column_groups(found["r1"], middle)[1][TableName("users")] == (("id", "name", "b"),)


steps = st.lists(
    st.one_of(
        st.tuples(st.just("rename_table"), st.sampled_from("xyz")),
        st.tuples(st.just("add"), st.sampled_from("abc")),
        st.tuples(st.just("drop"), st.integers(0, 5)),
        st.tuples(st.just("rename"), st.integers(0, 5), st.sampled_from("abcdef")),
    ),
    max_size=12,
)


@given(steps, st.integers(1, 4))
def test_composition_says_where_every_column_went(moves: list[tuple[object, ...]], every: int) -> None:
    """Against a model that carries (name, origin) pairs along, however the operations are cut into revisions."""
    name, columns, operations = "t", [("p", "p"), ("q", "q"), ("r", "r")], []
    for kind, *arguments in moves:
        taken = {column for column, _ in columns}
        if kind == "rename_table" and arguments[0] != name:
            operations.append(operation(K.RENAME_TABLE, name, new_table=str(arguments[0])))
            name = str(arguments[0])
        elif kind == "add" and arguments[0] not in taken:
            operations.append(operation(K.ADD_COLUMN, name, str(arguments[0])))
            columns.append((str(arguments[0]), ""))
        elif kind == "drop" and columns:
            column, _ = columns.pop(int(str(arguments[0])) % len(columns))
            operations.append(operation(K.DROP_COLUMN, name, column))
        elif kind == "rename" and columns and arguments[1] not in taken:
            place = int(str(arguments[0])) % len(columns)
            operations.append(operation(K.ALTER_COLUMN, name, columns[place][0], to=str(arguments[1])))
            columns[place] = (str(arguments[1]), columns[place][1])
    start = facts(table("t", "p", "q", "r"))
    cut = [tuple(operations[at : at + every]) for at in range(0, len(operations), every)]
    scripts = [revision("", f"r{number}") for number in range(len(cut))]
    found = expect(path_of(*scripts), {script.id: part for script, part in zip(scripts, cut, strict=True)}, start)
    before, after = column_groups(found, start)
    kept = {origin: column for column, origin in columns if origin}
    group = tuple(column for column in ("p", "q", "r") if column in kept)
    assert before == {TableName("t"): (group,) if group else ()}
    assert after == {TableName(name): (tuple(kept[column] for column in group),) if group else ()}
