"""Lint script files, and repair them: what `handrail lint` does without a database."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from handrail.lint.engine import judge, read_all
from handrail.lint.finding import Finding, Severity, apply_edits
from handrail.lint.rule import LintContext
from handrail.lint.settings import LintSettings
from handrail.migrations.identity import in_order
from handrail.migrations.revision import Revision
from handrail.migrator.script_files import ScriptFile

UNREADABLE = "HR-PR103"
_TURNS = 20


@dataclass(frozen=True, slots=True)
class Linted:
    """The findings about some scripts, in reading order, and the scripts' texts by path."""

    findings: tuple[Finding, ...]
    sources: dict[str, str]


@dataclass(frozen=True, slots=True)
class Repaired:
    """A script with its new text, and the findings that are gone by it."""

    script: ScriptFile
    source: str
    gone: tuple[Finding, ...]


def lint_files(
    scripts: Sequence[ScriptFile], settings: LintSettings, engines: frozenset[str], *, is_whole: bool = False
) -> Linted:
    """Every finding about these scripts. `is_whole`: they are the whole history; only then its order is judged."""
    readable = in_order([script.revision for script in scripts if not script.problem])
    heads = tuple(dict.fromkeys(script.id for script in readable if script.is_head)) if is_whole else ()
    context = LintContext(read_all(readable), is_path=False, heads=heads, engines=engines, is_whole=is_whole)
    findings = judge(context, settings)
    unreadable = (_unreadable(script) for script in scripts if script.problem)
    return Linted((*unreadable, *findings), {script.path: script.source for script in readable})


def _unreadable(script: ScriptFile) -> Finding:
    return Finding(
        UNREADABLE,
        Severity.ERROR,
        script.revision.path,
        0,
        0,
        f"not analysable: {script.problem}",
        "What cannot be read cannot be reviewed before it runs.",
    )


def repair(scripts: Iterable[ScriptFile], settings: LintSettings, engines: frozenset[str]) -> tuple[Repaired, ...]:
    """The new texts of those scripts that have repairable findings. Nothing is written.

    One repair after the other is tried on the text: it stays when its finding is gone then and none is new."""
    found = []
    for script in scripts:
        if script.problem or not script.can_be_written:
            continue
        source, gone = _repaired(script.revision, settings, engines)
        if gone:
            found.append(Repaired(script, source, gone))
    return tuple(found)


def _repaired(revision: Revision, settings: LintSettings, engines: frozenset[str]) -> tuple[str, tuple[Finding, ...]]:
    gone: list[Finding] = []
    refused: set[tuple[str, str]] = set()
    for _ in range(_TURNS):
        findings = _findings(revision, settings, engines)
        wanted = next((one for one in findings if _is_certain(one) and (one.rule, one.message) not in refused), None)
        if wanted is None:
            break
        changed = replace(revision, source=apply_edits(revision.source, wanted.edits))
        if _is_better(findings, _findings(changed, settings, engines), wanted):
            revision = changed
            gone.append(wanted)
        else:
            refused.add((wanted.rule, wanted.message))
    return revision.source, tuple(gone)


def _is_certain(finding: Finding) -> bool:
    return bool(finding.edits) and not finding.is_suggestion


def _findings(revision: Revision, settings: LintSettings, engines: frozenset[str]) -> tuple[Finding, ...]:
    return judge(LintContext(read_all([revision]), is_path=False, engines=engines), settings)


def _is_better(before: Sequence[Finding], after: Sequence[Finding], wanted: Finding) -> bool:
    """Whether the finding is gone and no other came; lines may have moved, so findings are told by rule and words."""
    left = [(one.rule, one.message) for one in before]
    now = [(one.rule, one.message) for one in after]
    is_gone = now.count((wanted.rule, wanted.message)) < left.count((wanted.rule, wanted.message))
    return is_gone and all(now.count(one) <= left.count(one) for one in now)
