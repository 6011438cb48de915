"""HR-TX102: a script that begins or ends the migration's transaction by itself."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from typing import ClassVar

from handrail.lint.change_rule import Around, ChangeRule
from handrail.lint.finding import Edit, Finding, Severity
from handrail.lint.repairs import replaced
from handrail.lint.rule import Case, Harm
from handrail.lint.samples import START
from handrail.migrations.changes import Command

_SETUP = ("CREATE TABLE bookings (id integer PRIMARY KEY, topic text)", "INSERT INTO bookings VALUES (1, 'a')")
_WORDS = {"COMMIT", "ROLLBACK", "ABORT", "BEGIN", "START"}
_REFUSED = Harm(fails="by itself")
#: What makes a session of its own: its commit() and begin() leave Alembic's transaction alone, its rollback() does not.
_SESSION = re.compile(r"\b(Session|sessionmaker|scoped_session)\b")


class EndsTransaction(ChangeRule):
    code: ClassVar[str] = "HR-TX102"
    title: ClassVar[str] = "transaction ended inside a script"
    why: ClassVar[str] = (
        "Alembic holds one transaction around the script, so that it happens whole or not at all. A COMMIT in it makes "
        "final what was done so far, while the revision is not stamped: when a later step fails, the next run starts "
        "from a half-made schema and fails too. A ROLLBACK undoes what the script did before it, without an error. "
        "handrail refuses both, for then it could neither prove nor undo the revision."
    )
    BAD: ClassVar[tuple[Case, ...]] = (
        Case(
            "COMMIT as SQL",
            {
                "sql.py": START + "    op.execute('CREATE TABLE rooms (id integer)')\n    op.execute('COMMIT')\n"
                "    op.execute('CREATE INDEX ix_topic ON bookings (topic)')\n"
            },
            setup=_SETUP,
            harm=_REFUSED,
        ),
        Case(
            "commit() of the connection",
            {
                "commit.py": START + "    bind = op.get_bind()\n"
                "    bind.execute(sa.text(\"UPDATE bookings SET topic = 'b' WHERE id = 1\"))\n    bind.commit()\n"
            },
            setup=_SETUP,
            harm=_REFUSED,
        ),
        Case(
            "rollback() of a session",
            {
                "rollback.py": START + "    session = sa.orm.Session(bind=op.get_bind())\n"
                "    session.execute(sa.text('SELECT 1'))\n    session.rollback()\n"
            },
            setup=_SETUP,
            harm=_REFUSED,
        ),
        Case(
            "BEGIN as SQL",
            {"begin.py": START + "    op.execute('BEGIN')\n    op.execute('CREATE TABLE rooms (id integer)')\n"},
            setup=_SETUP,
            harm=_REFUSED,
        ),
    )
    GOOD: ClassVar[tuple[Case, ...]] = (
        Case(
            "commit() of a session over Alembic's connection, which commits nothing",
            {
                "session.py": START + "    session = sa.orm.Session(bind=op.get_bind())\n"
                "    session.execute(sa.text(\"UPDATE bookings SET topic = 'b' WHERE id = 1\"))\n    session.commit()\n"
            },
            setup=_SETUP,
        ),
        Case(
            "a savepoint, and a session's rollback() when it failed",
            {
                "savepoint.py": START
                + "    bind = op.get_bind()\n    nested = bind.begin_nested()\n    nested.commit()\n"
                "    session = sa.orm.Session(bind=bind)\n    try:\n        session.execute(sa.text('SELECT 1'))\n"
                "    except ValueError:\n        session.rollback()\n        raise\n"
            },
            setup=_SETUP,
        ),
        Case(
            "an autocommit block",
            {
                "block.py": START + "    with op.get_context().autocommit_block():\n"
                "        op.execute('CREATE INDEX ix_topic ON bookings (topic)')\n"
            },
            setup=_SETUP,
        ),
    )

    def look(self, around: Around) -> Iterable[Finding]:
        change = around.change
        if not isinstance(change, Command) or change.words not in _WORDS:
            return
        if not change.place.is_sql and _is_harmless(change):
            return
        written = change.sql if not change.place.is_sql else change.words
        is_sure = not change.place.is_conditional and not change.place.in_autocommit
        edits = _without(around, change)
        fix = "leave it out" if edits else "leave it out; what must run outside the transaction stands in: "
        fix += "" if edits else "with op.get_context().autocommit_block(): …"
        yield around.finding(
            f"{written} ends or begins the migration's transaction inside the script",
            Severity.ERROR if is_sure else Severity.WARNING,
            fix=fix,
            edits=edits,
        )


def _is_harmless(change: Command) -> bool:
    """Whether a call ends no transaction of Alembic's: that of a savepoint, of another connection, of a session (whose
    rollback() in an `except` only clears what failed)."""
    if "begin_nested" in change.sql or ".engine." in change.sql:
        return True
    is_session = _SESSION.search(change.sql) is not None
    return is_session and (change.words in {"COMMIT", "BEGIN"} or change.place.is_conditional)


def _without(around: Around, change: Command) -> tuple[Edit, ...]:
    """`pass` in place of a COMMIT after which nothing is done: Alembic commits then anyway."""
    call = change.place.call
    is_last = change.words == "COMMIT" and not around.after
    if not is_last or call is None or change.place.is_conditional or not _is_alone(around, call):
        return ()
    return replaced(around.script.revision.source, call, "pass")


def _is_alone(around: Around, call: ast.Call) -> bool:
    """Whether the call asks for nothing else (one SQL text may hold several statements) and is not in a loop."""
    return sum(one.place.call is call for one in around.all) == 1
