"""Asks about the repairs that only a person can tell to be right: on a terminal, or by `--confirm CODE`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from handrail.errors import UsageError

if TYPE_CHECKING:
    from handrail.lint.finding import Finding
    from handrail.workflows.bring_back import Ask


@dataclass(slots=True)
class Confirmation:
    """Who answers. `codes` are the rules whose suggestions are confirmed beforehand; `unanswered` the questions that
    nobody was there to answer, with what answers them."""

    codes: frozenset[str]
    ask: Ask
    command: str
    unanswered: list[str] = field(default_factory=list)

    def __call__(self, finding: Finding) -> bool | None:
        if finding.rule in self.codes:
            return True
        question = f"{finding.file}:{finding.line} {finding.message.partition(':')[0]}: {_questions()[finding.rule]}"
        if self.ask is None:
            self.unanswered.append(f"{question} If so: {self.command} --confirm {finding.rule}")
            return None
        return self.ask(question)


def confirmation(codes: Sequence[str], ask: Ask, command: str) -> Confirmation:
    """The answers of this call. Raises UsageError for a rule that asks nothing."""
    wanted = frozenset(code.upper() for code in codes)
    known = _questions()
    for code in sorted(wanted - known.keys()):
        raise UsageError(
            f"--confirm {code}: this rule asks nothing",
            why=f"rules whose repair has to be confirmed: {', '.join(sorted(known))}",
            hint=f"{command} --confirm {min(known)}",
        )
    return Confirmation(wanted, ask, command)


def _questions() -> dict[str, str]:
    """The question of each rule that has one, by its code."""
    from handrail.lint.rules import RULES

    found = ((rule.code, getattr(rule, "question", "")) for rule in RULES)
    return {code: question for code, question in found if question}
