"""HR-LK116: partitions attached and detached under a lock."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, Final

from handrail.facts import TableName
from handrail.lint.change_rule import POSTGRES, Around, ChangeRule
from handrail.lint.finding import Finding, Severity
from handrail.lint.past import earlier
from handrail.lint.rule import Case, Harm
from handrail.lint.samples import upgrade
from handrail.migrations.changes import AddConstraint, Command, ConstraintKind
from handrail.migrations.sql_columns import table_name
from handrail.migrations.sql_names import quoted_table
from handrail.migrations.sql_words import Cursor, statements

_SETUP = (
    "CREATE TABLE events (id integer, day date) PARTITION BY RANGE (day)",
    "CREATE TABLE events_1 (id integer, day date)",
    "CREATE TABLE events_2 PARTITION OF events FOR VALUES FROM ('2026-02-01') TO ('2026-03-01')",
    "INSERT INTO events_1 VALUES (1, '2026-01-05')",
)
#: The same with one more row: a good case with it may take for a moment the lock that a bad one holds for long.
_SETUP_TOO = (*_SETUP, "INSERT INTO events_1 VALUES (2, '2026-01-06')")
_ATTACH: Final = "ALTER TABLE events ATTACH PARTITION events_1 FOR VALUES FROM ('2026-01-01') TO ('2026-02-01')"


class PartitionAttached(ChangeRule):
    code: ClassVar[str] = "HR-LK116"
    title: ClassVar[str] = "partition attached or detached under a lock"
    why: ClassVar[str] = (
        "ATTACH PARTITION reads every row of the new partition while nobody may use it, unless a CHECK "
        "proves where they belong; DETACH PARTITION needs the whole partitioned table for itself, and all others wait "
        "behind it."
    )
    engines = POSTGRES
    BAD: ClassVar[tuple[Case, ...]] = (
        Case(
            "attached without a CHECK",
            {"attach.py": upgrade(f'op.execute("{_ATTACH}")')},
            setup=_SETUP,
            harm=Harm("events_1", lock="AccessExclusive"),
        ),
        Case(
            "detached, the name in a variable",
            {
                "detach.py": upgrade(
                    "partition = 'events_2'", "op.execute(f'ALTER TABLE events DETACH PARTITION {partition}')"
                )
            },
            setup=_SETUP,
            harm=Harm("events", lock="AccessExclusive"),
        ),
    )
    GOOD: ClassVar[tuple[Case, ...]] = (
        Case(
            "attached after a CHECK that was validated on its own",
            {
                "attach.py": upgrade(
                    'op.execute("ALTER TABLE events_1 ADD CONSTRAINT ck_day CHECK (day IS NOT NULL AND "',
                    "           \"day >= '2026-01-01' AND day < '2026-02-01') NOT VALID\")",
                    "with op.get_context().autocommit_block():",
                    "    op.execute('ALTER TABLE events_1 VALIDATE CONSTRAINT ck_day')",
                    f'op.execute("{_ATTACH}")',
                )
            },
            setup=_SETUP_TOO,
        ),
        Case(
            "detached concurrently, outside the transaction",
            {
                "detach.py": upgrade(
                    "with op.get_context().autocommit_block():",
                    "    op.execute('ALTER TABLE events DETACH PARTITION events_2 CONCURRENTLY')",
                )
            },
            setup=_SETUP_TOO,
        ),
        Case(
            "a partition that the same script makes",
            {
                "new.py": upgrade(
                    "op.create_table('events_3', sa.Column('id', sa.Integer()), sa.Column('day', sa.Date()))",
                    f'op.execute("{_ATTACH.replace("events_1", "events_3")}")',
                )
            },
            setup=_SETUP_TOO,
        ),
    )

    def look(self, around: Around) -> Iterable[Finding]:
        change = around.change
        if not isinstance(change, Command) or change.table is None or around.is_new(change.table):
            return
        partition, table = _partition(change), change.table
        if change.words == "ATTACH PARTITION" and partition and not _is_proven(around, partition):
            message = f"attaching {partition} to {table} reads all its rows while nobody may use it"
            fix = (
                f"ALTER TABLE {quoted_table(partition)} ADD CONSTRAINT … CHECK (…) NOT VALID with the bounds of the "
                "partition, VALIDATE in an autocommit block, then ATTACH"
            )
            yield around.finding(message + around.size(partition), around.by_size(partition), fix=fix)
        elif change.words == "DETACH PARTITION" and not change.is_concurrent and not around.is_new(partition):
            message = f"detaching {partition} needs {table} for itself and makes all others wait"
            fix = "DETACH PARTITION … CONCURRENTLY, within op.get_context().autocommit_block()"
            yield around.finding(message, Severity.WARNING, fix=fix)


def _partition(change: Command) -> TableName | None:
    """The partition's table: what follows ATTACH PARTITION."""
    cursor = Cursor(next(iter(statements(change.sql)), []))
    cursor.until("PARTITION")
    cursor.take("PARTITION")
    return table_name(cursor.dotted())


def _is_proven(around: Around, partition: TableName) -> bool:
    """Whether the partition is new, or a CHECK was put on it before."""
    return around.is_new(partition) or any(
        isinstance(change, AddConstraint)
        and change.table == partition
        and change.constraint.kind is ConstraintKind.CHECK
        for change in earlier(around)
    )
