"""Lint the scripts of a path: the rules' findings, and which of them stop a run."""

from __future__ import annotations

from handrail.facts import DatabaseFacts
from handrail.lint.engine import Stamp, lint
from handrail.lint.finding import Finding, remaining
from handrail.migrations.revision import RevisionPath
from handrail.migrator.migrator import ProjectFacts


def lint_path(project: ProjectFacts, path: RevisionPath, database: DatabaseFacts | None) -> tuple[Finding, ...]:
    """All findings about the pending scripts and the state of the history."""
    return lint(path, Stamp(project.heads, project.current, project.unknown), database)


def stopping(findings: tuple[Finding, ...], level: str) -> tuple[Finding, ...]:
    """The findings that stop a run at `level` ("off" stops nothing)."""
    return remaining(findings, level)
