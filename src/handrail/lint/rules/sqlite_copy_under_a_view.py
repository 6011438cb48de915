"""HR-SQ104: a table that a view reads is copied: the batch fails half-way."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import ClassVar

from handrail.facts import ObjectKind
from handrail.lint.batches import mentions, same, things
from handrail.lint.change_rule import SQLITE, Around, ChangeRule
from handrail.lint.finding import Finding, Severity
from handrail.lint.rule import Case, Harm
from handrail.lint.samples import START
from handrail.migrations.changes import Batch, Command, DropObject

_VIEW = "    op.execute('CREATE VIEW topics AS SELECT topic FROM bookings')\n"
_BLOCK = (
    "    with op.batch_alter_table('bookings') as batch_op:\n        batch_op.alter_column('topic', nullable=False)\n"
)
_JOIN = """\
    table = 'bookings'
    op.execute(f'CREATE VIEW both AS SELECT a.id FROM {table} a JOIN "bookings" b ON a.id = b.id')
    with op.batch_alter_table(table, recreate='always') as batch_op:
        batch_op.add_column(sa.Column('note', sa.Text()))
"""
_SETUP = (
    "CREATE TABLE bookings (id integer PRIMARY KEY, topic text)",
    "INSERT INTO bookings VALUES (1, 'a'), (2, 'b')",
)
_NAME = re.compile(r"VIEW\s+(?:IF\s+NOT\s+EXISTS\s+)?\"?(\w+)", re.IGNORECASE)


class SqliteCopyUnderAView(ChangeRule):
    code: ClassVar[str] = "HR-SQ104"
    title: ClassVar[str] = "batch copy of a table that a view reads"
    why: ClassVar[str] = (
        "The batch drops the table and renames its copy; SQLite checks every view at the rename and fails with "
        '"error in view …: no such table". Without a transaction around it the table is gone by then and its rows are '
        "in _alembic_tmp_<table> only."
    )
    engines = SQLITE
    BAD: ClassVar[tuple[Case, ...]] = (
        Case(
            "the view is made before the copy",
            {"view.py": START + _VIEW + _BLOCK},
            setup=_SETUP,
            harm=Harm("bookings", fails="error in view topics"),
        ),
        Case(
            "a view on two tables, the batch by variable",
            {
                "join.py": START + _JOIN,
            },
            setup=_SETUP,
            harm=Harm("bookings", fails="error in view both"),
        ),
    )
    GOOD: ClassVar[tuple[Case, ...]] = (
        Case("the view is made after the copy", {"after.py": START + _BLOCK + _VIEW}, setup=_SETUP),
        Case(
            "the view is dropped before",
            {"dropped.py": START + _VIEW + "    op.execute('DROP VIEW topics')\n" + _BLOCK + _VIEW},
            setup=_SETUP,
        ),
    )

    def look(self, around: Around) -> Iterable[Finding]:
        batch = around.change
        if not isinstance(batch, Batch) or not batch.is_copied or _is_lenient(around):
            return
        known = {view.name: view.definition for view in things(around, ObjectKind.VIEW)}
        for change in around.before:
            if isinstance(change, Command) and change.words == "CREATE VIEW" and (found := _NAME.search(change.sql)):
                known[found[1]] = change.sql
            elif isinstance(change, DropObject) and change.kind == "view":
                known = {name: sql for name, sql in known.items() if not same(name, change.name)}
        views = sorted(name for name, sql in known.items() if mentions(sql, batch.table.name))
        if views:
            yield around.finding(
                f"copying {batch.table} fails on SQLite: view {', '.join(views)} reads it",
                Severity.ERROR,
                fix=f'op.execute("DROP VIEW {views[0]}") before the block, and CREATE VIEW again after it',
            )


def _is_lenient(around: Around) -> bool:
    """Whether the script turned the check of views at a rename off."""
    said = [one.sql.casefold() for one in around.before if isinstance(one, Command)]
    return any("legacy_alter_table" in sql and re.search(r"\b(on|1|true)\b", sql) for sql in said)
