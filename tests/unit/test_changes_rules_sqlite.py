"""What the reader makes of idioms that the corpus showed: values of functions, results, whole batch copies."""

from __future__ import annotations

from handrail.facts import TableName
from handrail.migrations.changes import AddColumn, Batch, Change, Command, CreateIndex, NotAnalysable, Verb, WriteRows
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
