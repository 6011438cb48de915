"""Lint the scripts of a path by what the database's catalog and its rows say, weighed as the project wants."""

from __future__ import annotations

from dataclasses import replace

from handrail.databases.database import Database
from handrail.facts import DatabaseFacts
from handrail.lint.engine import Stamp, context_of, judge, questions_of
from handrail.lint.finding import Finding
from handrail.lint.settings import LintSettings
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
    stamp = Stamp(project.heads, project.current, project.unknown)
    context = context_of(path, stamp, facts, engine=project.address.engine)
    if facts is not None:
        context = replace(context, answers=database.count_rows(questions_of(context), seconds=_SECONDS))
    return judge(context, settings)
