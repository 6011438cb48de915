"""Compares two catalogs: what of columns and objects vanished or changed though no script declared it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from handrail.facts import ColumnFacts, DatabaseFacts, Fingerprint, ObjectKind, SchemaObject, TableFacts, TableName
from handrail.rehearsal.expectation import Expectation, TableExpectation

_TOKEN = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|`[^`]*`|\[[^\]]*\]|[^\W]+|[^\s\w]""")


@dataclass(frozen=True, slots=True)
class Problem:
    """A change that nobody declared. `table` is the name before, None when it concerns no single table; `column` and
    `is_loss` (something vanished) say what a declaration would have to name."""

    table: TableName | None
    text: str
    column: str | None = None
    is_loss: bool = False
    names: tuple[str, ...] = field(default=())


def column_problems(before: TableFacts, after: TableFacts, expected: TableExpectation) -> Iterator[Problem]:
    """Columns that vanished or have other attributes, and another primary key."""
    columns = {column.name: column for column in after.columns}
    for column in before.columns:
        if column.name in expected.dropped:
            continue
        found = columns.get(expected.name_after(column.name))
        if found is None:
            if column.name not in expected.vanishing and not expected.may_vanish:
                yield Problem(before.name, f"column {column.name} is gone", column.name, is_loss=True)
        elif not expected.rows_declared and column.name not in expected.declared:
            yield from _attribute_problems(before.name, column, found, expected)
    yield from _key_problems(before, after, expected)


def _attribute_problems(
    table: TableName, before: ColumnFacts, after: ColumnFacts, expected: TableExpectation
) -> Iterator[Problem]:
    name = before.name
    unchecked = before.not_null_unchecked
    if unchecked and after.nullable and not after.not_null_unchecked and name not in expected.attributes:
        yield Problem(table, f"constraint {unchecked} is gone", is_loss=True, names=(unchecked,))
    may_convert, may_alter = name in expected.altered, name in expected.attributes
    may_tighten = may_alter or expected.constraints_touched or bool(unchecked)  # VALIDATE CONSTRAINT
    checks = (
        ("type", before.type, before.type if _is_same_type(before.type, after.type) else after.type, may_convert),
        ("collation", before.collation, after.collation, may_convert),
        ("generated", before.generated, after.generated, may_convert),
        ("nullable", before.nullable, after.nullable, may_tighten),
        ("default", before.default, after.default, may_alter),
    )
    for what, old, new, is_declared in checks:
        if old != new and not is_declared:
            yield Problem(table, f"column {name}: {what} was {_shown(old)} and is {_shown(new)}", name)


def _is_same_type(one: str, other: str) -> bool:
    """Types are compared without regard to case and white space; SQLAlchemy spells a reflected INT as INTEGER."""
    plain = ["".join(text.split()).casefold() for text in (one, other)]
    return len({"integer" if text == "int" else text for text in plain}) == 1


def _shown(value: object) -> str:
    return (
        {None: "none", True: "yes", False: "no"}.get(value, str(value))
        if isinstance(value, bool | None)
        else str(value)
    )


def _key_problems(before: TableFacts, after: TableFacts, expected: TableExpectation) -> Iterator[Problem]:
    free = expected.dropped | expected.declared | expected.vanishing
    if expected.rows_declared or expected.constraints_touched or free & set(before.primary_key):
        return
    key = tuple(expected.name_after(column) for column in before.primary_key)
    if before.primary_key and key != after.primary_key:
        new = ", ".join(after.primary_key) or "none"
        yield Problem(before.name, f"the primary key was {', '.join(key)} and is {new}")


def object_problems(before: DatabaseFacts, after: DatabaseFacts, expectation: Expectation) -> Iterator[Problem]:
    """Indexes, constraints, triggers, views, enums, sequences that vanished or changed. New ones are always fine."""
    judge = _ObjectJudge(before, after, expectation)
    for thing in before.objects:
        yield from judge.problems(thing)


