"""HR-LK117: LOCK TABLE, a table stored another way, a trigger on a table in use."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, Final

from handrail.facts import TableName
from handrail.lint.change_rule import POSTGRES, Around, ChangeRule
from handrail.lint.finding import Finding, Severity
from handrail.lint.lock_work import before_in_transaction
from handrail.lint.rule import Case, Harm
from handrail.lint.samples import BOOKINGS, BOOKINGS_TOO, upgrade
from handrail.migrations.changes import AddColumn, AlterColumn, Command, DropColumn

_FUNCTION = "CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'"
_SETUP = (*BOOKINGS, _FUNCTION)
_REWRITES: Final = {
    "SET LOGGED": "making {table} logged",
    "SET UNLOGGED": "making {table} unlogged",
    "SET ACCESS": "giving {table} another access method",
    "SET TABLESPACE": "moving {table} to another tablespace",
}
#: Modes of LOCK TABLE in which others may go on reading and writing.
_MILD: Final = ("IN ACCESS SHARE MODE", "IN ROW SHARE MODE", "IN ROW EXCLUSIVE MODE")


class LockingStatement(ChangeRule):
    code: ClassVar[str] = "HR-LK117"
    title: ClassVar[str] = "LOCK TABLE, storage changed, trigger created"
    why: ClassVar[str] = (
        "LOCK TABLE holds others off to the end of the transaction; SET LOGGED, SET UNLOGGED, SET ACCESS METHOD and "
        "SET TABLESPACE write the whole table anew under a lock; CREATE TRIGGER waits for every "
        "writer and makes all later ones wait behind it."
    )
    engines = POSTGRES
    BAD: ClassVar[tuple[Case, ...]] = (
        Case(
            "LOCK TABLE",
            {"lock.py": upgrade("table = 'bookings'", "op.execute(f'LOCK TABLE {table} IN EXCLUSIVE MODE')")},
            setup=_SETUP,
            harm=Harm("bookings", lock="Exclusive"),
        ),
        Case(
            "a table without a log",
            {"unlogged.py": upgrade("op.execute('ALTER TABLE bookings SET UNLOGGED')")},
            setup=_SETUP,
            harm=Harm("bookings", lock="AccessExclusive", rewrites=True),
        ),
        Case(
            "a trigger",
            {
                "trigger.py": upgrade(
                    "op.execute('''",
                    "    CREATE TRIGGER note BEFORE INSERT OR UPDATE ON bookings",
                    "    FOR EACH ROW EXECUTE FUNCTION noted()''')",
                )
            },
            setup=_SETUP,
            harm=Harm("bookings", lock="ShareRowExclusive"),
        ),
    )
    GOOD: ClassVar[tuple[Case, ...]] = (
        Case(
            "a lock under which others go on",
            {"mild.py": upgrade("op.execute('LOCK TABLE bookings IN ROW EXCLUSIVE MODE')")},
            setup=_SETUP,
        ),
        Case(
            "a trigger on a table that the same script makes",
            {
                "new.py": upgrade(
                    "op.create_table('rooms', sa.Column('id', sa.Integer(), primary_key=True))",
                    "op.execute('CREATE TRIGGER note BEFORE INSERT ON rooms FOR EACH ROW EXECUTE FUNCTION noted()')",
                )
            },
            setup=_SETUP,
        ),
        Case(
            "a trigger for a column that the same script adds",
            {
                "column.py": upgrade(
                    "op.add_column('bookings', sa.Column('note', sa.Text()))",
                    "op.execute('CREATE TRIGGER note BEFORE INSERT ON bookings FOR EACH ROW EXECUTE FUNCTION noted()')",
                )
            },
            setup=(*BOOKINGS_TOO, _FUNCTION),
        ),
        Case(
            "another setting of the table",
            {"setting.py": upgrade("op.execute('ALTER TABLE bookings SET (fillfactor = 90)')")},
            setup=(*BOOKINGS_TOO, _FUNCTION),
        ),
    )

    def look(self, around: Around) -> Iterable[Finding]:
        change = around.change
        if not isinstance(change, Command) or change.table is None or around.is_new(change.table):
            return
        table, size = change.table, around.size(change.table)
        if change.words in _REWRITES:
            what = _REWRITES[change.words].format(table=table)
            message = f"{what} writes it anew while nobody may use it{size}"
            yield around.finding(message, around.by_size(table), fix="a new table, filled in batches; or a window")
        elif change.words == "LOCK" and not any(mode in change.sql.upper() for mode in _MILD):
            message = f"LOCK TABLE {table} holds others off to the end of the transaction{size}"
            yield around.finding(message, Severity.WARNING, fix="leave it out: each change takes its own lock")
        elif change.words == "CREATE TRIGGER" and not _is_locked(around, table):
            message = f"creating a trigger on {table} waits for its writers and makes later ones wait{size}"
            severity = around.by_size(table, unknown=Severity.INFO)
            severity = Severity.WARNING if severity is Severity.ERROR else severity
            yield around.finding(message, severity, fix="a revision of its own, with a short lock_timeout")


def _is_locked(around: Around, table: TableName) -> bool:
    """Whether the transaction holds all others off the table before, so that a trigger adds no wait."""
    before = before_in_transaction(around)
    return any(isinstance(one, AddColumn | AlterColumn | DropColumn) and one.table == table for one in before)
