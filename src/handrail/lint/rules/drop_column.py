"""HR-DL101: a column is dropped, and with it the values in it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from handrail.amounts import count
from handrail.facts import Question
from handrail.lint.change_rule import Around, ChangeRule
from handrail.lint.finding import Finding, Severity
from handrail.lint.renames import column_rename, is_emptied
from handrail.lint.rule import Case, Harm
from handrail.lint.samples import START
from handrail.lint.script_facts import can_count, goes_with_its_table, is_declared, is_new_column, is_replaced
from handrail.migrations.changes import AddColumn, DropColumn
from handrail.migrations.declarations import marker
from handrail.migrations.revision import Direction

_SETUP = (
    "CREATE TABLE bookings (id integer PRIMARY KEY, topic text, note text)",
    "INSERT INTO bookings VALUES (1, 'a', 'b'), (2, 'c', 'd')",
)
_LOSS = Harm("bookings", loses=True)


class DropColumnLosesValues(ChangeRule):
    code: ClassVar[str] = "HR-DL101"
    title: ClassVar[str] = "column dropped with its values"
    why: ClassVar[str] = (
        "Every value of the column is gone, and no downgrade brings it back (of 344 revisions of one application 85 "
        "have an empty downgrade; the others make the column again, empty). Code that still runs and names the column "
        "fails from this moment; models name all their columns in every SELECT."
    )
    BAD: ClassVar[tuple[Case, ...]] = (
        Case(
            "a column in use",
            {"drop.py": START + "    op.drop_column('bookings', 'note')\n"},
            setup=_SETUP,
            harm=_LOSS,
        ),
        Case(
            "in a batch, by a variable",
            {
                "batch.py": START + "    gone = 'note'\n    with op.batch_alter_table('bookings') as batch_op:\n"
                "        batch_op.drop_column(gone)\n"
            },
            setup=_SETUP,
            harm=_LOSS,
        ),
        Case(
            "as SQL, in a loop",
            {
                "loop.py": START + "    for column in ['topic', 'note']:\n"
                "        op.execute(f'ALTER TABLE bookings DROP COLUMN {column}')\n"
            },
            setup=_SETUP,
            harm=_LOSS,
        ),
    )
    GOOD: ClassVar[tuple[Case, ...]] = (
        Case(
            "a column that the same script added",
            {
                "aid.py": START + "    op.add_column('bookings', sa.Column('aid', sa.Text()))\n"
                "    op.drop_column('bookings', 'aid')\n"
            },
            setup=_SETUP,
        ),
        Case(
            "of a table that the same script made",
            {
                "new.py": START + "    op.create_table('rooms', sa.Column('id', sa.Integer()), "
                "sa.Column('name', sa.Text()))\n    op.drop_column('rooms', 'name')\n"
            },
            setup=_SETUP,
        ),
        Case(
            "another column takes its name, as the script says",
            {
                "exchange.py": START + "    # handrail: drops bookings.note\n    op.drop_column('bookings', 'note')\n"
                "    op.alter_column('bookings', 'topic', new_column_name='note')\n"
            },
            setup=_SETUP,
        ),
        Case(
            "in the downgrade",
            {
                "down.py": START + "    op.add_column('bookings', sa.Column('seats', sa.Integer()))\n\n\n"
                "def downgrade():\n    op.drop_column('bookings', 'seats')\n"
            },
            setup=_SETUP,
        ),
    )

    def ask(self, around: Around) -> Iterable[Question]:
        change = around.change
        if isinstance(change, DropColumn) and can_count(around, change.table, change.column):
            yield _question(change)

    def look(self, around: Around) -> Iterable[Finding]:
        change = around.change
        if not isinstance(change, DropColumn) or around.is_new(change.table):
            return
        if is_new_column(around, change.table, change.column) or column_rename(around) is not None:
            return
        if goes_with_its_table(around, change.table) or is_replaced(around, change.table, change.column):
            return
        values = around.answer(_question(change))
        lost = f" with {count(values, 'value')}" if values else around.size(change.table)
        also = ", and with CASCADE whatever refers to it" if change.cascades else ""
        fix = marker(change.table, change.column, verb="drops")
        fix += "  (when no running code names the column and its values are kept elsewhere)"
        yield around.finding(f"drops {change.table}.{change.column}{lost}{also}", _severity(around, values), fix=fix)


def _question(change: DropColumn) -> Question:
    return Question(change.table, f'"{change.column}" IS NOT NULL')


def _is_computed_anew(around: Around, change: DropColumn) -> bool:
    """Whether a generated column of the name is there again afterwards, as a copy by SQLite's batch mode needs it."""
    return any(
        isinstance(one, AddColumn)
        and (one.table, one.column.name) == (change.table, change.column)
        and one.column.filled_by.startswith("computed")
        for one in around.after
    )


def _severity(around: Around, values: int | None) -> Severity:
    change = around.change
    assert isinstance(change, DropColumn)  # noqa: S101 - look() saw it
    is_lost = not (values == 0 or around.is_empty(change.table) or is_emptied(around, change.table))
    is_nothing_lost = not is_lost or _is_computed_anew(around, change)
    if is_nothing_lost or is_declared(around, change.table, change.column, may_vanish=True):
        return Severity.INFO
    is_asked_for = around.context.direction is Direction.DOWNGRADE
    return Severity.ERROR if values and not is_asked_for else Severity.WARNING
