"""Repair scripts: edits within them, and revisions that have to follow them, tried on the whole history before anything
is written."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from handrail.enums.states import ModelEnum
from handrail.lint.engine import judge, read_all
from handrail.lint.finding import Finding, NextRevision, apply_edits
from handrail.lint.next_revisions import new_script, repointed, unclear
from handrail.lint.rule import LintContext
from handrail.lint.settings import LintSettings
from handrail.migrations.identity import identify, in_order
from handrail.migrations.revision import Revision
from handrail.migrator.script_files import NewScript, ScriptFile
from handrail.workflows.lint_scripts import (
    Confirm,
    Repaired,
    Words,
    new_findings,
    nobody,
    repair,
    without_open,
    words_of,
)

#: The findings about a whole history, oldest first.
Judge = Callable[[Sequence[Revision]], tuple[Finding, ...]]


@dataclass(frozen=True, slots=True)
class Repairs:
    """What is to be written: scripts that change (also those that only follow another one now), and new ones. `todo`
    is what a person has to write into these; `left` says which findings stay though a split would repair them, and why.
    """

    changed: tuple[Repaired, ...] = ()
    added: tuple[NewScript, ...] = ()
    todo: tuple[str, ...] = ()
    left: tuple[str, ...] = ()

    @property
    def gone(self) -> tuple[Finding, ...]:
        return tuple(finding for one in self.changed for finding in one.gone)


def judge_history(settings: LintSettings, engines: frozenset[str], enums: tuple[ModelEnum, ...] = ()) -> Judge:
    """Judging without a database: any beginning of the history may already have run somewhere."""

    def judged(scripts: Sequence[Revision]) -> tuple[Finding, ...]:
        heads = tuple(script.id for script in scripts if script.is_head)
        return judge(LintContext(read_all(scripts), is_path=False, heads=heads, engines=engines, enums=enums), settings)

    return judged


def repair_all(
    chosen: Iterable[ScriptFile],
    history: Sequence[ScriptFile],
    settings: LintSettings,
    engines: frozenset[str],
    *,
    judged: Judge | None = None,
    enums: tuple[ModelEnum, ...] = (),
    confirm: Confirm = nobody,
) -> Repairs:
    """Repairs of the `chosen` scripts, those that make revisions too. `history` is all that the project has: what
    follows a split script has to follow its last new revision, and the finding has to be gone in the whole of it, with
    no other in its place. Nothing is written."""
    chosen, questions = tuple(chosen), set[Words]()

    def asked(finding: Finding) -> bool | None:
        answer = confirm(finding)
        if answer is None:
            questions.add(words_of(finding))
        return answer

    edited = {one.script.revision.path: one for one in repair(chosen, settings, engines, enums, asked)}
    texts = {path: one.source for path, one in edited.items()}
    work = _Work(history, judged or judge_history(settings, engines, enums), engines, texts)
    work.questions = frozenset(questions)
    for script in chosen:
        if not script.problem:
            work.split(script)
    return work.result(edited, chosen)


@dataclass(slots=True)
class _Work:
    """A history on its way: the new texts by path, the new scripts in the order in which they follow each other."""

    history: Sequence[ScriptFile]
    judged: Judge
    engines: frozenset[str]
    texts: dict[str, str] = field(default_factory=dict)
    added: list[NewScript] = field(default_factory=list)
    gone: dict[str, list[Finding]] = field(default_factory=dict)
    todo: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    questions: frozenset[Words] = frozenset()
    _findings: tuple[Finding, ...] | None = None

    def split(self, script: ScriptFile) -> None:
        """Make the revisions that findings of this script ask for, of one kind after the other; what cannot be done for
        all findings of a kind is tried for each of them."""
        tried = set[type]()
        while kinds := [
            kind for kind in dict.fromkeys(type(one.split) for one in self._wanted(script)) if kind not in tried
        ]:
            tried.add(kinds[0])
            group = [one for one in self._wanted(script) if type(one.split) is kinds[0]]
            why = self._hindrance(script) or self._try(script, group)
            for told in group if why else ():
                now = [one for one in self._wanted(script) if one.message == told.message]
                reason = why if len(group) == 1 else self._hindrance(script) or self._try(script, now)
                if reason:
                    self.left.append(f"{told.file}:{told.line} {told.rule} {told.message}: {reason}")

    def _wanted(self, script: ScriptFile) -> list[Finding]:
        here = [one for one in self._now() if one.file == script.revision.path]
        return list(without_open((one for one in here if one.is_repairable and one.split), here, self.questions))

    def _now(self) -> tuple[Finding, ...]:
        if self._findings is None:
            self._findings = self.judged(self._scripts(self.texts, self.added))
        return self._findings

    def _scripts(self, texts: dict[str, str], added: Sequence[NewScript]) -> tuple[Revision, ...]:
        old = [one.revision for one in self.history if not one.problem]
        now = [identify(one.path, texts[one.path]) if one.path in texts else one for one in old]
        return in_order([*now, *(one.revision for one in added)])

    def _hindrance(self, script: ScriptFile) -> str:
        """Why it is not certain what a split of the script would have to change; "" when it is."""
        known = [one.revision for one in self.history if not one.problem]
        unreadable = next((one.revision.path or str(one.file) for one in self.history if one.problem), "")
        if not any(one.path == script.revision.path for one in known):
            return "it is not among the scripts of the project, so what follows it is not known"
        if unreadable:
            return f"{unreadable} cannot be read, and may follow it"
        if not script.revision.id or [one.id for one in known].count(script.revision.id) > 1:
            return "its revision id is not its own"
        if not script.can_be_written:
            return "it is not UTF-8"
        return unclear(known)

    def _try(self, script: ScriptFile, group: Sequence[Finding]) -> str:
        """Split the script for these findings; "". When that would not make it better: why, and nothing is changed."""
        path, before = script.revision.path, self._now()
        scripts = self._scripts(self.texts, self.added)
        (one,) = (found for found in scripts if found.path == path)
        edits = dict.fromkeys(edit for finding in group for edit in finding.edits)
        texts = {**self.texts, path: apply_edits(one.source, tuple(edits))}
        wanted = _together(group, self.engines)
        if not wanted:
            return f"it cannot be done on {' and '.join(sorted(self.engines))}"
        chain = _chain(one, wanted, scripts)
        if chain is None:
            return "another script has the id of its next revision"
        ids = {link.id for link, _ in chain}
        for other in scripts:
            if other.path != path and other.id not in ids:
                text = repointed(other, one.id, chain[-1][0].id)
                texts |= {other.path: text} if text != other.source else {}
        if stuck := self._unwritable(texts):
            return f"{stuck} follows it and is not UTF-8"
        new = [NewScript(script, link) for link, is_new in chain if is_new]
        texts, added = self._moved(texts, new)
        after = self.judged(self._scripts(texts, added))
        if worse := new_findings(before, after, group):
            return f"split, it would have another finding: {worse[0]}"
        others = [finding for finding in before if finding.split is not None and finding not in group]
        if len(others) > sum(finding.split is not None for finding in after):
            return "what adds it adds another column too"
        self.texts, self.added, self._findings = texts, added, after
        self.gone.setdefault(path, []).extend(group)
        self.todo += [f"{link.path}: {line}" for (link, _), one in zip(chain, wanted, strict=True) for line in one.todo]
        return ""

    def _moved(self, texts: dict[str, str], new: Sequence[NewScript]) -> tuple[dict[str, str], list[NewScript]]:
        """New scripts of an earlier split may be re-pointed too: their text is theirs, not one on the disk."""
        added = []
        for one in self.added:
            text = texts.pop(one.revision.path, None)
            added.append(one if text is None else replace(one, revision=identify(one.revision.path, text)))
        return texts, [*added, *new]

    def _unwritable(self, texts: dict[str, str]) -> str:
        paths = (one.revision.path for one in self.history if not one.can_be_written)
        return next((path for path in paths if path in texts), "")

    def result(self, edited: dict[str, Repaired], chosen: Sequence[ScriptFile]) -> Repairs:
        """What is to be written; those that only follow another script now come first, the split ones last."""
        files = {one.revision.path: one for one in (*self.history, *chosen)}
        found = []
        for path, text in self.texts.items():
            gone = (*(edited[path].gone if path in edited else ()), *self.gone.get(path, ()))
            found.append(Repaired(files[path], text, gone))
        found.sort(key=lambda one: one.script.revision.path in self.gone)
        return Repairs(tuple(found), tuple(self.added), tuple(self.todo), tuple(self.left))


def _together(group: Sequence[Finding], engines: frozenset[str]) -> tuple[NextRevision, ...]:
    """One chain of revisions for all of these findings."""
    first, *others = (one.split for one in group if one.split is not None)
    return first.together(others, engines)


def _chain(
    parent: Revision, wanted: Sequence[NextRevision], scripts: Sequence[Revision]
) -> list[tuple[Revision, bool]] | None:
    """The revisions that follow `parent`, and whether each is new: one that a broken-off repair has written already is
    kept as it is, with what was written into it. None when another script has its id."""
    found: list[tuple[Revision, bool]] = []
    for one in wanted:
        made = new_script(found[-1][0] if found else parent, one)
        same = next((other for other in scripts if other.id == made.id), None)
        if same is not None and same.down_revisions != made.down_revisions:
            return None
        found.append((made, True) if same is None else (same, False))
    return found
