"""Static reading of migration scripts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handrail.facts import TableName
from handrail.migrations.calls import NotUnderstood
from handrail.migrations.changes import NotAnalysable
from handrail.migrations.operations import Operation, OperationKind, SourcePosition
from handrail.migrations.reading import read_script
from handrail.migrations.revision import Direction
from support.pace import cost
from unit.building import revision, script

K = OperationKind


def short(operation: Operation) -> tuple[object, ...]:
    """Kind, table and whatever else is filled."""
    rest = (operation.column, operation.new_column, operation.new_table, operation.object_name, operation.sql)
    return (operation.kind, str(operation.table or ""), *(str(item) for item in rest if item is not None))


def read(body: str, head: str = "") -> list[tuple[object, ...]]:
    found = read_script(script(body, head=head))
    assert found.error is None
    assert found.upgrade.not_understood == ()
    return [short(operation) for operation in found.upgrade.operations]


def test_every_call_on_op() -> None:
    body = """\
    op.create_table("rooms", sa.Column("id", sa.Integer(), primary_key=True), schema="app")
    op.rename_table("rooms", "places", schema="app")
    op.add_column("bookings", sa.Column("seats", sa.Integer(), server_default=sa.text("1"), nullable=False))
    op.alter_column("bookings", "topic", new_column_name="title", existing_type=sa.Text())
    op.alter_column("bookings", "note", type_=sa.String(10), nullable=False)
    op.drop_column("bookings", "old")
    op.create_index(op.f("ix_a"), "bookings", ["a"])
    op.drop_index("ix_b", table_name="bookings")
    op.create_unique_constraint("uq", "bookings", ["a"])
    op.create_foreign_key("fk", "bookings", "users", ["u"], ["id"], source_schema="app")
    op.drop_constraint("ck", "bookings", type_="check")
    op.execute(sa.text("UPDATE bookings SET a = 1"))
    op.bulk_insert(sa.table("users", sa.column("id")), [{"id": 1}])
    op.create_table_comment("users", "x")
    op.drop_table("old")"""
    assert read(body) == [
        (K.CREATE_TABLE, "app.rooms"),
        (K.RENAME_TABLE, "app.rooms", "app.places"),
        (K.ADD_COLUMN, "bookings", "seats"),
        (K.ALTER_COLUMN, "bookings", "topic", "title"),
        (K.ALTER_COLUMN, "bookings", "note"),
        (K.DROP_COLUMN, "bookings", "old"),
        (K.CREATE_INDEX, "bookings", "ix_a"),
        (K.DROP_INDEX, "bookings", "ix_b"),
        (K.CREATE_CONSTRAINT, "bookings", "uq"),
        (K.CREATE_CONSTRAINT, "app.bookings", "fk"),
        (K.DROP_CONSTRAINT, "bookings", "ck"),
        (K.EXECUTE, "", "UPDATE bookings SET a = 1"),
        (K.BULK_INSERT, "users"),
        (K.OTHER, ""),
        (K.DROP_TABLE, "old"),
    ]


def test_batch_mode() -> None:
    body = """\
    with op.batch_alter_table("bookings", schema=None) as batch_op:
        batch_op.add_column(sa.Column("a", sa.Text()))
        batch_op.alter_column("b", new_column_name="c")
        batch_op.drop_column("d")
        batch_op.create_index("ix", ["a"])
        batch_op.drop_index("ix2")
        batch_op.create_foreign_key("fk", "users", ["u"], ["id"])
        batch_op.drop_constraint("ck", type_="check")"""
    assert read(body) == [
        (K.ADD_COLUMN, "bookings", "a"),
        (K.ALTER_COLUMN, "bookings", "b", "c"),
        (K.DROP_COLUMN, "bookings", "d"),
        (K.CREATE_INDEX, "bookings", "ix"),
        (K.DROP_INDEX, "bookings", "ix2"),
        (K.CREATE_CONSTRAINT, "bookings", "fk"),
        (K.DROP_CONSTRAINT, "bookings", "ck"),
    ]


def test_names_loops_and_local_functions() -> None:
    head = """\
TABLE = "bookings"
COLUMNS = ["a", "b"]

def drop(table, column="z"):
    op.drop_column(table, column)
