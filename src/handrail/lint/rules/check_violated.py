"""HR-MF104: rows that a new CHECK refuses."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import ClassVar

from handrail.amounts import count
from handrail.facts import Question
from handrail.lint.change_rule import Around, ChangeRule
from handrail.lint.finding import Finding, Severity
from handrail.lint.rule import Case, Harm
from handrail.lint.samples import START
from handrail.lint.script_facts import can_count, is_new_column, is_rewritten_before, old_rows_are_checked
from handrail.migrations.changes import (
    AddColumn,
    AddConstraint,
    AlterColumn,
    ConstraintKind,
    ConstraintText,
    DropConstraint,
)
from handrail.migrations.check_text import named_values
from handrail.migrations.revision import Direction

_SETUP = (
    "CREATE TABLE bookings (id integer PRIMARY KEY, seats integer)",
    "INSERT INTO bookings VALUES (1, 3), (2, -1)",
)
_HARM = Harm(fails="ck_seats")
#: A condition that is Python, kept as text: what SQL it becomes is known only when the script runs.
_PYTHON = re.compile(r"\b(sa|sqlalchemy|op|func|sql)\.\w")


class RowsAgainstCheck(ChangeRule):
    code: ClassVar[str] = "HR-MF104"
    title: ClassVar[str] = "rows that a new CHECK refuses"
    why: ClassVar[str] = (
        "The database tests every row when the CHECK is added (with readers and writers locked out): one "
        "row for which the condition is false and the upgrade fails. Only counting in the live data can tell."
    )
    BAD: ClassVar[tuple[Case, ...]] = (
        Case(
            "a CHECK in a batch",
            {
                "batch.py": START + "    with op.batch_alter_table('bookings') as batch_op:\n"
                "        batch_op.create_check_constraint('ck_seats', 'seats > 0')\n"
            },
            setup=_SETUP,
            harm=_HARM,
        ),
        Case(
            "as SQL",
            {
                "sql.py": START
                + "    op.execute('ALTER TABLE bookings ADD CONSTRAINT ck_seats CHECK (seats > 0)')\n"
            },
        ),
        Case(
            "validated in the same script",
            {
                "validate.py": START
                + "    op.create_check_constraint('ck_seats', 'bookings', 'seats > 0', postgresql_not_valid=True)\n"
                "    op.execute('ALTER TABLE bookings VALIDATE CONSTRAINT ck_seats')\n"
            },
        ),
    )  # fmt: skip
    GOOD: ClassVar[tuple[Case, ...]] = (
        Case(
            "not validated yet",
            {
                "later.py": START
                + "    op.create_check_constraint('ck_seats', 'bookings', 'seats > 0', postgresql_not_valid=True)\n"
            },
        ),
        Case(
            "one that helps to set NOT NULL",
            {
                "aid.py": START + "    op.create_check_constraint('aid', 'bookings', 'seats IS NOT NULL')\n"
                "    op.alter_column('bookings', 'seats', nullable=False)\n    op.drop_constraint('aid', 'bookings')\n"
            },
        ),
        Case(
            "one that helps to set NOT NULL on a column that is renamed",
            {
                "renamed.py": START + "    op.create_check_constraint('aid', 'bookings', 'chairs IS NOT NULL')\n"
                "    op.alter_column('bookings', 'chairs', new_column_name='seats')\n"
                "    op.alter_column('bookings', 'seats', nullable=False)\n    op.drop_constraint('aid', 'bookings')\n"
            },
        ),
        Case(
            "in place of one that named fewer values",
            {
                "wider.py": START + "    with op.batch_alter_table('bookings') as batch_op:\n"
                "        batch_op.drop_constraint('ck_s', type_='check')\n"
                "        batch_op.create_check_constraint('ck_s', \"seats IN ('a', 'b')\")\n"
                "\n\ndef downgrade():\n    with op.batch_alter_table('bookings') as batch_op:\n"
                "        batch_op.drop_constraint('ck_s', type_='check')\n"
                "        batch_op.create_check_constraint('ck_s', \"seats IN ('a')\")\n"
            },
        ),
        Case(
            "on a column that is NULL everywhere",
            {
                "new.py": START + "    with op.batch_alter_table('bookings') as batch_op:\n"
                "        batch_op.add_column(sa.Column('floor', sa.Integer()))\n"
                "        batch_op.create_check_constraint('ck_floor', 'floor > 0')\n"
            },
            setup=_SETUP,
        ),
        Case(
            "on a table that the same script made",
            {
                "table.py": START + "    op.create_table('rooms', sa.Column('seats', sa.Integer()))\n"
                "    with op.batch_alter_table('rooms') as batch_op:\n"
                "        batch_op.create_check_constraint('ck_rooms', 'seats > 0')\n"
            },
            setup=_SETUP,
        ),
    )  # fmt: skip

    def ask(self, around: Around) -> Iterable[Question]:
        check = _checked(around)
        if check is not None and (question := _question(around, check)) is not None:
            yield question

    def look(self, around: Around) -> Iterable[Finding]:
        change, check = around.change, _checked(around)
        if check is None or not isinstance(change, AddConstraint) or around.is_empty(change.table):
            return
        question = _question(around, check)
        found = None if question is None else around.answer(question)
        if found == 0:
            return
        name = f"CHECK {check.name}" if check.name else "CHECK"
        what = "rows that do not meet it make it fail" if found is None else f"{count(found, 'row')} do not meet it"
        condition = f" ({check.condition})" if check.condition else ""
        yield around.finding(
            f"{name} on {change.table}{condition}: {what}",
            Severity.INFO if found is None else Severity.ERROR,
            fix="a revision before this one that corrects what this finds: "
            f"SELECT * FROM {change.table} WHERE NOT ({check.condition or '…'})",
        )


def _checked(around: Around) -> ConstraintText | None:
    """The CHECK that old rows of the table have to meet in this script."""
    change = around.change
    if not isinstance(change, AddConstraint) or change.constraint.kind is not ConstraintKind.CHECK:
        return None
    check, table = change.constraint, change.table
    if not old_rows_are_checked(around, change) or around.is_new(table) or _helps_to_set_not_null(around, check):
        return None
    if _allows_more(around, change):
        return None
    is_null = any(name in check.condition for name in _empty_columns(around, change)) and "NULL" not in check.condition
    return None if is_null and not is_rewritten_before(around, table) else check


def _allows_more(around: Around, change: AddConstraint) -> bool:
    """Whether it takes the place of one that named fewer values of the column: the way back says which."""
    name, new = change.constraint.name, named_values(change.constraint.condition)
    dropped = any(isinstance(one, DropConstraint) and one.name == name for one in around.before)
    if new is None or not dropped or around.context.direction is Direction.DOWNGRADE:
        return False
    back = around.script.function(Direction.DOWNGRADE).changes
    olds = [one.constraint for one in back if isinstance(one, AddConstraint) and one.table == change.table]
    before = [named_values(one.condition) for one in olds if one.name == name]
    return bool(before) and all(old is not None and old[0] == new[0] and set(old[1]) <= set(new[1]) for old in before)


def _helps_to_set_not_null(around: Around, check: ConstraintText) -> bool:
    """Whether the CHECK only says of a column what SET NOT NULL says after it: NULLs are another rule's."""
    column = check.condition.removesuffix(" IS NOT NULL").strip('"( ')
    for one in around.after if check.condition.strip("() ").endswith(" IS NOT NULL") else ():
        if isinstance(one, AlterColumn) and one.column == column:
            if one.nullable is False:
                return True
            column = one.new_name or column
    return False


def _empty_columns(around: Around, change: AddConstraint) -> list[str]:
    """The columns that this script added without a default: NULL meets every comparison."""
    return [
        one.column.name
        for one in around.before
        if isinstance(one, AddColumn) and one.table == change.table
        if one.column.name and one.column.server_default is None
    ]


def _question(around: Around, check: ConstraintText) -> Question | None:
    change = around.change
    assert isinstance(change, AddConstraint)  # noqa: S101 - _checked saw it
    is_sql = bool(check.condition) and not _PYTHON.search(check.condition)
    words = set(re.findall(r"\w+", check.condition))
    names_new = any(is_new_column(around, change.table, word) for word in words)
    if not is_sql or names_new or is_rewritten_before(around, change.table) or not can_count(around, change.table):
        return None
    return Question(change.table, f"NOT ({check.condition})")
