"""HR-EN104: a column of an enum type that nobody makes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import ClassVar

from handrail.facts import ObjectKind
from handrail.lint.change_rule import POSTGRES, Around, ChangeRule
from handrail.lint.finding import Edit, Finding, Severity
from handrail.lint.repairs import replaced
from handrail.lint.rule import Case, Harm
from handrail.lint.samples import START
from handrail.lint.script_facts import earlier
from handrail.migrations import changes
from handrail.migrations.changes import AddColumn, AddEnumValue, AlterColumn, Change
from handrail.migrations.types import TypeText

_SETUP = ("CREATE TABLE bookings (id integer PRIMARY KEY, topic text)", "INSERT INTO bookings VALUES (1, 'a')")
_HARM = Harm(fails='type "state" does not exist')
_STATE = "sa.Enum('on', 'off', name='state')"


class EnumNotCreated(ChangeRule):
    code: ClassVar[str] = "HR-EN104"
    title: ClassVar[str] = "column of an enum type that is not made"
    why: ClassVar[str] = (
        "create_table makes the enum types of its columns, add_column and alter_column do not: on PostgreSQL the "
        'upgrade fails (type "…" does not exist), on the SQLite of a test it passes. Autogenerate writes it so.'
    )
    engines = POSTGRES
    BAD: ClassVar[tuple[Case, ...]] = (
        Case(
            "an added column",
            {"add.py": START + f"    op.add_column('bookings', sa.Column('state', {_STATE}))\n"},
            setup=_SETUP,
            harm=_HARM,
        ),
        Case(
            "in a batch, by a variable",
            {
                "batch.py": START + f"    state = {_STATE}\n    with op.batch_alter_table('bookings') as batch_op:\n"
                "        batch_op.add_column(sa.Column('state', state))\n"
            },
            setup=_SETUP,
            harm=_HARM,
        ),
    )
    GOOD: ClassVar[tuple[Case, ...]] = (
        Case(
            "made before",
            {
                "create.py": START + f"    {_STATE}.create(op.get_bind(), checkfirst=True)\n"
                f"    op.add_column('bookings', sa.Column('state', {_STATE}))\n"
            },
            setup=_SETUP,
        ),
        Case(
            "as SQL",
            {
                "sql.py": START + "    op.execute(\"CREATE TYPE state AS ENUM ('on', 'off')\")\n"
                f"    op.add_column('bookings', sa.Column('state', {_STATE}))\n"
            },
            setup=_SETUP,
        ),
        Case(
            "stored as text",
            {
                "text.py": START
                + "    op.add_column('bookings', sa.Column('s', sa.Enum('on', name='s', native_enum=False)))\n"
            },
            setup=_SETUP,
        ),
        Case(
            "said to be there already",
            {
                "there.py": "from sqlalchemy.dialects import postgresql\n" + START + "    op.add_column('bookings', "
                "sa.Column('state', postgresql.ENUM('on', name='state', create_type=False)))\n"
            },
        ),
    )  # fmt: skip

    def look(self, around: Around) -> Iterable[Finding]:
        change = around.change
        match change:
            case AddColumn(table=table, column=column):
                new, name = column.sql_type, column.name
            case AlterColumn(table=table, column=name, type=new, existing_type=old):
                if new is not None and old is not None and _is_native(old) and old.enum_name == new.enum_name:
                    yield from _labels_that_stay_out(around, old, new)
                    return
            case _:
                return
        if new is None or not _is_native(new) or "create_type=False" in new.text or change.place.is_sql:
            return
        is_known = around.context.facts is not None
        if _is_there(around, new.enum_name) or any(new.enum_name in _made(one) for one in _all_before(around)):
            return
        edits, fix = _repair(around, new)
        message = f"{table}.{name} is of enum type {new.enum_name}, which nothing makes before"
        yield around.finding(message, Severity.ERROR if is_known else Severity.WARNING, fix=fix, edits=edits)


def _labels_that_stay_out(around: Around, old: TypeText, new: TypeText) -> Iterable[Finding]:
    """More labels for a column of a type that is there: to PostgreSQL it is the same type, and nothing happens."""
    added = {one.label for one in around.all if isinstance(one, AddEnumValue)}
    labels = [label for label in new.labels if old.labels and label not in {*old.labels, *added}]
    if labels:
        message = f"leaves enum type {new.enum_name} as it is: ALTER COLUMN does not add '{labels[0]}' to its values"
        fix = f"op.execute(\"ALTER TYPE {new.enum_name} ADD VALUE IF NOT EXISTS '{labels[0]}'\")"
        yield around.finding(message, Severity.WARNING, fix=fix)


def _is_native(known: TypeText) -> bool:
    return known.name == "enum" and known.is_native and bool(known.enum_name)


def _is_there(around: Around, name: str) -> bool:
    known = around.context.facts
    return known is not None and any(one.kind is ObjectKind.ENUM and one.name == name for one in known.objects)


def _all_before(around: Around) -> Iterator[Change]:
    """What is done before the change; in a history, by all scripts before it."""
    for script in around.context.scripts:
        if script is around.script:
            break
        yield from around.that_run(script.function(around.context.direction).changes)
    yield from earlier(around)


def _made(change: Change) -> Iterator[str]:
    match change:
        case changes.CreateEnum(name=name):
            yield name
        case changes.RenameObject(kind="type", new=new):
            yield new
        case changes.CreateTable(columns=columns):
            yield from (one.sql_type.enum_name for one in columns if one.sql_type and _is_native(one.sql_type))


def _repair(around: Around, new: TypeText) -> tuple[tuple[Edit, ...], str]:
    """The line that makes the type, before the statement."""
    create = f"{new.text}.create(op.get_bind(), checkfirst=True)"
    call, source = around.change.place.call, around.script.revision.source
    is_sure = call is not None and not around.change.place.batch and new.text.startswith("sa.Enum(") and new.labels
    if call is None or not is_sure or new.text.replace('"', "'") not in source.replace('"', "'"):
        return (), create
    edits = replaced(source, call, f"{create}\nop")  # the statement's own place gives the indentation
    return tuple(Edit(one.line, one.column, one.line, one.column, one.text.removesuffix("op")) for one in edits), create
