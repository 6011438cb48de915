"""HR-LK111: a primary key that is added to a table in use."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from handrail.lint.change_rule import POSTGRES, Around, ChangeRule
from handrail.lint.finding import Finding
from handrail.lint.rule import Case, Harm
from handrail.lint.samples import upgrade
from handrail.migrations.changes import AddColumn, AddConstraint, ConstraintKind
from handrail.migrations.sql_names import quoted_table

_SETUP = (
    "CREATE TABLE bookings (id integer NOT NULL, topic varchar(20) NOT NULL)",
    "INSERT INTO bookings VALUES (1, 'a'), (2, 'b')",
)
#: The same with one more row: a good case with it may take for a moment the lock that a bad one holds for long.
_SETUP_TOO = (*_SETUP, "INSERT INTO bookings VALUES (3, 'c')")
_HARM = Harm("bookings", lock="AccessExclusive")


class PrimaryKeyAdded(ChangeRule):
    code: ClassVar[str] = "HR-LK111"
    title: ClassVar[str] = "primary key builds its index under a lock"
    why: ClassVar[str] = (
        "The index of the key is built, and columns that may hold NULL are searched for one, while nobody may read or "
        "write the table. A unique index built CONCURRENTLY becomes "
        "the key in a moment."
    )
    engines = POSTGRES
    BAD: ClassVar[tuple[Case, ...]] = (
        Case(
            "as an operation",
            {"add.py": upgrade("op.create_primary_key('pk_bookings', 'bookings', ['id'])")},
            setup=_SETUP,
            harm=_HARM,
        ),
        Case(
            "as SQL, the table in a variable",
            {"sql.py": upgrade("table = 'bookings'", "op.execute(f'ALTER TABLE {table} ADD PRIMARY KEY (id, topic)')")},
            setup=_SETUP,
            harm=_HARM,
        ),
    )
    GOOD: ClassVar[tuple[Case, ...]] = (
        Case(
            "from an index that was built concurrently",
            {
                "using.py": upgrade(
                    "with op.get_context().autocommit_block():",
                    "    op.create_index('pk_bookings', 'bookings', ['id'], unique=True, postgresql_concurrently=True)",
                    "op.execute('ALTER TABLE bookings ADD CONSTRAINT pk_bookings PRIMARY KEY USING INDEX pk_bookings')",
                )
            },
            setup=_SETUP_TOO,
        ),
        Case(
            "on a table that the same script makes",
            {
                "new.py": upgrade(
                    "op.create_table('rooms', sa.Column('id', sa.Integer(), nullable=False))",
                    "op.create_primary_key('pk_rooms', 'rooms', ['id'])",
                )
            },
            setup=_SETUP,
        ),
    )

    def look(self, around: Around) -> Iterable[Finding]:
        match around.change:
            case AddConstraint(table=table, constraint=made) if (
                made.kind is ConstraintKind.PRIMARY_KEY and made.using_index is None
            ):
                what = f"primary key ({', '.join(made.columns)})"
            case AddColumn(table=table, column=column, place=place) if column.is_primary_key and place.is_sql:
                what = f"primary key ({column.name})"
            case _:
                return
        if not around.is_new(table):
            message = f"adding {what} builds an index on {table} while nobody may use it{around.size(table)}"
            fix = (
                "a unique index built with postgresql_concurrently=True in an autocommit_block, then ALTER TABLE "
                f"{quoted_table(table)} ADD PRIMARY KEY USING INDEX …"
            )
            yield around.finding(message, around.by_size(table), fix=fix)
