"""HR-DL105: a foreign key of a table in use that will delete rows by itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import ClassVar

from handrail.facts import ObjectKind, TableName
from handrail.lint.change_rule import Around, ChangeRule
from handrail.lint.finding import Finding, Severity
from handrail.lint.past import earlier
from handrail.lint.rule import Case
from handrail.lint.samples import START
from handrail.lint.script_facts import is_new_column
from handrail.migrations.changes import AddColumn, AddConstraint, ConstraintText, CreateTable
from handrail.migrations.revision import Direction


class NewCascade(ChangeRule):
    code: ClassVar[str] = "HR-DL105"
    title: ClassVar[str] = "new ON DELETE CASCADE on a table in use"
    why: ClassVar[str] = (
        "From now on deleting one parent row deletes every child row, and their children, without a word. Code that "
        "relied on the database to refuse such a DELETE now loses rows; also a copy of the parent table by SQLite's "
        "batch mode with foreign_keys=ON does (measured: 10 child rows to 0)."
    )
    BAD: ClassVar[tuple[Case, ...]] = (
        Case(
            "a foreign key made anew with CASCADE",
            {
                "again.py": START + "    op.drop_constraint('fk_room', 'bookings', type_='foreignkey')\n"
                "    op.create_foreign_key('fk_room', 'bookings', 'rooms', ['room_id'], ['id'], ondelete='CASCADE')\n"
            },
        ),
        Case(
            "in a dict of arguments",
            {
                "options.py": START + "    options = {'ondelete': 'CASCADE', 'onupdate': 'CASCADE'}\n"
                "    op.create_foreign_key('fk_hall', 'bookings', 'halls', ['room_id'], ['id'], **options)\n"
            },
        ),
        Case(
            "as SQL",
            {
                "sql.py": START
                + "    op.execute('ALTER TABLE bookings ADD CONSTRAINT fk_room FOREIGN KEY (room_id) '\n"
                "               'REFERENCES rooms (id) ON DELETE CASCADE NOT VALID')\n"
            },
        ),
        Case(
            "in the column, in a batch",
            {
                "column.py": START + "    with op.batch_alter_table('bookings') as batch_op:\n"
                "        batch_op.add_column(sa.Column('hall_id', sa.Integer(), "
                "sa.ForeignKey('halls.id', ondelete='CASCADE')))\n"
            },
        ),
    )
    GOOD: ClassVar[tuple[Case, ...]] = (
        Case(
            "on a new table, whose rows are made for it",
            {
                "new.py": START + "    op.create_table('seats', sa.Column('room_id', sa.Integer(), "
                "sa.ForeignKey('rooms.id', ondelete='CASCADE')))\n"
                "    op.create_foreign_key('fk', 'seats', 'halls', ['room_id'], ['id'], ondelete='CASCADE')\n"
            },
        ),
        Case(
            "SET NULL",
            {
                "null.py": START + "    op.create_foreign_key('fk_room', 'bookings', 'rooms', ['room_id'], ['id'], "
                "ondelete='SET NULL')\n"
            },
        ),
        Case(
            "one that cascaded before",
            {
                "before.py": START + "    op.drop_constraint('fk_room', 'bookings')\n"
                "    op.create_foreign_key('fk_a', 'bookings', 'rooms', ['room_id'], ['id'], ondelete='CASCADE')\n"
                "\n\ndef downgrade():\n    op.drop_constraint('fk_a', 'bookings')\n"
                "    op.create_foreign_key('fk_room', 'bookings', 'rooms', ['room_id'], ['id'], ondelete='CASCADE')\n"
            },
        ),
        Case(
            "ON UPDATE CASCADE",
            {
                "update.py": START + "    op.create_foreign_key('fk_room', 'bookings', 'rooms', ['room_id'], ['id'], "
                "onupdate='CASCADE')\n"
            },
        ),
    )

    def look(self, around: Around) -> Iterable[Finding]:
        match around.change:
            case AddConstraint(table=table, constraint=one) if one.on_delete == "CASCADE":
                columns, parent = ", ".join(one.columns), one.references
                is_known = _cascades_already(around, table, one.columns)
                is_old = not all(is_new_column(around, table, column) for column in one.columns)
            case AddColumn(table=table, column=column) if column.on_delete == "CASCADE":
                columns, parent, is_known, is_old = column.name or "", column.references, False, False
            case _:
                return
        if around.is_new(table) or is_known:
            return
        message = f"deleting a row of {parent or 'the parent'} will delete the rows of {table} with its {columns}"
        severity = Severity.WARNING if is_old and not around.is_empty(table) else Severity.INFO
        yield around.finding(message, severity, fix='ondelete="RESTRICT", unless every DELETE of the parent means it')


def _cascades_already(around: Around, table: TableName, columns: tuple[str, ...]) -> bool:
    """Whether there is a foreign key on these columns that cascades: by the catalog, by the scripts before, or because
    the opposite function makes it again with CASCADE."""
    up = around.context.direction is Direction.UPGRADE
    back = around.script.function(Direction.DOWNGRADE if up else Direction.UPGRADE).changes
    if any(
        isinstance(one, AddConstraint)
        and (one.table, one.constraint.columns) == (table, columns)
        and one.constraint.on_delete == "CASCADE"
        for one in back
    ):
        return True
    if _last_made(around, table, columns) == "CASCADE":
        return True
    known = around.context.facts
    key = f"FOREIGN KEY ({', '.join(columns)})"
    return known is not None and any(
        one.kind is ObjectKind.CONSTRAINT
        and one.table == table
        and key in one.definition.replace('"', "")
        and "ON DELETE CASCADE" in one.definition.upper()
        for one in known.objects
    )


def _last_made(around: Around, table: TableName, columns: tuple[str, ...]) -> str:
    """What the scripts before let a DELETE of the parent do by the foreign key on these columns; "" for nothing."""
    found = ""
    for change in earlier(around):
        match change:
            case CreateTable(table=where, columns=made, constraints=keys) if where == table:
                in_column = (one.on_delete for one in made if (one.name,) == columns and one.references is not None)
                found = next(chain(in_column, _deletes(keys, columns)), found)
            case AddConstraint(table=where, constraint=key) if where == table:
                found = next(_deletes((key,), columns), found)
    return found


def _deletes(keys: Iterable[ConstraintText], columns: tuple[str, ...]) -> Iterator[str]:
    return (one.on_delete for one in keys if one.references is not None and one.columns == columns)
