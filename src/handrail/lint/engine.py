"""Lints scripts: reads each once, asks every rule, returns the findings in reading order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from handrail.facts import DatabaseFacts
from handrail.lint.finding import Finding
from handrail.lint.rule import LintContext, Rule
from handrail.lint.rules import RULES
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
    return check(_context(path.revisions, stamp, facts=facts, direction=path.direction), rules)


def lint_history(
    scripts: Sequence[Revision], stamp: Stamp | None = None, rules: Sequence[Rule] = RULES
) -> tuple[Finding, ...]:
    """Every finding about a whole history (oldest first), of which any beginning may already have run somewhere."""
    heads = tuple(script.id for script in scripts if script.is_head)
    return check(_context(scripts, stamp or Stamp(heads), is_path=False), rules)


def check(context: LintContext, rules: Iterable[Rule] = RULES) -> tuple[Finding, ...]:
    """Ask the rules about scripts that were read already."""
    places = {script.revision.path: place for place, script in enumerate(context.scripts)}
    findings = [finding for rule in rules for finding in rule.check(context)]
    # Suppression (`handrail: ignore HR-…`) will filter here, so that no rule has to know of it.
    return tuple(sorted(findings, key=lambda found: (places.get(found.file, -1), found.line, found.column, found.rule)))


def _context(
    scripts: Sequence[Revision],
    stamp: Stamp | None,
    *,
    facts: DatabaseFacts | None = None,
    is_path: bool = True,
    direction: Direction = Direction.UPGRADE,
) -> LintContext:
    stamp = stamp or Stamp()
    readings: tuple[ScriptReading, ...] = tuple(read_script(script) for script in scripts)
    return LintContext(readings, facts, is_path, direction, stamp.heads, stamp.current, stamp.unknown)
