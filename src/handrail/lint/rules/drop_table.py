"""HR-DL102: a table or a schema is dropped with its rows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from handrail.amounts import count
from handrail.facts import Question
from handrail.lint.change_rule import Around, ChangeRule
from handrail.lint.finding import Finding, Severity
from handrail.lint.renames import table_rename
from handrail.lint.rule import Case, Harm
from handrail.lint.samples import START
from handrail.lint.script_facts import can_count, is_declared
from handrail.migrations.changes import DropObject, DropTable, RenameTable
from handrail.migrations.declarations import marker
from handrail.migrations.revision import Direction

_SETUP = ("CREATE TABLE bookings (id integer PRIMARY KEY, topic text)", "INSERT INTO bookings VALUES (1, 'a')")
#: What a failed batch of Alembic left; the table itself is there still.
_LEFTOVER = "_alembic_tmp_"
_LOSS = Harm("bookings", loses=True)


class DropTableLosesRows(ChangeRule):
    code: ClassVar[str] = "HR-DL102"
    title: ClassVar[str] = "table or schema dropped with its rows"
    why: ClassVar[str] = (
        "Every row is gone, and a downgrade makes only an empty table again. Code that still names the table fails. "
        "CASCADE also drops the views and foreign keys that refer to it; on SQLite with foreign_keys=ON dropping a "
        "parent deletes or empties its children's rows without a word (measured: 10 rows to 0)."
    )
    BAD: ClassVar[tuple[Case, ...]] = (
        Case(
            "a table in use",
            {"drop.py": START + "    op.drop_table('bookings')\n"},
            setup=_SETUP,
            harm=_LOSS,
        ),
        Case(
            "as SQL, by an f-string",
            {"sql.py": START + "    name = 'bookings'\n    op.execute(f'DROP TABLE IF EXISTS {name}')\n"},
            setup=_SETUP,
            harm=_LOSS,
        ),
        Case("a schema with all in it", {"schema.py": START + "    op.execute('DROP SCHEMA archive CASCADE')\n"}),
    )
    GOOD: ClassVar[tuple[Case, ...]] = (
        Case(
            "a table that the same script made",
            {"aid.py": START + "    op.create_table('aid', sa.Column('id', sa.Integer()))\n    op.drop_table('aid')\n"},
            setup=_SETUP,
        ),
        Case(
            "the table copied into a new one of its name",
            {
                "copy.py": START + "    op.execute('CREATE TABLE copy_of (id integer PRIMARY KEY, topic text)')\n"
                "    op.execute('INSERT INTO copy_of SELECT id, topic FROM bookings')\n"
                "    op.drop_table('bookings')\n    op.rename_table('copy_of', 'bookings')\n"
            },
            setup=_SETUP,
        ),
        Case("what a failed batch left", {"left.py": START + "    op.execute('DROP TABLE _alembic_tmp_bookings')\n"}),
        Case("a schema that must be empty", {"schema.py": START + "    op.execute('DROP SCHEMA archive')\n"}),
    )

    def ask(self, around: Around) -> Iterable[Question]:
        change = around.change
        if isinstance(change, DropTable) and can_count(around, change.table):
            yield Question(change.table, "1 = 1")

    def look(self, around: Around) -> Iterable[Finding]:
        change = around.change
        if isinstance(change, DropObject) and change.kind == "schema" and change.cascades:
            message = f"drops schema {change.name} with every table in it (CASCADE)"
            yield around.finding(
                message, Severity.ERROR, fix=f"move out what is needed, then DROP SCHEMA {change.name}"
            )
        if not isinstance(change, DropTable) or around.is_new(change.table) or table_rename(around) is not None:
            return
        if any(isinstance(one, RenameTable) and one.new == change.table for one in around.after):
            return
        if change.table.name.startswith(_LEFTOVER):
            return
        rows = around.answer(Question(change.table, "1 = 1"))
        lost = f" with {count(rows, 'row')}" if rows else around.size(change.table)
        also = "; CASCADE also drops the views and foreign keys that refer to it" if change.cascades else ""
        fix = marker(change.table, verb="drops")
        fix += "  (when no running code names the table and its rows are kept elsewhere)"
        yield around.finding(f"drops table {change.table}{lost}{also}", _severity(around, change, rows), fix=fix)


def _severity(around: Around, change: DropTable, rows: int | None) -> Severity:
    if rows == 0 or around.is_empty(change.table) or is_declared(around, change.table, may_vanish=True):
        return Severity.INFO
    is_asked_for = around.context.direction is Direction.DOWNGRADE
    return Severity.ERROR if rows and not is_asked_for else Severity.WARNING
