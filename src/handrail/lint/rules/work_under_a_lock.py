"""HR-LK113: long work in a transaction that has locked a table before."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from handrail.facts import TableName
from handrail.lint.change_rule import POSTGRES, Around, ChangeRule
from handrail.lint.finding import Finding
from handrail.lint.lock_work import before_in_transaction, locked, worked_on
from handrail.lint.repairs import corrected, in_autocommit_block, one_line
from handrail.lint.rule import Case, Harm
from handrail.lint.samples import BOOKINGS, upgrade
from handrail.migrations.changes import AddConstraint, Change, ValidateConstraint

_SETUP = (
    "CREATE TABLE rooms (id integer PRIMARY KEY, name text)",
    *BOOKINGS,
    "ALTER TABLE bookings ADD CONSTRAINT ck_old CHECK (topic <> '') NOT VALID",
)


class WorkUnderALock(ChangeRule):
    code: ClassVar[str] = "HR-LK113"
    title: ClassVar[str] = "long work while a table stays locked"
    why: ClassVar[str] = (
        "A lock is held to the end of the transaction: what is done to the next table, the first one waits for "
        "(measured: 6.8 s on a table that only got a column, 0.02 s when the next step was a transaction of its own). "
        "So NOT VALID and VALIDATE in one transaction gain nothing (0.34 s instead of 0.01 s)."
    )
    engines = POSTGRES
    BAD: ClassVar[tuple[Case, ...]] = (
        Case(
            "a column for one table, then an index on another",
            {
                "two.py": upgrade(
                    "op.add_column('rooms', sa.Column('seats', sa.Integer()))",
                    "op.create_index('ix_topic', 'bookings', ['topic'])",
                )
            },
            setup=_SETUP,
            harm=Harm("rooms", lock="AccessExclusive"),
        ),
        Case(
            "validated in the transaction that added it",
            {
                "one.py": upgrade(
                    "op.create_check_constraint('ck_topic', 'bookings', \"topic <> ''\", postgresql_not_valid=True)",
                    "op.execute('ALTER TABLE bookings VALIDATE CONSTRAINT ck_topic')",
                )
            },
            setup=_SETUP,
            harm=Harm("bookings", lock="AccessExclusive"),
        ),
        Case(
            "rows written after a lock on another table, as SQL",
            {
                "write.py": upgrade(
                    "op.execute('ALTER TABLE rooms DROP COLUMN name')",
                    "for column in ('topic', 'email'):",
                    "    op.execute(f'UPDATE bookings SET {column} = lower({column})')",
                )
            },
            setup=_SETUP,
            harm=Harm("rooms", lock="AccessExclusive"),
        ),
    )
    GOOD: ClassVar[tuple[Case, ...]] = (
        Case(
            "columns for several tables, which takes a moment",
            {
                "columns.py": upgrade(
                    "op.add_column('rooms', sa.Column('seats', sa.Integer()))",
                    "op.add_column('bookings', sa.Column('seats', sa.Integer(), server_default='1', nullable=False))",
                )
            },
        ),
        Case(
            "validated on its own",
            {
                "own.py": upgrade(
                    "with op.get_context().autocommit_block():",
                    "    op.execute('ALTER TABLE bookings VALIDATE CONSTRAINT ck_old')",
                    "op.execute(\"UPDATE bookings SET topic = 'c' WHERE id = 1\")",
                )
            },
            setup=_SETUP,
        ),
        Case(
            "a constraint of an earlier revision validated",
            {"later.py": upgrade("op.execute('ALTER TABLE bookings VALIDATE CONSTRAINT ck_old')")},
            setup=_SETUP,
        ),
        Case(
            "on tables that the same script makes",
            {
                "new.py": upgrade(
                    "op.create_table('halls', sa.Column('id', sa.Integer(), primary_key=True))",
                    "op.add_column('halls', sa.Column('seats', sa.Integer()))",
                    "op.execute('UPDATE bookings SET topic = topic')",
                )
            },
            setup=_SETUP,
        ),
    )

    def look(self, around: Around) -> Iterable[Finding]:
        change, before = around.change, before_in_transaction(around)
        if isinstance(change, ValidateConstraint) and any(_adds(one, change) for one in before):
            if not around.is_new(change.table):
                yield _validated_too_early(around, change)
            return
        held = _held(around, before, change)
        if held is None or any(_held(around, before[:at], one) for at, one in enumerate(before)):
            return  # told at the first of them
        other, since = held
        worst = max(_tables(around), key=lambda table: around.by_size(table).weight)
        *most, last = map(str, _tables(around))
        names = f"{', '.join(most)} and {last}" if most else last
        message = f"{other}, locked since line {since.place.line}, stays locked while the rows of {names} are worked on"
        fix = "a revision for each table"
        yield around.finding(message + around.size(worst), around.by_size(worst), fix=fix)


def _tables(around: Around) -> list[TableName]:
    """The tables that are worked on from here to the end of the transaction."""
    before = {id(one) for one in around.before}
    found = [worked_on(around, one) for one in around.same_transaction if id(one) not in before]
    return [table for table in dict.fromkeys(found) if table is not None and not around.is_new(table)]


def _adds(one: Change, validated: ValidateConstraint) -> bool:
    return isinstance(one, AddConstraint) and one.table == validated.table and one.constraint.name == validated.name


def _held(around: Around, before: list[Change], change: Change) -> tuple[TableName, Change] | None:
    """Another table than the one that the change works on, locked before, and by what."""
    table = worked_on(around, change)
    if table is None or around.is_new(table):
        return None
    for one in before:
        for other in locked(one):
            # A table that is named by a variable only (BLOCKS) may well be the locked one.
            if other.name.casefold() != table.name.casefold() and not around.is_new(other):
                return other, one
    return None


def _validated_too_early(around: Around, change: ValidateConstraint) -> Finding:
    call, source, table = change.place.call, around.script.revision.source, change.table
    inner = corrected(source, call, ()) if call is not None else None
    message = (
        f"{change.name} is validated in the transaction that added it: {table} stays locked while all its rows are read"
        f"{around.size(table)}"
    )
    fix = f"with op.get_context().autocommit_block(): {one_line(inner or 'op.execute(…)')}"
    is_alone = all(one.place is not change.place for one in around.all if one is not change)
    edits = in_autocommit_block(source, call, inner) if call is not None and inner is not None and is_alone else ()
    return around.finding(message, around.by_size(table), fix=fix, edits=edits)
