"""The path through a history without branches, found without asking Alembic (which costs a process)."""

from __future__ import annotations

import re

from handrail.migrations.revision import Direction, Revision, RevisionPath
from handrail.migrator.migrator import ProjectFacts

_RELATIVE = re.compile(r"^[+-]\d+$")


def linear_path(facts: ProjectFacts, target: str) -> RevisionPath | None:
    """The path to "head", "heads", "base", "+n", "-n" or a whole id; None when Alembic has to be asked."""
    chain = _chain(facts)
    if chain is None or facts.unknown or len(facts.current) > 1:
        return None
    ids = [revision.id for revision in chain]
    here = ids.index(facts.current[0]) + 1 if facts.current else 0
    there = _index(ids, here, target)
    if there is None:
        return None
    start, end = tuple(ids[here - 1 : here]) if here else (), tuple(ids[there - 1 : there]) if there else ()
    if there >= here:
        return RevisionPath(Direction.UPGRADE, start, end, chain[here:there])
    return RevisionPath(Direction.DOWNGRADE, start, end, chain[there:here][::-1])


def _index(ids: list[str], here: int, target: str) -> int | None:
    """How many revisions are applied at the target."""
    if target in ("head", "heads"):
        return len(ids)
    if target == "base":
        return 0 if here else None  # Alembic words what a downgrade from base is
    if target in ids:
        return ids.index(target) + 1
    if _RELATIVE.match(target) and 0 <= here + int(target) <= len(ids):
        return here + int(target)
    return None


def _chain(facts: ProjectFacts) -> tuple[Revision, ...] | None:
    """The history from base to head when each revision follows exactly the one before it."""
    by_parent = {revision.down_revisions: revision for revision in facts.revisions}
    chain: list[Revision] = []
    following = by_parent.get(())
    while following is not None and len(chain) <= len(by_parent):
        chain.append(following)
        following = by_parent.get((following.id,))
    return tuple(chain) if len(chain) == len(facts.revisions) else None
