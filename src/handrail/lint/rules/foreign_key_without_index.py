"""HR-LK115: a foreign key whose column has no index."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import ClassVar

from handrail.facts import ObjectKind, TableName
from handrail.lint.change_rule import BOTH, Around, ChangeRule
from handrail.lint.finding import Finding, Severity
from handrail.lint.rule import Case
from handrail.lint.samples import upgrade
from handrail.migrations.changes import AddColumn, AddConstraint, Change, ConstraintKind, CreateIndex, CreateTable
from handrail.migrations.columns import ColumnText

_KEYS = (ConstraintKind.UNIQUE, ConstraintKind.PRIMARY_KEY)


class ForeignKeyWithoutIndex(ChangeRule):
    code: ClassVar[str] = "HR-LK115"
    title: ClassVar[str] = "foreign key without an index"
    why: ClassVar[str] = (
        "Whenever a row of the other table is deleted, or its key is changed, the rows that point to it are looked "
        "for: without an index that reads this whole table each time."
    )
    engines = BOTH
    BAD: ClassVar[tuple[Case, ...]] = (
        Case(
            "a key on a column that is there",
            {"key.py": upgrade("op.create_foreign_key('fk_room', 'bookings', 'rooms', ['room_id'], ['id'])")},
        ),
        Case(
            "a new column with a key, in a batch block",
            {
                "batch.py": upgrade(
                    "with op.batch_alter_table('bookings') as batch_op:",
                    "    batch_op.add_column(sa.Column('room_id', sa.Integer(), sa.ForeignKey('rooms.id', name='fk')))",
                )
            },
        ),
        Case(
            "as SQL, with an index that begins with another column",
            {
                "sql.py": upgrade(
                    "op.execute('ALTER TABLE bookings ADD room_id integer REFERENCES rooms')",
                    "op.create_index('ix_both', 'bookings', ['topic', 'room_id'])",
                )
            },
        ),
    )
    GOOD: ClassVar[tuple[Case, ...]] = (
        Case(
            "with an index",
            {
                "index.py": upgrade(
                    "op.create_foreign_key('fk_room', 'bookings', 'rooms', ['room_id'], ['id'])",
                    "with op.get_context().autocommit_block():",
                    "    op.create_index('ix_room', 'bookings', ['room_id', 'id'], postgresql_concurrently=True)",
                )
            },
        ),
        Case(
            "on a unique column",
            {
                "unique.py": upgrade(
                    "op.add_column('bookings', sa.Column('room', sa.Integer(), sa.ForeignKey('rooms.id'), unique=True))"
                )
            },
        ),
        Case(
            "on a table that the same script makes",
            {
                "new.py": upgrade(
                    "op.create_table('seats', sa.Column('room_id', sa.Integer(), sa.ForeignKey('rooms.id')))",
                    "op.create_foreign_key('fk', 'seats', 'rooms', ['room_id'], ['id'])",
                )
            },
        ),
    )

    def look(self, around: Around) -> Iterable[Finding]:
        match around.change:
            case AddConstraint(table=table, constraint=made) if made.kind is ConstraintKind.FOREIGN_KEY:
                column = made.columns[0] if made.columns else ""
                parent = made.references
            case AddColumn(table=table, column=new) if new.references is not None:
                column, parent = new.name or "", new.references
            case _:
                return
        if not column or around.is_new(table) or _is_indexed(around, table, column):
            return
        severity = around.by_size(table, unknown=Severity.INFO)
        severity = Severity.WARNING if severity is Severity.ERROR else severity
        message = f"no index on {table}.{column}: a delete in {parent or 'the other table'} reads all of {table}"
        fix = (
            f"with op.get_context().autocommit_block(): op.create_index('ix_{table.name}_{column}', {table.name!r}, "
            f"[{column!r}], postgresql_concurrently=True, if_not_exists=True)"
        )
        yield around.finding(message + around.size(table), severity, fix=fix)


def _is_indexed(around: Around, table: TableName, column: str) -> bool:
    """Whether an index begins with the column: one of the catalog, or one that any of the scripts makes."""
    known, found = around.context.facts, around.facts(table)
    if found is not None and found.primary_key[:1] == (column,):
        return True
    begins = re.compile(rf'\(\s*"?{re.escape(column)}"?\s*[,)\s]', re.IGNORECASE)
    objects = () if known is None else known.objects
    for one in objects:
        is_key = one.kind is ObjectKind.CONSTRAINT and one.definition.upper().startswith(("UNIQUE", "PRIMARY"))
        if one.table == table and (one.kind is ObjectKind.INDEX or is_key):
            first = begins.search(one.definition)
            if first is not None and "(" not in one.definition[: first.start()]:
                return True
    changes = (one for script in around.context.scripts for one in script.function(around.context.direction).changes)
    return any(column in _firsts(change, table) for change in changes)


def _firsts(change: Change, table: TableName) -> Iterator[str]:
    """The columns with which the indexes that a change makes on the table begin."""
    match change:
        case CreateIndex(table=where, columns=columns, condition="") if where == table:
            yield from columns[:1]
        case AddConstraint(table=where, constraint=made) if where == table and made.kind in _KEYS:
            yield from made.columns[:1]
        case AddColumn(table=where, column=new) if where == table:
            yield from _indexed([new])
        case CreateTable(table=where, columns=news, constraints=mades) if where == table:
            yield from _indexed(news)
            yield from (made.columns[0] for made in mades if made.kind in _KEYS and made.columns)


def _indexed(columns: Iterable[ColumnText]) -> Iterator[str]:
    for column in columns:
        if column.name and (column.is_unique or column.is_indexed or column.is_primary_key):
            yield column.name
