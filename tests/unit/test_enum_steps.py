"""Invariants of enum changes: a change turned twice is itself, ADD VALUE leads to the wanted order, code is code."""

from __future__ import annotations

import ast
import io
import re

import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from mako.pygen import PythonPrinter  # type: ignore[import-untyped]

from handrail.enums.changes import ChangeColumn, ChangeLabels, EnumChange, MakeType, RenameType, TableCheck, Values
from handrail.enums.code import source_lines, text_literal
from handrail.enums.plan import PlannedChange
from handrail.enums.postgres_steps import postgres_steps
from handrail.enums.states import ColumnName, StoredEnum, Strategy
from handrail.facts import TableName

ODD = (
    "it's",
    'say "hi"',
    "b :c",
    "a::b",
    "x: # y",
    ":#",
    "100%",
    "%(a)s",
    "\\",
    "\\:x",
    "{brace}",
    "예정",
    "two\nlines",
    "",
)
texts = st.one_of(st.sampled_from(ODD), st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=8))
labels = st.lists(texts, min_size=1, max_size=7, unique=True).map(tuple)
names = st.builds(TableName, texts.filter(bool))
columns = st.builds(ColumnName, names, texts.filter(bool))


@st.composite
def stored(draw: st.DrawFn, column: ColumnName | None = None) -> StoredEnum:
    strategy = draw(st.sampled_from(Strategy))
    held = draw(labels)
    name = draw(st.sampled_from(["ck_a", "ck 'b': # c"])) if strategy is Strategy.CHECK else ""
    return StoredEnum(
        column or draw(columns),
        strategy,
        labels=() if strategy is Strategy.VARCHAR else held,
        type_name=draw(texts) if strategy is Strategy.NATIVE else "",
        check_name=name,
        length=draw(st.sampled_from([None, 50])),
        default=draw(st.sampled_from([None, *held])),
    )


@st.composite
def values(draw: st.DrawFn, before: tuple[str, ...], after: tuple[str, ...]) -> Values:
    """Renames of labels that go, to labels that come."""
    gone = [label for label in before if label not in after]
    new = draw(st.permutations([label for label in after if label not in before]))
    number = draw(st.integers(0, min(len(gone), len(new))))
    return Values(dict(zip(gone[:number], new[:number], strict=True)))


@st.composite
def label_changes(draw: st.DrawFn) -> ChangeLabels:
    before, after, column = draw(labels), draw(labels), draw(columns)
    users = (draw(stored(column)),)
    users_after = (draw(stored(column)),)
    moved = draw(values(before, after))
    return ChangeLabels(draw(names), before, after, users, users_after, moved, draw(st.booleans()))


@st.composite
def column_changes(draw: st.DrawFn) -> ChangeColumn:
    column = draw(columns)
    before, after = draw(stored(column)), draw(stored(column))
    return ChangeColumn(before, after, draw(values(before.labels, after.labels)))


changes: st.SearchStrategy[EnumChange] = st.one_of(
    st.builds(MakeType, names, labels, st.booleans()),
    st.builds(RenameType, names, names),
    st.builds(TableCheck, stored().filter(lambda one: one.strategy is Strategy.CHECK), st.booleans()),
    label_changes(),
    column_changes(),
)
both = st.fixed_dictionaries({"postgresql": st.lists(changes).map(tuple), "sqlite": st.lists(changes).map(tuple)})
planned = st.builds(PlannedChange, texts, both, st.lists(columns, max_size=2).map(tuple))


@given(changes)
def test_a_change_turned_twice_is_itself(change: EnumChange) -> None:
    assert change.reversed().reversed() == change


@given(planned)
def test_a_plan_turned_twice_is_itself(plan: PlannedChange) -> None:
    assert plan.reversed().reversed() == plan


@given(planned)
def test_code_compiles_whatever_the_labels_are(plan: PlannedChange) -> None:
    written = io.StringIO()
    printer = PythonPrinter(written)
    for line in ("def upgrade():", "pass", *source_lines(plan)):
        printer.writeline(line)
    printer.close()
    compile(written.getvalue(), "script", "exec")


@given(st.lists(texts, max_size=4).map("".join))
def test_sql_in_a_script_is_what_was_meant(sql: str) -> None:
    assert str(sa.text(ast.literal_eval(text_literal(sql))).compile()) == sql


_ADDED = re.compile(r"ALTER TYPE \S+ ADD VALUE IF NOT EXISTS '(\w+)'(?: (BEFORE|AFTER) '(\w+)')?")
_RENAMED = re.compile(r"ALTER TYPE \S+ RENAME VALUE '(\w+)' TO '(\w+)'")
words = st.lists(st.text("abcdefgh", min_size=1, max_size=2), min_size=1, max_size=8, unique=True)


@given(words, st.data())
def test_added_values_stand_where_they_are_wanted(after: list[str], data: st.DataObject) -> None:
    """PostgreSQL played on a list: whatever was there, the order is the wanted one without another type."""
    kept = data.draw(
        st.lists(st.sampled_from(after), min_size=1, unique=True).map(lambda some: sorted(some, key=after.index))
    )
    renames = {f"old_{label}": label for label in data.draw(st.lists(st.sampled_from(kept), unique=True))}
    olds = {new: old for old, new in renames.items()}
    before = tuple(olds.get(label, label) for label in kept)
    found = list(before)
    for step in postgres_steps(ChangeLabels(TableName("status"), before, tuple(after), values=Values(renames))):
        sql = getattr(step, "sql", "")
        if renamed := _RENAMED.fullmatch(sql):
            found[found.index(renamed[1])] = renamed[2]
            continue
        added = _ADDED.fullmatch(sql)
        assert added is not None, sql
        place = len(found) if added[3] is None else found.index(added[3]) + (added[2] == "AFTER")
        found.insert(place, added[1])
    assert found == after
