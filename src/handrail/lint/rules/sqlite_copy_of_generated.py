"""HR-SQ105: a table with a generated column is copied: the batch writes what SQLite refuses."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import ClassVar

from handrail.lint.batches import in_block, same
from handrail.lint.change_rule import SQLITE, Around, ChangeRule
from handrail.lint.finding import Finding, Severity
from handrail.lint.rule import Case, Harm
from handrail.lint.samples import START
from handrail.migrations.changes import AddColumn, Batch, CreateTable, DropColumn

_BLOCK = (
    "    with op.batch_alter_table('bookings') as batch_op:\n        batch_op.alter_column('topic', nullable=False)\n"
)
_SETUP = (
    "CREATE TABLE bookings (id integer PRIMARY KEY, topic text)",
    "INSERT INTO bookings VALUES (1, 'a'), (2, 'b')",
)


class SqliteCopyOfGenerated(ChangeRule):
    code: ClassVar[str] = "HR-SQ105"
    title: ClassVar[str] = "batch copy of a table with a generated column"
    why: ClassVar[str] = (
        'The copy writes the values of generated columns too, which SQLite refuses ("cannot INSERT into generated '
        'column"), or words the column so that its CREATE TABLE is a syntax error: the revision stops half-way.'
    )
    engines = SQLITE
    BAD: ClassVar[tuple[Case, ...]] = (
        Case(
            "added by the same script as SQL",
            {
                "sql.py": START + "    op.execute('ALTER TABLE bookings ADD COLUMN twice integer "
                "GENERATED ALWAYS AS (id + id) VIRTUAL')\n" + _BLOCK
            },
            setup=_SETUP,
            harm=Harm("bookings", fails="generated column"),
        ),
        Case(
            "added by a block before",
            {
                "block.py": START + "    with op.batch_alter_table('bookings') as batch_op:\n"
                "        batch_op.add_column(sa.Column('twice', sa.Integer(), sa.Computed('id * 2', persisted=True)))\n"
                + _BLOCK
            },
            setup=_SETUP,
            harm=Harm("bookings", fails="generated column"),
        ),
    )
    GOOD: ClassVar[tuple[Case, ...]] = (
        Case(
            "added by the block that copies",
            {
                "one.py": START + "    with op.batch_alter_table('bookings') as batch_op:\n"
                "        batch_op.add_column(sa.Column('twice', sa.Integer(), sa.Computed('id * 2', persisted=True)))\n"
                "        batch_op.alter_column('topic', nullable=False)\n"
            },
            setup=_SETUP,
        ),
        Case(
            "added after the copy",
            {
                "after.py": START + _BLOCK + "    op.add_column('bookings', sa.Column('twice', sa.Integer(), "
                "sa.Computed('id + id', persisted=False)))\n"
            },
            setup=_SETUP,
        ),
    )

    def look(self, around: Around) -> Iterable[Finding]:
        batch = around.change
        if not isinstance(batch, Batch) or not batch.is_copied or batch.has_copy_from:
            return
        dropped = {one.column.casefold() for one in in_block(around, batch) if isinstance(one, DropColumn)}
        columns = sorted({name for name in _generated(around, batch) if name.casefold() not in dropped})
        if columns:
            yield around.finding(
                f"copying {batch.table} fails on SQLite: {', '.join(columns)} is a generated column",
                Severity.ERROR,
                fix="drop the generated column in the block and add it again after it, or give the block copy_from=",
            )


def _generated(around: Around, batch: Batch) -> Iterator[str]:
    found = around.facts(batch.table)
    yield from (column.name for column in (found.columns if found is not None else ()) if column.generated)
    for change in around.before:
        match change:
            case AddColumn(table=table, column=column) if same(table.name, batch.table.name):
                columns = [column]
            case CreateTable(table=table) if same(table.name, batch.table.name):
                columns = list(change.columns)
            case _:
                continue
        yield from (one.name for one in columns if one.name and one.filled_by.startswith("computed"))
