"""How a project weighs the rules: a level for a rule, for a path, and where history begins to be of interest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase

from handrail.lint.finding import Finding, Severity
from handrail.migrations.revision import Revision


@dataclass(frozen=True, slots=True)
class LintSettings:
    """`rules` gives a code or a family ("HR-LK") a level: "error", "warning", "info" or "off"; `paths` the same for
    scripts whose path fits a pattern. `since` is the last revision of the history that is not judged any more."""

    rules: Mapping[str, str] = field(default_factory=dict)
    paths: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    since: str | None = None

    def level(self, finding: Finding) -> str | None:
        """The level that the settings give this finding's rule; None when they say nothing of it."""
        found = _of(self.rules, finding.rule)
        for pattern, levels in self.paths.items():
            if fnmatchcase(finding.file, pattern):
                found = _of(levels, finding.rule) or found
        return found


def _of(levels: Mapping[str, str], code: str) -> str | None:
    return levels.get(code) or levels.get(code.rstrip("0123456789"))


def weigh(findings: Iterable[Finding], settings: LintSettings) -> tuple[Finding, ...]:
    """The findings with the levels of the settings; what the catalog has shown to be harmless (INFO) stays so."""
    kept = []
    for finding in findings:
        level = settings.level(finding)
        if level == "off":
            continue
        is_raised = level is not None and finding.severity is not Severity.INFO
        kept.append(replace(finding, severity=Severity(level)) if is_raised and level else finding)
    return tuple(kept)


def after(scripts: Sequence[Revision], since: str | None) -> tuple[Revision, ...]:
    """The scripts that come after a revision (those that are neither it nor an ancestor of it), all without one.

    Raises KeyError when no script has that id."""
    if since is None:
        return tuple(scripts)
    by_id = {script.id: script for script in scripts}
    old, todo = set[str](), [by_id[since].id]
    while todo:
        one = todo.pop()
        if one not in old:
            old.add(one)
            todo += [down for down in by_id[one].down_revisions if down in by_id]
    return tuple(script for script in scripts if script.id not in old)
