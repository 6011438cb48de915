"""HR-LK105: REINDEX, VACUUM FULL and CLUSTER, which lock a table for as long as they run."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, Final

from handrail.facts import ObjectKind, TableName
from handrail.lint.change_rule import POSTGRES, Around, ChangeRule
from handrail.lint.finding import Finding, Severity
from handrail.lint.rule import Case, Harm
from handrail.lint.samples import BOOKINGS, upgrade
from handrail.migrations.changes import Command

_SETUP = (*BOOKINGS, "CREATE INDEX ix_topic ON bookings (topic)")
_IN_TRANSACTION: Final = "VACUUM inside a transaction fails"
_FIXES: Final = {
    "REINDEX": "REINDEX … CONCURRENTLY, within op.get_context().autocommit_block()",
    "VACUUM FULL": "VACUUM without FULL, within op.get_context().autocommit_block(); or pg_repack",
    "CLUSTER": "pg_repack, outside of migrations",
    "VACUUM": "VACUUM within op.get_context().autocommit_block(), or outside of migrations",
}


class TableMaintenance(ChangeRule):
    code: ClassVar[str] = "HR-LK105"
    title: ClassVar[str] = "REINDEX, VACUUM FULL or CLUSTER"
    why: ClassVar[str] = (
        "They build a table or its indexes anew, and lock it all that time: VACUUM FULL and CLUSTER "
        "against everything, REINDEX against writes and against reads by the index. VACUUM is refused inside a "
        "transaction."
    )
    engines = POSTGRES
    BAD: ClassVar[tuple[Case, ...]] = (
        Case(
            "an index built anew",
            {"reindex.py": upgrade("op.execute('REINDEX INDEX ix_topic')")},
            setup=_SETUP,
            harm=Harm("bookings", lock="Share"),
        ),
        Case(
            "a table put in order",
            {"cluster.py": upgrade("op.execute('CLUSTER bookings USING ix_topic')")},
            setup=_SETUP,
            harm=Harm("bookings", lock="AccessExclusive", rewrites=True),
        ),
        Case(
            "VACUUM in the transaction of the script",
            {"vacuum.py": upgrade("for table in ['bookings']:", "    op.execute(f'VACUUM ANALYZE {table}')")},
            setup=_SETUP,
            harm=Harm(fails="cannot run inside a transaction block"),
        ),
        Case(
            "VACUUM FULL",
            {
                "full.py": upgrade(
                    "with op.get_context().autocommit_block():", "    op.execute('VACUUM (FULL, ANALYZE) bookings')"
                )
            },
            setup=_SETUP,
            harm=Harm("bookings", rewrites=True),
        ),
    )
    GOOD: ClassVar[tuple[Case, ...]] = (
        Case(
            "REINDEX CONCURRENTLY and VACUUM, outside the transaction",
            {
                "online.py": upgrade(
                    "with op.get_context().autocommit_block():",
                    "    op.execute('REINDEX INDEX CONCURRENTLY ix_topic')",
                    "    op.execute('VACUUM ANALYZE bookings')",
                )
            },
            setup=_SETUP,
        ),
        Case(
            "an index of a table that the same script makes",
            {
                "new.py": upgrade(
                    "op.create_table('rooms', sa.Column('name', sa.Text(), unique=True))",
                    "op.execute('REINDEX TABLE rooms')",
                )
            },
            setup=_SETUP,
        ),
        Case(
            "on SQLite only",
            {"sqlite.py": upgrade("if op.get_bind().dialect.name == 'sqlite':", "    op.execute('VACUUM')")},
        ),
    )

    def look(self, around: Around) -> Iterable[Finding]:
        change = around.change
        if not isinstance(change, Command) or change.words not in _FIXES:
            return
        words, fix = change.words, _FIXES[change.words]
        table = _table_of(around, change)
        if words.startswith("VACUUM") and not change.place.in_autocommit and not _is_committed(around):
            yield around.finding(_IN_TRANSACTION, Severity.ERROR, fix=fix)
        elif words != "VACUUM" and not change.is_concurrent and not around.is_new(table):
            who = "writers" if words == "REINDEX" else "everybody"
            what = str(change.table or "every table")
            message = f"{words} {what} locks {who} out for as long as it runs{around.size(table)}"
            yield around.finding(message, around.by_size(table), fix=fix)


def _table_of(around: Around, change: Command) -> TableName | None:
    """The table, by its index where that is named."""
    known, table = around.context.facts, change.table
    if table is None or known is None or "INDEX" not in change.sql.upper().split():
        return table
    return next((one.table for one in known.objects if one.kind is ObjectKind.INDEX and one.name == table.name), table)


def _is_committed(around: Around) -> bool:
    return any(isinstance(change, Command) and change.words == "COMMIT" for change in around.before)
