"""The verdict finds every planted change, and never fails a declared one."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from handrail.facts import (
    ColumnFacts,
    DatabaseFacts,
    Fingerprint,
    FingerprintRequest,
    GroupDigest,
    ObjectKind,
    SchemaObject,
    TableFacts,
    TableFingerprint,
    TableName,
)
from handrail.migrations.declarations import marker
from handrail.migrations.operations import Operation, OperationKind
from handrail.rehearsal.compare import Verdict, verdict
from handrail.rehearsal.expectation import column_groups, expect
from unit.building import operation, path_of, revision

K = OperationKind
Value = None | int | float | str | bytes | bool
Row = dict[str, Value]


@dataclass
class Toy:
    """A database in memory: rows and column facts per table, schema objects, counters."""

    rows: dict[str, list[Row]]
    columns: dict[str, list[ColumnFacts]]
    objects: list[SchemaObject] = field(default_factory=list)
    counters: dict[str, int] = field(default_factory=dict)

    def facts(self) -> DatabaseFacts:
        tables = tuple(TableFacts(TableName(name), tuple(columns)) for name, columns in sorted(self.columns.items()))
        return DatabaseFacts("toy", "1", frozenset(), tables, tuple(self.objects), 0)

    def fingerprint(self, request: FingerprintRequest) -> Fingerprint:
        tables = []
        for name in sorted(self.rows):
            whole = tuple(column.name for column in self.columns[name])
            groups = request.get(TableName(name), (whole,))
            digests = tuple(GroupDigest(group, self._digest(name, group)) for group in groups)
            tables.append(TableFingerprint(TableName(name), len(self.rows[name]), digests))
        return Fingerprint("toy", tuple(tables), tuple(sorted(self.counters.items())))

    def _digest(self, name: str, group: tuple[str, ...]) -> str:
        values = sorted(
            repr([(type(row[column]).__name__, row[column]) for column in group]) for row in self.rows[name]
        )
        return hashlib.sha256("\n".join(values).encode()).hexdigest()


TABLES, COLUMNS = ("bookings", "users", "예약"), ("id", "topic", "note")
VALUES: tuple[Value, ...] = (None, "", "0", 0, 1, -3, 0.0, -0.0, 1.5, True, False, "한글", "🙂", b"", b"0")


def make_toy(seed: int) -> Toy:
    """A database with one to three small tables; made from a seed, because drawing each value would take seconds."""
    chance = random.Random(seed)
    names = chance.sample(TABLES, chance.randint(1, 3))
    toy = Toy({}, {})
    for name in names:
        toy.columns[name] = [ColumnFacts(column, "TEXT", True) for column in COLUMNS]
        toy.rows[name] = [{c: chance.choice(VALUES) for c in COLUMNS} for _ in range(chance.randint(0, 4))]
        toy.counters[name] = chance.randint(1, 9)
        for kind in (ObjectKind.INDEX, ObjectKind.TRIGGER, ObjectKind.CONSTRAINT):
            toy.objects.append(SchemaObject(kind, f"{kind}_{name}", TableName(name), f"{kind} ON {name} (topic)"))
    return toy


def toys() -> st.SearchStrategy[Toy]:
    return st.builds(make_toy, st.integers(0, 2**32))


def judge(before: Toy, after: Toy, source: str = "", operations: tuple[Operation, ...] = ()) -> Verdict:
    facts = before.facts()
    expectation = expect(path_of(revision(source)), {"1a2b": operations}, facts)
    one, other = column_groups(expectation, facts)
    survivors = {name.name for name in other}
    other = {name: groups for name, groups in other.items() if _has(after, name.name, groups)} if survivors else other
    return verdict(before.fingerprint(one), after.fingerprint(other), facts, after.facts(), expectation)


def _has(toy: Toy, name: str, groups: tuple[tuple[str, ...], ...]) -> bool:
    """A database cannot digest columns that are not there; it falls back on the whole table."""
    there = {column.name for column in toy.columns.get(name, [])}
    return all(set(group) <= there for group in groups)


def delete_row(toy: Toy, table: str, pick: int) -> None:
    toy.rows[table].pop(pick % len(toy.rows[table]))


def add_row(toy: Toy, table: str, pick: int) -> None:
    toy.rows[table].append({column.name: pick for column in toy.columns[table]})


def change_value(toy: Toy, table: str, pick: int) -> None:
    row = toy.rows[table][pick % len(toy.rows[table])]
    column = COLUMNS[pick % len(COLUMNS)]
    row[column] = f"{row[column]!r} changed"


def change_kind_of_value(toy: Toy, table: str, pick: int) -> None:
    """The same text on paper, another type: NULL for '', '1' for 1."""
    row = toy.rows[table][pick % len(toy.rows[table])]
    column = COLUMNS[pick % len(COLUMNS)]
    old = row[column]
    row[column] = {None: "", "": None}.get(old, str(old).encode()) if isinstance(old, str | None) else str(old)


def exchange_values(toy: Toy, table: str, pick: int) -> None:
    """Two rows swap the values of one column: counts and each column's own values stay as they are."""
    one, two = toy.rows[table][0], toy.rows[table][1]
    assume(one["topic"] != two["topic"] and one["note"] != two["note"])
    one["topic"], two["topic"] = two["topic"], one["topic"]


