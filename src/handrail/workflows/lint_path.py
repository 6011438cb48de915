"""Lint the scripts of a path: the rules' findings about the scripts and the history."""

from __future__ import annotations

from handrail.facts import DatabaseFacts
from handrail.lint.engine import Stamp, lint
from handrail.lint.finding import Finding
from handrail.migrations.revision import RevisionPath
from handrail.migrator.migrator import ProjectFacts


def lint_path(project: ProjectFacts, path: RevisionPath, database: DatabaseFacts | None) -> tuple[Finding, ...]:
    """All findings about the pending scripts and the state of the history."""
    return lint(path, Stamp(project.heads, project.current, project.unknown), database)
