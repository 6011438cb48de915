"""What the reader makes of idioms that the corpus showed: values of functions, results, whole batch copies."""

from __future__ import annotations

from handrail.facts import TableName
from handrail.migrations.changes import (
    AddColumn,
    Batch,
    Change,
    Command,
    CreateIndex,
    DropTable,
    NotAnalysable,
    Verb,
    WriteRows,
)
from handrail.migrations.reading import read_script
from unit.building import script


def read(body: str, head: str = "") -> tuple[Change, ...]:
    return read_script(script(body, head=head)).upgrade.changes


def test_a_function_that_returns_a_value_is_that_value() -> None:
    head = """
def is_sqlite():
    bind = op.get_bind()
    return bind.dialect.name == "sqlite"

def token(name, length=8):
    return sa.Column(name, sa.String(length), nullable=False)

def again(name):
    return again(name)
"""
    body = """\
    if not is_sqlite():
        op.add_column("users", token("code"))
    op.execute(again("x"))"""
    added, unknown = read(body, head)
    assert isinstance(added, AddColumn)
    assert (added.column.name, added.column.nullable) == ("code", False)
    assert not added.place.dialects.allows("sqlite")
    assert not added.place.is_conditional
    assert isinstance(unknown, NotAnalysable)


def test_the_rest_of_the_arguments_is_a_list() -> None:
    head = "def add_index(table, *columns):\n    op.create_index('ix_' + table, table, list(columns))\n"
    (index,) = read("    add_index('users', 'a', 'b')", head)
    assert isinstance(index, CreateIndex)
    assert index.columns == ("a", "b")


def test_a_result_is_no_statement_and_bound_parameters_change_no_sql() -> None:
    body = """\
    bind = op.get_bind()
    count = bind.execute(sa.text("SELECT count(*) FROM users")).scalar()
    bind.execute(sa.text("UPDATE users SET a = :a").bindparams(a=1))"""
    assert [
        (change.verb, change.table, change.is_filtered) for change in read(body) if isinstance(change, WriteRows)
    ] == [(Verb.UPDATE, TableName("users"), False)]
    assert len(read(body)) == 1


def test_the_table_of_vacuum_stands_after_its_words() -> None:
    (command,) = read("    op.execute('VACUUM FULL FREEZE VERBOSE ANALYZE users')")
    assert isinstance(command, Command)
    assert (command.words, command.table) == ("VACUUM FULL", TableName("users"))


def test_which_added_columns_make_batch_mode_copy() -> None:
    columns = {
        "sa.Column('a', sa.Integer(), server_default='0')": False,
        "sa.Column('a', sa.Integer())": False,
        "sa.Column('a', sa.Integer(), sa.Computed('b + 1'))": False,
        "sa.Column('a', sa.Integer(), server_default=sa.text('0'))": True,
        "sa.Column('a', sa.Boolean(), server_default=sa.true())": True,
        "sa.Column('a', sa.Integer(), sa.Computed('b + 1', persisted=True))": True,
    }
    for column, is_copied in columns.items():
        block, _ = read(f"    with op.batch_alter_table('t') as batch_op:\n        batch_op.add_column({column})")
        assert isinstance(block, Batch)
        assert block.is_copied is is_copied, column


def test_values_that_scripts_put_together() -> None:
    head = """
TABLE, NAMES = "users", ("a", "b")
SQL = "DROP TABLE x; DROP TABLE y"
"""
    body = """\
    op.drop_column("%s_%d" % (TABLE, 2), "%s" % "c")
    for name in [f"old_{name}" for name in NAMES]:
        op.drop_column(TABLE, name)
    for statement in SQL.split("; "):
        op.execute(statement)
    for number, (name, other) in enumerate(zip(NAMES, reversed(NAMES))):
        op.execute(f"CREATE INDEX ix_{number} ON {TABLE} ({', '.join([name, other])})")
    op.drop_table("w".replace("w", "z") if TABLE == "users" else "never")"""
    assert [
        (
            type(change).__name__,
            str(getattr(change, "table", "")),
            getattr(change, "column", getattr(change, "columns", "")),
        )
        for change in read(body, head)
    ] == [
        ("DropColumn", "users_2", "c"),
        ("DropColumn", "users", "old_a"),
        ("DropColumn", "users", "old_b"),
        ("DropTable", "x", ""),
        ("DropTable", "y", ""),
        ("CreateIndex", "users", ("a", "b")),
        ("CreateIndex", "users", ("b", "a")),
        ("DropTable", "z", ""),
    ]


def test_what_cannot_be_put_together_stays_unknown() -> None:
    for sql in (
        "'%s' % other.NAME",
        "'%s %s' % 'a'",
        "'a'.join(other.NAMES)",
        "'a b'.split(other.NAME)[0]",
        "[x for x in other.NAMES][0]",
        "'a' if other.FLAG else 'b'",
        "zip(other.NAMES, 'a')[0]",
    ):
        (change,) = read(f"    op.execute({sql})")
        assert isinstance(change, NotAnalysable), sql


def test_a_match_on_the_dialect() -> None:
    body = """\
    match op.get_bind().dialect.name:
        case "postgresql":
            op.drop_table("a")
        case "mysql" | "mariadb":
            op.drop_table("b")
            return
        case _:
            op.drop_table("c")
    match other():
        case 1:
            op.drop_table("d")
    op.drop_table("e")"""
    found = [change for change in read(body) if isinstance(change, DropTable)]
    engines = ("postgresql", "mysql", "sqlite")
    assert [
        (
            change.table.name,
            [name for name in engines if change.place.dialects.allows(name)],
            change.place.is_conditional,
        )
        for change in found
    ] == [
        ("a", ["postgresql"], False),
        ("b", ["mysql"], False),
        ("c", ["sqlite"], False),
        ("d", ["postgresql", "sqlite"], True),
        ("e", ["postgresql", "sqlite"], False),
    ]