"""
    body = """\
    prefix = f"{TABLE}_old"
    for name in COLUMNS:
        op.drop_column(TABLE, f"x_{name}")
    for table, column in (("t", "c"), ("u", "d")):
        op.drop_column(table, column)
    column = sa.Column("late", sa.Text())
    op.add_column(prefix, column)
    drop(TABLE)
    drop("w", column="y")
    with op.get_context().autocommit_block():
        op.execute("VACUUM " + TABLE)
    conn = op.get_bind()
    conn.execute(sa.text("DELETE FROM t"))
    if True:
        op.drop_table("v")"""
    assert read(body, head) == [
        (K.DROP_COLUMN, "bookings", "x_a"),
        (K.DROP_COLUMN, "bookings", "x_b"),
        (K.DROP_COLUMN, "t", "c"),
        (K.DROP_COLUMN, "u", "d"),
        (K.ADD_COLUMN, "bookings_old", "late"),
        (K.DROP_COLUMN, "bookings", "z"),
        (K.DROP_COLUMN, "w", "y"),
        (K.EXECUTE, "", "VACUUM bookings"),
        (K.EXECUTE, "", "DELETE FROM t"),
        (K.DROP_TABLE, "v"),
    ]


def test_what_depends_on_the_run_is_conditional() -> None:
    found = read_script(script('    if op.get_bind().dialect.name == "sqlite":\n        op.drop_table("t")'))
    assert [(read.operation.kind, read.is_conditional) for read in found.upgrade.reads] == [(K.DROP_TABLE, True)]


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        ("sa.Column('a', sa.Integer())", ("sa.Integer()", "Integer", (), True, None)),
        ("sa.Column('a', sa.Integer(), primary_key=True)", ("sa.Integer()", "Integer", (), False, None)),
        ("sa.Column('a', sa.Integer(), sa.Identity(), nullable=False)", ("sa.Integer()", "Integer", (), False, "sa.Identity()")),
        ("sa.Column('a', sa.ForeignKey('t.id'), nullable=False)", ("", "", (), False, None)),
        ("sa.Column('a', sa.Enum('X', 'Y', name='e'))", ("sa.Enum('X', 'Y', name='e')", "Enum", ("X", "Y"), True, None)),
        ("sa.Column('a', sa.Text(), server_default='it''s')", ("sa.Text()", "Text", (), True, "'its'")),
        ("sa.Column('a', sa.Text(), server_default=\"it's\")", ("sa.Text()", "Text", (), True, "'it''s'")),
        ("sa.Column('a', sa.Text, server_default=sa.text('0'))", ("sa.Text", "Text", (), True, "0")),
        ("sa.Column('a', sa.Boolean(), server_default=sa.false())", ("sa.Boolean()", "Boolean", (), True, "false")),
        ("sa.Column('a', sa.DateTime(), server_default=sa.func.now())", ("sa.DateTime()", "DateTime", (), True, "now()")),
        ("sa.Column('a', sa.Text(), nullable=LOOSE)", ("sa.Text()", "Text", (), None, None)),
        ("sa.Column('a', sa.Text(), nullable=not True)", ("sa.Text()", "Text", (), False, None)),
    ],
)  # fmt: skip
def test_columns(column: str, expected: tuple[object, ...]) -> None:
    (read,) = read_script(script(f"    op.add_column('t', {column})")).upgrade.reads
    found = read.column
    assert found is not None
    assert (found.type, found.type_name, found.labels, found.nullable, found.server_default) == expected
    assert (read.operation.nullable, read.operation.server_default) == expected[3:]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("    op.drop_table(NAME)", "drop_table: the table is known only when the script runs"),
        ("    op.execute(statement)", "execute: the SQL is known only when the script runs"),
        ("    fill_rows()", "what fill_rows(…) does is not in upgrade() or downgrade()"),
        (
            "    for t in tables():\n        op.drop_table(t)",
            "a loop over values that are known only when the script runs",
        ),
        (
            "    while more():\n        op.drop_table('t')",
            "a while loop: how often it runs is known only when the script runs",
        ),
    ],
)
def test_what_is_not_understood_is_said(body: str, reason: str) -> None:
    missed = read_script(script(body)).upgrade.not_understood
    assert missed[0] == NotUnderstood(SourcePosition("versions/1a2b.py", 6), reason)


def test_downgrade_and_positions() -> None:
    found = read_script(script("    pass", down="    op.drop_table('t')\n"))
    (operation,) = found.function(Direction.DOWNGRADE).operations
    assert (operation.table, operation.position) == (TableName("t"), SourcePosition("versions/1a2b.py", 9))


def test_not_python_is_an_error_value() -> None:
    found = read_script(revision("def upgrade(:\n"))
    assert found.error is not None
    assert (found.error.position.line, found.error.reason) == (1, "the script is not Python: invalid syntax")
    assert not found.upgrade.exists


@given(st.text(max_size=200))
def test_any_text_is_read_without_an_exception(text: str) -> None:
    read_script(revision(text))
    read_script(revision(f"def upgrade():\n    {text}\n"))


def test_a_file_is_read_in_two_milliseconds_of_an_idle_machine() -> None:
    columns = ", ".join(f"sa.Column('c{number}', sa.String(50), nullable=True)" for number in range(5))
    body = "\n".join(f"    op.create_table('t{number}', {columns})" for number in range(10))
    source = script(body)
    assert cost(lambda: read_script(source), times=5) < 2, "0.13 at the time of writing"


@pytest.mark.parametrize(
    ("turns", "statement", "is_told"),
    [
        ("range(0, pages, 10)", "op.execute(sa.update(rows).where(sa.text(f'id = {n}')).values(a=1))", False),
        ("range(0, pages, 10)", "op.execute(f'UPDATE rooms SET a = {n}')", True),
        ("range(0, pages, 10)", "op.execute(sa.update(sa.table(names[n])).where(sa.text('x')).values(a=1))", True),
        ("op.get_bind().execute(ids)", "op.execute(sa.update(rows).where(sa.text(f'id = {n}')).values(a=1))", True),
    ],
)
def test_a_counted_loop_that_writes_rows_of_known_tables_can_be_read(turns: str, statement: str, is_told: bool) -> None:
    body = (
        "    rows, ids, names = sa.table('rooms'), sa.text('SELECT 1'), open('x').readlines()\n"
        "    pages = op.get_bind().scalar(sa.text('SELECT 1'))\n"
        f"    for n in {turns}:\n        {statement}\n"
    )
    changes = read_script(script(body)).upgrade.changes
    assert any(isinstance(one, NotAnalysable) for one in changes) is is_told
