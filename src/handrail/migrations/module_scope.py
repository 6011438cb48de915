"""What the names at the top of a script are bound to: values, functions, classes with their attributes."""

from __future__ import annotations

import ast

from handrail.migrations.values import UNKNOWN, Scope, evaluate


def module_scope(module: ast.Module) -> Scope:
    scope = Scope()
    for statement in module.body:
        if isinstance(statement, ast.FunctionDef):
            scope.functions[statement.name] = statement
        elif isinstance(statement, ast.ClassDef):
            scope.classes[statement.name] = _class_body(statement, scope)
        elif isinstance(statement, ast.Assign):
            for target in statement.targets:
                scope.bind(target, evaluate(statement.value, scope))
        elif isinstance(statement, ast.AnnAssign) and statement.value is not None:
            scope.bind(statement.target, evaluate(statement.value, scope))
    return scope


def _class_body(statement: ast.ClassDef, scope: Scope) -> dict[str, object]:
    """What a class sets in its body, as far as it is known."""
    found: dict[str, object] = {}
    for inner in statement.body:
        if isinstance(inner, ast.Assign):
            for target in inner.targets:
                if isinstance(target, ast.Name) and (value := evaluate(inner.value, scope)) is not UNKNOWN:
                    found[target.id] = value
    return found


def op_names(module: ast.Module) -> frozenset[str]:
    """The names under which the script knows alembic.op."""
    names = {"op"}
    for statement in module.body:
        if isinstance(statement, ast.ImportFrom) and statement.module == "alembic":
            names |= {alias.asname or alias.name for alias in statement.names if alias.name == "op"}
    return frozenset(names)