class _ObjectJudge:
    def __init__(self, before: DatabaseFacts, after: DatabaseFacts, expectation: Expectation) -> None:
        self.before, self.after, self.expectation = before, after, expectation
        self.renames = _rename_pairs(expectation)
        self.found: dict[tuple[ObjectKind, TableName | None, str], list[SchemaObject]] = {}
        for thing in after.objects:
            self.found.setdefault((thing.kind, thing.table, thing.name), []).append(thing)

    def problems(self, thing: SchemaObject) -> Iterator[Problem]:
        if self._may_change(thing):
            return
        now = self._counterpart(thing)
        what = f"{thing.kind} {thing.name}"
        if now is None:
            if thing.kind is not ObjectKind.ENUM:  # an enum in use cannot vanish without its columns
                yield Problem(thing.table, f"{what} is gone", is_loss=True, names=(thing.name,))
        elif not self._is_same(thing, now):
            text = f"{what} changed: was {_flat(thing.definition)}, is {_flat(now.definition)}"
            yield Problem(thing.table, text, names=(thing.name,))
        elif thing.is_valid and not now.is_valid:
            yield Problem(thing.table, f"{what} is not valid any more", names=(thing.name,))

    def _may_change(self, thing: SchemaObject) -> bool:
        if thing.name in self.expectation.declared_names:
            return True
        if thing.table is None:
            return self._was_dropped(thing)
        expected = self.expectation.of(thing.table)
        if expected.after is None or self.after.table(expected.after) is None or expected.rows_declared:
            return True  # it goes with its table; a table that vanished is a problem of its own
        if thing.kind is ObjectKind.SEQUENCE and _may_reset(expected):
            return True  # it belongs to a column that goes or is converted
        touched = expected.dropped | expected.altered | expected.declared | expected.vanishing
        return self._was_dropped(thing) or bool(touched & identifiers(thing.definition))

    def _was_dropped(self, thing: SchemaObject) -> bool:
        names = {name for table, name in self.expectation.objects_dropped if table in (None, thing.table)}
        if thing.name in names:
            return True
        # A constraint without a name of its own is dropped by the name that a convention gives it.
        is_unnamed = thing.kind is ObjectKind.CONSTRAINT and thing.name == thing.definition
        known = {other.name for other in self.before.objects if other.table == thing.table}
        return is_unnamed and any(
            (name is None or name not in known) and table == thing.table
            for table, name in self.expectation.objects_dropped
        )

    def _counterpart(self, thing: SchemaObject) -> SchemaObject | None:
        """The same object after: by name, else one that says the same under another name."""
        table = None if thing.table is None else self.expectation.of(thing.table).after
        named = self.found.get((thing.kind, table, thing.name), [])
        if named:
            return next((other for other in named if self._is_same(thing, other)), named[0])
        alike = (other for other in self.after.objects if other.kind is thing.kind and other.table == table)
        return next((other for other in alike if self._says_same(thing, other)), None)

    def _says_same(self, thing: SchemaObject, other: SchemaObject) -> bool:
        if thing.kind in (ObjectKind.ENUM, ObjectKind.SEQUENCE) and thing.table is None:
            return False
        return same_definition(thing.definition, other.definition, self.renames | {(thing.name, other.name)})

    def _is_same(self, thing: SchemaObject, now: SchemaObject) -> bool:
        if thing.kind is ObjectKind.ENUM:
            kept = set(thing.definition.splitlines()) <= set(now.definition.splitlines())
            return kept or self._is_enum_altered(thing)
        return same_definition(thing.definition, now.definition, self.renames)

    def _is_enum_altered(self, enum: SchemaObject) -> bool:
        """Whether a column of this enum had its type altered by a script, or is declared to change."""
        changing = (
            (column, expected.altered | expected.declared)
            for table in self.before.tables
            if (expected := self.expectation.of(table.name))
            for column in table.columns
        )
        return any(column.name in names and enum.name in identifiers(column.type) for column, names in changing)


