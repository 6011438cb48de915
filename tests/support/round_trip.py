"""A real history walked twice, as it is and with its scripts repaired, and what differs between the two."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Container, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from handrail.databases.postgres.database import PostgresDatabase
from handrail.databases.sqlite.database import SqliteDatabase
from handrail.facts import DatabaseAddress, DatabaseFacts, Fingerprint, ObjectKind, SchemaObject, TableFacts
from support.histories import Project, Walk
from support.postgres import PostgresServer
from support.repaired_history import RepairedHistory

#: Tables by name, and everything beside them.
Schema = tuple[dict[str, TableFacts], frozenset[SchemaObject]]


class Place(Protocol):
    """A database that scripts run on. `aside` is a copy of it that goes away; `back` makes it what `kept` says."""

    @property
    def url(self) -> str: ...
    def schema(self) -> Schema: ...
    def fingerprint(self) -> Fingerprint: ...
    @contextmanager
    def aside(self) -> Iterator[Place]: ...
    def keep(self) -> None: ...
    def back(self) -> None: ...
    def emptied(self) -> Place: ...


def _schema(facts: DatabaseFacts) -> Schema:
    return {str(table.name): table for table in facts.tables}, frozenset(facts.objects)


@dataclass(frozen=True, slots=True)
class SqlitePlace:
    """A file."""

    path: Path

    @property
    def url(self) -> str:
        return f"sqlite:///{self.path}"

    def _database(self) -> SqliteDatabase:
        return SqliteDatabase(DatabaseAddress("sqlite", str(self.path)), work_dir=self.path.parent)

    def schema(self) -> Schema:
        return _schema(self._database().facts())

    def fingerprint(self) -> Fingerprint:
        return self._database().fingerprint()

    @contextmanager
    def aside(self) -> Iterator[Place]:
        copy = SqlitePlace(self.path.with_suffix(".aside"))
        shutil.copyfile(self.path, copy.path)
        yield copy
        copy.path.unlink()

    def keep(self) -> None:
        self.path.touch()
        shutil.copyfile(self.path, self.path.with_suffix(".kept"))

    def back(self) -> None:
        shutil.copyfile(self.path.with_suffix(".kept"), self.path)

    def emptied(self) -> Place:
        self.path.unlink(missing_ok=True)
        return self


@dataclass(slots=True)
class PostgresPlace:
    """A database of a server."""

    server: PostgresServer
    address: DatabaseAddress

    @property
    def url(self) -> str:
        one = self.address
        return f"postgresql+psycopg2://{one.user}:{one.password}@{one.host}:{one.port}/{one.database}"

    def schema(self) -> Schema:
        return _schema(PostgresDatabase(self.address).facts())

    def fingerprint(self) -> Fingerprint:
        return PostgresDatabase(self.address).fingerprint()

    @contextmanager
    def aside(self) -> Iterator[Place]:
        name = f"aside_{self.address.database}"
        yield PostgresPlace(self.server, self.server.clone(name, template=self.address.database))
        self.server.drop(name)

    def keep(self) -> None:
        """A failed script is rolled back by the server."""

    def back(self) -> None:
        """It is what it was."""

    def emptied(self) -> Place:
        self.server.drop(self.address.database)
        self.address = self.server.clone(self.address.database)
        return self


@dataclass(frozen=True, slots=True)
class Step:
    """What one script of the untouched history left. `failed` says why it did not run on
    rows; all were then deleted before it. `down` is the schema when it was taken back, or why it could not be; None
    where nobody looked."""

    id: str
    file: str
    before: Schema
    after: Schema
    failed: str
    down: Schema | str | None

    @property
    def is_cleared(self) -> bool:
        return bool(self.failed)


@dataclass(slots=True)
class Record:
    """The untouched history: its steps until one failed, and the rows at the end."""

    steps: list[Step] = field(default_factory=list)
    scripts: int = 0
    stopped: str = ""
    rows: Fingerprint | None = None
    at_once: Schema | str = ""
    way_back: list[tuple[str, Schema | str]] = field(default_factory=list)


def record(project: Project, versions: Path, place: Place, watched: Container[str]) -> Record:
    """Walk the untouched history, rows in every table, and all of it back at the end. Steps that are `watched` are also
    taken back on a copy, with rows."""
    found = Record()
    with Walk(project, versions) as walk:
        order = walk.order()
        found.scripts = len(order)
        walk.ask("prepare", place.emptied().url)
        before = place.schema()
        for one in order:
            step = _recorded(walk, place, one, before, one["id"] in watched)
            if isinstance(step, str):
                found.stopped = f"{one['file']}: {step}"
                break
            found.steps.append(step)
            before = step.after
        found.rows = _rows(walk, place, found)
        found.way_back = list(_way_back(walk, place, [[step.id] for step in found.steps]))
        if not found.stopped:
            found.at_once = at_once(walk, place)
    return found


def restless(project: Project, versions: Path, place: Place, found: Record) -> frozenset[str]:
    """Tables whose values are others each time (clocks, random ids), by walking the untouched history once more."""
    with Walk(project, versions) as walk:
        walk.ask("prepare", place.emptied().url)
        for step in found.steps:
            if step.is_cleared:
                walk.ask("clear", place.url)
            walk.ask("up", place.url, id=step.id)
            walk.ask("fill", place.url)
        again = _rows(walk, place, found)
    assert found.rows is not None
    return frozenset(str(one.table) for one in found.rows.tables if again.table(one.table) != one)


def _rows(walk: Walk, place: Place, found: Record) -> Fingerprint:
    """The rows at the end; where a script failed in spite of all, its last try has deleted them."""
    if found.stopped:
        walk.ask("clear", place.url)
        walk.ask("fill", place.url)
    return place.fingerprint()


def _recorded(walk: Walk, place: Place, one: dict[str, Any], before: Schema, is_watched: bool) -> Step | str:
    place.keep()
    first = failed = walk.failure("up", place.url, id=one["id"])
    if failed:
        place.back()
        walk.ask("clear", place.url)
        failed = walk.failure("up", place.url, id=one["id"])
    if failed:
        return failed
    after = place.schema()
    down = taken_back(walk, place, [one["id"]]) if is_watched else None
    walk.ask("fill", place.url)
    return Step(one["id"], one["file"], before, after, first, down)


def taken_back(walk: Walk, place: Place, ids: Sequence[str]) -> Schema | str:
    """The schema when these were downgraded, in a copy; or why they could not be."""
    with place.aside() as copy:
        for one in reversed(ids):
            if why := walk.failure("down", copy.url, id=one):
                return why
        return copy.schema()


def _way_back(walk: Walk, place: Place, groups: Sequence[Sequence[str]]) -> Iterator[tuple[str, Schema | str]]:
    """Down from the end to the base, or as far as it goes; rows are deleted first."""
    walk.ask("clear", place.url)
    for group in reversed(groups):
        for one in reversed(group):
            if why := walk.failure("down", place.url, id=one):
                yield group[0], why
                return
        yield group[0], place.schema()


def at_once(walk: Walk, place: Place) -> Schema | str:
    """The schema when everything ran in one call, or why it did not."""
    walk.ask("prepare", place.emptied().url)
    return walk.failure("head", place.url) or place.schema()


@dataclass(slots=True)
class Outcome:
    """What walking the repaired history came to: faults, and how often which class of difference was met first. `rules`
    are those of the repairs that ran so far, `left` what they have left in the schema."""

    faults: list[str] = field(default_factory=list)
    classes: Counter[str] = field(default_factory=Counter)
    rules: set[str] = field(default_factory=set)
    left: frozenset[Difference] = frozenset()
    equal: int = 0
    equal_down: int = 0
    other_values: set[str] = field(default_factory=set)

    def meet(self, where: str, wanted: Schema, got: Schema) -> bool:
        """Whether the schemas are equal, or differ by what repairs are meant to change; else that is a fault."""
        found = differences(wanted, got)
        if strange := [one for one in found if one.meant_by not in self.rules]:
            self.faults.append(f"{where}: {'; '.join(sorted(str(one) for one in strange))}"[:1500])
            return False
        for one in found - self.left:
            self.classes[f"{one.meant_by}: {one.kind}"] += 1
        self.left |= found
        return True


def compare(project: Project, versions: Path, place: Place, untouched: Record, repaired: RepairedHistory) -> Outcome:
    """Walk the repaired history beside the record of the untouched one."""
    found = Outcome()
    with Walk(project, versions) as walk:
        walk.ask("prepare", place.emptied().url)
        before = place.schema()
        for step in untouched.steps:
            rules = repaired.rules.get(step.id, frozenset())
            found.rules |= rules
            after = _walked(walk, place, step, repaired.chain(step.id), found)
            if isinstance(after, str):
                found.faults.append(f"{step.file}: {sorted(rules)} does not run: {after}")
                return found
            found.equal += found.meet(f"{step.file}: {sorted(rules)}", step.after, after)
            if step.down is not None:
                down = taken_back(walk, place, repaired.chain(step.id))
                _judge_down(step, down, before if "HR-PR104" in rules else step.down, found)
            before = after
            walk.ask("fill", place.url)
        _compare_rows(untouched, _rows(walk, place, untouched), found)
        _compare_way_back(walk, place, untouched, repaired, found)
        if isinstance(untouched.at_once, tuple):
            now = at_once(walk, place)
            if isinstance(now, str):
                found.faults.append(f"in one call: {now}")
            else:
                found.meet("in one call", untouched.at_once, now)
    return found


def _walked(walk: Walk, place: Place, step: Step, chain: Sequence[str], found: Outcome) -> Schema | str:
    if step.is_cleared:
        with place.aside() as copy:
            if not _up(walk, copy, chain):
                found.classes["runs on rows on which the untouched script fails"] += 1
        walk.ask("clear", place.url)
    return _up(walk, place, chain) or place.schema()


def _up(walk: Walk, place: Place, chain: Sequence[str]) -> str:
    return next((why for one in chain if (why := walk.failure("up", place.url, id=one))), "")


def _judge_down(step: Step, down: Schema | str, wanted: Schema | str, found: Outcome) -> None:
    """`wanted` is what a downgrade has to lead to, or why the untouched one fails."""
    if isinstance(wanted, str):
        found.classes["neither can be taken back" if isinstance(down, str) else "can be taken back now"] += 1
    elif isinstance(down, str):
        found.faults.append(f"{step.file}: cannot be taken back: {down}")
    else:
        found.equal_down += found.meet(f"{step.file}: taken back", wanted, down)


def _compare_rows(untouched: Record, now: Fingerprint, found: Outcome) -> None:
    assert untouched.rows is not None
    for table in untouched.rows.tables:
        other = now.table(table.table)
        if other is None or other.rows != table.rows:
            found.faults.append(f"{table.table}: {table.rows} rows, repaired {other.rows if other else 'none'}")
        elif other.digests != table.digests:
            found.other_values.add(str(table.table))


def _compare_way_back(walk: Walk, place: Place, untouched: Record, repaired: RepairedHistory, found: Outcome) -> None:
    """Down to the base. Behind a downgrade that a repair has written the untouched history is nowhere to compare with:
    there each step has to lead to the schema that was before it on the way up."""
    was, wrote = dict(untouched.way_back), False
    before = {step.id: step.before for step in untouched.steps}
    for one, now in _way_back(walk, place, [repaired.chain(step.id) for step in untouched.steps]):
        wrote = wrote or "HR-PR104" in repaired.rules.get(one, ())
        wanted = before[one] if wrote else was.get(one, "")
        if isinstance(now, str) and (wrote or isinstance(wanted, tuple)):
            if wrote and isinstance(was.get(one, ""), str):
                found.classes["the way to the base ends where the untouched one does, or later"] += 1
            else:
                found.faults.append(f"down to before {one}: {now}")
        elif isinstance(now, tuple) and isinstance(wanted, tuple):
            found.meet(f"down to before {one}", wanted, now)


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing in which two schemas differ; `meant_by` is the rule whose repair is meant to make it, "" for none."""

    meant_by: str
    kind: str
    text: str

    def __str__(self) -> str:
        return self.text


