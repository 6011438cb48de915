"""HR-LK104: an index that is dropped while nobody may use its table."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from handrail.facts import ObjectKind, TableName
from handrail.lint.change_rule import POSTGRES, Around, ChangeRule
from handrail.lint.finding import Edit, Finding, Severity
from handrail.lint.past import earlier
from handrail.lint.repairs import corrected, in_autocommit_block, one_line, with_keywords
from handrail.lint.rule import Case, Harm
from handrail.lint.samples import BOOKINGS, upgrade
from handrail.migrations.changes import CreateIndex, DropIndex, DropTable

_SETUP = (*BOOKINGS, "CREATE INDEX ix_topic ON bookings (topic)", "CREATE INDEX ix_email ON bookings (email)")
_HARM = Harm("bookings", lock="AccessExclusive")


class IndexDroppedNotConcurrently(ChangeRule):
    code: ClassVar[str] = "HR-LK104"
    title: ClassVar[str] = "index dropped under a lock"
    why: ClassVar[str] = (
        "DROP INDEX needs the table for itself: short work (measured: 0.02 s), but it waits behind every open "
        "transaction, and all others wait behind it; with CONCURRENTLY nobody waits."
    )
    engines = POSTGRES
    BAD: ClassVar[tuple[Case, ...]] = (
        Case(
            "as an operation",
            {"drop.py": upgrade("op.drop_index('ix_topic', table_name='bookings')")},
            setup=_SETUP,
            harm=_HARM,
        ),
        Case(
            "as SQL, in a loop",
            {
                "loop.py": upgrade(
                    "for column in ('topic', 'email'):", "    op.execute(f'DROP INDEX IF EXISTS ix_{column}')"
                )
            },
            setup=_SETUP,
            harm=_HARM,
        ),
        Case(
            "in a batch block",
            {
                "batch.py": upgrade(
                    "with op.batch_alter_table('bookings') as batch_op:", "    batch_op.drop_index('ix_topic')"
                )
            },
            setup=_SETUP,
            harm=_HARM,
        ),
    )
    GOOD: ClassVar[tuple[Case, ...]] = (
        Case(
            "dropped concurrently, outside the transaction",
            {
                "drop.py": upgrade(
                    "with op.get_context().autocommit_block():",
                    "    op.drop_index('ix_topic', table_name='bookings', postgresql_concurrently=True)",
                )
            },
            setup=_SETUP,
        ),
        Case(
            "its table is dropped right after",
            {"table.py": upgrade("op.drop_index('ix_topic', table_name='bookings')", "op.drop_table('bookings')")},
        ),
        Case(
            "on a table that the same script makes",
            {
                "new.py": upgrade(
                    "op.create_table('rooms', sa.Column('name', sa.Text()))",
                    "op.create_index('ix_name', 'rooms', ['name'])",
                    "op.execute('DROP INDEX ix_name')",
                )
            },
            setup=_SETUP,
        ),
    )

    def look(self, around: Around) -> Iterable[Finding]:
        change = around.change
        if not isinstance(change, DropIndex) or change.is_concurrent:
            return
        table = change.table or _table_of(around, change.name)
        if around.is_new(table) or any(isinstance(one, DropTable) and one.table == table for one in around.after):
            return
        edits, fix = _repair(around, change)
        what = f"index {change.name}" if change.name else "an index"
        where = f" of {table}" if table is not None else ""
        message = f"dropping {what}{where} waits for its table and makes all others wait"
        severity = around.by_size(table)
        severity = Severity.WARNING if severity is Severity.ERROR else severity
        yield around.finding(message + around.size(table), severity, fix=fix, edits=edits)


def _table_of(around: Around, name: str | None) -> TableName | None:
    """The table of an index that SQL names alone."""
    for change in earlier(around):
        if isinstance(change, CreateIndex) and change.name == name:
            return change.table
    known = around.context.facts
    objects = () if known is None else known.objects
    return next((one.table for one in objects if one.kind is ObjectKind.INDEX and one.name == name), None)


def _repair(around: Around, change: DropIndex) -> tuple[tuple[Edit, ...], str]:
    call, place = change.place.call, change.place
    if call is None or place.is_sql or place.batch:
        return (), "DROP INDEX CONCURRENTLY, within op.get_context().autocommit_block()"
    source = around.script.revision.source
    inner = corrected(source, call, with_keywords(call, {"postgresql_concurrently": "True", "if_exists": "True"}))
    edits = () if place.in_autocommit else in_autocommit_block(source, call, inner)
    return edits, f"with op.get_context().autocommit_block(): {one_line(inner)}"
