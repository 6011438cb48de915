"""What is wrong with the markers of a path: those that cannot be read, and names that nothing in the database has."""

from __future__ import annotations

from collections.abc import Iterator

from handrail.migrations.declarations import read_declaration
from handrail.migrations.revision import RevisionPath
from handrail.rehearsal.expectation import Expectation


def marker_warnings(path: RevisionPath, expectation: Expectation | None) -> tuple[str, ...]:
    """One line each: where, what, why it matters, what to type. Without an expectation names are not looked up."""
    return (*_malformed(path), *(() if expectation is None else _unresolved(expectation)))


def _malformed(path: RevisionPath) -> Iterator[str]:
    for revision in path.revisions:
        for marker in read_declaration(revision.source, revision.path).malformed:
            where = f"{marker.position.path}:{marker.position.line}"
            yield f"{where}: the marker '{marker.text}' declares nothing: {marker.reason}"


def _unresolved(expectation: Expectation) -> Iterator[str]:
    for missing in expectation.unresolved:
        where = f"{missing.position.path}:{missing.position.line}"
        next_step = f"did you mean {missing.close}?" if missing.close else "correct the name, or remove it"
        yield (
            f"{where}: the marker names {missing.name} and declares nothing, since no such table or column is there"
            f" before or after the script; {next_step}"
        )
