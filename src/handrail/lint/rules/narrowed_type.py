"""HR-MF105: values that do not fit a narrowed type."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from handrail.amounts import count
from handrail.facts import Question
from handrail.lint.change_rule import POSTGRES, Around, ChangeRule
from handrail.lint.finding import Finding, Severity
from handrail.lint.rule import Case, Harm
from handrail.lint.samples import START
from handrail.lint.script_facts import can_count, is_new_column, is_rewritten_before, type_before
from handrail.migrations.changes import AlterColumn
from handrail.migrations.types import TypeText

_SETUP = (
    "CREATE TABLE bookings (id integer PRIMARY KEY, topic varchar(120), seats bigint)",
    "INSERT INTO bookings VALUES (1, 'much longer than ten', 5000000000)",
)
_INTEGERS = {"smallint": 2**15, "integer": 2**31, "bigint": 2**63}
_TEXTS = {"varchar", "char"}


class NarrowedType(ChangeRule):
    code: ClassVar[str] = "HR-MF105"
    title: ClassVar[str] = "values that do not fit a narrowed type"
    why: ClassVar[str] = (
        "The database casts every row (a rewrite under ACCESS EXCLUSIVE, measured: 2.3 s for 3 million rows): one text "
        "that is too long or one number that is too big and the upgrade fails; with a cast in USING a text is cut "
        "without a word. Only counting in the live data can tell."
    )
    engines = POSTGRES
    BAD: ClassVar[tuple[Case, ...]] = (
        Case(
            "a shorter text",
            {
                "text.py": START + "    op.alter_column('bookings', 'topic', existing_type=sa.String(120), "
                "type_=sa.String(10))\n"
            },
            setup=_SETUP,
            harm=Harm(fails="too long"),
        ),
        Case(
            "a smaller number, as SQL",
            {"number.py": START + "    op.execute('ALTER TABLE bookings ALTER COLUMN seats TYPE integer')\n"},
            setup=_SETUP,
            harm=Harm(fails="out of range"),
        ),
        Case(
            "cut by the cast",
            {
                "cut.py": START + "    op.alter_column('bookings', 'topic', existing_type=sa.String(120), "
                "type_=sa.String(10), postgresql_using='topic::varchar(10)')\n"
            },
            setup=_SETUP,
            harm=Harm("bookings", loses=True),
        ),
    )
    GOOD: ClassVar[tuple[Case, ...]] = (
        Case(
            "a longer text",
            {
                "longer.py": START + "    op.alter_column('bookings', 'topic', existing_type=sa.String(120), "
                "type_=sa.String(200))\n"
            },
            setup=_SETUP,
        ),
        Case(
            "a bigger number",
            {
                "bigger.py": START + "    op.alter_column('bookings', 'id', existing_type=sa.Integer(), "
                "type_=sa.BigInteger())\n"
            },
            setup=_SETUP,
        ),
        Case(
            "text without a limit",
            {
                "text.py": START + "    op.alter_column('bookings', 'topic', existing_type=sa.String(120), "
                "type_=sa.Text())\n"
            },
            setup=_SETUP,
        ),
    )

    def ask(self, around: Around) -> Iterable[Question]:
        change = around.change
        if isinstance(change, AlterColumn) and (question := _question(around, change)) is not None:
            yield question

    def look(self, around: Around) -> Iterable[Finding]:
        change = around.change
        if not isinstance(change, AlterColumn) or not may_not_fit(around, change):
            return
        question = _question(around, change)
        found = None if question is None else around.answer(question)
        unfit = "values" if found is None else count(found, "value")
        verb = "do" if found != 1 else "does"
        what = f"{unfit} that {verb} not fit {'are changed by the cast' if change.using else 'make it fail'}"
        fix = "a revision before this one that corrects what this finds: "
        fix += f"SELECT * FROM {change.table} WHERE {_misfit(change) or '…'}"
        severity = Severity.INFO if found is None else Severity.ERROR
        yield around.finding(f"{change.table}.{change.column} becomes {change.type}: {what}", severity, fix=fix)


def may_not_fit(around: Around, change: AlterColumn) -> bool:
    """Whether there may be values that the new type cannot hold; False where the database was asked and has none."""
    question = _question(around, change)
    is_asked = question is not None and around.answer(question) == 0
    return _is_narrowed(around, change) and not around.is_empty(change.table) and not is_asked


def _is_narrowed(around: Around, change: AlterColumn) -> bool:
    """Whether the new type holds less than the old one, as far as the old one is known."""
    new = change.type
    if new is None or around.is_new(change.table) or is_new_column(around, change.table, change.column):
        return False
    old = type_before(around, change.table, change.column) or change.existing_type
    return bool(_misfit(change)) and (old is None or not _fits(old, new))


def _fits(old: TypeText, new: TypeText) -> bool:
    """Whether every value of the old type is one of the new type, or the change is of another kind."""
    if new.name in _TEXTS:
        if old.name in _TEXTS:
            return bool(old.arguments) and old.arguments[0] <= new.arguments[0]
        return old.name != "text"
    if new.name in _INTEGERS and old.name in _INTEGERS:
        return _INTEGERS[old.name] <= _INTEGERS[new.name]
    if new.name == "numeric" and old.name == "numeric" and old.arguments:
        return _whole_digits(old) <= _whole_digits(new)
    return new.name in _INTEGERS and old.name not in {"numeric", "double precision", "real", "float"}


def _whole_digits(number: TypeText) -> int:
    scale = number.arguments[1] if len(number.arguments) > 1 else 0
    return number.arguments[0] - scale


def _misfit(change: AlterColumn) -> str:
    """The SQL that is true for a value that the new type cannot hold; "" when it holds everything of its kind."""
    new, name = change.type, f'"{change.column}"'
    if new is None:
        return ""
    if new.name in _TEXTS and new.arguments:
        return f"length({name}::text) > {new.arguments[0]}"
    if new.name in {"smallint", "integer"}:
        limit = _INTEGERS[new.name]
        return f"{name}::numeric NOT BETWEEN {-limit} AND {limit - 1}"
    if new.name == "numeric" and new.arguments:
        scale = new.arguments[1] if len(new.arguments) > 1 else 0
        return f"abs(round({name}::numeric, {scale})) >= 1e{new.arguments[0] - scale}"
    return ""


def _question(around: Around, change: AlterColumn) -> Question | None:
    if not _is_narrowed(around, change) or is_rewritten_before(around, change.table):
        return None
    return Question(change.table, _misfit(change)) if can_count(around, change.table, change.column) else None