def differences(wanted: Schema, got: Schema) -> frozenset[Difference]:
    """What two schemas do not share."""
    found = set[Difference]()
    for name in wanted[0].keys() | got[0].keys():
        one, other = wanted[0].get(name), got[0].get(name)
        if one is None or other is None:
            found.add(Difference("", "", f"table {name} {'is more' if one is None else 'is missing'}"))
        elif one != other:
            found.update(_in_table(one, other))
    for lost in wanted[1] - got[1]:
        is_type = lost.kind is ObjectKind.ENUM
        kind = "the type goes with its last column" if is_type else ""
        found.add(Difference("HR-EN103" if is_type else "", kind, f"-{lost}"))
    return frozenset(found | {Difference("", "", f"+{more}") for more in got[1] - wanted[1]})


def _in_table(one: TableFacts, other: TableFacts) -> Iterator[Difference]:
    columns = {column.name: column for column in other.columns}
    if one.column_names() != other.column_names() or one.primary_key != other.primary_key:
        yield Difference("", "", f"{one.name}: columns {one.column_names()} are {other.column_names()}")
    for column in one.columns:
        now = columns.get(column.name, column)
        if now != column:
            is_default = column.default is None and replace(now, default=None) == column
            kind = "the column keeps a server_default" if is_default else ""
            yield Difference("HR-DD101" if is_default else "", kind, f"{one.name}: {column} is {now}")
