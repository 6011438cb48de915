"""HR-MF102: rows that share a value, and a unique constraint or index on it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from handrail.amounts import count
from handrail.facts import Question, TableName
from handrail.lint.change_rule import Around, ChangeRule
from handrail.lint.finding import Finding, Severity
from handrail.lint.rule import Case, Harm
from handrail.lint.samples import START
from handrail.lint.script_facts import can_count, is_new_column, is_rewritten_before
from handrail.migrations.changes import AddColumn, AddConstraint, ConstraintKind, CreateIndex

_SETUP = (
    "CREATE TABLE bookings (id integer PRIMARY KEY, topic varchar(20))",
    "INSERT INTO bookings VALUES (1, 'a'), (2, 'a')",
)
_HARM = Harm(fails="topic")


class DuplicatesBeforeUnique(ChangeRule):
    code: ClassVar[str] = "HR-MF102"
    title: ClassVar[str] = "duplicates before a unique constraint"
    why: ClassVar[str] = (
        "The database checks every row when it builds the unique index: one pair with equal values and the upgrade "
        "fails in the middle of the release, after it has held its locks. Only counting in the live data can tell; the "
        "empty database of a test has no duplicates."
    )
    BAD: ClassVar[tuple[Case, ...]] = (
        Case(
            "a unique index",
            {"index.py": START + "    op.create_index('uq_topic', 'bookings', ['topic'], unique=True)\n"},
            setup=_SETUP,
            harm=_HARM,
        ),
        Case(
            "a unique constraint in a batch",
            {
                "batch.py": START + "    with op.batch_alter_table('bookings') as batch_op:\n"
                "        batch_op.create_unique_constraint('uq_topic', ['topic'])\n"
            },
            setup=_SETUP,
            harm=_HARM,
        ),
        Case(
            "as SQL, in a loop",
            {
                "loop.py": START + "    for name in ('id', 'topic'):\n"
                "        op.execute(f'CREATE UNIQUE INDEX uq_{name} ON bookings ({name})')\n"
            },
            setup=_SETUP,
            harm=_HARM,
        ),
        Case(
            "a unique column with one value for all",
            {"column.py": START + "    op.execute(\"ALTER TABLE bookings ADD COLUMN slug text DEFAULT '-' UNIQUE\")\n"},
        ),
    )
    GOOD: ClassVar[tuple[Case, ...]] = (
        Case(
            "an index that is not unique",
            {"index.py": START + "    op.create_index('ix_topic', 'bookings', ['topic'])\n"},
            setup=_SETUP,
        ),
        Case(
            "a table that the same script made",
            {
                "new.py": START + "    op.create_table('rooms', sa.Column('name', sa.Text()))\n"
                "    op.create_index('uq_name', 'rooms', ['name'], unique=True)\n"
            },
            setup=_SETUP,
        ),
        Case(
            "a new column without a default, NULL everywhere",
            {
                "null.py": START + "    op.add_column('bookings', sa.Column('slug', sa.Text()))\n"
                "    op.create_index('uq_slug', 'bookings', ['slug'], unique=True)\n"
            },
            setup=_SETUP,
        ),
        Case(
            "a constraint from an index that was built",
            {
                "using.py": START
                + "    op.execute('ALTER TABLE bookings ADD CONSTRAINT uq UNIQUE USING INDEX uq_topic')\n"
            },
        ),
    )

    def ask(self, around: Around) -> Iterable[Question]:
        key = _key(around)
        if key is not None and not is_rewritten_before(around, key.table) and (question := key.question(around)):
            yield question

    def look(self, around: Around) -> Iterable[Finding]:
        key = _key(around)
        if key is None or around.is_empty(key.table):
            return
        question = None if is_rewritten_before(around, key.table) else key.question(around)
        found = None if question is None else around.answer(question)
        on = f"{key.table} ({', '.join(key.columns)})"
        if key.is_filled_alike:
            if found is None or found > 1:
                rows = "" if found is None else f" ({count(found, 'row')})"
                yield around.finding(
                    f"{on} is unique and filled with one value for all rows{rows}", _severity(found, 2)
                )
        elif found is None or found > 0:
            what = "rows that share a value make it fail" if found is None else f"{count(found, 'row')} share a value"
            yield around.finding(f"unique on {on}: {what}", _severity(found, 1), fix=_fix(key))


@dataclass(frozen=True, slots=True)
class _Key:
    """What becomes unique. `is_filled_alike`: by a new column that has one value in all rows."""

    table: TableName
    columns: tuple[str, ...]
    condition: str = ""
    is_filled_alike: bool = False

    def question(self, around: Around) -> Question | None:
        if self.is_filled_alike:
            return Question(self.table, "1 = 1") if can_count(around, self.table) else None
        is_plain = all(column.isidentifier() for column in self.columns) and not self.condition
        if not is_plain or not can_count(around, self.table, *self.columns):
            return None
        return Question(self.table, columns=self.columns, duplicates=True)


def _key(around: Around) -> _Key | None:
    """What the change makes unique among rows that are there; None when there is nothing that could be equal."""
    key = _written_key(around)
    if key is None or around.is_new(key.table) or not key.columns or key.is_filled_alike:
        return key if key is not None and not around.is_new(key.table) and key.columns else None
    found = around.facts(key.table)
    if found is not None and found.primary_key and set(found.primary_key) <= set(key.columns):
        return None
    is_new = any(is_new_column(around, key.table, column) for column in key.columns)
    return None if is_new and not is_rewritten_before(around, key.table) else key


def _written_key(around: Around) -> _Key | None:
    match around.change:
        case CreateIndex(table=table, columns=columns, is_unique=True, condition=condition):
            return _Key(table, columns, condition)
        case AddConstraint(table=table, constraint=one) if one.using_index is None:
            is_unique = one.kind in {ConstraintKind.UNIQUE, ConstraintKind.PRIMARY_KEY}
            return _Key(table, one.columns) if is_unique else None
        case AddColumn(table=table, column=column) if column.is_unique and column.name:
            default = column.server_default or ""
            is_constant = default.startswith("'") or default[:1].isdigit()
            return _Key(table, (column.name,), is_filled_alike=True) if is_constant else None
    return None


def _severity(found: int | None, least: int) -> Severity:
    if found is None:
        return Severity.WARNING if least > 1 else Severity.INFO
    return Severity.ERROR


def _fix(key: _Key) -> str:
    names = ", ".join(key.columns)
    return (
        "a revision before this one that decides which row stays of what this finds: "
        f"SELECT {names}, count(*) FROM {key.table} GROUP BY {names} HAVING count(*) > 1"
    )
