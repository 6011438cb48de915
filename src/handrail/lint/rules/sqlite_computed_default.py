"""HR-SQ109: a column added with a default that SQLite would have to compute for the rows that are there."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from handrail.lint.batches import has_computed_default
from handrail.lint.change_rule import SQLITE, Around, ChangeRule
from handrail.lint.finding import Finding, Severity
from handrail.lint.rule import Case, Harm
from handrail.lint.samples import START
from handrail.migrations.changes import AddColumn

_SETUP = (
    "CREATE TABLE bookings (id integer PRIMARY KEY, topic text)",
    "INSERT INTO bookings VALUES (1, 'a'), (2, 'b')",
)
_FAILS = Harm("bookings", fails="Cannot add a column with non-constant default")


class SqliteComputedDefault(ChangeRule):
    code: ClassVar[str] = "HR-SQ109"
    title: ClassVar[str] = "default that ADD COLUMN does not take on SQLite"
    why: ClassVar[str] = (
        "SQLite adds a column only with a constant default: CURRENT_TIMESTAMP, a function or an expression fails with "
        '"Cannot add a column with non-constant default" on every table that has rows, while it passes on an empty one.'
    )
    engines = SQLITE
    BAD: ClassVar[tuple[Case, ...]] = (
        Case(
            "the time of the upgrade",
            {
                "add.py": START + "    op.add_column('bookings', sa.Column('made', sa.DateTime(), "
                "server_default=sa.func.now(), nullable=False))\n"
            },
            setup=_SETUP,
            harm=_FAILS,
        ),
        Case(
            "as SQL, in a loop",
            {
                "loop.py": START + "    for name in ('made', 'changed'):\n"
                "        op.execute(f'ALTER TABLE bookings ADD COLUMN {name} TEXT DEFAULT CURRENT_TIMESTAMP')\n"
            },
            setup=_SETUP,
            harm=_FAILS,
        ),
        Case(
            "a function, the column in a variable",
            {
                "token.py": START + "    token = sa.Column('token', sa.Text(), server_default=sa.text('(random())'))\n"
                "    op.add_column('bookings', token)\n"
            },
            setup=_SETUP,
            harm=_FAILS,
        ),
    )
    GOOD: ClassVar[tuple[Case, ...]] = (
        Case(
            "constants",
            {
                "add.py": START + "    op.add_column('bookings', sa.Column('seats', sa.Integer(), "
                "server_default=sa.text('1'), nullable=False))\n"
                "    op.add_column('bookings', sa.Column('open', sa.Boolean(), server_default=sa.true()))\n"
                "    op.add_column('bookings', sa.Column('note', sa.Text(), server_default='now()'))\n"
            },
            setup=_SETUP,
        ),
        Case(
            "in batch mode, which copies the table for it",
            {
                "batch.py": START + "    with op.batch_alter_table('bookings') as batch_op:\n"
                "        batch_op.add_column(sa.Column('made', sa.DateTime(), server_default=sa.func.now()))\n"
            },
            setup=_SETUP,
        ),
        Case(
            "in a table that the script makes",
            {
                "new.py": START + "    op.create_table('rooms', sa.Column('id', sa.Integer(), primary_key=True),\n"
                "        sa.Column('made', sa.DateTime(), server_default=sa.func.now()))\n"
            },
            setup=_SETUP,
        ),
    )

    def look(self, around: Around) -> Iterable[Finding]:
        change = around.change
        if not isinstance(change, AddColumn) or change.place.batch or around.is_new(change.table):
            return
        if not has_computed_default(change.column):
            return
        severity = Severity.WARNING if change.place.is_conditional else Severity.ERROR
        yield around.finding(
            f"{change.table}.{change.column.name} has the default {change.column.server_default}, which SQLite "
            "does not take in ADD COLUMN",
            Severity.INFO if around.is_empty(change.table) else severity,
            fix=f"with op.batch_alter_table({str(change.table)!r}) as batch_op: batch_op.add_column(…), which copies "
            "the table; or add it nullable without a default and UPDATE the rows",
        )
