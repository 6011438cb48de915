"""HR-LK107: a column's type changed so that every row is written anew."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, Final

from handrail.lint.change_rule import POSTGRES, Around, ChangeRule
from handrail.lint.dependents import dependents
from handrail.lint.finding import Finding, Severity
from handrail.lint.past import column_facts, type_before
from handrail.lint.rule import Case, Harm
from handrail.lint.samples import upgrade
from handrail.lint.type_changes import Effect, catalog_type, effect
from handrail.migrations.changes import AlterColumn
from handrail.migrations.types import TypeText

_SETUP = (
    "CREATE TABLE bookings (id integer PRIMARY KEY, seats integer, topic varchar(20), price numeric(12,2),"
    " made timestamp with time zone, at timestamp(3))",
    "INSERT INTO bookings VALUES (1, 2, 'a', 1.5)",
)
_HARM = Harm("bookings", rewrites=True)
#: Types to which a column of an unknown type seldom comes by a rewrite: 11 of 11 in the histories that were judged.
_WIDE: Final = frozenset({"text", "varchar", "float", "double precision", "boolean", "autostring"})
_MESSAGES: Final = {
    Effect.REWRITES: "changing {where} from {old} to {new} rewrites the table{size}",
    Effect.UNKNOWN: "changing {where} from {old} to {new} may rewrite the table{size}",
    Effect.KEEPS_IN_UTC: "changing {where} from {old} to {new} rewrites the table{size} unless the session's time zone "
    "is UTC",
}


class ColumnTypeChanged(ChangeRule):
    code: ClassVar[str] = "HR-LK107"
    title: ClassVar[str] = "column type changed with a rewrite of the table"
    why: ClassVar[str] = (
        "Every row is written anew, and every index built anew, while nobody may read or write the table (measured for "
        "3 million rows: integer to bigint 3.3 s, a shorter varchar 2.3 s; what only widens a varchar or a numeric, "
        "under 0.01 s)."
    )
    engines = POSTGRES
    BAD: ClassVar[tuple[Case, ...]] = (
        Case(
            "integer to bigint",
            {
                "wide.py": upgrade(
                    "op.alter_column('bookings', 'seats', existing_type=sa.Integer(), type_=sa.BigInteger())"
                )
            },
            setup=_SETUP,
            harm=_HARM,
        ),
        Case(
            "a shorter varchar, in a batch block",
            {
                "short.py": upgrade(
                    "with op.batch_alter_table('bookings') as batch_op:",
                    "    batch_op.alter_column('topic', existing_type=sa.String(20), type_=sa.String(10))",
                )
            },
            setup=_SETUP,
            harm=_HARM,
        ),
        Case(
            "as SQL, with a conversion",
            {"sql.py": upgrade("op.execute('ALTER TABLE bookings ALTER topic TYPE text USING lower(topic)')")},
            setup=_SETUP,
            harm=_HARM,
        ),
        Case(
            "another scale",
            {
                "scale.py": upgrade(
                    "for column in ('price',):",
                    "    op.alter_column('bookings', column, existing_type=sa.Numeric(12, 2), type_=sa.Numeric(14, 4))",
                )
            },
            setup=_SETUP,
            harm=_HARM,
        ),
    )
    GOOD: ClassVar[tuple[Case, ...]] = (
        Case(
            "a longer varchar, no length, text",
            {
                "text.py": upgrade(
                    "op.alter_column('bookings', 'topic', existing_type=sa.String(20), type_=sa.String(length=50))",
                    "op.alter_column('bookings', 'topic', existing_type=sa.String(50), type_=sa.String())",
                    "op.alter_column('bookings', 'topic', existing_type=sa.String(), type_=sa.Text(),",
                    "                postgresql_using='topic::text')",
                )
            },
            setup=_SETUP,
        ),
        Case(
            "more digits",
            {
                "digits.py": upgrade(
                    "op.alter_column('bookings', 'price', existing_type=sa.Numeric(12, 2), type_=sa.Numeric(14, 2))",
                    "op.alter_column('bookings', 'price', existing_type=sa.Numeric(14, 2), type_=sa.Numeric())",
                )
            },
            setup=_SETUP,
        ),
        Case(
            "the type that it has",
            {
                "same.py": upgrade(
                    "op.alter_column('bookings', 'seats', existing_type=sa.INTEGER(), type_=sa.Integer(),",
                    "                server_default='1')",
                )
            },
            setup=_SETUP,
        ),
        Case(
            "on a table that the same script makes",
            {
                "new.py": upgrade(
                    "op.create_table('rooms', sa.Column('seats', sa.Integer()))",
                    "op.alter_column('rooms', 'seats', type_=sa.BigInteger())",
                )
            },
            setup=_SETUP,
        ),
    )

    def look(self, around: Around) -> Iterable[Finding]:
        change = around.change
        if not isinstance(change, AlterColumn) or change.type is None or around.is_new(change.table):
            return
        table, old = change.table, _old_type(around, change)
        found = effect(old, change.type, change.using)
        if found is Effect.KEEPS:
            return
        where = f"{table}.{change.column}"
        message = _MESSAGES[found].format(
            where=where, old=old or "a type that is not known", new=change.type, size=around.size(table)
        )
        # Of a type that nobody knows: most often it was varchar that becomes text, or Float that is written out, or the
        # type is said again in a rename, as MySQL asks for it.
        is_usual = change.type.name in _WIDE or change.new_name is not None
        is_likely_kept = old is None and change.using is None and is_usual
        severity = around.by_size(table, unknown=Severity.INFO if is_likely_kept else Severity.WARNING)
        if found is not Effect.REWRITES and severity is Severity.ERROR:
            severity = Severity.WARNING
        fix = (
            f"op.add_column('{table}', sa.Column('{change.column}_new', {change.type.text})); keep it in step by a "
            "trigger, fill it in batches, and exchange the names in a later revision"
        )
        fix += _in_the_way(around, change)
        yield around.finding(message, severity, fix=fix)


def _in_the_way(around: Around, change: AlterColumn) -> str:
    """What the new column has to carry before it takes the old one's place, where the catalog is known."""
    known = around.context.facts
    found = dependents(known, around.name_now(change.table), change.column) if known is not None else ()
    return f"; to be made anew on it beforehand: {', '.join(found)}" if found else ""


def _old_type(around: Around, change: AlterColumn) -> TypeText | None:
    """The type before: what scripts before gave it, what the catalog says, what the call says."""
    made = type_before(around, change.table, change.column)
    known = column_facts(around, change.table, change.column)
    return made or (catalog_type(known.type) if known is not None else None) or change.existing_type
