"""HR-LK109: a CHECK that reads all old rows at once, while nobody may use the table."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from handrail.lint.change_rule import POSTGRES, Around, ChangeRule
from handrail.lint.constraint_repairs import unchecked_then_validated
from handrail.lint.finding import Finding
from handrail.lint.rule import Case, Harm
from handrail.lint.samples import BOOKINGS, BOOKINGS_TOO, upgrade
from handrail.migrations.changes import AddColumn, AddConstraint, ConstraintKind
from handrail.migrations.columns import ColumnText
from handrail.migrations.values import call_name

_HARM = Harm("bookings", lock="AccessExclusive")


class CheckValidated(ChangeRule):
    code: ClassVar[str] = "HR-LK109"
    title: ClassVar[str] = "CHECK scans the table under a lock"
    why: ClassVar[str] = (
        "Every old row is checked while nobody may read or write the table (measured: 0.18 s for 3 million rows in "
        "memory; with NOT VALID first and VALIDATE in another transaction nobody waited 0.01 s)."
    )
    engines = POSTGRES
    BAD: ClassVar[tuple[Case, ...]] = (
        Case(
            "on a table that is in use",
            {"add.py": upgrade("op.create_check_constraint('ck_topic', 'bookings', \"topic <> ''\")")},
            setup=BOOKINGS,
            harm=_HARM,
        ),
        Case(
            "as SQL, in a loop",
            {
                "loop.py": upgrade(
                    "for column in ('topic', 'email'):",
                    "    op.execute(f\"ALTER TABLE bookings ADD CONSTRAINT ck_{column} CHECK ({column} <> '')\")",
                )
            },
            setup=BOOKINGS,
            harm=_HARM,
        ),
        Case(
            "as SQL of several lines",
            {
                "lines.py": upgrade(
                    'op.execute("""',
                    "    ALTER TABLE bookings",
                    "    ADD CONSTRAINT ck_topic CHECK (topic <> '')",
                    '""")',
                )
            },
            setup=BOOKINGS,
            harm=_HARM,
        ),
        Case(
            "in a new column",
            {
                "column.py": upgrade(
                    "op.add_column('bookings', sa.Column('seats', sa.Integer(), sa.CheckConstraint('seats > 0')))"
                )
            },
            setup=BOOKINGS,
            harm=_HARM,
        ),
    )
    GOOD: ClassVar[tuple[Case, ...]] = (
        Case(
            "not validated yet, then validated on its own",
            {
                "add.py": upgrade(
                    "op.create_check_constraint('ck_topic', 'bookings', \"topic <> ''\", postgresql_not_valid=True)",
                    "with op.get_context().autocommit_block():",
                    "    op.execute('ALTER TABLE bookings VALIDATE CONSTRAINT ck_topic')",
                )
            },
            setup=BOOKINGS_TOO,
        ),
        Case(
            "on a table that the same script makes",
            {
                "new.py": upgrade(
                    "op.create_table('rooms', sa.Column('seats', sa.Integer(), sa.CheckConstraint('seats > 0')))",
                    "op.create_check_constraint('ck_rooms', 'rooms', 'seats < 9')",
                )
            },
            setup=BOOKINGS,
        ),
        Case(
            "for another engine only",
            {
                "sqlite.py": upgrade(
                    "if op.get_bind().dialect.name == 'sqlite':",
                    "    with op.batch_alter_table('bookings') as batch_op:",
                    "        batch_op.create_check_constraint('ck_topic', \"topic <> ''\")",
                )
            },
            setup=BOOKINGS,
        ),
    )

    def look(self, around: Around) -> Iterable[Finding]:
        match around.change:
            case AddConstraint(table=table, constraint=made) if made.kind is ConstraintKind.CHECK and made.is_checked:
                edits, fix = unchecked_then_validated(around, "table_name")
                what = f"CHECK {made.name or ''}".strip()
            case AddColumn(table=table, column=column) if _has_check(column):
                edits, what = (), f"the CHECK of {column.name}"
                fix = "the column without the CHECK, then op.create_check_constraint(…, postgresql_not_valid=True)"
            case _:
                return
        if not around.is_new(table):
            message = f"adding {what} reads every row of {table} while nobody may use it{around.size(table)}"
            yield around.finding(message, around.by_size(table), fix=fix, edits=edits)


def _has_check(column: ColumnText) -> bool:
    written = [] if column.call is None else [call_name(argument) for argument in column.call.args]
    is_made_by_type = column.sql_type is not None and column.sql_type.creates_check
    return "CheckConstraint" in written or is_made_by_type
