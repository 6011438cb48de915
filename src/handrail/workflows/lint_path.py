"""Lint the scripts of a path by what the database's catalog and its rows say, weighed as the project wants."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from handrail.databases.database import Database
from handrail.facts import DatabaseFacts
from handrail.lint.engine import Stamp, context_of, judge, questions_of
from handrail.lint.executed import rehearsed
from handrail.lint.finding import Finding
from handrail.lint.rule import LintContext
from handrail.lint.settings import LintSettings
from handrail.migrations.operations import RevisionRun
from handrail.migrations.revision import Revision, RevisionPath
from handrail.migrator.migrator import ProjectFacts

#: How long one question may take: a count that is not there makes a finding less exact, not wrong.
_SECONDS = 5.0


def lint_path(
    project: ProjectFacts,
    path: RevisionPath,
    database: Database,
    facts: DatabaseFacts | None,
    settings: LintSettings,
) -> tuple[Finding, ...]:
    """All findings about the pending scripts and the state of the history. `facts` is the catalog of the database, None
    when it is not there yet."""
    return judge(_context(project, path, database, facts), settings)


def judge_path(
    project: ProjectFacts,
    path: RevisionPath,
    database: Database,
    facts: DatabaseFacts | None,
    settings: LintSettings,
) -> Callable[[Sequence[Revision]], tuple[Finding, ...]]:
    """Judging a history as it becomes by repairs: of its scripts those of the path, and new ones that follow them."""
    pending = {revision.id for revision in path.revisions}
    known: set[str] = set()

    def judged(scripts: Sequence[Revision]) -> tuple[Finding, ...]:
        if not known:  # the first time it is the history as it stands
            known.update(script.id for script in scripts)
        found: dict[str, Revision] = {}
        for script in scripts:
            is_new = script.id not in known and any(down in found for down in script.down_revisions)
            if script.id in pending or is_new:
                found[script.id] = script
        now = replace(path, revisions=tuple(found.values()))
        return judge(_context(project, now, database, facts), settings)

    return judged


def lint_rehearsed(
    project: ProjectFacts,
    path: RevisionPath,
    database: Database,
    runs: Sequence[RevisionRun],
    settings: LintSettings,
) -> tuple[Finding, ...]:
    """The same and what a rehearsal of the path has shown."""
    context = _context(project, path, database, database.facts())
    return rehearsed(context, runs, settings, judge(context, settings))


def _context(project: ProjectFacts, path: RevisionPath, database: Database, facts: DatabaseFacts | None) -> LintContext:
    stamp = Stamp(project.heads, project.current, project.unknown)
    context = context_of(path, stamp, facts, engine=project.address.engine)
    context = replace(context, enums=project.enums)
    if facts is None:
        return context
    return replace(context, answers=database.count_rows(questions_of(context), seconds=_SECONDS))
