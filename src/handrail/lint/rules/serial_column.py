"""HR-LK102: a new column that numbers the rows, so that the table is rewritten."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from typing import ClassVar, Final

from handrail.lint.change_rule import POSTGRES, Around, ChangeRule
from handrail.lint.finding import Finding
from handrail.lint.rule import Case, Harm
from handrail.lint.samples import BOOKINGS, upgrade
from handrail.migrations.changes import AddColumn

_HARM = Harm("bookings", rewrites=True)
_SERIALS: Final = frozenset({"serial", "bigserial", "smallserial"})
_INTEGERS: Final = frozenset({"integer", "bigint", "smallint"})
_KEYLESS = ("CREATE TABLE bookings (topic varchar(20))", "INSERT INTO bookings VALUES ('a'), ('b')")


class SerialColumn(ChangeRule):
    code: ClassVar[str] = "HR-LK102"
    title: ClassVar[str] = "new column that numbers the rows"
    why: ClassVar[str] = (
        "A serial or identity column gives every old row a number: the table is rewritten while nobody may read or "
        "write it (measured: 3.4 s for 3 million rows)."
    )
    engines = POSTGRES
    BAD: ClassVar[tuple[Case, ...]] = (
        Case(
            "an identity column",
            {"add.py": upgrade("op.add_column('bookings', sa.Column('number', sa.BigInteger(), sa.Identity()))")},
            setup=BOOKINGS,
            harm=_HARM,
        ),
        Case(
            "serial, as SQL",
            {"sql.py": upgrade("op.execute('ALTER TABLE bookings ADD COLUMN number bigserial')")},
            setup=BOOKINGS,
            harm=_HARM,
        ),
        Case(
            "a whole number as the new primary key, which SQLAlchemy makes serial",
            {
                "key.py": upgrade(
                    "with op.batch_alter_table('bookings') as batch_op:",
                    "    batch_op.add_column(sa.Column('id', sa.Integer(), primary_key=True))",
                )
            },
            setup=_KEYLESS,
            harm=_HARM,
        ),
    )
    GOOD: ClassVar[tuple[Case, ...]] = (
        Case(
            "a plain number, whose default is for new rows",
            {
                "later.py": upgrade(
                    "op.execute('CREATE SEQUENCE numbers')",
                    "op.add_column('bookings', sa.Column('number', sa.BigInteger(), nullable=True))",
                    "op.alter_column('bookings', 'number', server_default=sa.text(\"nextval('numbers')\"))",
                )
            },
            setup=BOOKINGS,
        ),
        Case(
            "on a table that the same script makes",
            {
                "new.py": upgrade(
                    "op.create_table('rooms', sa.Column('name', sa.Text()))",
                    "op.add_column('rooms', sa.Column('id', sa.Integer(), sa.Identity()))",
                )
            },
            setup=BOOKINGS,
        ),
    )

    def look(self, around: Around) -> Iterable[Finding]:
        change = around.change
        if not isinstance(change, AddColumn) or around.is_new(change.table) or not is_numbered(change):
            return
        table, column = change.table, change.column.name
        message = f"adding {table}.{column}, which numbers the rows, rewrites the table{around.size(table)}"
        fix = (
            f"op.add_column('{table}', sa.Column('{column}', sa.BigInteger(), nullable=True)); op.alter_column("
            f"'{table}', '{column}', server_default=sa.text(\"nextval('…')\")); then number the old rows in batches"
        )
        yield around.finding(message, around.by_size(table), fix=fix)


def is_numbered(change: AddColumn) -> bool:
    """Whether PostgreSQL gives every old row a number of its own."""
    column = change.column
    name = "" if column.sql_type is None else column.sql_type.name
    if column.filled_by in {"identity", "serial"} or name in _SERIALS:
        return True
    words = {} if column.call is None else {word.arg: ast.unparse(word.value) for word in column.call.keywords}
    is_key = column.is_primary_key and not change.place.is_sql and name in _INTEGERS
    is_counted = words.get("autoincrement", "True") == "True"
    return is_key and column.server_default is None and column.references is None and is_counted
