"""Lint the scripts of a path by what the database's catalog and its rows say, weighed as the project wants."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from handrail.databases.database import Database
from handrail.facts import DatabaseFacts
from handrail.lint.engine import Stamp, context_of, judge, questions_of
from handrail.lint.executed import rehearsed
from handrail.lint.finding import Finding
from handrail.lint.rule import LintContext
from handrail.lint.settings import LintSettings
from handrail.migrations.operations import RevisionRun
from handrail.migrations.revision import RevisionPath
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
