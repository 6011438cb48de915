"""Lints scripts: reads each once, asks every rule, returns the findings in reading order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from handrail.facts import DatabaseFacts, Question
from handrail.lint.change_rule import ChangeRule
from handrail.lint.finding import Finding
from handrail.lint.rule import LintContext, Rule
from handrail.lint.rules import RULES
from handrail.lint.settings import LintSettings, weigh
from handrail.lint.suppression import suppress
from handrail.migrations.reading import ScriptReading, read_script
from handrail.migrations.revision import Direction, Revision, RevisionPath


@dataclass(frozen=True, slots=True)
class Stamp:
    """Where history and database stand: the script heads, the database's revisions, those of them no script has."""

    heads: tuple[str, ...] = ()
    current: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()


def lint(
    path: RevisionPath, stamp: Stamp | None = None, facts: DatabaseFacts | None = None, rules: Sequence[Rule] = RULES
) -> tuple[Finding, ...]:
    """Every finding about what is going to run. `facts` is the catalog of the database it will run on."""
    return check(context_of(path, stamp, facts), rules)


def context_of(
    path: RevisionPath, stamp: Stamp | None = None, facts: DatabaseFacts | None = None, *, engine: str = ""
) -> LintContext:
    """What rules may look at when a path is going to run on the database of `facts`, or on one of that engine."""
    found = _context(path.revisions, stamp, facts=facts, direction=path.direction)
    return replace(found, engines=frozenset({engine})) if engine else found


def lint_history(
    scripts: Sequence[Revision], stamp: Stamp | None = None, rules: Sequence[Rule] = RULES
) -> tuple[Finding, ...]:
    """Every finding about a whole history (oldest first), of which any beginning may already have run somewhere."""
    heads = tuple(script.id for script in scripts if script.is_head)
    return check(_context(scripts, stamp or Stamp(heads), is_path=False), rules)


def check(context: LintContext, rules: Iterable[Rule] = RULES) -> tuple[Finding, ...]:
    """Ask the rules about scripts that were read already; what a comment ignores is left out."""
    findings = [finding for rule in rules for finding in rule.check(context)]
    return _sorted(suppress(findings, context.scripts, tell_unused=context.facts is None and rules is RULES), context)


def judge(context: LintContext, settings: LintSettings, rules: Sequence[Rule] = RULES) -> tuple[Finding, ...]:
    """The same with the project's own weights."""
    return _sorted(weigh(check(context, rules), settings), context)


def questions_of(context: LintContext, rules: Iterable[Rule] = RULES) -> tuple[Question, ...]:
    """What the rules want counted in the live database before they judge, each once."""
    asking = (rule for rule in rules if isinstance(rule, ChangeRule))
    return tuple(dict.fromkeys(question for rule in asking for question in rule.questions(context)))


def _sorted(findings: Iterable[Finding], context: LintContext) -> tuple[Finding, ...]:
    places = {script.revision.path: place for place, script in enumerate(context.scripts)}
    return tuple(sorted(findings, key=lambda found: (places.get(found.file, -1), found.line, found.column, found.rule)))


def read_all(scripts: Iterable[Revision]) -> tuple[ScriptReading, ...]:
    return tuple(read_script(script) for script in scripts)


def _context(
    scripts: Sequence[Revision],
    stamp: Stamp | None,
    *,
    facts: DatabaseFacts | None = None,
    is_path: bool = True,
    direction: Direction = Direction.UPGRADE,
) -> LintContext:
    stamp = stamp or Stamp()
    found = LintContext(read_all(scripts), facts, is_path, direction, stamp.heads, stamp.current, stamp.unknown)
    return found if facts is None else replace(found, engines=frozenset({facts.engine}))
