"""The downgrade that HR-PR104 writes: what takes each change back, what stands in the way, and every other byte."""

from __future__ import annotations

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handrail.lint.engine import check
from handrail.lint.finding import apply_edits
from handrail.lint.rule import LintContext
from handrail.lint.rules.no_way_back import NoWayBack
from handrail.migrations.reading import read_script
from unit.building import HEADER, revision

SQLITE, BOTH = frozenset({"sqlite"}), frozenset({"sqlite", "postgresql"})
BATCH = "with op.batch_alter_table('t') as b:"
BLOCK = "with op.get_context().autocommit_block():"
FIXED = 'raise NotImplementedError("restore the backup")'


def repaired(source: str, engines: frozenset[str] = SQLITE) -> str:
    """The source with the rule's edits made."""
    (finding,) = check(LintContext((read_script(revision(source)),), engines=engines), [NoWayBack()])
    return apply_edits(source, finding.edits)


def written(*lines: str, engines: frozenset[str] = SQLITE, head: str = "") -> list[str]:
    """The lines of downgrade() for these of upgrade()."""
    upgrade = "\n".join(f"    {line}" for line in lines)
    after = repaired(
        f"{HEADER}{head}def upgrade() -> None:\n{upgrade}\n\n\ndef downgrade() -> None:\n    pass\n", engines
    )
    return [line.removeprefix("    ") for line in after.partition("def downgrade() -> None:\n")[2].splitlines()]


BACK = [
    (["op.add_column('t', sa.Column('a', sa.Integer()), schema='s')"], ["op.drop_column('t', 'a', schema='s')"]),
    (['op.add_column("t", sa.Column("a", sa.Text()))'], ['op.drop_column("t", "a")']),
    (["for n in ('a', 'b'):", "    op.add_column('t', sa.Column(n, sa.Text()))"],
     ["op.drop_column('t', 'b')", "op.drop_column('t', 'a')"]),
    (["op.create_table('t', sa.Column('id', sa.Integer(), primary_key=True))", "op.create_index('i', 't', ['id'])"],
     ["op.drop_table('t')"]),
    (["op.create_table('a', sa.Column('id', sa.Integer()))", "op.create_table('b', sa.Column('id', sa.Integer()))",
      "op.create_foreign_key('fk', 'a', 'b', ['id'], ['id'])"],
     ["op.drop_constraint('fk', 'a', type_='foreignkey')", "op.drop_table('b')", "op.drop_table('a')"]),
    (["op.create_table('t', sa.Column('s', sa.Enum('x', name='kind')))"],
     ["op.drop_table('t')", "sa.Enum(name='kind').drop(op.get_bind(), checkfirst=True)"]),
    (["op.execute(\"CREATE TYPE kind AS ENUM ('x')\")"], ["op.execute('DROP TYPE kind')"]),
    (["op.create_index(op.f('ix_t_a'), 't', ['a'])"], ["op.drop_index(op.f('ix_t_a'), table_name='t')"]),
    (["op.create_unique_constraint('u', 't', ['a'])"], ["op.drop_constraint('u', 't', type_='unique')"]),
    (["op.execute('ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0)')"],
     ["op.drop_constraint(op.f('c'), 't', type_='check')"]),
    (["op.rename_table('a', 'b')"], ["op.rename_table('b', 'a')"]),
    (["op.alter_column('t', 'a', new_column_name='b', existing_type=sa.Text())"],
     ["op.alter_column('t', 'b', new_column_name='a', existing_type=sa.Text())"]),
    (["op.alter_column('t', 'a', existing_type=sa.String(20), type_=sa.Text(), existing_nullable=True)"],
     ["op.alter_column('t', 'a', existing_type=sa.Text(), type_=sa.String(20), existing_nullable=True)"]),
    (["op.alter_column('t', 'a', nullable=False, existing_nullable=True, server_default=sa.text('0'), "
      "existing_server_default=None)"],
     ["op.alter_column('t', 'a', existing_nullable=False, nullable=True, existing_server_default=sa.text('0'), "
      "server_default=None)"]),
    (["op.add_column('t', sa.Column('a', sa.Integer()))", "op.execute('UPDATE t SET a = 1')",
      "op.alter_column('t', 'a', nullable=False)"],
     ["op.drop_column('t', 'a')"]),
    (["with op.batch_alter_table('t', schema=None) as batch_op:",
      "    batch_op.add_column(sa.Column('a', sa.Integer()))",
      "    batch_op.create_index(batch_op.f('ix_t_a'), ['a'], unique=False)",
      "    batch_op.create_foreign_key('fk', 'b', ['a'], ['id'])"],
     ["with op.batch_alter_table('t', schema=None) as batch_op:",
      "    batch_op.drop_constraint('fk', type_='foreignkey')",
      "    batch_op.drop_index(op.f('ix_t_a'))",
      "    batch_op.drop_column('a')"]),
    (["for t in ('a', 'b'):", "    with op.batch_alter_table(t) as batch:",
      "        batch.alter_column('x', new_column_name='y')"],
     ["with op.batch_alter_table('b') as batch:", "    batch.alter_column('y', new_column_name='x')",
      "with op.batch_alter_table('a') as batch:", "    batch.alter_column('y', new_column_name='x')"]),
    (["op.execute(\"SET lock_timeout = '2s'\")", BLOCK,
      "    op.create_index('i', 't', ['a'], postgresql_concurrently=True, if_not_exists=True)"],
     [BLOCK, "    op.drop_index('i', table_name='t', postgresql_concurrently=True, if_exists=True)"]),
]  # fmt: skip


