"""A plan for enum columns as data: what was wished, what is changed on each engine, what is refused and left alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from handrail.enums.changes import EnumChange
from handrail.enums.postgres_steps import postgres_steps
from handrail.enums.sqlite_steps import sqlite_steps
from handrail.enums.states import ColumnName, ModelEnum, Strategy
from handrail.enums.steps import Step

_BACK = "takes back: "


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a person has said beside the models. `engines` are those on which the script is to run. `renames` and
    `mapping` are texts, old to new. `reorders`: put the order of a native type's labels right. `converts` are columns
    that are to be held otherwise than their models still say: a script of these columns alone."""

    engines: frozenset[str] = frozenset()
    renames: Mapping[str, str] = field(default_factory=dict)
    mapping: Mapping[str, str] = field(default_factory=dict)
    reorders: bool = False
    converts: Mapping[ColumnName, Strategy] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PlannedChange:
    """Changes that belong together, by engine. `title` says what is done, `columns` whose rows are written anew."""

    title: str
    changes: Mapping[str, tuple[EnumChange, ...]]
    columns: tuple[ColumnName, ...] = ()

    def reversed(self) -> PlannedChange:
        """The way back."""
        back = {engine: tuple(one.reversed() for one in reversed(found)) for engine, found in self.changes.items()}
        return replace(self, title=f"{_BACK}{self.title}".removeprefix(_BACK * 2), changes=back)

    def steps(self) -> dict[str, tuple[Step, ...]]:
        makers = {"postgresql": postgres_steps, "sqlite": sqlite_steps}
        return {
            engine: tuple(step for change in found for step in makers[engine](change))
            for engine, found in self.changes.items()
        }


@dataclass(frozen=True, slots=True)
class Refused:
    """A change that must not be written: which column, why, and what helps."""

    column: ColumnName
    why: str
    hint: str

    def __str__(self) -> str:
        return f"{self.column}: {self.why}; {self.hint}"


@dataclass(frozen=True, slots=True)
class EnumPlan:
    """`first` goes before what Alembic itself writes, `last` after it. `handled` are columns whose type, CHECK and
    default Alembic need not change any more. `notes` tell what was left alone on purpose, `unused` are wishes
    ("old=new") that fit no column."""

    first: tuple[PlannedChange, ...] = ()
    last: tuple[PlannedChange, ...] = ()
    handled: frozenset[ColumnName] = frozenset()
    refused: tuple[Refused, ...] = ()
    notes: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Coming:
    """What the script adds and drops anyway: columns of tables that are there, and of tables that come or go whole."""

    added: tuple[ModelEnum, ...] = ()
    created: tuple[ModelEnum, ...] = ()
    dropped: tuple[ColumnName, ...] = ()
    gone: tuple[ColumnName, ...] = ()
