"""HR-TX101: CONCURRENTLY inside a transaction, which PostgreSQL refuses."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from typing import ClassVar

from handrail.lint.change_rule import POSTGRES, Around, ChangeRule
from handrail.lint.finding import Edit, Finding, Severity
from handrail.lint.repairs import corrected, in_autocommit_block, one_line
from handrail.lint.rule import Case, Harm
from handrail.lint.samples import BOOKINGS, upgrade
from handrail.migrations.changes import Change, Command, CreateIndex, DropIndex
from handrail.migrations.sql_words import NotSQL, statements

_HARM = Harm(fails="cannot run inside a transaction block")
_COMMANDS = {"REINDEX", "DETACH PARTITION"}


class ConcurrentlyInTransaction(ChangeRule):
    code: ClassVar[str] = "HR-TX101"
    title: ClassVar[str] = "CONCURRENTLY inside a transaction"
    why: ClassVar[str] = (
        "PostgreSQL refuses CONCURRENTLY inside a transaction, and Alembic runs every script in one: the upgrade fails "
        "at deploy, on every database, empty or not."
    )
    engines = POSTGRES
    BAD: ClassVar[tuple[Case, ...]] = (
        Case(
            "an index as an operation",
            {"add.py": upgrade("op.create_index('ix_topic', 'bookings', ['topic'], postgresql_concurrently=True)")},
            setup=BOOKINGS,
            harm=_HARM,
        ),
        Case(
            "as SQL, in a loop",
            {
                "loop.py": upgrade(
                    "for column in ('topic', 'email'):",
                    "    op.execute(f'CREATE INDEX CONCURRENTLY IF NOT EXISTS ix_{column} ON bookings ({column})')",
                )
            },
            setup=BOOKINGS,
            harm=_HARM,
        ),
        Case(
            "an index dropped",
            {"drop.py": upgrade("op.drop_index('ix_topic', 'bookings', postgresql_concurrently=True)")},
            setup=(*BOOKINGS, "CREATE INDEX ix_topic ON bookings (topic)"),
            harm=_HARM,
        ),
        Case(
            "two statements in one text are a transaction, even in an autocommit block",
            {
                "two.py": upgrade(
                    "with op.get_context().autocommit_block():",
                    "    op.execute('CREATE INDEX CONCURRENTLY ix_a ON bookings (topic); SELECT 1')",
                )
            },
            setup=BOOKINGS,
            harm=_HARM,
        ),
    )
    GOOD: ClassVar[tuple[Case, ...]] = (
        Case(
            "in an autocommit block",
            {
                "add.py": upgrade(
                    "with op.get_context().autocommit_block():",
                    "    op.execute('CREATE INDEX CONCURRENTLY ix_topic ON bookings (topic);')",
                    "    op.create_index('ix_email', 'bookings', ['email'], postgresql_concurrently=True)",
                )
            },
            setup=BOOKINGS,
        ),
        Case(
            "on another engine only",
            {
                "mysql.py": upgrade(
                    "if op.get_bind().dialect.name == 'mysql':",
                    "    op.create_index('ix_topic', 'bookings', ['topic'], postgresql_concurrently=True)",
                )
            },
            setup=BOOKINGS,
        ),
        Case(
            "a view that is refreshed concurrently may be in a transaction",
            {"refresh.py": upgrade("op.execute('REFRESH MATERIALIZED VIEW CONCURRENTLY topics')")},
        ),
    )

    def look(self, around: Around) -> Iterable[Finding]:
        change = around.change
        what = _concurrent(change)
        if not what:
            return
        if change.place.in_autocommit:
            if _has_company(change):
                message = f"{what} stands in one text with other statements, which is a transaction: it fails"
                yield around.finding(message, Severity.ERROR, fix="op.execute(…) for each statement")
        elif not _is_committed(around):
            edits, fix = _repair(around)
            yield around.finding(f"{what} inside a transaction fails", Severity.ERROR, fix=fix, edits=edits)


def _concurrent(change: Change) -> str:
    """What is done concurrently; "" for nothing."""
    match change:
        case CreateIndex(is_concurrent=True, name=name, table=table):
            return f"building index {name or 'on'} {'on ' if name else ''}{table} CONCURRENTLY"
        case DropIndex(is_concurrent=True, name=name):
            return f"dropping index {name} CONCURRENTLY"
        case Command(is_concurrent=True, words=words, table=table) if words in _COMMANDS:
            return f"{words} {table or ''} CONCURRENTLY".replace("  ", " ")
    return ""


def _is_committed(around: Around) -> bool:
    """Whether the script ended its transaction by hand, so that the driver decides whether there is one."""
    control = [change.words for change in around.before if isinstance(change, Command)]
    return "COMMIT" in control and "BEGIN" not in control[control.index("COMMIT") :]


def _has_company(change: Change) -> bool:
    call = change.place.call
    text = call.args[0] if call is not None and call.args else None
    if isinstance(text, ast.Call) and text.args:
        text = text.args[0]
    if not change.place.is_sql or not isinstance(text, ast.Constant) or not isinstance(text.value, str):
        return False
    try:
        return len(statements(text.value)) > 1
    except NotSQL:
        return False


def _repair(around: Around) -> tuple[tuple[Edit, ...], str]:
    call, source = around.change.place.call, around.script.revision.source
    inner = corrected(source, call, ()) if call is not None else None
    if call is None or inner is None or around.change.place.batch or _has_company(around.change):
        return (), "a statement of its own, within op.get_context().autocommit_block()"
    fix = f"with op.get_context().autocommit_block(): {one_line(inner)}"
    return in_autocommit_block(source, call, inner), fix
