"""The contract of a lint rule: one class, one file; its cases are its tests and its documentation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Protocol

from handrail.enums.states import ModelEnum
from handrail.facts import DatabaseFacts, Question
from handrail.lint.finding import Finding
from handrail.migrations.reading import ScriptReading
from handrail.migrations.revision import Direction


@dataclass(frozen=True, slots=True)
class LintContext:
    """What rules may look at. `scripts` are in the order in which they would run.

    `is_path` is True when the scripts are what will run, in one go, on the database of `facts` (or on an empty one);
    False when they are a whole history, of which any beginning may already have run somewhere.
    `heads` are the script heads; `current` is what the database is stamped with, `unknown` those that no script has.
    `engines` are those on which the scripts may run; `answers` what counting in the live database gave. `is_whole`: the
    scripts are all that the project has. `enums` are the enum columns of the models of today, where these were read.
    """

    scripts: tuple[ScriptReading, ...]
    facts: DatabaseFacts | None = None
    is_path: bool = True
    direction: Direction = Direction.UPGRADE
    heads: tuple[str, ...] = ()
    current: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    engines: frozenset[str] = frozenset({"postgresql", "sqlite"})
    answers: Mapping[Question, int] = field(default_factory=dict)
    is_whole: bool = False
    enums: tuple[ModelEnum, ...] = ()


@dataclass(frozen=True, slots=True)
class Harm:
    """What the bad script does to a real database, to be observed there: `fails` (a part of the error), a lock that it
    takes (`lock` on `table`, by PostgreSQL's mode name without "Lock"), `rewrites` the table, or `loses`: rows or
    values of the table are no longer what they were, though nobody said so."""

    table: str = ""
    lock: str = ""
    rewrites: bool = False
    fails: str = ""
    loses: bool = False


@dataclass(frozen=True, slots=True)
class Case:
    """An example for a rule: scripts by file name, and what else the rule looks at.

    With `setup` (SQL that makes the tables and rows it starts from) the case can be run on real databases of the rule's
    engines; a bad one shows its `harm` there, a good one runs through without the harm of the bad ones.
    """

    title: str
    sources: Mapping[str, str] = field(default_factory=dict)
    heads: tuple[str, ...] = ()
    current: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    setup: tuple[str, ...] = ()
    harm: Harm | None = None
    enums: tuple[ModelEnum, ...] = ()


class Rule(Protocol):
    """A rule has no state; `check` reads the context and returns findings in the order of the scripts.

    Every case of BAD has at least one finding of this rule, no case of GOOD has any.
    """

    code: ClassVar[str]
    title: ClassVar[str]
    why: ClassVar[str]
    BAD: ClassVar[tuple[Case, ...]]
    GOOD: ClassVar[tuple[Case, ...]]

    def check(self, context: LintContext) -> Iterable[Finding]: ...
