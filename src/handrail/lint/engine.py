"""Lints scripts: reads each once, asks every rule, returns the findings in reading order."""

from __future__ import annotations

from collections.abc import Sequence

from handrail.facts import DatabaseFacts
from handrail.lint.finding import Finding
from handrail.lint.rule import LintContext, Rule
from handrail.lint.rules import RULES
from handrail.migrations.reading import read_script
from handrail.migrations.revision import Direction, Revision


def lint(
    scripts: Sequence[Revision],
    facts: DatabaseFacts | None = None,
    *,
    is_path: bool = True,
    direction: Direction = Direction.UPGRADE,
    heads: Sequence[str] | None = None,
    current: Sequence[str] = (),
    unknown: Sequence[str] = (),
    rules: Sequence[Rule] = RULES,
) -> tuple[Finding, ...]:
    """Every finding of every rule. `scripts` in the order in which they run; without `heads`, those marked as head."""
    known_heads = [script.id for script in scripts if script.is_head] if heads is None else heads
    context = LintContext(
        scripts=tuple(read_script(script) for script in scripts),
        facts=facts,
        is_path=is_path,
        direction=direction,
        heads=tuple(known_heads),
        current=tuple(current),
        unknown=tuple(unknown),
    )
    return check(context, rules)


def check(context: LintContext, rules: Sequence[Rule] = RULES) -> tuple[Finding, ...]:
    """Ask the rules about scripts that were read already."""
    places = {script.revision.path: place for place, script in enumerate(context.scripts)}
    findings = [finding for rule in rules for finding in rule.check(context)]
    # Suppression (`handrail: ignore …`) filters here, with the reason kept on the finding.
    return tuple(sorted(findings, key=lambda found: (places.get(found.file, -1), found.line, found.column, found.rule)))
