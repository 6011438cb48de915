"""HR-EN101: an enum value that is used in the transaction that adds it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import ClassVar

from handrail.lint.change_rule import POSTGRES, Around, ChangeRule
from handrail.lint.finding import Finding, Severity
from handrail.lint.rule import Case, Harm
from handrail.lint.samples import START
from handrail.migrations.changes import (
    AddColumn,
    AddConstraint,
    AddEnumValue,
    AlterColumn,
    Change,
    Command,
    CreateEnum,
    CreateIndex,
    WriteRows,
)

_SETUP = (
    "CREATE TYPE state AS ENUM ('on', 'off')",
    "CREATE TABLE bookings (id integer PRIMARY KEY, state state)",
    "INSERT INTO bookings VALUES (1, 'on'), (2, 'off')",
)
_HARM = Harm(fails="unsafe use of new value")
#: From here on new values of a type made in the same transaction may be used (observed: 15 refuses, 18 does not).
_RELAXED = 17
_ADD = "    op.execute(\"ALTER TYPE state ADD VALUE IF NOT EXISTS 'late'\")\n"


class EnumValueUsed(ChangeRule):
    code: ClassVar[str] = "HR-EN101"
    title: ClassVar[str] = "enum value used in the transaction that adds it"
    why: ClassVar[str] = (
        'PostgreSQL refuses a new value of an enum until the transaction that added it has committed ("unsafe use of '
        'new value"): the upgrade fails on every database, the empty one too if the statement names the value.'
    )
    engines = POSTGRES
    BAD: ClassVar[tuple[Case, ...]] = (
        Case(
            "rows get the new value",
            {"rows.py": START + _ADD + "    op.execute(\"UPDATE bookings SET state = 'late' WHERE id = 1\")\n"},
            setup=_SETUP,
            harm=_HARM,
        ),
        Case(
            "it becomes the default of a new column",
            {
                "default.py": START + "    for value in ['late', 'early']:\n"
                "        op.execute(f\"ALTER TYPE state ADD VALUE '{value}'\")\n"
                "    op.execute(\"ALTER TABLE bookings ADD COLUMN next state DEFAULT 'early' NOT NULL\")\n"
            },
            setup=_SETUP,
            harm=_HARM,
        ),
        Case(
            "an index asks for it",
            {
                "index.py": START + _ADD
                + "    op.create_index('ix', 'bookings', ['id'], postgresql_where=sa.text(\"state = 'late'\"))\n"
            },
            setup=_SETUP,
            harm=_HARM,
        ),
        Case(
            "the type is of the same transaction, which PostgreSQL before 17 refuses too",
            {
                "type.py": START + "    op.execute(\"CREATE TYPE mood AS ENUM ('good')\")\n"
                "    op.execute(\"ALTER TYPE mood ADD VALUE 'bad'\")\n"
                "    op.execute(\"ALTER TABLE bookings ADD COLUMN mood mood DEFAULT 'bad'\")\n"
            },
        ),
    )  # fmt: skip
    GOOD: ClassVar[tuple[Case, ...]] = (
        Case(
            "added in an autocommit block",
            {
                "block.py": START + "    with op.get_context().autocommit_block():\n    " + _ADD
                + "    op.execute(\"UPDATE bookings SET state = 'late' WHERE id = 1\")\n"
            },
            setup=_SETUP,
        ),
        Case(
            "an older value is used",
            {"older.py": START + _ADD + "    op.execute(\"UPDATE bookings SET state = 'on' WHERE id = 2\")\n"},
            setup=_SETUP,
        ),
    )  # fmt: skip

    def look(self, around: Around) -> Iterable[Finding]:
        change = around.change
        if not isinstance(change, AddEnumValue) or change.place.in_autocommit or not change.label:
            return
        severity = _severity(around, change)
        if severity is None:
            return
        used = [one for one in around.after if one in around.same_transaction and _names(one, change.label)]
        if used:
            yield around.finding(
                f"'{change.label}' of {change.name} is used in the transaction that adds it (added in line "
                f"{change.place.line})",
                severity,
                at=used[0],
                fix=f'with op.get_context().autocommit_block(): op.execute("ALTER TYPE {change.name} ADD VALUE IF NOT '
                f"EXISTS '{change.label}'\")",
            )


def _severity(around: Around, change: AddEnumValue) -> Severity | None:
    """An error; for a type of the same transaction only before PostgreSQL 17 (None for later ones)."""
    if not any(isinstance(one, CreateEnum) and one.name == change.name for one in around.same_transaction):
        return Severity.ERROR
    known = around.context.facts
    if known is None:
        return Severity.WARNING
    major = known.version.partition(".")[0]
    return None if major.isdigit() and int(major) >= _RELAXED else Severity.ERROR


def _names(one: Change, label: str) -> bool:
    """Whether the SQL of a change has the label as a literal."""
    text = ""
    match one:
        case WriteRows(sql=sql) | Command(sql=sql):
            text = sql
        case AddColumn(column=column):
            text = column.server_default or ""
        case AlterColumn(default=default, using=using):
            text = f"{default or ''} {using or ''}"
        case CreateIndex(condition=condition, columns=columns):
            text = f"{condition} {columns}"
        case AddConstraint(constraint=constraint):
            text = constraint.condition
    return re.search(f"'{re.escape(label)}'", text) is not None
