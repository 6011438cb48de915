"""HR-MF101: NULLs in a column that is to hold none."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from handrail.amounts import count
from handrail.facts import Question, TableName
from handrail.lint.change_rule import BOTH, Around, ChangeRule
from handrail.lint.finding import Finding, Severity
from handrail.lint.past import added, column_facts, is_filled, is_obscure, is_proven_not_null, is_required
from handrail.lint.rule import Case, Harm
from handrail.lint.samples import BOOKINGS, upgrade
from handrail.migrations.changes import AddConstraint, AlterColumn, ConstraintKind
from handrail.migrations.sql_names import quoted, quoted_table

_NULLS = (*BOOKINGS, "INSERT INTO bookings VALUES (4, NULL, NULL)")
#: Both engines name the column: PostgreSQL says that it contains null values, SQLite that NOT NULL failed.
_HARM = Harm(fails="email")


class NullsBeforeNotNull(ChangeRule):
    code: ClassVar[str] = "HR-MF101"
    title: ClassVar[str] = "NOT NULL for a column that may hold NULLs"
    why: ClassVar[str] = (
        "One NULL is enough: the upgrade fails in the middle of the deploy (and on SQLite leaves the table "
        "_alembic_tmp_… behind, by which the next try fails too)."
    )
    engines = BOTH
    BAD: ClassVar[tuple[Case, ...]] = (
        Case(
            "NULLs are in the column",
            {
                "alter.py": upgrade(
                    "with op.batch_alter_table('bookings') as batch_op:",
                    "    batch_op.alter_column('email', existing_type=sa.Text(), nullable=False)",
                )
            },
            setup=_NULLS,
            harm=_HARM,
        ),
        Case(
            "the column is new and has no default",
            {
                "new.py": upgrade(
                    "op.add_column('bookings', sa.Column('email2', sa.Text()))",
                    "with op.batch_alter_table('bookings') as batch_op:",
                    "    batch_op.alter_column('email2', existing_type=sa.Text(), nullable=False)",
                )
            },
            setup=BOOKINGS,
            harm=Harm(fails="email2"),
        ),
        Case("as SQL", {"sql.py": upgrade("op.execute('ALTER TABLE bookings ALTER email SET NOT NULL')")}),
    )
    GOOD: ClassVar[tuple[Case, ...]] = (
        Case(
            "the NULLs are replaced before",
            {
                "filled.py": upgrade(
                    "op.execute(\"UPDATE bookings SET email = '' WHERE email IS NULL\")",
                    "with op.batch_alter_table('bookings') as batch_op:",
                    "    batch_op.alter_column('email', existing_type=sa.Text(), nullable=False)",
                )
            },
            setup=_NULLS,
        ),
        Case(
            "the column is new and has a default",
            {
                "new.py": upgrade(
                    "op.add_column('bookings', sa.Column('seats', sa.Integer(), server_default='1'))",
                    "with op.batch_alter_table('bookings') as batch_op:",
                    "    batch_op.alter_column('seats', existing_type=sa.Integer(), nullable=False)",
                )
            },
            setup=_NULLS,
        ),
        Case(
            "it was NOT NULL before",
            {
                "same.py": upgrade(
                    "with op.batch_alter_table('bookings') as batch_op:",
                    "    batch_op.alter_column('id', type_=sa.BigInteger(), existing_nullable=False, nullable=False)",
                )
            },
            setup=_NULLS,
        ),
    )

    def ask(self, around: Around) -> Iterable[Question]:
        for table, column in _columns(around):
            known = column_facts(around, table, column)
            if known is not None and known.nullable and added(around, table, column) is None:
                yield _question(table, column)

    def look(self, around: Around) -> Iterable[Finding]:
        for table, column in _columns(around):
            nulls = around.answer(_question(table, column))
            if nulls == 0 or (nulls is None and (is_obscure(around) or is_proven_not_null(around, table, column))):
                continue
            message, severity = _judged(around, table, column, nulls)
            name = quoted(column)
            assignment = f"{quoted_table(table)} SET {name} = … WHERE {name} IS NULL"
            fix = f"before it, in batches: UPDATE {assignment}"
            yield around.finding(message, severity, fix=fix)


def _columns(around: Around) -> list[tuple[TableName, str]]:
    """The columns that may hold no NULL any more, as far as nothing before has seen to it."""
    match around.change:
        case AlterColumn(table=table, column=column, nullable=False, existing_nullable=None | True):
            found = [(table, column)]
        case AddConstraint(table=table, constraint=made) if made.kind is ConstraintKind.NOT_NULL:
            found = [(table, column) for column in made.columns]
        case _:
            return []
    if around.is_new(table):
        return []
    return [(table, column) for table, column in found if not _is_seen_to(around, table, column)]


def _is_seen_to(around: Around, table: TableName, column: str) -> bool:
    new = added(around, table, column)
    has_default = new is not None and new.column.server_default is not None
    return has_default or is_filled(around, table, column) or is_required(around, table, column)


def _question(table: TableName, column: str) -> Question:
    return Question(table, f"{quoted(column)} IS NULL")


def _judged(around: Around, table: TableName, column: str, nulls: int | None) -> tuple[str, Severity]:
    where = f"{table}.{column}"
    if nulls is not None and is_obscure(around):
        unless = "is refused unless what cannot be read in the script fills them"
        return f"{count(nulls, 'NULL')} in {where}: NOT NULL {unless}", Severity.WARNING
    if nulls is not None:
        return f"{count(nulls, 'NULL')} in {where}: NOT NULL is refused", Severity.ERROR
    if added(around, table, column) is not None:
        severity = Severity.INFO if around.is_empty(table) else Severity.ERROR
        return f"{where} is new and without a default, so every row has NULL there: NOT NULL is refused", severity
    severity = Severity.INFO if _is_told_beside(around) or around.is_empty(table) else Severity.WARNING
    return f"a NULL in {where}, which nobody has looked for yet, makes NOT NULL fail", severity


def _is_told_beside(around: Around) -> bool:
    """Whether HR-LK106 warns of the same statement and this is but a guess: PostgreSQL, and no database to look at."""
    runs_there = "postgresql" in around.context.engines and around.change.place.dialects.allows("postgresql")
    return around.context.facts is None and runs_there