def sequence_problems(
    before: Fingerprint, after: Fingerprint, facts: DatabaseFacts, facts_after: DatabaseFacts, expectation: Expectation
) -> Iterator[Problem]:
    """Counters that went backwards or vanished: the next row could take a number that was given before."""
    uncounted = _counting(facts) - _counting(facts_after)  # the lost attribute is the problem, its counter follows
    owners = {thing.name: thing.table for thing in facts.objects if thing.kind is ObjectKind.SEQUENCE}
    values = dict(after.sequences)
    for name, value in before.sequences:
        owner = owners.get(name) or (TableName(name) if facts.table(TableName(name)) else None)
        expected = None if owner is None else expectation.of(owner)
        if name in expectation.declared_names or (expected is not None and _may_reset(expected)):
            continue
        new_name = name if expected is None or expected.after is None else expected.after.name
        now = values.get(name, values.get(new_name))
        if now is None and owner in uncounted:
            continue
        if now is None:
            yield Problem(owner, f"the counter {name} is gone (it stood at {value})", names=(name,))
        elif now < value:
            yield Problem(owner, f"the counter {name} went back from {value} to {now}", names=(name,))


def _counting(facts: DatabaseFacts) -> set[TableName | None]:
    """Tables whose key is said to be counted up by the table itself."""
    return {thing.table for thing in facts.objects if thing.name.casefold() == "autoincrement"}


def _may_reset(expected: TableExpectation) -> bool:
    return (
        expected.after is None
        or expected.rows_declared
        or bool(expected.dropped | expected.vanishing | expected.altered)
    )


def schema_differences(rehearsed: DatabaseFacts, live: DatabaseFacts) -> Iterator[str]:
    """How a live catalog differs from the one the rehearsal ended with (by names only on another major version)."""
    if not rehearsed.is_worded_as(live):
        rehearsed, live = _unworded(rehearsed), _unworded(live)
    names = sorted({table.name for table in (*rehearsed.tables, *live.tables)}, key=str)
    for name in names:
        expected, found = rehearsed.table(name), live.table(name)
        if expected != found:
            yield f"table {name} is not as rehearsed"
    missing, new = set(rehearsed.objects) - set(live.objects), set(live.objects) - set(rehearsed.objects)
    for thing in sorted(missing | new, key=lambda thing: (thing.kind, thing.name, thing.definition)):
        yield f"{thing.kind} {thing.name} is {'not there' if thing in missing else 'new'}, unlike rehearsed"


def _unworded(facts: DatabaseFacts) -> DatabaseFacts:
    return replace(facts, objects=tuple(replace(thing, definition="") for thing in facts.objects))


def leftovers(before: DatabaseFacts, after: DatabaseFacts) -> Iterator[str]:
    """What is there after a way back that was not there at the start. An enum or a sequence that is left holds no
    rows and stops no second upgrade that passes in the rehearsal."""
    for table in after.tables:
        known = before.table(table.name)
        if known is None:
            yield f"table {table.name} is left behind"
        else:
            more = [name for name in table.column_names() if name not in known.column_names()]
            yield from (f"column {table.name}.{name} is left behind" for name in more)
    there = {(thing.kind, thing.table, thing.name) for thing in before.objects}
    for thing in after.objects:
        is_harmless = thing.kind in (ObjectKind.ENUM, ObjectKind.SEQUENCE)
        is_new = (thing.kind, thing.table, thing.name) not in there
        if is_new and not is_harmless and (thing.table is None or before.table(thing.table) is not None):
            yield f"{thing.kind} {thing.name} is left behind"


def same_definition(before: str, after: str, renames: Iterable[tuple[str, str]] = ()) -> bool:
    """Equal up to white space, quoting of identifiers and the given renames."""
    one, other, allowed = _tokens(before), _tokens(after), set(renames)
    if len(one) != len(other):
        return False
    return all(old == new or (old, new) in allowed for old, new in zip(one, other, strict=True))


def identifiers(definition: str) -> set[str]:
    """The words of an SQL text that may be names."""
    return {token for token in _tokens(definition) if not token.startswith("'")}


def _tokens(text: str) -> list[str]:
    tokens = []
    for token in _TOKEN.findall(text):
        quote = token[0]
        plain = token[1:-1].replace('""', '"') if quote in '"`[' and len(token) > 1 else token
        tokens.append(plain)
    return tokens


def _rename_pairs(expectation: Expectation) -> set[tuple[str, str]]:
    pairs = {(old.name, new.name) for old, new in expectation.renamed().items()}
    for table in expectation.tables:
        pairs.update(table.renamed)
    return pairs


def _flat(definition: str) -> str:
    return " ".join(definition.split())
