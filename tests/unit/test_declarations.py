"""Markers by which a script declares what its raw SQL means to change."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handrail.facts import TableName
from handrail.migrations.declarations import EXAMPLE, Declared, MalformedMarker, marker, read_declaration
from handrail.migrations.operations import OperationKind, SourcePosition
from handrail.rehearsal.expectation import UnresolvedName, expect
from handrail.rehearsal.markers import marker_warnings
from unit.building import facts, operation, path_of, revision, table

K = OperationKind


def parts(source: str) -> list[tuple[str, ...]]:
    read = read_declaration(source)
    assert read.malformed == ()
    return [declared.parts for declared in read.tables]


def test_marker_in_docstring_and_comments() -> None:
    source = (
        '"""add status\n\nhandrail: changes bookings.attendance_status, users\n"""\n'
        '# handrail: changes "odd table", 예약\n'
        "def upgrade():\n"
        '    """handrail: changes log"""\n'
        "    # handrail: changes sales.orders.total, audit.*\n"
        "    x = '# handrail: changes not_a_comment'\n"
    )
    read = read_declaration(source, "versions/x.py")
    assert read.malformed == ()
    assert read.tables == (
        Declared(("bookings", "attendance_status"), SourcePosition("versions/x.py", 3)),
        Declared(("users",), SourcePosition("versions/x.py", 3)),
        Declared(("odd table",), SourcePosition("versions/x.py", 5)),
        Declared(("예약",), SourcePosition("versions/x.py", 5)),
        Declared(("log",), SourcePosition("versions/x.py", 7)),
        Declared(("sales", "orders", "total"), SourcePosition("versions/x.py", 8)),
        Declared(("audit",), SourcePosition("versions/x.py", 8), is_whole=True),
    )


def test_drops_lets_a_thing_vanish() -> None:
    assert read_declaration("# handrail: drops old.note\n").tables == (
        Declared(("old", "note"), SourcePosition("", 1), may_vanish=True),
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("# handrail: changes", "it names no table"),
        ("# handrail: change bookings", "'change' is not one of changes, drops"),
        ("# handrail changes bookings", "the colon after 'handrail' is missing"),
        ("# handrail: changes bookings users", "a comma is missing in 'bookings users'"),
        ("# handrail: changes bookings,", None),
        ("# handrail: changes a.b.c.d", "a name in 'a.b.c.d' cannot be read"),
        ("# handrail: changes bookings..topic", "a name in 'bookings..topic' cannot be read"),
        ('# handrail: changes "open', "a name in '\"open' cannot be read"),
        ("# handrail: changes *", "a name in '*' cannot be read"),
    ],
)
def test_malformed_markers_are_values(text: str, reason: str | None) -> None:
    read = read_declaration(f"{text}\n", "x.py")
    if reason is None:
        assert read.malformed == ()
        return
    assert read.tables == ()
    (malformed,) = read.malformed
    assert malformed == MalformedMarker(
        SourcePosition("x.py", 1),
        text.removeprefix("# "),
        f"{reason}; write: # handrail: changes bookings.topic, users",
    )


def test_prose_about_handrail_is_no_marker() -> None:
    assert read_declaration('"""Written for handrail, which guards us.\n\nhandrail changed nothing."""\n').tables == ()
    assert read_declaration("x = (\n# handrail: changes t\n").tables == ()


names = st.text("ab1예약🙂 _-.,*\"'#:=", min_size=1, max_size=12).filter(lambda name: name.strip() == name)


@given(names, st.none() | names, st.none() | names)
def test_the_suggested_marker_declares_what_it_says(table: str, schema: str | None, column: str | None) -> None:
    line = marker(TableName(table, schema), column)
    read = read_declaration(line + "\n")
    assert read.malformed == ()
    (declared,) = read.tables
    wanted = (TableName(table, schema), column)
    assert wanted in [(reading.table, reading.column) for reading in declared.readings()]


def test_markers_that_declare_nothing_are_reported() -> None:
    source = "# handrail changes bookings\n# handrail: changes bokings.topic, users, nothing.here\n"
    path = path_of(revision(source))
    found = expect(path, {}, facts(table("bookings", "id", "topic"), table("users", "id")))
    where = SourcePosition("versions/x.py", 2)
    assert found.unresolved == (
        UnresolvedName("bokings.topic", where, "bookings.topic"),
        UnresolvedName("nothing.here", where),
    )
    malformed = (
        "versions/x.py:1: the marker 'handrail changes bookings' declares nothing: the colon after 'handrail' is missing;"
        f" write: {EXAMPLE}"
    )
    assert marker_warnings(path, None) == (malformed,)
    assert marker_warnings(path, found) == (
        malformed,
        "versions/x.py:2: the marker names bokings.topic and declares nothing, since no such table or column is there"
        " before or after the script; did you mean bookings.topic?",
        "versions/x.py:2: the marker names nothing.here and declares nothing, since no such table or column is there"
        " before or after the script; correct the name, or remove it",
    )


def test_a_column_that_raw_sql_makes_can_be_declared() -> None:
    path = path_of(revision("# handrail: changes bookings.status, rooms\n"))
    raw = [
        operation(K.EXECUTE, sql="ALTER TABLE bookings ADD COLUMN status text DEFAULT 'A'"),
        operation(K.EXECUTE, sql="CREATE TABLE rooms (id integer)"),
    ]
    found = expect(path, {"1a2b": raw}, facts(table("bookings", "id", "topic")))
    assert (found.unresolved, found.of(TableName("bookings")).declared) == ((), frozenset({"status"}))
