"""HR-BC101: a column, table, type, enum value or the like is renamed under code that runs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from handrail.lint.change_rule import Around, ChangeRule
from handrail.lint.finding import Finding, Severity
from handrail.lint.rule import Case
from handrail.lint.samples import START
from handrail.lint.script_facts import goes_with_its_table, is_new_column, is_replaced
from handrail.migrations.changes import (
    AlterColumn,
    Command,
    CreateEnum,
    CreateTable,
    DropTable,
    RenameEnumValue,
    RenameObject,
    RenameTable,
)

#: Things that queries call by name. An index or a constraint may be renamed; nothing asks for it by name.
_NAMED = {"view", "schema", "sequence", "type", "database", "domain"}


class RenameBreaksCode(ChangeRule):
    code: ClassVar[str] = "HR-BC101"
    title: ClassVar[str] = "renamed under running code"
    why: ClassVar[str] = (
        "Code that was started before the upgrade asks for the old name, code that was started after it for the new "
        "one: every query of one of them fails until all of it is replaced, and going back to the older code fails too."
    )
    BAD: ClassVar[tuple[Case, ...]] = (
        Case(
            "a column",
            {"column.py": START + "    op.alter_column('bookings', 'topic', new_column_name='subject')\n"},
        ),
        Case(
            "a column in a batch",
            {
                "batch.py": START + "    with op.batch_alter_table('bookings') as batch_op:\n"
                "        batch_op.alter_column('topic', new_column_name='subject', existing_type=sa.Text())\n"
            },
        ),
        Case(
            "tables as SQL, in a loop",
            {
                "loop.py": START + "    for old, new in {'bookings': 'visits', 'rooms': 'halls'}.items():\n"
                "        op.execute(f'ALTER TABLE {old} RENAME TO {new}')\n"
            },
        ),
        Case(
            "a value of an enum",
            {"value.py": START + "    op.execute(\"ALTER TYPE status RENAME VALUE 'late' TO 'delayed'\")\n"},
        ),
        Case("a schema", {"schema.py": START + "    op.execute('ALTER SCHEMA shop RENAME TO store')\n"}),
    )
    GOOD: ClassVar[tuple[Case, ...]] = (
        Case(
            "a table with a view of its old name",
            {
                "view.py": START + "    op.rename_table('bookings', 'visits')\n"
                "    op.execute('CREATE VIEW bookings AS SELECT * FROM visits')\n"
            },
        ),
        Case(
            "a new table takes the place of the old one",
            {
                "copy.py": START + "    op.create_table('copy_of', sa.Column('id', sa.Integer(), primary_key=True))\n"
                "    op.drop_table('bookings')\n    op.rename_table('copy_of', 'bookings')\n"
            },
        ),
        Case(
            "an enum type made anew under its name",
            {
                "enum.py": START + "    op.execute('ALTER TYPE status RENAME TO status_old')\n"
                "    op.execute(\"CREATE TYPE status AS ENUM ('on', 'off')\")\n"
            },
        ),
        Case("an index", {"index.py": START + "    op.execute('ALTER INDEX ix_a RENAME TO ix_b')\n"}),
        Case(
            "a column takes the place of another, as the script says",
            {
                "exchange.py": START + "    # handrail: drops bookings.seats\n    op.drop_column('bookings', 'seats')\n"
                "    op.alter_column('bookings', 'seats_new', new_column_name='seats')\n"
            },
        ),
        Case(
            "a column that stays as it is called",
            {"type.py": START + "    op.alter_column('bookings', 'topic', new_column_name='topic', nullable=True)\n"},
        ),
    )

    def look(self, around: Around) -> Iterable[Finding]:
        if (message := _message(around)) is None:
            return
        table = getattr(around.change, "table", None)
        severity = Severity.INFO if table is not None and around.is_empty(table) else Severity.WARNING
        yield around.finding(message, severity, fix=_fix(around))


def _message(around: Around) -> str | None:
    match around.change:
        case AlterColumn(table=table, column=column, new_name=str(new)):
            is_new = around.is_new(table) or is_new_column(around, table, column)
            is_new = is_new or goes_with_its_table(around, table) or is_replaced(around, table, new)
            return None if is_new else f"renames {table}.{column} to {new}: code that runs asks for {column}"
        case RenameTable(table=table, new=new):
            is_free = around.is_new(table) or _lives_on(around, table.name)
            return None if is_free else f"renames table {table} to {new}: code that runs asks for {table}"
        case RenameObject(kind=kind, name=name, new=to) if kind in _NAMED:
            is_free = _lives_on(around, name)
            return None if is_free else f"renames {kind} {name} to {to}: what asks for {name} fails"
        case RenameEnumValue(name=name, label=label, new=to):
            return f"renames value '{label}' of {name} to '{to}': code that runs reads and writes '{label}'"
    return None


def _lives_on(around: Around, name: str) -> bool:
    """Whether something with the old name is there again when the script is done, or was moved aside to be dropped."""
    for one in around.after:
        if isinstance(one, CreateTable) and one.table.name == name:
            return True
        if isinstance(one, CreateEnum) and one.name == name:
            return True
        if isinstance(one, RenameTable) and one.new.name == name:
            return True
        if isinstance(one, Command) and one.words == "CREATE VIEW" and f" {name} " in one.sql.replace('"', ""):
            return True
    change = around.change
    dropped = [one.table for one in around.after if isinstance(one, DropTable)]
    return isinstance(change, RenameTable) and change.new in dropped


def _fix(around: Around) -> str:
    change = around.change
    if isinstance(change, RenameTable):
        view = f"CREATE VIEW {change.table} AS SELECT * FROM {change.new}"
        return f'keep the old name until no code asks for it: op.execute("{view}")'
    if isinstance(change, AlterColumn):
        return f"add {change.new_name}, let the code write both and read the new one, then drop {change.column}"
    return "add the new one beside the old one, move the code over, then drop the old one"
