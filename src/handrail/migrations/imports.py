"""Reads which modules a script imports."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from handrail.migrations.values import call_name


@dataclass(frozen=True, slots=True)
class Import:
    """A module that the script imports, anywhere in it. A relative one keeps its dots (".models")."""

    module: str
    line: int
    column: int = 0


def read_imports(module: ast.Module) -> Iterator[Import]:
    """In the order of the text, without those that only a type checker sees."""
    waiting: list[ast.AST] = [*reversed(module.body)]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, node.lineno, node.col_offset) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield Import("." * node.level + (node.module or ""), node.lineno, node.col_offset)
        elif isinstance(node, ast.If) and call_name(node.test) == "TYPE_CHECKING":
            waiting += reversed(node.orelse)
        elif isinstance(node, ast.stmt | ast.ExceptHandler):
            waiting += reversed([child for child in ast.iter_child_nodes(node) if not isinstance(child, ast.expr)])
