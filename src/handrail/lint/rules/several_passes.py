"""HR-LK114: several statements that each go through a whole table where one would do."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from handrail.facts import TableName
from handrail.lint.change_rule import BOTH, Around, ChangeRule
from handrail.lint.finding import Finding, Severity
from handrail.lint.lock_work import passed_over
from handrail.lint.rule import Case
from handrail.lint.samples import upgrade
from handrail.migrations.changes import Batch, Change
from handrail.migrations.sql_names import quoted_table


class SeveralPasses(ChangeRule):
    code: ClassVar[str] = "HR-LK114"
    title: ClassVar[str] = "a table gone through several times"
    why: ClassVar[str] = (
        "Each ALTER TABLE that rewrites or checks rows goes through the table by itself (PostgreSQL, 3 million "
        "rows: 0.2 s to check, 3.3 s to rewrite), and each batch block copies it by itself (SQLite). All in "
        "one statement, or in one block, goes through it once."
    )
    engines = BOTH
    BAD: ClassVar[tuple[Case, ...]] = (
        Case(
            "two types changed, one after the other",
            {
                "types.py": upgrade(
                    "op.alter_column('bookings', 'seats', existing_type=sa.Integer(), type_=sa.BigInteger())",
                    "op.alter_column('bookings', 'rooms', existing_type=sa.Integer(), type_=sa.BigInteger())",
                )
            },
        ),
        Case(
            "SQL in a loop",
            {
                "loop.py": upgrade(
                    "for column in ('seats', 'rooms'):",
                    "    op.execute(f'ALTER TABLE bookings ALTER {column} SET NOT NULL')",
                )
            },
        ),
        Case(
            "two batch blocks for one table",
            {
                "batch.py": upgrade(
                    "with op.batch_alter_table('bookings') as batch_op:",
                    "    batch_op.alter_column('topic', server_default='a')",
                    "with op.batch_alter_table('bookings') as batch_op:",
                    "    batch_op.drop_column('seats')",
                )
            },
        ),
    )
    GOOD: ClassVar[tuple[Case, ...]] = (
        Case(
            "both in one statement",
            {
                "one.py": upgrade(
                    "op.execute('ALTER TABLE bookings ALTER a TYPE bigint USING a + 1, ALTER b SET NOT NULL')"
                )
            },
        ),
        Case(
            "changes that look at no row",
            {
                "quick.py": upgrade(
                    "op.add_column('bookings', sa.Column('note', sa.Text()))",
                    "op.alter_column('bookings', 'topic', existing_type=sa.String(20), type_=sa.Text())",
                    "op.alter_column('bookings', 'seats', server_default='1')",
                )
            },
        ),
        Case(
            "NOT NULL for two columns after CHECKs that were validated",
            {
                "proven.py": upgrade(
                    "for column in ('seats', 'topic'):",
                    "    op.create_check_constraint(f'ck_{column}', 'bookings', f'{column} IS NOT NULL',",
                    "                               postgresql_not_valid=True)",
                    "with op.get_context().autocommit_block():",
                    "    op.execute('ALTER TABLE bookings VALIDATE CONSTRAINT ck_seats, VALIDATE CONSTRAINT ck_topic')",
                    "op.alter_column('bookings', 'seats', nullable=False)",
                    "op.alter_column('bookings', 'topic', nullable=False)",
                )
            },
        ),
        Case(
            "different tables",
            {
                "two.py": upgrade(
                    "op.alter_column('bookings', 'seats', existing_type=sa.Integer(), type_=sa.BigInteger())",
                    "op.alter_column('rooms', 'seats', existing_type=sa.Integer(), type_=sa.BigInteger())",
                )
            },
        ),
        Case(
            "one batch block copies, the other makes an index",
            {
                "batch.py": upgrade(
                    "with op.batch_alter_table('bookings') as batch_op:",
                    "    batch_op.drop_column('seats')",
                    "with op.batch_alter_table('bookings') as batch_op:",
                    "    batch_op.create_index('ix_topic', ['topic'])",
                )
            },
        ),
    )

    def look(self, around: Around) -> Iterable[Finding]:
        yield from self._rewritten_again(around)
        yield from self._copied_again(around)

    def _rewritten_again(self, around: Around) -> Iterable[Finding]:
        change = around.change
        table = _passed(around, change, "postgresql")
        before = [one for one in around.before if table and _passed(around, one, "postgresql") == table]
        if table is not None and before and before[-1].place is not change.place:
            message = f"{table} is gone through again, after line {before[-1].place.line}{around.size(table)}"
            fix = f"op.execute('ALTER TABLE {quoted_table(table)} …, …') with all of it"
            yield around.finding(message, Severity.INFO, fix=fix)

    def _copied_again(self, around: Around) -> Iterable[Finding]:
        change = around.change
        table = _copied(around, change)
        before = [one for one in around.before if table and _copied(around, one) == table]
        if table is not None and before:
            message = f"{table} is copied again on SQLite, after line {before[-1].place.line}{around.size(table)}"
            fix = f"with op.batch_alter_table({table.name!r}) as batch_op: all of it in one block"
            yield around.finding(message, Severity.INFO, fix=fix)


def _passed(around: Around, change: Change, engine: str) -> TableName | None:
    if engine not in around.context.engines or not change.place.dialects.allows(engine):
        return None
    table = passed_over(around, change)
    return None if around.is_new(table) else table


def _copied(around: Around, change: Change) -> TableName | None:
    if "sqlite" not in around.context.engines or not change.place.dialects.allows("sqlite"):
        return None
    is_copy = isinstance(change, Batch) and change.is_copied and not around.is_new(change.table)
    return change.table if is_copy and isinstance(change, Batch) else None