def drop_table(toy: Toy, table: str, pick: int) -> None:
    del toy.rows[table], toy.columns[table]
    toy.objects = [thing for thing in toy.objects if thing.table != TableName(table)]


def drop_column(toy: Toy, table: str, pick: int) -> None:
    toy.columns[table].pop(pick % len(toy.columns[table]))


def alter_column(change: Callable[[ColumnFacts], ColumnFacts]) -> Callable[[Toy, str, int], None]:
    def plant(toy: Toy, table: str, pick: int) -> None:
        place = pick % len(toy.columns[table])
        toy.columns[table][place] = change(toy.columns[table][place])

    return plant


def drop_object(toy: Toy, table: str, pick: int) -> None:
    own = [thing for thing in toy.objects if thing.table == TableName(table)]
    toy.objects.remove(own[pick % len(own)])


def change_object(toy: Toy, table: str, pick: int) -> None:
    own = [thing for thing in toy.objects if thing.table == TableName(table)]
    old = own[pick % len(own)]
    toy.objects[toy.objects.index(old)] = replace(old, definition=f"{old.definition} WHERE id > {pick}")


def turn_counter_back(toy: Toy, table: str, pick: int) -> None:
    toy.counters[table] -= 1


def lose_counter(toy: Toy, table: str, pick: int) -> None:
    del toy.counters[table]


ROW_CHANGES = {"delete_row": delete_row, "change_value": change_value, "change_kind_of_value": change_kind_of_value}
CHANGES: dict[str, Callable[[Toy, str, int], None]] = {
    **ROW_CHANGES,
    "add_row": add_row,
    "exchange_values": exchange_values,
    "drop_table": drop_table,
    "drop_column": drop_column,
    "type": alter_column(lambda column: replace(column, type="INTEGER")),
    "nullable": alter_column(lambda column: replace(column, nullable=False)),
    "default": alter_column(lambda column: replace(column, default="'x'")),
    "collation": alter_column(lambda column: replace(column, collation="NOCASE")),
    "generated": alter_column(lambda column: replace(column, generated=True)),
    "rename_column": alter_column(lambda column: replace(column, name="other")),
    "drop_object": drop_object,
    "change_object": change_object,
    "turn_counter_back": turn_counter_back,
    "lose_counter": lose_counter,
}


def planted(toy: Toy, change: str, pick: int) -> tuple[Toy, str]:
    table = sorted(toy.rows)[pick % len(toy.rows)]
    assume(len(toy.rows[table]) >= (2 if change == "exchange_values" else 1 if change in ROW_CHANGES else 0))
    after = deepcopy(toy)
    if change == "rename_column":
        for row in after.rows[table]:
            row["other"] = None
    CHANGES[change](after, table, pick)
    return after, table


changes = st.sampled_from(sorted(CHANGES))


@given(toys(), changes, st.integers(0, 11))
def test_no_planted_change_escapes(toy: Toy, change: str, pick: int) -> None:
    after, table = planted(toy, change, pick)
    found = judge(toy, after)
    assert not found.is_lossless
    assert [str(proof.table) for proof in found.tables if proof.is_failure] == [table]
    assert "# handrail: " in found.hint


