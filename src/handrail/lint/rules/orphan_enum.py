"""HR-EN103: an enum type that stays behind when its columns go."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from typing import ClassVar

from handrail.facts import ObjectKind, TableName
from handrail.lint.change_rule import POSTGRES, Around, ChangeRule
from handrail.lint.finding import Edit, Finding, Severity, source_line
from handrail.lint.rule import Case, Harm
from handrail.lint.samples import START
from handrail.lint.script_facts import type_before
from handrail.migrations import changes
from handrail.migrations.changes import Change, DropObject
from handrail.migrations.columns import ColumnText
from handrail.migrations.reading import ScriptReading
from handrail.migrations.revision import Direction
from handrail.migrations.types import TypeText

_NEW = (
    "    op.create_table('rooms', sa.Column('id', sa.Integer(), primary_key=True), "
    "sa.Column('state', sa.Enum('on', 'off', name='roomstate')))\n"
)
_DROP = "\n\ndef downgrade():\n    op.drop_table('rooms')\n"


class OrphanEnum(ChangeRule):
    code: ClassVar[str] = "HR-EN103"
    title: ClassVar[str] = "enum type left behind"
    why: ClassVar[str] = (
        "PostgreSQL keeps an enum type when the last column of it is dropped, and Alembic drops it neither with the "
        'column nor with the table. The next upgrade that makes the type fails: type "…" already exists.'
    )
    engines = POSTGRES
    BAD: ClassVar[tuple[Case, ...]] = (
        Case(
            "the upgrade after a downgrade that left the type",
            {"new.py": START + _NEW + _DROP},
            setup=("CREATE TYPE roomstate AS ENUM ('on', 'off')",),
            harm=Harm(fails='type "roomstate" already exists'),
        ),
        Case(
            "made by hand for a new column",
            {
                "column.py": START + "    state = sa.Enum('on', 'off', name='roomstate')\n"
                "    state.create(op.get_bind())\n    op.add_column('bookings', sa.Column('state', state))\n"
                "\n\ndef downgrade():\n    op.drop_column('bookings', 'state')\n"
            },
        ),
        Case(
            "the column goes in the upgrade",
            {
                "drop.py": START + "    op.drop_column('bookings', 'state')\n\n\ndef downgrade():\n"
                "    op.add_column('bookings', sa.Column('state', sa.Enum('on', 'off', name='roomstate')))\n"
            },
        ),
    )
    GOOD: ClassVar[tuple[Case, ...]] = (
        Case(
            "the downgrade drops it",
            {"drop.py": START + _NEW + _DROP + "    sa.Enum(name='roomstate').drop(op.get_bind(), checkfirst=True)\n"},
        ),
        Case("as SQL", {"sql.py": START + _NEW + _DROP + "    op.execute('DROP TYPE IF EXISTS roomstate')\n"}),
        Case(
            "stored as text",
            {"text.py": START + _NEW.replace("name='roomstate'", "name='s', native_enum=False") + _DROP},
        ),
        Case(
            "a type that is there already",
            {
                "known.py": "from sqlalchemy.dialects import postgresql\n" + START + "    op.create_table('rooms', "
                "sa.Column('state', postgresql.ENUM('on', name='roomstate', create_type=False)))\n" + _DROP
            },
        ),
        Case(
            "another type in place of one that had more values",
            {
                "swap.py": START + "    op.execute('ALTER TYPE roomstate RENAME TO roomstate_old')\n"
                "    op.execute(\"CREATE TYPE roomstate AS ENUM ('on')\")\n"
                "    op.execute('ALTER TABLE rooms ALTER state TYPE roomstate USING state::text::roomstate')\n"
                "    op.execute('DROP TYPE roomstate_old')\n\n\ndef downgrade():\n"
                "    with op.get_context().autocommit_block():\n"
                "        op.execute(\"ALTER TYPE roomstate ADD VALUE IF NOT EXISTS 'off'\")\n"
            },
        ),
    )

    def look(self, around: Around) -> Iterable[Finding]:
        if around.context.direction is Direction.UPGRADE:
            yield from self._made(around)
        yield from self._dropped(around)

    def _made(self, around: Around) -> Iterable[Finding]:
        """Types that the change makes and that the downgrade, which takes other things back, does not drop."""
        back = around.script.downgrade.changes
        is_readable = bool(back) and not any(isinstance(one, changes.NotAnalysable) for one in back)
        for name in _made_types(around.change) if is_readable else ():
            if name in _dropped_types(back) or _is_there(around, name) or _is_made_before(around, name):
                continue
            if _takes_the_place(around, name):
                continue
            again = f"sa.Enum(name={name!r}).drop(op.get_bind(), checkfirst=True)"
            message = f"makes enum type {name}, which the downgrade leaves behind"
            edits = _at_the_end(around.script, again)
            yield around.finding(message, Severity.WARNING, fix=f"at the end of downgrade(): {again}", edits=edits)

    def _dropped(self, around: Around) -> Iterable[Finding]:
        change = around.change
        if not isinstance(change, changes.DropColumn) or around.is_new(change.table):
            return
        name = _enum_before(around, change.table, change.column)
        if name and name not in _dropped_types(around.after) and not _is_used(around, name, change):
            fix = f'op.execute("DROP TYPE {name}") when no other column has it'
            message = f"drops {change.table}.{change.column} and leaves its enum type {name} behind"
            yield around.finding(message, Severity.INFO, fix=fix)


def _made_types(change: Change) -> Iterator[str]:
    columns: tuple[ColumnText, ...] = ()
    if isinstance(change, changes.CreateTable):
        columns = change.columns
    elif isinstance(change, changes.CreateEnum) and change.name:
        yield change.name
    for column in columns:
        known = column.sql_type
        if known is not None and _is_native(known) and "create_type=False" not in known.text:
            yield known.enum_name


def _is_native(known: TypeText) -> bool:
    return known.name == "enum" and known.is_native and bool(known.enum_name)


def _dropped_types(found: Iterable[Change]) -> set[str]:
    return {
        one.name.rpartition(".")[2] for one in found if isinstance(one, DropObject) and one.kind in {"type", "schema"}
    }


def _is_there(around: Around, name: str) -> bool:
    """Whether the catalog has the type already, so that it is none of this script's."""
    known = around.context.facts
    return known is not None and any(one.kind is ObjectKind.ENUM and one.name == name for one in known.objects)


