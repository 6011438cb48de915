"""HR-BC102: a constraint, NOT NULL or default is taken away from a table in use."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from handrail.lint.change_rule import Around, ChangeRule
from handrail.lint.finding import Finding, Severity
from handrail.lint.rule import Case
from handrail.lint.samples import START
from handrail.migrations.changes import (
    AddColumn,
    AddConstraint,
    AlterColumn,
    Change,
    ConstraintKind,
    CreateIndex,
    DropColumn,
    DropConstraint,
    DropTable,
)

#: What is only looked at when rows are written; code does not count on the others failing it.
_WEAK = {ConstraintKind.CHECK, ConstraintKind.UNKNOWN, ConstraintKind.EXCLUDE}


class GuaranteeDropped(ChangeRule):
    code: ClassVar[str] = "HR-BC102"
    title: ClassVar[str] = "constraint, NOT NULL or default dropped"
    why: ClassVar[str] = (
        "What the database guaranteed it guarantees no longer: rows that no code expects come in, and bringing the "
        "constraint back fails on them. Without its default a NOT NULL column refuses every INSERT of code that does "
        "not name it, and an upsert (ON CONFLICT) fails without its unique constraint."
    )
    BAD: ClassVar[tuple[Case, ...]] = (
        Case(
            "a unique constraint",
            {"unique.py": START + "    op.drop_constraint('uq_topic', 'bookings', type_='unique')\n"},
        ),
        Case(
            "a foreign key, as SQL in a loop",
            {
                "loop.py": START + "    for table in ['bookings', 'visits']:\n"
                "        op.execute(f'ALTER TABLE {table} DROP CONSTRAINT fk_{table}_room')\n"
            },
        ),
        Case(
            "NOT NULL, in a batch",
            {
                "null.py": START + "    with op.batch_alter_table('bookings') as batch_op:\n"
                "        batch_op.alter_column('topic', existing_type=sa.Text(), nullable=True)\n"
            },
        ),
        Case(
            "the default of a NOT NULL column that was just added",
            {
                "default.py": START + "    op.add_column('bookings', "
                "sa.Column('seats', sa.Integer(), server_default='1', nullable=False))\n"
                "    op.alter_column('bookings', 'seats', server_default=None)\n"
            },
        ),
    )
    GOOD: ClassVar[tuple[Case, ...]] = (
        Case(
            "a foreign key made anew",
            {
                "again.py": START + "    op.drop_constraint('fk_room', 'bookings', type_='foreignkey')\n"
                "    op.create_foreign_key('fk_room', 'bookings', 'rooms', ['room_id'], ['id'], ondelete='SET NULL')\n"
            },
        ),
        Case(
            "a CHECK that only helped to set NOT NULL",
            {
                "aid.py": START + "    op.execute('ALTER TABLE t ADD CONSTRAINT aid CHECK (a IS NOT NULL) NOT VALID')\n"
                "    op.execute('ALTER TABLE t VALIDATE CONSTRAINT aid')\n"
                "    op.alter_column('t', 'a', nullable=False)\n    op.drop_constraint('aid', 't')\n"
            },
        ),
        Case(
            "a column that was nullable already",
            {
                "same.py": START + "    op.alter_column('bookings', 'topic', type_=sa.Text(), "
                "existing_nullable=True, nullable=True)\n"
            },
        ),
        Case(
            "a default that would stand in the way of another type",
            {
                "type.py": START + "    op.execute('ALTER TABLE bookings ALTER COLUMN state DROP DEFAULT, "
                "ALTER COLUMN state TYPE text, ALTER COLUMN state SET DEFAULT 1')\n"
            },
        ),
        Case(
            "together with its column",
            {
                "column.py": START + "    op.drop_constraint('fk_room', 'bookings', type_='foreignkey')\n"
                "    op.drop_column('bookings', 'room_id')\n"
            },
        ),
    )

    def look(self, around: Around) -> Iterable[Finding]:
        change = around.change
        if isinstance(change, DropConstraint):
            yield from self._constraint(around, change)
        elif isinstance(change, AlterColumn) and not around.is_new(change.table):
            yield from self._column(around, change)

    def _constraint(self, around: Around, change: DropConstraint) -> Iterable[Finding]:
        if around.is_new(change.table) or _was_added(around, change) or _comes_again(around, change):
            return
        severity = Severity.INFO if change.kind in _WEAK or around.is_empty(change.table) else Severity.WARNING
        kind = change.kind.value if change.kind is ConstraintKind.UNKNOWN else f"{change.kind.value} constraint"
        message = f"drops {kind} {change.name or ''} of {change.table}".replace("  ", " ")
        yield around.finding(
            message, severity, fix="make sure that the code guarantees it, or make it anew in this script"
        )

    def _column(self, around: Around, change: AlterColumn) -> Iterable[Finding]:
        where, added = f"{change.table}.{change.column}", _added(around, change)
        is_loosened = change.nullable is True and change.existing_nullable is not True and added is None
        if is_loosened and not _is_nullable(around, change):
            fix = "let readers expect NULL before"
            yield around.finding(f"{where} may be NULL from now on", Severity.INFO, fix=fix)
        if change.default == "" and not (added is not None and added.column.nullable) and not _is_set(around, change):
            is_required = added is not None or change.existing_nullable is False
            message = f"drops the default of {where}"
            message += ": INSERTs that do not name the column fail" if is_required else ""
            severity = Severity.WARNING if is_required and not around.is_empty(change.table) else Severity.INFO
            yield around.finding(message, severity, fix="keep the default until all running code names the column")


def _is_set(around: Around, change: AlterColumn) -> bool:
    """Whether the script gives the column a default again."""
    later = (one for one in around.after if isinstance(one, AlterColumn) and one.table == change.table)
    return any(one.default and change.column in {one.column, one.new_name} for one in later)


def _added(around: Around, change: AlterColumn) -> AddColumn | None:
    for one in around.before:
        if isinstance(one, AddColumn) and one.table == change.table and one.column.name == change.column:
            return one
    return None


def _is_nullable(around: Around, change: AlterColumn) -> bool:
    found = around.facts(change.table)
    return found is not None and any(one.nullable for one in found.columns if one.name == change.column)


def _was_added(around: Around, change: DropConstraint) -> bool:
    """Whether this script made the constraint itself."""
    return any(
        isinstance(one, AddConstraint) and one.table == change.table and one.constraint.name == change.name
        for one in around.before
    )


def _comes_again(around: Around, change: DropConstraint) -> bool:
    """Whether the script puts another one in its place, or drops what it was on."""
    return any(_replaces(one, change) for one in around.all)


def _replaces(one: Change, change: DropConstraint) -> bool:
    match one:
        case AddConstraint(table=table, constraint=new) if table == change.table:
            return new.name == change.name or change.kind in {ConstraintKind.UNKNOWN, new.kind}
        case CreateIndex(table=table, is_unique=True) if table == change.table:
            return change.kind is ConstraintKind.UNIQUE
        case DropTable(table=table) | DropColumn(table=table):
            return table == change.table
    return False
