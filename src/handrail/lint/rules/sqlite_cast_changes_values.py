"""HR-SQ106: a column type change that turns values into others without a word."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from handrail.amounts import count
from handrail.facts import Question
from handrail.lint.batches import copied_by, quoted, type_before
from handrail.lint.change_rule import SQLITE, Around, ChangeRule
from handrail.lint.finding import Finding, Severity
from handrail.lint.rule import Case, Harm
from handrail.lint.samples import START
from handrail.migrations.changes import AlterColumn
from handrail.migrations.types import TypeText

_SETUP = (
    "CREATE TABLE bookings (id integer PRIMARY KEY, topic text, day datetime, price numeric(8, 2))",
    "INSERT INTO bookings VALUES (1, 'abc', '2026-01-05 10:00:00', 1.5), (2, '1e3', '2026-01-06 11:00:00', 2)",
)
_TEXTS = frozenset({"varchar", "text", "char", "enum", "clob"})
_WHOLE = frozenset({"integer", "bigint", "smallint"})
_FRACTIONS = frozenset({"numeric", "float", "real", "double precision"})
_TIMES = frozenset({"date", "timestamp", "timestamptz", "time"})
_NUMBERS = _WHOLE | _FRACTIONS | {"boolean"}


class SqliteCastChangesValues(ChangeRule):
    code: ClassVar[str] = "HR-SQ106"
    title: ClassVar[str] = "type change that alters values on SQLite"
    why: ClassVar[str] = (
        "Batch mode copies the column through CAST, which never fails on SQLite: 'abc' becomes 0, '1e3' becomes 1, "
        "1.5 becomes 1 as an integer, and a date '2026-01-05' becomes the number 2026 (all measured, no error)."
    )
    engines = SQLITE
    BAD: ClassVar[tuple[Case, ...]] = (
        Case(
            "text to a number",
            {
                "number.py": START + "    with op.batch_alter_table('bookings') as batch_op:\n"
                "        batch_op.alter_column('topic', existing_type=sa.Text(), type_=sa.Integer())\n"
            },
            setup=_SETUP,
            harm=Harm("bookings", loses=True),
        ),
        Case(
            "a time to a date, table and column in variables",
            {
                "day.py": START + "    table, name = 'bookings', 'day'\n"
                "    with op.batch_alter_table(table) as batch:\n"
                "        batch.alter_column(name, type_=sa.Date(), existing_type=sa.DateTime())\n"
            },
            setup=_SETUP,
            harm=Harm("bookings", loses=True),
        ),
        Case(
            "a fraction to a whole number",
            {
                "price.py": START + "    with op.batch_alter_table('bookings') as batch_op:\n"
                "        batch_op.alter_column('price', existing_type=sa.Numeric(8, 2), type_=sa.Integer())\n"
            },
            setup=_SETUP,
            harm=Harm("bookings", loses=True),
        ),
    )
    GOOD: ClassVar[tuple[Case, ...]] = (
        Case(
            "to text, and to a wider text",
            {
                "text.py": START + "    with op.batch_alter_table('bookings') as batch_op:\n"
                "        batch_op.alter_column('id', existing_type=sa.Integer(), type_=sa.BigInteger())\n"
                "        batch_op.alter_column('topic', existing_type=sa.String(20), type_=sa.String(50))\n"
                "        batch_op.alter_column('price', existing_type=sa.Numeric(8, 2), type_=sa.Text())\n"
                "        batch_op.alter_column('day', existing_type=sa.DateTime(), type_=sa.DateTime(timezone=True))\n"
            },
            setup=_SETUP,
        ),
        Case(
            "a table that the script makes",
            {
                "new.py": START + "    op.create_table('rooms', sa.Column('size', sa.Text()))\n"
                "    with op.batch_alter_table('rooms') as batch_op:\n"
                "        batch_op.alter_column('size', existing_type=sa.Text(), type_=sa.Integer())\n"
            },
            setup=_SETUP,
        ),
    )

    def ask(self, around: Around) -> Iterable[Question]:
        known = around.context.facts
        question = _question(around)
        if question is not None and known is not None and known.engine == "sqlite":
            yield question

    def look(self, around: Around) -> Iterable[Finding]:
        change, question = around.change, _question(around)
        if question is None or not isinstance(change, AlterColumn):
            return
        found = around.answer(question)
        if found == 0:
            return
        before = type_before(around, change)
        what = f"{change.table}.{change.column} is copied through CAST from {before} to {change.type} on SQLite"
        much = "values that do not fit become others" if found is None else f"{count(found, 'value')} would change"
        yield around.finding(
            f"{what}: {much}",
            Severity.WARNING if found is None else Severity.ERROR,
            fix="add a new column, fill it with values that were checked "
            "(UPDATE … SET new = CAST(old AS …) WHERE …), then drop the old one",
        )


def _question(around: Around) -> Question | None:
    """How many values the cast would change; None when it changes none by its kind."""
    change = around.change
    if not isinstance(change, AlterColumn) or change.type is None or around.is_new(change.table):
        return None
    before = type_before(around, change)
    if before is None or copied_by(around) is None or not _changes(before, change.type):
        return None
    column, word = quoted(change.column), _cast_word(change.type)
    return Question(change.table, f"{column} IS NOT NULL AND NOT (CAST({column} AS {word}) = {column})")


def _changes(before: TypeText, after: TypeText) -> bool:
    """Whether CAST may give another value (Alembic casts only where SQLAlchemy sees another kind of type)."""
    if before.name in _TEXTS:
        return after.name in _NUMBERS | _TIMES
    if before.name in _FRACTIONS:
        return after.name in _WHOLE
    is_same_kind = {before.name, after.name} <= {"timestamp", "timestamptz"} or before.name == after.name
    return before.name in _TIMES and after.name in _NUMBERS | _TIMES and not is_same_kind


def _cast_word(type_: TypeText) -> str:
    if type_.name in _WHOLE:
        return "INTEGER"
    return "REAL" if type_.name in {"real", "float", "double precision"} else "NUMERIC"
