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
from handrail.lint.rules import RULES
from handrail.lint.settings import LintSettings
from handrail.migrations.identity import in_order
from handrail.migrations.revision import Revision
from handrail.migrator.script_files import ScriptFile

UNREADABLE = "HR-PR103"
_TURNS = 20
#: Whether a person says that the edits of a suggestion may be made; None when nobody can be asked.
Confirm = Callable[[Finding], bool | None]
#: What a finding is known by when lines have moved: its rule and its message.
Words = tuple[str, str]
#: The findings about one script.
Judged = Callable[[Revision], tuple[Finding, ...]]
#: Findings that a confirmed repair may bring, by its rule; and the rules that ask.
_BROUGHT = {rule.code: getattr(rule, "brings", frozenset[str]()) for rule in RULES}
_ASKED = frozenset(rule.code for rule in RULES if getattr(rule, "question", ""))


def nobody(_finding: Finding) -> bool | None:
    """There is nobody to ask."""
    return None


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
    scripts: Iterable[ScriptFile],
    settings: LintSettings,
    engines: frozenset[str],
    enums: tuple[ModelEnum, ...] = (),
    confirm: Confirm = nobody,
) -> tuple[Repaired, ...]:
    """The new texts of those scripts that have findings which edits alone repair. Nothing is written. `confirm` is
    asked about suggestions that only a person can tell (a rename), once it is certain that their edits would do; while
    that is open, what they would change is left as it is.

    All repairs of a script are tried at once, then one after the other: they stay when their findings are gone then and
    none is new. (Two indexes: one of them alone in an autocommit block would leave a script that fails half-way.)"""
    found = []
    for script in scripts:
        if script.problem or not script.can_be_written:
            continue
        judged = partial(_findings, settings=settings, engines=engines, enums=enums)
        revision, confirmed, questions = _confirmed(script.revision, judged, confirm)
        source, gone = _repaired(revision, judged, questions)
        if confirmed or gone:
            found.append(Repaired(script, source, (*confirmed, *gone)))
    return tuple(found)


def _confirmed(
    revision: Revision, judged: Judged, confirm: Confirm
) -> tuple[Revision, tuple[Finding, ...], frozenset[Words]]:
    """The script with the suggestions that were confirmed, before anything else touches what they are about; those that
    nobody answered."""
    gone: list[Finding] = []
    seen, unanswered = set[Words](), set[Words]()
    while True:
        findings = judged(revision)
        asked = [one for one in findings if one.is_suggestion and one.edits and one.rule in _ASKED]
        one = next((one for one in asked if words_of(one) not in seen), None)
        if one is None:
            return revision, tuple(gone), frozenset(unanswered)
        seen.add(words_of(one))
        changed = replace(revision, source=apply_edits(revision.source, one.edits))
        others = new_findings(findings, judged(changed), [one])
        if any(other.rule not in _BROUGHT[one.rule] for other in others):
            continue
        answer = confirm(one)
        if answer is None:
            unanswered.add(words_of(one))
        elif answer:
            revision = changed
            gone.append(one)


def without_open(
    wanted: Iterable[Finding], findings: Iterable[Finding], questions: frozenset[Words]
) -> tuple[Finding, ...]:
    """Those whose edits do not meet what an open question is about."""
    held = [edit for one in findings if words_of(one) in questions for edit in one.edits]
    return tuple(one for one in wanted if not any(_meet(edit, other) for edit in one.edits for other in held))


def _repaired(revision: Revision, judged: Judged, questions: frozenset[Words]) -> tuple[str, tuple[Finding, ...]]:
    gone: list[Finding] = []
    refused: set[Words] = set()
    for turn in range(_TURNS):
        findings = judged(revision)
        wanted = [one for one in findings if one.is_repairable and not one.revisions and words_of(one) not in refused]
        wanted = list(without_open(wanted, findings, questions))
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
            refused.add(words_of(wanted[0]))
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


def words_of(finding: Finding) -> Words:
    """What a finding is known by when lines have moved."""
    return (finding.rule, finding.message)


def is_better(before: Sequence[Finding], after: Sequence[Finding], wanted: Sequence[Finding]) -> bool:
    """Whether the findings that were `wanted` to go are gone and no other came."""
    return not new_findings(before, after, wanted)


def new_findings(before: Sequence[Finding], after: Sequence[Finding], wanted: Sequence[Finding]) -> tuple[Finding, ...]:
    """Those of `after` that were not there before, or were `wanted` to go and are there still."""
    left, found = Counter(map(words_of, before)), []
    left.subtract(map(words_of, wanted))
    for one in after:
        left[words_of(one)] -= 1
        found += [one] if left[words_of(one)] < 0 else []
    return tuple(found)
