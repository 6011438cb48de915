"""What a script says of itself without being run: its id, what it follows, its message. And the order of a history."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import replace

from handrail.migrations.revision import Revision
from handrail.migrations.values import Scope, evaluate


def identify(path: str, source: str) -> Revision:
    """The revision as its text has it; `id` is "" when the text names none or is no Python."""
    try:
        module = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return Revision("", (), "", path, source)
    names: dict[str, object] = {}
    for statement in module.body:
        targets, value = _assigned(statement)
        for name in targets:
            names[name] = evaluate(value, Scope(names)) if value is not None else None
    id_, label = names.get("revision"), names.get("branch_labels")
    message = (ast.get_docstring(module) or "").strip().splitlines()
    return Revision(
        id_ if isinstance(id_, str) else "",
        _texts(names.get("down_revision")),
        message[0] if message else "",
        path,
        source,
        branch_labels=_texts(label),
    )


def _assigned(statement: ast.stmt) -> tuple[list[str], ast.expr | None]:
    if isinstance(statement, ast.Assign):
        return [target.id for target in statement.targets if isinstance(target, ast.Name)], statement.value
    if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
        return [statement.target.id], statement.value
    return [], None


def _texts(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else ()


def in_order(scripts: Sequence[Revision]) -> tuple[Revision, ...]:
    """Each script after those that it follows, else as given; those of a circle come last. Heads are marked."""
    left = {script.path: script for script in scripts}
    followed = {down for script in scripts for down in script.down_revisions}
    done: list[Revision] = []
    while left:
        waiting = {script.id for script in left.values()}
        ready = [path for path, script in left.items() if not waiting & set(script.down_revisions)]
        for path in ready or list(left):
            script = left.pop(path)
            done.append(replace(script, is_head=bool(script.id) and script.id not in followed))
    return tuple(done)