@pytest.mark.long
@settings(max_examples=10_000)
@given(toys(), changes, st.integers(0, 11))
def test_no_planted_change_escapes_in_a_campaign(toy: Toy, change: str, pick: int) -> None:
    after, table = planted(toy, change, pick)
    assert [str(proof.table) for proof in judge(toy, after).tables if proof.is_failure] == [table]


@given(toys(), changes, st.integers(0, 11), changes, st.integers(0, 11))
def test_no_planted_change_hides_behind_an_expected_one(
    toy: Toy, change: str, pick: int, expected: str, column: int
) -> None:
    """A script that works on one column excuses nothing on another table."""
    after, table = planted(toy, change, pick)
    others = sorted(set(toy.rows) - {table})
    assume(others)
    name = COLUMNS[column % len(COLUMNS)]
    operations = (operation(K.DROP_COLUMN, others[0], name), operation(K.ALTER_COLUMN, others[0], "id"))
    found = judge(toy, after, f"# handrail: changes {others[0]}\n", operations)
    assert str(table) in [str(proof.table) for proof in found.tables if proof.is_failure]


@given(toys(), changes, st.integers(0, 11))
def test_a_declared_change_never_fails(toy: Toy, change: str, pick: int) -> None:
    after, table = planted(toy, change, pick)
    lines = [marker(TableName(table)), marker(TableName(table), verb="drops")]
    assert judge(toy, after, "\n".join(lines) + "\n").failures == ()


@given(
    toys(), changes, st.integers(0, 11), st.sampled_from(TABLES), st.none() | st.sampled_from(COLUMNS), st.booleans()
)
def test_a_declaration_never_adds_a_failure(
    toy: Toy, change: str, pick: int, table: str, column: str | None, may_vanish: bool
) -> None:
    after, _ = planted(toy, change, pick)
    plain = judge(toy, after)
    more = judge(toy, after, marker(TableName(table), column, verb="drops" if may_vanish else "changes") + "\n")
    failed = {proof.table for proof in plain.tables if proof.is_failure}
    assert {proof.table for proof in more.tables if proof.is_failure} <= failed
    assert set(more.problems) <= set(plain.problems)


@given(toys())
def test_without_a_change_nothing_fails(toy: Toy) -> None:
    shuffled = deepcopy(toy)
    for rows in shuffled.rows.values():
        rows.reverse()
    assert judge(toy, shuffled).failures == ()


@given(toys(), st.integers(0, 11))
def test_operations_declare_themselves(toy: Toy, pick: int) -> None:
    """Rename the table, rename one column, drop another, add a third: carried out as the operations say."""
    table = sorted(toy.rows)[pick % len(toy.rows)]
    old, gone = COLUMNS[pick % 3], COLUMNS[(pick + 1) % 3]
    after = deepcopy(toy)
    columns = [replace(c, name="new") if c.name == old else c for c in after.columns.pop(table) if c.name != gone]
    after.columns["moved"] = [*columns, ColumnFacts("extra", "TEXT", False, "'x'")]
    after.rows["moved"] = [
        {**{("new" if k == old else k): v for k, v in row.items() if k != gone}, "extra": "x"}
        for row in after.rows.pop(table)
    ]
    after.counters["moved"] = after.counters.pop(table)
    after.objects = [
        replace(thing, table=TableName("moved"), definition=_renamed(thing.definition, table, old))
        if thing.table == TableName(table)
        else thing
        for thing in after.objects
    ]
    operations = (
        operation(K.RENAME_TABLE, table, new_table="moved"),
        operation(K.ALTER_COLUMN, "moved", old, to="new"),
        operation(K.DROP_COLUMN, "moved", gone),
        operation(K.ADD_COLUMN, "moved", "extra"),
    )
    assert judge(toy, after, "", operations).failures == ()
    for row in after.rows["moved"][:1]:
        row["new"] = f"{row['new']!r} changed"
        assert not judge(toy, after, "", operations).is_lossless


def _renamed(definition: str, table: str, column: str) -> str:
    text = definition.replace(f"ON {table} ", "ON moved ")
    return text.replace("(topic)", "(new)") if column == "topic" else text
