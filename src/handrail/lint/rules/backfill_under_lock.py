"""HR-TX103: all rows are written while a lock on their table is held."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from handrail.lint.change_rule import POSTGRES, Around, ChangeRule
from handrail.lint.finding import Finding
from handrail.lint.rule import Case, Harm
from handrail.lint.samples import START
from handrail.lint.script_facts import is_new_column
from handrail.migrations import changes
from handrail.migrations.changes import AddColumn, AlterColumn, Change, Verb, WriteRows

_SETUP = (
    "CREATE TABLE bookings (id integer PRIMARY KEY, topic text)",
    "INSERT INTO bookings VALUES (1, 'a'), (2, 'b')",
)
_OTHER = ("CREATE TABLE bookings (id integer PRIMARY KEY, topic text)", "CREATE TABLE rooms (id integer PRIMARY KEY)")
_HARM = Harm("bookings", lock="AccessExclusive")
_ADD = "    op.add_column('bookings', sa.Column('seats', sa.Integer()))\n"
_DDL = (
    changes.AddColumn,
    changes.DropColumn,
    changes.AlterColumn,
    changes.AddConstraint,
    changes.DropConstraint,
    changes.CreateIndex,
)


class BackfillUnderLock(ChangeRule):
    code: ClassVar[str] = "HR-TX103"
    title: ClassVar[str] = "all rows written in the transaction of a table change"
    why: ClassVar[str] = (
        "The lock that the change of the table takes is held until the transaction ends, so through the whole UPDATE: "
        "nobody reads or writes the table meanwhile (longest wait measured with 3 million rows: add column, UPDATE, "
        "SET NOT NULL in one revision 15.6 s; in batches of their own transactions 0.1 s)."
    )
    engines = POSTGRES
    BAD: ClassVar[tuple[Case, ...]] = (
        Case(
            "added, filled and made NOT NULL in one revision",
            {
                "fill.py": START + _ADD + "    op.execute('UPDATE bookings SET seats = 1')\n"
                "    op.alter_column('bookings', 'seats', nullable=False)\n"
            },
            setup=_SETUP,
            harm=_HARM,
        ),
        Case(
            "where the new column is NULL, so everywhere",
            {"where.py": START + _ADD + "    op.execute('UPDATE bookings SET seats = id WHERE seats IS NULL')\n"},
            setup=_SETUP,
            harm=_HARM,
        ),
        Case(
            "by SQLAlchemy Core",
            {
                "core.py": START + _ADD + "    bookings = sa.table('bookings', sa.column('seats'))\n"
                "    op.get_bind().execute(sa.update(bookings).values(seats=1))\n"
            },
            setup=_SETUP,
            harm=_HARM,
        ),
    )
    GOOD: ClassVar[tuple[Case, ...]] = (
        Case(
            "on a table that the same script made",
            {
                "new.py": START + "    op.create_table('halls', sa.Column('id', sa.Integer()))\n"
                "    op.add_column('halls', sa.Column('seats', sa.Integer()))\n"
                "    op.execute('UPDATE halls SET seats = 1')\n"
            },
            setup=_SETUP,
        ),
        Case(
            "another table is changed",
            {
                "other.py": START + "    op.add_column('rooms', sa.Column('seats', sa.Integer()))\n"
                "    op.execute(\"UPDATE bookings SET topic = 'x'\")\n"
            },
            setup=_OTHER,
        ),
        Case(
            "in batches, outside the transaction",
            {
                "batches.py": START + _ADD + "    with op.get_context().autocommit_block():\n"
                "        for first in range(0, 100, 10):\n"
                "            op.execute(f'UPDATE bookings SET seats = 1 WHERE id >= {first} AND id < {first + 10}')\n"
            },
            setup=_OTHER,
        ),
        Case(
            "a constant server_default",
            {
                "default.py": START
                + "    op.add_column('bookings', sa.Column('seats', sa.Integer(), server_default='1'))\n"
            },
            setup=_OTHER,
        ),
    )

    def look(self, around: Around) -> Iterable[Finding]:
        change = around.change
        if not isinstance(change, WriteRows) or change.verb not in {Verb.UPDATE, Verb.MERGE}:
            return
        if change.table is None or around.is_new(change.table) or not _writes_all(around, change):
            return
        held = [one for one in around.same_transaction if _locks(one, change)]
        if not held:
            return
        sets = [one for one in held if isinstance(one, AlterColumn) and one.nullable is False]
        with_what = "with the change of the table" + (" and SET NOT NULL" if sets else "")
        message = f"writes every row of {change.table} in one transaction {with_what}{around.size(change.table)}"
        fix = "one revision adds the column, a next one fills it in batches that commit, a third sets NOT NULL"
        if any(isinstance(one, AddColumn) and one.column.name in change.columns for one in held):
            fix += "; for one value for all rows: op.add_column(…, server_default=…) alone, which writes no row"
        yield around.finding(message, around.by_size(change.table), fix=fix)


def _locks(one: Change, write: WriteRows) -> bool:
    if isinstance(one, changes.CreateIndex) and one.is_concurrent:
        return False
    return isinstance(one, _DDL) and one.table == write.table


def _writes_all(around: Around, change: WriteRows) -> bool:
    if change.verb is Verb.UPDATE and not change.is_filtered:
        return True
    assert change.table is not None  # noqa: S101 - look() saw it
    after_where = change.sql.upper().rpartition(" WHERE ")[2].replace('"', "")
    column, is_null = after_where.removesuffix(" IS NULL").lower(), after_where.endswith(" IS NULL")
    return is_null and is_new_column(around, change.table, column.rpartition(".")[2])
