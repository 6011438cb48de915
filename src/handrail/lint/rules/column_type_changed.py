"""HR-LK107: a column's type changed so that every row is written anew."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import ClassVar, Final

from handrail.lint.change_rule import POSTGRES, Around, ChangeRule
from handrail.lint.finding import Finding, Severity
from handrail.lint.past import column_facts, type_before
from handrail.lint.rule import Case, Harm
from handrail.lint.samples import upgrade
from handrail.lint.shadow_choice import shadow_repair
from handrail.lint.type_changes import Effect, catalog_type, effect
from handrail.migrations.changes import AlterColumn
from handrail.migrations.revision import Direction
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
_LIVE: Final = """\
`handrail lint --live --fix` makes three revisions of it where the catalog says that the table is not small and that
nothing hangs on the column. Code that runs knows one column all the time.

1. The script adds a second column of the new type (`seats_new`) and a trigger that keeps it equal to the old one,
   converted by `postgresql_using` where the call has it, else as an assignment does. Its `downgrade()` takes both
   away.
2. A new revision fills the rows that are there, in batches that commit. Broken off, it goes on where it was.
3. Another one proves that every row is filled, and then in one short transaction drops the trigger and the old
   column, and gives the second one its name, NOT NULL and the default. Its `downgrade()` does the same the other
   way round.

What is not as after the plain change: **the column stands last** in the table (`SELECT *`, `INSERT` without a list
of columns and `COPY` without one see that). As after the plain change, a prepared statement that reads the column
fails once. From the first revision on a row that the new type cannot hold is refused; on the way back, one that the
old type cannot hold. Measured for 2 million rows (integer to bigint, 250 MB, two processors that others kept busy):
readers waited 1.4 to 2.0 s for the plain change and 0.08 s at most for the three revisions, writers 0.14 s, and it
took 19 to 24 s instead of 3 to 4.

Nothing is repaired, and the finding says why, where something would have to be carried over: an index, a
constraint, a view, a generated column, a sequence or identity, a trigger of the table, a comment, privileges, a
collation, statistics, a policy, a rule, a function, a publication, partitions, inheritance; where `downgrade()`
does not give the old type back by one `op.alter_column`; where the call says more than the type; where values may not
fit (HR-MF105); where something else on the way works on the column; and for projects that run on SQLite too."""


class ColumnTypeChanged(ChangeRule):
    code: ClassVar[str] = "HR-LK107"
    title: ClassVar[str] = "column type changed with a rewrite of the table"
    why: ClassVar[str] = (
        "Every row is written anew, and every index built anew, while nobody may read or write the table (measured for "
        "3 million rows: integer to bigint 3.3 s, a shorter varchar 2.3 s; what only widens a varchar or a numeric, "
        "under 0.01 s)."
    )
    engines = POSTGRES
    live_repair: ClassVar[str] = _LIVE
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
        finding = around.finding(message, severity, fix=_fix(change))
        yield _repaired(around, finding) if found is Effect.REWRITES else finding


def _fix(change: AlterColumn) -> str:
    assert change.type is not None  # noqa: S101 - look() saw it
    return (
        f"op.add_column('{change.table}', sa.Column('{change.column}_new', {change.type.text})); keep it in step by a "
        "trigger, fill it in batches, and exchange the names in a later revision"
    )


def _repaired(around: Around, finding: Finding) -> Finding:
    """The finding with its repair, or with the reason why there is none; a small table is rewritten in a moment."""
    hint = finding.fix_hint
    if around.context.direction is not Direction.UPGRADE:
        return finding
    if around.context.facts is None:
        where = "where nothing hangs on the column"
        return replace(finding, fix_hint=f"{hint} (handrail lint --live --fix writes all of it, {where})")
    repair = shadow_repair(around)
    if isinstance(repair, str):
        return replace(finding, fix_hint=f"{hint}; {repair}")
    if finding.severity is Severity.INFO:
        return finding
    revisions = repair.split.together((), around.context.engines)
    hint = f"{hint} (handrail lint --live --fix writes all of it)"
    return replace(finding, fix_hint=hint, edits=repair.edits, revisions=revisions, split=repair.split)


def _old_type(around: Around, change: AlterColumn) -> TypeText | None:
    """The type before: what scripts before gave it, what the catalog says, what the call says."""
    made = type_before(around, change.table, change.column)
    known = column_facts(around, change.table, change.column)
    return made or (catalog_type(known.type) if known is not None else None) or change.existing_type
