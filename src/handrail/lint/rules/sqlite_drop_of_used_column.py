"""HR-SQ110: a column that an index or constraint uses is dropped outside batch mode."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import ClassVar

from handrail.facts import ObjectKind
from handrail.lint.batches import mentions, same, things
from handrail.lint.change_rule import SQLITE, Around, ChangeRule
from handrail.lint.finding import Finding, Severity
from handrail.lint.rule import Case, Harm
from handrail.lint.samples import START
from handrail.migrations.changes import AddColumn, Change, CreateIndex, CreateTable, DropColumn, DropIndex
from handrail.migrations.columns import ColumnText

_SETUP = (
    "CREATE TABLE bookings (id integer PRIMARY KEY, topic text, note text)",
    "INSERT INTO bookings VALUES (1, 'a', 'b'), (2, 'b', 'c')",
)


class SqliteDropOfUsedColumn(ChangeRule):
    code: ClassVar[str] = "HR-SQ110"
    title: ClassVar[str] = "drop of a column that is indexed or constrained"
    why: ClassVar[str] = (
        "DROP COLUMN of SQLite fails while an index, a unique or primary key, a check or a foreign key of the table "
        'uses the column ("error in index …", "cannot drop UNIQUE column"). Only the copy of batch mode takes it out.'
    )
    engines = SQLITE
    BAD: ClassVar[tuple[Case, ...]] = (
        Case(
            "the script made an index on it",
            {
                "index.py": START + "    op.create_index('ix_topic', 'bookings', ['topic', 'id'])\n"
                "    op.drop_column('bookings', 'topic')\n"
            },
            setup=_SETUP,
            harm=Harm("bookings", fails="error in index ix_topic"),
        ),
        Case(
            "as SQL, a part of a partial index",
            {
                "sql.py": START + "    op.execute('CREATE INDEX ix_id ON bookings (id) WHERE note IS NOT NULL')\n"
                "    op.execute('ALTER TABLE bookings DROP COLUMN note')\n"
            },
            setup=_SETUP,
            harm=Harm("bookings", fails="error in index ix_id"),
        ),
        Case(
            "a unique column of a table that is new",
            {
                "new.py": START + "    op.create_table('rooms', sa.Column('id', sa.Integer(), primary_key=True),\n"
                "        sa.Column('code', sa.Text(), unique=True))\n    op.drop_column('rooms', 'code')\n"
            },
            setup=_SETUP,
            harm=Harm("rooms", fails="after drop column"),
        ),
    )
    GOOD: ClassVar[tuple[Case, ...]] = (
        Case(
            "the index is dropped before",
            {
                "dropped.py": START + "    op.create_index('ix_topic', 'bookings', ['topic'])\n"
                "    op.drop_index('ix_topic', table_name='bookings')\n    op.drop_column('bookings', 'topic')\n"
            },
            setup=_SETUP,
        ),
        Case(
            "in batch mode",
            {
                "batch.py": START + "    op.create_index('ix_topic', 'bookings', ['topic'])\n"
                "    with op.batch_alter_table('bookings') as batch_op:\n"
                "        batch_op.drop_index('ix_topic')\n        batch_op.drop_column('topic')\n"
            },
            setup=_SETUP,
        ),
        Case(
            "an index on another column",
            {
                "other.py": START + "    op.create_index('ix_note', 'bookings', ['note'])\n"
                "    op.drop_column('bookings', 'topic')\n"
            },
            setup=_SETUP,
        ),
    )

    def look(self, around: Around) -> Iterable[Finding]:
        change = around.change
        if not isinstance(change, DropColumn) or change.place.batch:
            return
        users = sorted({*_of_the_catalog(around, change), *_of_the_script(around, change)})
        if users:
            yield around.finding(
                f"dropping {change.table}.{change.column} fails on SQLite: {', '.join(users)} uses it",
                Severity.ERROR,
                fix=f"with op.batch_alter_table({str(change.table)!r}) as batch_op: drop the index or constraint, then "
                f"batch_op.drop_column({change.column!r})",
            )


def _of_the_catalog(around: Around, change: DropColumn) -> Iterator[str]:
    gone = {one.name.casefold() for one in around.before if isinstance(one, DropIndex) and one.name}
    for index in things(around, ObjectKind.INDEX, change.table):
        used = index.definition.partition(" ON ")[2].partition("(")[2]
        if mentions(used, change.column) and index.name.casefold() not in gone:
            yield f"index {index.name}"
    for constraint in things(around, ObjectKind.CONSTRAINT, change.table):
        own = constraint.definition.partition("REFERENCES")[0]
        if mentions(own.partition("(")[2], change.column) and constraint.name != "AUTOINCREMENT":
            yield constraint.definition


def _of_the_script(around: Around, change: DropColumn) -> Iterator[str]:
    """Indexes and constraints that the script made before and has not dropped since."""
    indexes: dict[str, str] = {}
    for one in around.before:
        if isinstance(one, DropIndex) and one.name:
            indexes.pop(one.name.casefold(), None)
        elif same(str(getattr(one, "table", "")), str(change.table)):
            indexes |= _indexes(one)
            if isinstance(one, CreateTable) and any(_is_used(column, change.column) for column in one.columns):
                yield "a constraint of the column"
    yield from (f"index {name}" for name, used in indexes.items() if mentions(used, change.column))


def _indexes(made: Change) -> dict[str, str]:
    """The indexes that a change makes on its table, with the text of their columns."""
    match made:
        case CreateIndex(name=str(name), columns=columns, condition=condition):
            return {name.casefold(): " ".join((*columns, condition))}
        case AddColumn(table=table, column=column) if column.is_indexed and column.name:
            return {f"ix_{table.name}_{column.name}".casefold(): column.name}
    return {}


def _is_used(column: ColumnText, name: str) -> bool:
    is_in_key = column.is_unique or column.is_primary_key or column.references is not None
    return is_in_key and same(column.name, name)
