"""HR-MF103: rows whose parent is not there, and a foreign key that asks for it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from handrail.amounts import count
from handrail.facts import Question
from handrail.lint.change_rule import POSTGRES, Around, ChangeRule
from handrail.lint.finding import Finding, Severity
from handrail.lint.rule import Case, Harm
from handrail.lint.samples import START
from handrail.lint.script_facts import can_count, is_new_column, is_rewritten_before, old_rows_are_checked
from handrail.migrations.changes import AddConstraint, ConstraintKind, ConstraintText

_SETUP = (
    "CREATE TABLE rooms (id integer PRIMARY KEY)",
    "CREATE TABLE bookings (id integer PRIMARY KEY, room_id integer)",
    "INSERT INTO rooms VALUES (1)",
    "INSERT INTO bookings VALUES (1, 1), (2, 7)",
)
_HARM = Harm(fails="fk_room")


class OrphansBeforeForeignKey(ChangeRule):
    code: ClassVar[str] = "HR-MF103"
    title: ClassVar[str] = "orphans before a foreign key"
    why: ClassVar[str] = (
        "The database looks for the parent of every row when the foreign key is added (with writers "
        "of both tables locked out): one row without a parent and the upgrade fails. Only counting in the live data "
        "can tell."
    )
    engines = POSTGRES
    BAD: ClassVar[tuple[Case, ...]] = (
        Case(
            "a foreign key on a table in use",
            {"add.py": START + "    op.create_foreign_key('fk_room', 'bookings', 'rooms', ['room_id'], ['id'])\n"},
            setup=_SETUP,
            harm=_HARM,
        ),
        Case(
            "as SQL, validated in the same script",
            {
                "sql.py": START
                + "    op.execute('ALTER TABLE bookings ADD CONSTRAINT fk_room FOREIGN KEY (room_id) '\n"
                "               'REFERENCES rooms (id) NOT VALID')\n"
                "    op.execute('ALTER TABLE bookings VALIDATE CONSTRAINT fk_room')\n"
            },
            setup=_SETUP,
            harm=_HARM,
        ),
        Case(
            "in a batch",
            {
                "batch.py": START + "    with op.batch_alter_table('bookings') as batch_op:\n"
                "        batch_op.create_foreign_key('fk_room', 'rooms', ['room_id'], ['id'])\n"
            },
            setup=_SETUP,
            harm=_HARM,
        ),
    )
    GOOD: ClassVar[tuple[Case, ...]] = (
        Case(
            "not validated yet",
            {
                "later.py": START + "    op.create_foreign_key('fk_room', 'bookings', 'rooms', ['room_id'], ['id'], "
                "postgresql_not_valid=True)\n"
            },
            setup=_SETUP,
        ),
        Case(
            "a new column, NULL everywhere",
            {
                "new.py": START + "    op.add_column('bookings', sa.Column('hall_id', sa.Integer()))\n"
                "    op.create_foreign_key('fk_hall', 'bookings', 'rooms', ['hall_id'], ['id'])\n"
            },
            setup=_SETUP,
        ),
        Case(
            "a table that the same script made",
            {
                "table.py": START + "    op.create_table('seats', sa.Column('room_id', sa.Integer()))\n"
                "    op.create_foreign_key('fk_seat', 'seats', 'rooms', ['room_id'], ['id'])\n"
            },
            setup=_SETUP,
        ),
    )

    def ask(self, around: Around) -> Iterable[Question]:
        key = _checked_key(around)
        if key is not None and (question := _question(around, key)) is not None:
            yield question

    def look(self, around: Around) -> Iterable[Finding]:
        change, key = around.change, _checked_key(around)
        if key is None or not isinstance(change, AddConstraint) or around.is_empty(change.table):
            return
        question = _question(around, key)
        found = None if question is None else around.answer(question)
        if found == 0:
            return
        from_to = f"{change.table} ({', '.join(key.columns)}) to {key.references}"
        what = "rows without a parent make it fail" if found is None else f"{count(found, 'row')} without a parent"
        has_key = " AND ".join(f"{one} IS NOT NULL" for one in key.columns)
        fix = (
            "a revision before this one that sets NULL, or gives a parent to, what this finds: SELECT * FROM "
            f"{change.table} WHERE {has_key} AND NOT EXISTS (SELECT 1 FROM {key.references} AS parent WHERE …)"
        )
        severity = Severity.INFO if found is None else Severity.ERROR
        yield around.finding(f"foreign key from {from_to}: {what}", severity, fix=fix)


def _checked_key(around: Around) -> ConstraintText | None:
    """The foreign key that old rows of the table have to meet in this script."""
    change = around.change
    if not isinstance(change, AddConstraint) or change.constraint.kind is not ConstraintKind.FOREIGN_KEY:
        return None
    key, table = change.constraint, change.table
    if not old_rows_are_checked(around, change) or around.is_new(table):
        return None
    is_new = any(is_new_column(around, table, column) for column in key.columns)
    return None if is_new and not is_rewritten_before(around, table) else key


def _question(around: Around, key: ConstraintText) -> Question | None:
    change = around.change
    assert isinstance(change, AddConstraint)  # noqa: S101 - _checked_key saw it
    is_known = bool(key.columns) and len(key.columns) == len(key.referenced) and key.references is not None
    if not is_known or is_rewritten_before(around, change.table) or not can_count(around, change.table, *key.columns):
        return None
    if not can_count(around, key.references, *key.referenced):
        return None
    return Question(change.table, columns=key.columns, parent=key.references, parent_columns=key.referenced)
