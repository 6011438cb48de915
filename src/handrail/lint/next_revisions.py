"""Scripts that a repair adds to a history: their ids, names and texts, and what then has to follow them."""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import PurePath
from typing import Final

from handrail.lint.finding import Edit, NextRevision, apply_edits
from handrail.migrations.revision import Revision

_NAME_LENGTH: Final = 40
#: What may refer to a revision that comes before.
_REFERENCES: Final = ("down_revision", "depends_on")


def new_script(parent: Revision, following: NextRevision) -> Revision:
    """The script of a revision that follows `parent`, in its folder. The same parent and message always give the same
    id, so that a repair which was broken off can be taken up again."""
    id_ = hashlib.sha256(f"{parent.id}\n{following.message}".encode()).hexdigest()[:12]
    path = PurePath(parent.path).with_name(f"{id_}_{_slug(following.message)}.py")
    return Revision(id_, (parent.id,), following.message, str(path), _text(id_, parent.id, following))


def _slug(message: str) -> str:
    """The words of a message as Alembic puts them into a file's name."""
    words = "_".join(re.findall(r"\w+", message)).lower()
    return words if len(words) <= _NAME_LENGTH else words[:_NAME_LENGTH].rsplit("_", 1)[0] + "_"


def _text(id_: str, parent: str, following: NextRevision) -> str:
    message = following.message.replace("\\", "\\\\").replace('"', '\\"')
    parts = [
        f'"""{message}\n\nRevision ID: {id_}\nRevises: {parent}\n\n"""\n',
        "import sqlalchemy as sa\nfrom alembic import op\n",
        f"revision = {literal(id_)}\ndown_revision = {literal(parent)}\nbranch_labels = None\ndepends_on = None\n",
        *(f"\n{block}\n" if block.startswith("def ") else f"{block}\n" for block in following.head),
        f"\ndef upgrade():\n{_indented(following.upgrade)}\n",
        f"\ndef downgrade():\n{_indented(following.downgrade)}\n",
    ]
    return "\n".join(parts)


def _indented(body: str) -> str:
    return "\n".join(f"    {line}" if line else "" for line in body.split("\n"))


def literal(text: str) -> str:
    """A text as Python code, in double quotes where that needs no escape."""
    return repr(text) if '"' in text or "\\" in text or not text.isprintable() else f'"{text}"'


def unclear(scripts: Iterable[Revision]) -> str:
    """Why it is not certain what follows what in a history; "" when it is. Only texts on the spot are certain."""
    for script in scripts:
        try:
            module = ast.parse(script.source)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return f"{script.path} cannot be read, and may follow it"
        for name in _REFERENCES:
            found = _assigned(module, name)
            is_missing = not found and name == "down_revision" and _assigned(module, "revision")
            if len(found) > 1 or is_missing or any(_texts(value) is None for value in found):
                return f"{name} of {script.path} is not written out"
    return ""


def repointed(script: Revision, old: str, new: str) -> str:
    """The text of a script with its references to the revision `old` turned to `new`, everything else as it is."""
    module = ast.parse(script.source)
    edits = [
        Edit(node.lineno, node.col_offset, node.end_lineno or 0, node.end_col_offset or 0, literal(new))
        for name in _REFERENCES
        for value in _assigned(module, name)
        for node in _texts(value) or ()
        if node.value == old
    ]
    return (
        apply_edits(script.source, (*edits, *_docstring_edits(script.source, module, old, new)))
        if edits
        else script.source
    )


def _docstring_edits(source: str, module: ast.Module, old: str, new: str) -> Iterator[Edit]:
    """The line "Revises: 1a2b" that Alembic's template puts into the docstring."""
    first = next(iter(module.body), None)
    if not isinstance(first, ast.Expr) or not isinstance(first.value, ast.Constant):
        return
    lines = source.encode().splitlines()
    for number in range(first.lineno, (first.end_lineno or 0) + 1):
        match = re.match(rb"\s*Revises:\s*(?:[^#]*[\s,])?(%s)(?![^\s,])" % re.escape(old.encode()), lines[number - 1])
        if match:
            yield Edit(number, match.start(1), number, match.end(1), new)


def _assigned(module: ast.Module, name: str) -> list[ast.expr | None]:
    """What a name is bound to, wherever in the script that is done."""
    found: list[ast.expr | None] = []
    for node in ast.walk(module):
        match node:
            case ast.Assign(targets=[ast.Name(id=bound)], value=value) if bound == name:
                found.append(value)
            case ast.AnnAssign(target=ast.Name(id=bound), value=value) if bound == name:
                found.append(value)
            case ast.Assign(targets=targets) if any(_binds(target, name) for target in targets):
                found.append(None)
    return found


def _binds(target: ast.expr, name: str) -> bool:
    return any(isinstance(node, ast.Name) and node.id == name for node in ast.walk(target))


def _texts(value: ast.expr | None) -> Sequence[ast.Constant] | None:
    """The texts that a reference consists of; None when they are not written out."""
    items = value.elts if isinstance(value, ast.Tuple | ast.List | ast.Set) else [value]
    found = [item for item in items if isinstance(item, ast.Constant)]
    is_known = all(isinstance(item.value, str) or item.value is None for item in found)
    return [item for item in found if item.value is not None] if is_known and len(found) == len(items) else None
