"""HR-LK103: a new generated column that is stored, so that the table is rewritten."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from typing import ClassVar

from handrail.lint.change_rule import POSTGRES, Around, ChangeRule
from handrail.lint.finding import Finding
from handrail.lint.rule import Case, Harm
from handrail.lint.samples import BOOKINGS, upgrade
from handrail.migrations.changes import AddColumn
from handrail.migrations.columns import ColumnText
from handrail.migrations.values import call_name

_HARM = Harm("bookings", rewrites=True)
#: From this version of PostgreSQL on a column that does not say STORED is computed when it is read.
_VIRTUAL_SINCE = 18


class StoredGeneratedColumn(ChangeRule):
    code: ClassVar[str] = "HR-LK103"
    title: ClassVar[str] = "new stored generated column"
    why: ClassVar[str] = (
        "The value is computed and stored for every old row: the table is rewritten while nobody may read or write it "
        "(measured: 3.4 s for 3 million rows)."
    )
    engines = POSTGRES
    BAD: ClassVar[tuple[Case, ...]] = (
        Case(
            "as an operation",
            {
                "add.py": upgrade(
                    "op.add_column('bookings', sa.Column('double', sa.Integer(),",
                    "              sa.Computed('id * 2', persisted=True)))",
                )
            },
            setup=BOOKINGS,
            harm=_HARM,
        ),
        Case(
            "as SQL, in a helper",
            {
                "sql.py": upgrade(
                    "def compute(table, name, what):",
                    "    op.execute(f'ALTER TABLE {table} ADD {name} integer GENERATED ALWAYS AS ({what}) STORED')",
                    "compute('bookings', 'double', 'id * 2')",
                )
            },
            setup=BOOKINGS,
            harm=_HARM,
        ),
    )
    GOOD: ClassVar[tuple[Case, ...]] = (
        Case(
            "a plain column",
            {"plain.py": upgrade("op.add_column('bookings', sa.Column('double', sa.Integer(), nullable=True))")},
            setup=BOOKINGS,
        ),
        Case(
            "a virtual column (PostgreSQL 18)",
            {
                "virtual.py": upgrade(
                    "op.add_column('bookings', sa.Column('a', sa.Integer(), sa.Computed('id * 2', persisted=False)))",
                    "op.execute('ALTER TABLE bookings ADD b integer GENERATED ALWAYS AS (id * 2) VIRTUAL')",
                )
            },
        ),
        Case(
            "on a table that the same script makes",
            {
                "new.py": upgrade(
                    "op.create_table('rooms', sa.Column('a', sa.Integer()))",
                    "op.add_column('rooms', sa.Column('b', sa.Integer(), sa.Computed('a * 2', persisted=True)))",
                )
            },
            setup=BOOKINGS,
        ),
    )

    def look(self, around: Around) -> Iterable[Finding]:
        change = around.change
        if not isinstance(change, AddColumn) or change.column.filled_by != "computed" or around.is_new(change.table):
            return
        if not _says_how(change.column) and _version(around) >= _VIRTUAL_SINCE:
            return
        table, column = change.table, change.column.name
        message = f"adding {table}.{column}, which is computed and stored, rewrites the table{around.size(table)}"
        fix = (
            f"op.add_column('{table}', sa.Column('{column}', …, nullable=True)), a trigger that fills it, and the old "
            "rows filled in batches"
        )
        yield around.finding(message, around.by_size(table), fix=fix)


def _says_how(column: ColumnText) -> bool:
    """Whether the script says that the column is stored (SQL that is read as "computed" does)."""
    if column.call is None:
        return True
    found = [one for one in column.call.args if isinstance(one, ast.Call) and call_name(one) == "Computed"]
    return any(word.arg == "persisted" for call in found for word in call.keywords)


def _version(around: Around) -> int:
    """The server's major version, 0 when it is not known."""
    known = around.context.facts
    major = "" if known is None or known.engine != "postgresql" else known.version.partition(".")[0]
    return int(major) if major.isdigit() else 0