def _takes_the_place(around: Around, name: str) -> bool:
    """Whether the script put a type of this name aside before: there was one all along."""
    renamed = (one for one in around.before if isinstance(one, changes.RenameObject) and one.kind == "type")
    return any(one.name.rpartition(".")[2] == name for one in renamed)


def _is_made_before(around: Around, name: str) -> bool:
    """Whether an earlier change (of this script or of one before it) made the type: then that one is told of."""
    for script in around.context.scripts:
        if script is around.script:
            break
        if any(name in _made_types(one) for one in script.upgrade.changes):
            return True
    return any(name in _made_types(one) for one in around.before)


def _enum_before(around: Around, table: TableName, column: str) -> str:
    """The native enum type that the column has before the script; "" for none."""
    before = type_before(around, table, column)
    if before is None:
        return ""
    if _is_native(before):
        return before.enum_name
    return before.name if _is_there(around, before.name) else ""


def _is_used(around: Around, name: str, change: changes.DropColumn) -> bool:
    """Whether the catalog knows another column of the type."""
    known = around.context.facts
    return known is not None and any(
        column.type.strip('"') == name and (table.name, column.name) != (change.table, change.column)
        for table in known.tables
        for column in table.columns
    )


def _at_the_end(script: ScriptReading, line: str) -> tuple[Edit, ...]:
    """An edit that adds a line to downgrade(), after all that it does; () when it cannot be done for certain."""
    module = ast.parse(script.revision.source)
    found = [one for one in module.body if isinstance(one, ast.FunctionDef) and one.name == "downgrade"]
    names = {alias.asname or alias.name for one in module.body if isinstance(one, ast.Import) for alias in one.names}
    if not found or "sa" not in names or "op" not in _from_alembic(module):
        return ()
    last = found[-1].body[-1]
    if isinstance(last, ast.Return | ast.Raise) or last.lineno == found[-1].lineno:
        return ()
    end = (last.end_lineno or 0, last.end_col_offset or 0)
    indent = source_line(script.revision.source, last.lineno).encode()[: last.col_offset].decode()
    return () if indent.strip() else (Edit(*end, *end, f"\n{indent}{line}"),)


def _from_alembic(module: ast.Module) -> set[str]:
    return {
        alias.asname or alias.name
        for one in module.body
        if isinstance(one, ast.ImportFrom) and one.module == "alembic"
        for alias in one.names
    }
