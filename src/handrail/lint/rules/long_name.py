"""HR-PR106: a name that PostgreSQL cuts."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from typing import ClassVar

from handrail.lint.change_rule import POSTGRES, Around, ChangeRule
from handrail.lint.finding import Finding, Severity
from handrail.lint.rule import Case, Harm
from handrail.lint.samples import START
from handrail.migrations import changes
from handrail.migrations.values import call_name

_SETUP = ("CREATE TABLE bookings (id integer PRIMARY KEY, topic text)",)
_LONG = "ix_bookings_topic_of_the_talk_that_a_speaker_gives_in_a_room_of_the_venue"
#: PostgreSQL's NAMEDATALEN, less the byte that ends the name.
LONGEST = 63


class LongName(ChangeRule):
    code: ClassVar[str] = "HR-PR106"
    title: ClassVar[str] = "name longer than 63 bytes"
    why: ClassVar[str] = (
        "PostgreSQL cuts a longer name with a notice that nobody reads: autogenerate then sees, in every revision, "
        "a name that differs from the models, and two names that differ in their ends only are one. SQLAlchemy refuses "
        "a long name of an index or a constraint: the upgrade fails."
    )
    engines = POSTGRES
    BAD: ClassVar[tuple[Case, ...]] = (
        Case(
            "an index",
            {"index.py": START + f"    op.create_index('{_LONG}', 'bookings', ['topic'])\n"},
            setup=_SETUP,
            harm=Harm(fails="exceeds maximum length of 63"),
        ),
        Case(
            "a table, as SQL",
            {"table.py": START + f"    op.execute('CREATE TABLE {_LONG[:-1]}s (id integer)')\n"},
        ),
        Case(
            "letters of several bytes",
            {"bytes.py": START + f"    op.add_column('bookings', sa.Column('{'é' * 40}', sa.Text()))\n"},
        ),
    )
    GOOD: ClassVar[tuple[Case, ...]] = (
        Case(
            "63 bytes",
            {"fits.py": START + f"    op.create_index('{_LONG[:63]}', 'bookings', ['topic'])\n"},
            setup=_SETUP,
        ),
        Case(
            "on SQLite only",
            {
                "sqlite.py": START + "    if op.get_bind().dialect.name == 'sqlite':\n"
                f"        op.create_index('{_LONG}', 'bookings', ['topic'])\n"
            },
            setup=_SETUP,
        ),
    )

    def look(self, around: Around) -> Iterable[Finding]:
        change = around.change
        for kind, name in _names(change):
            size = len((name or "").encode(errors="replace"))
            if name is None or size <= LONGEST:
                continue
            is_refused = kind in {"index", "constraint"} and not change.place.is_sql and not _is_shortened(change)
            message = f"{kind} {name} has {size} bytes: " + (
                "it is refused" if is_refused else "it becomes another one"
            )
            severity = Severity.ERROR if is_refused else Severity.WARNING
            yield around.finding(message, severity, fix=f"a name of at most {LONGEST} bytes")


def _is_shortened(change: changes.Change) -> bool:
    """Whether a name stands in op.f() or conv(): SQLAlchemy cuts those and adds a digest."""
    call = change.place.call
    return call is not None and any(
        isinstance(node, ast.Call) and call_name(node) in {"f", "conv"} for node in ast.walk(call)
    )


def _names(change: changes.Change) -> Iterator[tuple[str, str | None]]:
    """What the change gives a name to."""
    match change:
        case changes.CreateTable(table=table, columns=columns, constraints=constraints):
            yield "table", table.name
            yield from (("column", column.name) for column in columns)
            yield from (("constraint", constraint.name) for constraint in constraints)
        case changes.AddColumn(column=column):
            yield "column", column.name
        case changes.CreateIndex(name=name):
            yield "index", name
        case changes.AddConstraint(constraint=constraint):
            yield "constraint", constraint.name
        case _:
            yield from _new_names(change)


def _new_names(change: changes.Change) -> Iterator[tuple[str, str | None]]:
    match change:
        case changes.AlterColumn(new_name=new):
            yield "column", new
        case changes.RenameTable(new=to):
            yield "table", to.name
        case changes.CreateEnum(name=name):
            yield "type", name
        case changes.RenameObject(kind=kind, new=new):
            yield kind, new
