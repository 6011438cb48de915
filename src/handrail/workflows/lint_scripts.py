"""Lint script files, and repair them: what `handrail lint` does without a database."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from handrail.enums.states import ModelEnum
from handrail.lint.engine import judge, read_all
from handrail.lint.finding import Edit, Finding, Severity, apply_edits
from handrail.lint.repairs import open_names
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
    scripts: Sequence[ScriptFile],
    settings: LintSettings,
    engines: frozenset[str],
    *,
    is_whole: bool = False,
    enums: tuple[ModelEnum, ...] = (),
) -> Linted:
    """Every finding about these scripts. `is_whole`: they are the whole history; only then its order is judged. `enums`
    are the models' enum columns, where the scripts were written for these models."""
    readable = in_order([script.revision for script in scripts if not script.problem])
    heads = tuple(dict.fromkeys(script.id for script in readable if script.is_head)) if is_whole else ()
    context = LintContext(
        read_all(readable), is_path=False, heads=heads, engines=engines, is_whole=is_whole, enums=enums
    )
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


def repair(
    scripts: Iterable[ScriptFile], settings: LintSettings, engines: frozenset[str], enums: tuple[ModelEnum, ...] = ()
) -> tuple[Repaired, ...]:
    """The new texts of those scripts that have findings which edits alone repair. Nothing is written.

    All repairs of a script are tried at once, then one after the other: they stay when their findings are gone then and
    none is new. (Two indexes: one of them alone in an autocommit block would leave a script that fails half-way.)"""
    found = []
    for script in scripts:
        if script.problem or not script.can_be_written:
            continue
        source, gone = _repaired(script.revision, partial(_findings, settings=settings, engines=engines, enums=enums))
        if gone:
            found.append(Repaired(script, source, gone))
    return tuple(found)


def _repaired(revision: Revision, judged: Callable[[Revision], tuple[Finding, ...]]) -> tuple[str, tuple[Finding, ...]]:
    gone: list[Finding] = []
    refused: set[tuple[str, str]] = set()
    for turn in range(_TURNS):
        findings = judged(revision)
        wanted = [one for one in findings if one.is_repairable and not one.revisions and _words(one) not in refused]
        wanted = _apart(wanted) if turn == 0 else wanted[:1]
        if not wanted:
            break
        edits = [edit for one in wanted for edit in one.edits]
        changed = replace(revision, source=apply_edits(revision.source, edits))
        is_bound = open_names(changed.source) <= open_names(revision.source)
        if is_bound and is_better(findings, judged(changed), wanted):
            revision = changed
            gone += wanted
        elif len(wanted) == 1:
            refused.add(_words(wanted[0]))
    return revision.source, tuple(gone)


def _apart(wanted: Sequence[Finding]) -> list[Finding]:
    """Those whose edits do not meet those of one before."""
    found: list[Finding] = []
    taken: list[Edit] = []
    for one in wanted:
        if not any(_meet(edit, other) for edit in one.edits for other in taken):
            found.append(one)
            taken += one.edits
    return found


def _meet(one: Edit, other: Edit) -> bool:
    begins, ends = (one.line, one.column), (one.end_line, one.end_column)
    return begins <= (other.end_line, other.end_column) and (other.line, other.column) <= ends


def _findings(
    revision: Revision, settings: LintSettings, engines: frozenset[str], enums: tuple[ModelEnum, ...]
) -> tuple[Finding, ...]:
    return judge(LintContext(read_all([revision]), is_path=False, engines=engines, enums=enums), settings)


def _words(finding: Finding) -> tuple[str, str]:
    """What a finding is known by when lines have moved."""
    return (finding.rule, finding.message)


def is_better(before: Sequence[Finding], after: Sequence[Finding], wanted: Sequence[Finding]) -> bool:
    """Whether the findings that were `wanted` to go are gone and no other came."""
    return not new_findings(before, after, wanted)


def new_findings(before: Sequence[Finding], after: Sequence[Finding], wanted: Sequence[Finding]) -> tuple[Finding, ...]:
    """Those of `after` that were not there before, or were `wanted` to go and are there still."""
    left, found = Counter(map(_words, before)), []
    left.subtract(map(_words, wanted))
    for one in after:
        left[_words(one)] -= 1
        found += [one] if left[_words(one)] < 0 else []
    return tuple(found)
