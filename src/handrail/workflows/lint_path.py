"""Lint the scripts of a path: the rules' findings about the scripts and the history, weighed as the project wants."""

from __future__ import annotations

from handrail.facts import DatabaseFacts
from handrail.lint.engine import Stamp, context_of, judge
from handrail.lint.finding import Finding
from handrail.lint.settings import LintSettings
from handrail.migrations.revision import RevisionPath
from handrail.migrator.migrator import ProjectFacts


def lint_path(
    project: ProjectFacts, path: RevisionPath, database: DatabaseFacts | None, settings: LintSettings
) -> tuple[Finding, ...]:
    """All findings about the pending scripts and the state of the history."""
    stamp = Stamp(project.heads, project.current, project.unknown)
    return judge(context_of(path, stamp, database, engine=project.address.engine), settings)
