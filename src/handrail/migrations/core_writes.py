"""Reads rows written by SQLAlchemy: `users.update().where(…)`, `sa.delete(users)`, `session.query(User).delete()`."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

from handrail.facts import TableName
from handrail.migrations.changes import Change, Place, Verb, WriteRows
from handrail.migrations.values import Code, Scope, call_name, evaluate

_VERBS: Mapping[str, Verb] = {"insert": Verb.INSERT, "update": Verb.UPDATE, "delete": Verb.DELETE}
_FILTERS = {"where", "filter", "filter_by"}
#: What a statement that only reads is made with.
_READS = {"select", "exists", "table_names", "union", "union_all"}


def read_core(node: ast.expr, scope: Scope, place: Place) -> tuple[Change, ...] | None:
    """The rows that a Core or ORM statement writes; () when it only reads, None when that cannot be told."""
    value = evaluate(node, scope)
    if isinstance(value, Code):
        node, scope = value.node, value.scope
    calls = chain(node)
    if not calls:
        return None
    names = [call_name(call) for call in calls]
    verb = next((name for name in names if name in _VERBS), None)
    if verb is None:
        return () if set(names) & _READS else None
    at = names.index(verb)
    call = calls[at]
    is_filtered = bool(_FILTERS & set(names)) or verb == "insert"
    columns = _columns(calls, scope) if verb == "update" else ()
    return (WriteRows(place, _VERBS[verb], _target(call, calls, scope), is_filtered, columns=columns),)


def outer_calls(node: ast.expr) -> Iterator[ast.Call]:
    """The calls in an expression, innermost receivers first, leaving out what stands in a lambda."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.keyword):
            yield from outer_calls(child.value)
        elif isinstance(child, ast.expr) and not isinstance(child, ast.Lambda):
            yield from outer_calls(child)
    if isinstance(node, ast.Call):
        yield node


def chain(node: ast.expr) -> list[ast.Call]:
    """The calls of `a(…).b(…).c(…)`, the outermost (c) first."""
    calls = []
    while isinstance(node, ast.Call):
        calls.append(node)
        node = node.func.value if isinstance(node.func, ast.Attribute) else node.func
    return calls


def _target(call: ast.Call, calls: list[ast.Call], scope: Scope) -> TableName | None:
    for inner in calls:
        if call_name(inner) == "query" and inner.args:
            return table_named(inner.args[0], scope)
    owner = call.func.value if isinstance(call.func, ast.Attribute) else None
    is_function = owner is None or (isinstance(owner, ast.Name) and owner.id in {"sa", "sqlalchemy", "sql"})
    if is_function:
        return table_named(call.args[0], scope) if call.args else None
    return table_named(owner, scope) if owner is not None else None


def table_named(node: ast.expr, scope: Scope) -> TableName | None:
    """The table of `sa.table("users")`, of a name bound to one, of a class with `__tablename__`; else by its text."""
    value = evaluate(node, scope)
    expression = value.node if isinstance(value, Code) else node
    inner_scope = value.scope if isinstance(value, Code) else scope
    if isinstance(expression, ast.Call) and call_name(expression) in {"table", "Table"} and expression.args:
        name = evaluate(expression.args[0], inner_scope)
        schema = next((evaluate(word.value, inner_scope) for word in expression.keywords if word.arg == "schema"), None)
        if isinstance(name, str):
            return TableName(name, schema if isinstance(schema, str) else None)
    if isinstance(expression, ast.Attribute) and expression.attr == "__table__":
        expression = expression.value
    if isinstance(expression, ast.Name):
        known = inner_scope.class_attribute(expression.id, "__tablename__")
        return TableName(known if isinstance(known, str) else expression.id)
    return None


def _columns(calls: list[ast.Call], scope: Scope) -> tuple[str, ...]:
    """The columns that `.values(a=1, b=2)` or `.update({"a": 1})` set."""
    found: list[str] = []
    for call in calls:
        if call_name(call) in {"values", "update"}:
            found += [word.arg for word in call.keywords if word.arg and word.arg != "synchronize_session"]
            value = evaluate(call.args[0], scope) if call.args else None
            found += [key for key in value if isinstance(key, str)] if isinstance(value, dict) else []
    return tuple(found)