@pytest.mark.parametrize(("lines", "back"), BACK)
def test_each_change_is_taken_back(lines: list[str], back: list[str]) -> None:
    assert written(*lines) == back


def test_on_postgresql_a_check_goes_with_its_column() -> None:
    column = "sa.Column('a', sa.Enum('x', name='e', native_enum=False, create_constraint=True))"
    lines = ["with op.batch_alter_table('t') as b:", f"    b.add_column({column})"]
    assert written(*lines, engines=frozenset({"postgresql"})) == [BATCH, "    b.drop_column('a')"]


def test_on_postgresql_an_index_goes_beside_running_code() -> None:
    lines = ["op.create_index('i', 't', ['b'])", "op.add_column('t', sa.Column('a', sa.Integer()))"]
    dropped = "    op.drop_index('i', table_name='t', postgresql_concurrently=True, if_exists=True)"
    assert written(*lines, engines=BOTH) == [BLOCK, dropped, "op.drop_column('t', 'a')"]


LOST = [
    ("op.drop_column('t', 'a')", "t.a is dropped, and the script does not say what it was"),
    ("op.drop_table('t')", "table t is dropped, and the script does not say what it was"),
    ("op.drop_index('i', table_name='t')", "index i is dropped, and the script does not say what it was"),
    ("op.drop_constraint('c', 't')", "constraint c of t is dropped, and the script does not say what it was"),
    ("op.execute('UPDATE t SET b = 1')", "rows of t are written, and the script does not say what they were"),
    ("op.execute('REINDEX TABLE t')", "what REINDEX does cannot be taken back by what the script says"),
    ("op.alter_column('t', 'a', nullable=False)", "the script does not say what t.a was before"),
    ("op.alter_column('t', 'a', server_default='1')", "the script does not say what t.a was before"),
    ("op.alter_column('t', 'a', type_=sa.Integer(), existing_type=sa.Text())",
     "the type of t.a changes, and not every new value is one of the old type"),
    ("op.alter_column('t', 'a', type_=sa.Numeric(8, 4), existing_type=sa.Numeric(8, 2))",
     "the type of t.a changes, and not every new value is one of the old type"),
    ("op.alter_column('t', 'a', type_=sa.Text(), existing_type=sa.String(), postgresql_using='lower(a)')",
     "what postgresql_using= does to t.a cannot be taken back by what the script says"),
    ("with op.get_context().autocommit_block(): op.add_column('t', sa.Column('b', sa.Integer()))",
     "a change stands in an autocommit block, outside the transaction"),
    ("op.create_index(None, 't', ['b'])", "an index on t has no name, or may not be this script's own"),
    ("op.create_unique_constraint(None, 't', ['b'])",
     "a constraint of t has no name, or is of a kind that needs more than its name"),
    ("op.create_table('t', sa.Column('a', sa.Enum('x', name='e', schema='s')))",
     "the name of an enum type, or its schema, is known only when the script runs"),
    ("op.create_table('t', sa.Column('id', sa.Integer()), if_not_exists=True)",
     "table t may not be this script's own, or not all of it can be read"),
    ("op.add_column(Model.__tablename__, sa.Column('a', sa.Integer()))",
     "add_column: the table is known only when the script runs"),
    ("op.add_column('t', sa.Column('a', sa.Integer(), index=True))",
     "t.a may not be this script's own, or comes with an index or a key"),
    (f"{BATCH} b.add_column(sa.Column('b', sa.Enum('x', name='e', native_enum=False, create_constraint=True)))",
     "the type of t.b makes a CHECK, which SQLite may keep without the column"),
    (f"{BATCH} b.add_column(sa.Column('b', sa.Boolean(create_constraint=True)))",
     "the type of t.b makes a CHECK, which SQLite may keep without the column"),
    (f"{BATCH} b.alter_column('b', new_column_name='c'); b.alter_column('b', nullable=True, existing_nullable=False)",
     "t.b is renamed and changed in one batch"),
    (f"{BATCH} b.alter_column('b', new_column_name='c'); b.create_unique_constraint('u', ['c'])",
     "a batch renames c and makes an index or a constraint on it"),
    (f"{BATCH} b.alter_column('b', new_column_name='c'); b.create_index('i', ['b'])",
     "a batch renames b and makes an index or a constraint on it"),
    ("fill(op.get_bind())", "what fill(…) does is not in upgrade() or downgrade()"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "why"), LOST)
