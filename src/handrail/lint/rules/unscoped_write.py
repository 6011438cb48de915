"""HR-DL104: every row of a table is deleted or overwritten."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from handrail.amounts import count
from handrail.facts import Question
from handrail.lint.change_rule import Around, ChangeRule
from handrail.lint.finding import Finding, Severity
from handrail.lint.rule import Case, Harm
from handrail.lint.samples import START
from handrail.lint.script_facts import can_count, is_declared, is_new_column
from handrail.migrations.changes import Verb, WriteRows
from handrail.migrations.declarations import marker

_SETUP = (
    "CREATE TABLE bookings (id integer PRIMARY KEY, topic text)",
    "INSERT INTO bookings VALUES (1, 'a'), (2, 'b')",
)
_LOSS = Harm("bookings", loses=True)
_DONE: dict[Verb, str] = {
    Verb.DELETE: "deletes every row of",
    Verb.TRUNCATE: "empties",
    Verb.UPDATE: "overwrites every row of",
}


class UnscopedWrite(ChangeRule):
    code: ClassVar[str] = "HR-DL104"
    title: ClassVar[str] = "every row deleted or overwritten"
    why: ClassVar[str] = (
        "A DELETE, TRUNCATE or UPDATE without WHERE takes every row, and no downgrade brings the old values back. "
        "Released migrations of well-known applications empty whole tables so; four of four linters said nothing."
    )
    BAD: ClassVar[tuple[Case, ...]] = (
        Case(
            "DELETE without WHERE",
            {"delete.py": START + "    op.execute('DELETE FROM bookings')\n"},
            setup=_SETUP,
            harm=_LOSS,
        ),
        Case(
            "UPDATE in a helper, by a connection",
            {
                "update.py": "from alembic import op\nimport sqlalchemy as sa\n\n\n"
                "def clear(connection, table):\n"
                "    connection.execute(sa.text(f\"UPDATE {table} SET topic = 'x' WHERE 1 = 1\"))\n\n\n"
                "def upgrade():\n    clear(op.get_bind(), 'bookings')\n"
            },
            setup=_SETUP,
            harm=_LOSS,
        ),
        Case(
            "SQLAlchemy Core",
            {
                "core.py": START + "    bookings = sa.table('bookings', sa.column('id'))\n"
                "    op.execute(bookings.delete())\n"
            },
            setup=_SETUP,
            harm=_LOSS,
        ),
        Case("TRUNCATE", {"truncate.py": START + "    op.execute('TRUNCATE bookings CASCADE')\n"}),
    )
    GOOD: ClassVar[tuple[Case, ...]] = (
        Case(
            "chosen rows",
            {"where.py": START + "    op.execute(\"DELETE FROM bookings WHERE topic = 'spam'\")\n"},
            setup=_SETUP,
        ),
        Case(
            "a column that the same script added is filled",
            {
                "fill.py": START + "    op.add_column('bookings', sa.Column('seats', sa.Integer()))\n"
                "    op.execute('UPDATE bookings SET seats = 1')\n"
            },
            setup=_SETUP,
        ),
        Case(
            "a table that the same script made",
            {
                "new.py": START + "    op.create_table('rooms', sa.Column('id', sa.Integer()))\n"
                "    op.execute('INSERT INTO rooms VALUES (1)')\n    op.execute('DELETE FROM rooms')\n"
            },
            setup=_SETUP,
        ),
    )

    def ask(self, around: Around) -> Iterable[Question]:
        change = around.change
        if self._is_meant(around) and isinstance(change, WriteRows) and can_count(around, change.table):
            assert change.table is not None  # noqa: S101 - can_count saw it
            yield Question(change.table, "1 = 1")

    def look(self, around: Around) -> Iterable[Finding]:
        change = around.change
        if not self._is_meant(around) or not isinstance(change, WriteRows):
            return
        table = change.table
        rows = around.answer(Question(table, "1 = 1")) if table is not None else None
        if rows == 0:
            return
        what = f"{change.verb} without WHERE {_DONE[change.verb]} {table or 'a table known only when it runs'}"
        lost = f" ({count(rows, 'row')})" if rows is not None else around.size(table)
        also = ", and CASCADE the tables that refer to it" if change.cascades else ""
        fix = f"{change.verb} … WHERE …" if change.verb is not Verb.TRUNCATE else "DELETE … WHERE …"
        fix += f", or when all rows are meant: {marker(table)}" if table is not None else ""
        yield around.finding(f"{what}{lost}{also}", _severity(around, change), fix=fix)

    def _is_meant(self, around: Around) -> bool:
        """Whether the change takes every row of a table that had rows before the script, values of old columns."""
        change = around.change
        if not isinstance(change, WriteRows) or change.verb not in _DONE or change.is_filtered:
            return False
        if around.is_new(change.table):
            return False
        table, columns = change.table, change.columns
        is_filling = table is not None and bool(columns) and all(is_new_column(around, table, one) for one in columns)
        return not is_filling


def _severity(around: Around, change: WriteRows) -> Severity:
    is_said = is_declared(around, change.table) or _declares_columns(around, change)
    if around.is_empty(change.table) or is_said:
        return Severity.INFO
    is_known = change.table is not None and (change.verb is not Verb.UPDATE or bool(change.columns))
    return Severity.ERROR if is_known else Severity.WARNING


def _declares_columns(around: Around, change: WriteRows) -> bool:
    return bool(change.columns) and all(is_declared(around, change.table, column) for column in change.columns)
