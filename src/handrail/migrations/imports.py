"""Reads which modules a script imports."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from handrail.migrations.values import call_name


@dataclass(frozen=True, slots=True)
class Import:
    """A module that the script imports, anywhere in it. A relative one keeps its dots (".models"). `is_queried`: what
    comes from it is used as a mapped class or a table is (`session.query(User)`, `Base.metadata`)."""

    module: str
    line: int
    column: int = 0
    is_queried: bool = False


#: Calls whose arguments are mapped classes or tables, and attributes that only those have.
_QUERIES = {"query", "select", "insert", "update", "delete", "exists", "aliased", "join", "outerjoin", "select_from"}
_MAPPED = {"__table__", "__tablename__", "metadata", "c", "insert", "update", "delete", "select", "query"}


def read_imports(module: ast.Module) -> Iterator[Import]:
    """In the order of the text, without those that only a type checker sees."""
    queried = _queried_names(module)
    waiting: list[ast.AST] = [*reversed(module.body)]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, node.lineno, node.col_offset) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            is_queried = any((alias.asname or alias.name) in queried for alias in node.names)
            yield Import("." * node.level + (node.module or ""), node.lineno, node.col_offset, is_queried)
        elif isinstance(node, ast.If) and call_name(node.test) == "TYPE_CHECKING":
            waiting += reversed(node.orelse)
        elif isinstance(node, ast.stmt | ast.ExceptHandler):
            waiting += reversed([child for child in ast.iter_child_nodes(node) if not isinstance(child, ast.expr)])


def _queried_names(module: ast.Module) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(module):
        if isinstance(node, ast.Call) and call_name(node) in _QUERIES:
            owners = [part.value if isinstance(part, ast.Attribute) else part for part in node.args]
            found |= {owner.id for owner in owners if isinstance(owner, ast.Name)}
        elif isinstance(node, ast.Attribute) and node.attr in _MAPPED and isinstance(node.value, ast.Name):
            found.add(node.value.id)
    return found