def test_what_the_script_does_not_say_is_told(line: str, why: str) -> None:
    source = f"{HEADER}def upgrade():\n    op.add_column('t', sa.Column('x', sa.Integer()))\n    {line}\n"
    (finding,) = check(LintContext((read_script(revision(source)),), engines=SQLITE), [NoWayBack()])
    hint = f"take each change back in downgrade() ({why}), or say that there is no way back: {FIXED}"
    assert (finding.fix_hint, finding.edits) == (hint, ())


def test_under_a_condition_nothing_is_written() -> None:
    body = "    if op.get_bind().scalar('x'):\n        op.add_column('t', sa.Column('x', sa.Integer()))\n"
    assert repaired(source := f"{HEADER}def upgrade():\n{body}") == source


UPGRADE = "def upgrade() -> None:\n    op.add_column('t', sa.Column('a', sa.Text()))\n"
DROP = "op.drop_column('t', 'a')"
BODIES = [
    ("\n\ndef downgrade():\n    pass\n", f"\n\ndef downgrade():\n    {DROP}\n"),
    ("\n\ndef downgrade():\n    ...", f"\n\ndef downgrade():\n    {DROP}"),
    ("\n\ndef downgrade(): pass  # later\n", f"\n\ndef downgrade():\n    {DROP}  # later\n"),
    ("\n\ndef downgrade():\n    \"\"\"Nothing to do.\"\"\"\n", f"\n\ndef downgrade():\n    {DROP}\n"),
    ('\n\ndef downgrade():\n    """Downgrade schema."""\n    pass\n',
     f'\n\ndef downgrade():\n    """Downgrade schema."""\n    {DROP}\n'),
    ("\n\ndef downgrade():\n    # ### begin ###\n    pass\n    # ### end ###\n",
     f"\n\ndef downgrade():\n    # ### begin ###\n    {DROP}\n    # ### end ###\n"),
    ("\n\ndef downgrade():\n\tpass\n", f"\n\ndef downgrade():\n\t{DROP}\n"),
    ("", f"\n\ndef downgrade() -> None:\n    {DROP}\n"),
    ("\n\n\n", f"\n\n\ndef downgrade() -> None:\n    {DROP}\n"),
    ("\n\nlast = '값'", f"\n\nlast = '값'\n\n\ndef downgrade() -> None:\n    {DROP}"),
    ("\n\ndef downgrade():\n    return\n", f"\n\ndef downgrade():\n    {DROP}\n"),
    ("\n\ndef downgrade():\n    pass; pass\n", f"\n\ndef downgrade():\n    {DROP}\n"),
    ("\n\ndowngrade = None\n", "\n\ndowngrade = None\n"),
]  # fmt: skip


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
@pytest.mark.parametrize(("before", "after"), BODIES)
def test_every_other_byte_stays(before: str, after: str, ends: str) -> None:
    sources = [f"{HEADER}{UPGRADE}{body}".replace("\n", ends) for body in (before, after)]
    assert repaired(sources[0]) == sources[1]


names = st.sampled_from(["a", "b", "값", "it's", 'say "x"', "back\\slash"])


@given(st.lists(st.tuples(names, st.booleans()), min_size=1, max_size=4, unique_by=lambda one: one[0]))
def test_the_way_back_is_read_as_the_reverse(columns: list[tuple[str, bool]]) -> None:
    lines = []
    for name, is_batch in columns:
        added = f"sa.Column({name!r}, sa.Integer())"
        block = ["    with op.batch_alter_table('t') as batch:", f"        batch.add_column({added})"]
        lines += block if is_batch else [f"    op.add_column('t', {added})"]
    after = repaired(f"{HEADER}def upgrade():\n" + "\n".join(lines))
    ast.parse(after)
    back = read_script(revision(after)).downgrade
    assert [one.column for one in back.operations] == [name for name, _ in reversed(columns)]
