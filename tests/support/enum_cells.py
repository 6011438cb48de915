"""The changes that people make to enum columns, as values: tables before and after, and what becomes of their rows."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import sqlalchemy as sa

from handrail import check_enum, native_enum, varchar_enum
from handrail.enums.plan import Wishes

STRATEGIES = ("varchar", "native", "check")
_MAKERS: Mapping[str, Callable[..., sa.Enum]] = {
    "varchar": varchar_enum,
    "native": native_enum,
    "check": check_enum,
}


@dataclass(frozen=True)
class Kept:
    """A column: its labels, how they are kept, and the name of its type. `default` is the server's, `model_default`
    one that only the model has."""

    labels: tuple[str, ...]
    strategy: str
    default: str | None = "scheduled"
    nullable: bool = False
    type: str = "status"
    model_default: str | None = None

    def column(self, name: str) -> sa.Column[Any]:
        type_ = _MAKERS[self.strategy](members(self.labels, self.type), name=self.type)
        return sa.Column(name, type_, nullable=self.nullable, server_default=self.default, default=self.model_default)


Tables = Mapping[str, Mapping[str, Kept]]
Rows = dict[str, list[dict[str, str | None]]]


def members(texts: tuple[str, ...], name: str = "status") -> type[enum.Enum]:
    """An enum class with these texts; the names of its members are none of them."""
    make: Any = enum.Enum
    found: type[enum.Enum] = make(name.title(), [(f"M_{place}", text) for place, text in enumerate(texts)], type=str)
    return found


def metadata(tables: Tables) -> sa.MetaData:
    """The models."""
    found = sa.MetaData()
    for table, columns in tables.items():
        parts = [kept.column(name) for name, kept in columns.items()]
        sa.Table(table, found, sa.Column("id", sa.Integer, primary_key=True, autoincrement=False), *parts)
    return found


@dataclass(frozen=True)
class Change:
    """One edit of the models, and what is wished beside it."""

    before: Tables
    after: Tables
    wishes: Wishes = field(default_factory=Wishes)

    def rows(self) -> Rows:
        """Rows with every text of every column, and with NULL where it may be."""
        return {table: _filled(columns) for table, columns in self.before.items()}

    def upgraded(self, rows: Rows) -> Rows:
        """What the rows are to be after the upgrade."""
        return _carried(rows, self.after, {**self.wishes.renames, **self.wishes.mapping})

    def downgraded(self, rows: Rows) -> Rows:
        """What upgraded rows are to be after the downgrade: a rename goes back, a mapping cannot."""
        return _carried(rows, self.before, {new: old for old, new in self.wishes.renames.items()})


def _filled(columns: Mapping[str, Kept]) -> list[dict[str, str | None]]:
    number = max((len(kept.labels) + kept.nullable for kept in columns.values()), default=2)
    texts = {name: (*kept.labels, *([None] if kept.nullable else [])) for name, kept in columns.items()}
    return [{name: found[place % len(found)] for name, found in texts.items()} for place in range(number)]


def _carried(rows: Rows, tables: Tables, texts: Mapping[str, str]) -> Rows:
    return {
        table: [
            {
                name: texts.get(row[name] or "", row[name]) if name in row else kept.default or kept.model_default
                for name, kept in columns.items()
            }
            for row in rows.get(table, [])
        ]
        for table, columns in tables.items()
    }


TWO = ("scheduled", "done")
THREE = ("scheduled", "gone", "done")


def one(strategy: str, labels: tuple[str, ...] = TWO, **options: Any) -> Tables:
    """A table with one enum column."""
    return {"bookings": {"status": Kept(labels, strategy, **options)}}


def _with(tables: Tables, table: str, column: str, kept: Kept) -> Tables:
    return {**tables, table: {**tables.get(table, {}), column: kept}}


def _second(strategy: str, labels: tuple[str, ...] = TWO, table: str = "rooms", column: str = "state") -> Tables:
    """The same, and a second column of the type: nullable and without a default."""
    return _with(one(strategy, labels), table, column, Kept(labels, strategy, default=None, nullable=True))


def _changes(s: str) -> dict[str, Change]:
    none: Tables = {"bookings": {}}
    gone = Wishes(mapping={"gone": "done"})
    return {
        "create a table": Change({}, one(s)),
        "create two tables of one type": Change({}, _second(s)),
        "create a table with two columns of one type": Change({}, _second(s, table="bookings")),
        "drop the only table": Change(one(s), {}),
        "drop one table of two": Change(_second(s), one(s)),
        "add a column": Change(none, one(s)),
        "add a column with a default of the model": Change(none, one(s, default=None, model_default="done")),
        "add a nullable column": Change(none, one(s, default=None, nullable=True)),
        "add a second column": Change(one(s), _second(s, table="bookings")),
        "add a second table": Change(one(s), _second(s)),
        "drop the only column": Change(one(s), none),
        "drop one column of two": Change(_second(s, table="bookings"), one(s)),
        "add a value first": Change(one(s), one(s, ("late", *TWO))),
        "add a value in the middle": Change(one(s), one(s, ("scheduled", "late", "done"))),
        "add a value last": Change(one(s), one(s, (*TWO, "late"))),
        "add several values": Change(one(s), one(s, ("a", "scheduled", "b", "c", "done", "d", "e"))),
        "add a value to two tables": Change(_second(s), _second(s, (*TWO, "late"))),
        "remove a value with a mapping": Change(one(s, THREE), one(s), gone),
        "remove a value of two tables": Change(_second(s, THREE), _second(s), gone),
        "remove the default": Change(
            one(s, THREE, default="gone"), one(s, default="done"), gone
        ),
        "rename a value": Change(one(s), one(s, ("scheduled", "finished")), Wishes(renames={"done": "finished"})),
        "rename the default": Change(
            one(s), one(s, ("planned", "done"), default="planned"), Wishes(renames={"scheduled": "planned"})
        ),
        "rename a value of two tables": Change(
            _second(s), _second(s, ("scheduled", "finished")), Wishes(renames={"done": "finished"})
        ),
        "rename, add and remove at once": Change(
            one(s, THREE), one(s, ("late", "planned", "done"), default="planned"),
            Wishes(renames={"scheduled": "planned"}, mapping={"gone": "done"}),
        ),
        "reorder on request": Change(one(s), one(s, ("done", "scheduled")), Wishes(reorders=True)),
        "another name of the class": Change(one(s), one(s, type="state")),
        "another name of the class and a value": Change(one(s), one(s, (*TWO, "late"), type="state")),
        "another default": Change(one(s), one(s, default="done")),
        "a new value as default": Change(one(s), one(s, (*TWO, "late"), default="late")),
        "a default where there was none": Change(one(s, default=None), one(s)),
        "nullable": Change(one(s), one(s, nullable=True)),
        "nullable and a value": Change(one(s), one(s, (*TWO, "late"), nullable=True)),
        **{f"to {to}": Change(one(s), one(to)) for to in STRATEGIES if to != s},
        **{f"to {to} with a value": Change(one(s), one(to, (*TWO, "late"))) for to in STRATEGIES if to != s},
        **{
            f"to {to} with a rename": Change(
                one(s), one(to, ("planned", "done"), default="planned"), Wishes(renames={"scheduled": "planned"})
            )
            for to in STRATEGIES if to != s
        },
        **{f"to {to} for one of two": Change(_second(s), {**_second(s), **one(to)}) for to in STRATEGIES if to != s},
    }  # fmt: skip


#: Every change under every strategy, by a name that a test can be chosen by.
CELLS: dict[str, Change] = {
    f"{strategy}: {name}": change for strategy in STRATEGIES for name, change in _changes(strategy).items()
}


def on(change: Change, *engines: str) -> Change:
    """The same change in a script for these engines."""
    return replace(change, wishes=replace(change.wishes, engines=frozenset(engines)))
