"""Static evaluation of the few expressions that migration scripts use: literals, names, f-strings, op.f, sa.text."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from handrail.migrations.dialects import DialectName, DialectTest
from handrail.migrations.text_values import dict_method, formatted, is_sensible, rows, string_method


@dataclass(frozen=True, slots=True)
class Unknown:
    """A value that cannot be known without running the script."""


@dataclass(frozen=True, slots=True)
class Code:
    """An expression kept as it is (`sa.Column(...)`, `op.get_bind()`), with the names that were bound around it."""

    node: ast.expr
    scope: Scope = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Batch:
    """What `with op.batch_alter_table(...) as name` binds."""

    table: object
    schema: object


UNKNOWN: Final = Unknown()
#: Calls that give back their first argument, as far as a reader is concerned.
TRANSPARENT = frozenset(
    {"f", "text", "quoted_name", "dedent", "literal_column", "str", "list", "tuple", "sorted", "set", "frozenset"}
)
#: Methods of `sa.text(…)` that leave its SQL as it is.
SAME_TEXT = frozenset({"bindparams", "execution_options"})
#: What engines are called in `dialect.name`, which `dialect.dialect_description` ("postgresql+psycopg") holds too.
ENGINES = ("postgresql", "sqlite", "mysql", "mariadb", "mssql", "oracle")
#: How many calls of functions within one another are followed for their value.
MAX_CALLS = 16


@dataclass(slots=True)
class Scope:
    """Names and what they are bound to; a function's scope falls back on the module's."""

    names: dict[str, object] = field(default_factory=dict)
    functions: dict[str, ast.FunctionDef] = field(default_factory=dict)
    classes: dict[str, dict[str, object]] = field(default_factory=dict)
    outer: Scope | None = None

    def look_up(self, name: str) -> object:
        if name in self.names:
            return self.names[name]
        return UNKNOWN if self.outer is None else self.outer.look_up(name)

    def function(self, name: str) -> ast.FunctionDef | None:
        if name in self.functions or self.outer is None:
            return self.functions.get(name)
        return self.outer.function(name)

    def class_attribute(self, name: str, attribute: str) -> object:
        """What a class that is written in the script sets in its body."""
        if name in self.classes or self.outer is None:
            return self.classes.get(name, {}).get(attribute, UNKNOWN)
        return self.outer.class_attribute(name, attribute)

    def bind(self, target: ast.expr, value: object) -> None:
        """Bind a name, or each name of a tuple; anything else is left alone."""
        if isinstance(target, ast.Name):
            self.names[target.id] = value
        elif isinstance(target, ast.Tuple | ast.List):
            known = isinstance(value, list) and len(value) == len(target.elts)
            values: Sequence[object] = value if known and isinstance(value, list) else [UNKNOWN] * len(target.elts)
            for part, part_value in zip(target.elts, values, strict=True):
                self.bind(part, part_value)


def call_name(node: ast.expr) -> str:
    """The last word of what is called: `sa.Column(...)` → "Column"; "" for anything that has no name."""
    func = node.func if isinstance(node, ast.Call) else node
    if isinstance(func, ast.Attribute):
        return func.attr
    return func.id if isinstance(func, ast.Name) else ""


def evaluate(node: ast.expr, scope: Scope) -> object:
    """The value of an expression: a constant, a list, a dict, Code for a call that is kept, or UNKNOWN."""
    reader = READERS.get(type(node))
    value = None if reader is None else reader(node, scope)
    return UNKNOWN if reader is None or not is_sensible(value) else value


def _known(value: object | None) -> object:
    return UNKNOWN if value is None else value


def _constant(node: ast.expr, scope: Scope) -> object:
    assert isinstance(node, ast.Constant)  # noqa: S101 - dispatched by type
    return node.value


def _name(node: ast.expr, scope: Scope) -> object:
    assert isinstance(node, ast.Name)  # noqa: S101 - dispatched by type
    return scope.look_up(node.id)


def _sequence(node: ast.expr, scope: Scope) -> object:
    assert isinstance(node, ast.List | ast.Tuple | ast.Set)  # noqa: S101 - dispatched by type
    values: list[object] = []
    for element in node.elts:
        if isinstance(element, ast.Starred):
            inner = evaluate(element.value, scope)
            if not isinstance(inner, list):
                return UNKNOWN
            values.extend(inner)
        else:
            values.append(evaluate(element, scope))
    return values


def _dict(node: ast.expr, scope: Scope) -> object:
    assert isinstance(node, ast.Dict)  # noqa: S101 - dispatched by type
    result: dict[object, object] = {}
    for key, value in zip(node.keys, node.values, strict=True):
        known = UNKNOWN if key is None else evaluate(key, scope)
        if not isinstance(known, str | int | bool):
            return UNKNOWN
        result[known] = evaluate(value, scope)
    return result


def _joined(node: ast.expr, scope: Scope) -> object:
    assert isinstance(node, ast.JoinedStr)  # noqa: S101 - dispatched by type
    values = [evaluate(part.value if isinstance(part, ast.FormattedValue) else part, scope) for part in node.values]
    if all(isinstance(value, str | int | float) for value in values):
        return "".join(map(str, values))
    # f"shop_{Model.__tablename__}": not known, but the same wherever it is handed to.
    is_named = all(isinstance(value, str | int | float) or _is_attribute(value) for value in values)
    return Code(node, scope) if is_named else UNKNOWN


def _is_attribute(value: object) -> bool:
    return isinstance(value, Code) and isinstance(value.node, ast.Attribute)


def _binary(node: ast.expr, scope: Scope) -> object:
    assert isinstance(node, ast.BinOp)  # noqa: S101 - dispatched by type
    left, right = evaluate(node.left, scope), evaluate(node.right, scope)
    if isinstance(node.op, ast.Mod) and isinstance(left, str):
        return _known(formatted(left, right))
    if not isinstance(node.op, ast.Add):
        return UNKNOWN
    if isinstance(left, str) and isinstance(right, str):
        return left + right
    if isinstance(left, list) and isinstance(right, list):
        return [*left, *right]
    return UNKNOWN


def _comprehension(node: ast.expr, scope: Scope) -> object:
    """`[… for name in …]` with one known list and no condition."""
    assert isinstance(node, ast.ListComp | ast.SetComp | ast.GeneratorExp)  # noqa: S101 - dispatched by type
    (first, *more) = node.generators
    turns = evaluate(first.iter, scope)
    if more or first.ifs or not isinstance(turns, list | dict):
        return UNKNOWN
    values = []
    for turn in turns:
        inner = Scope(outer=scope)
        inner.bind(first.target, turn)
        values.append(evaluate(node.elt, inner))
    return values


def _choice(node: ast.expr, scope: Scope) -> object:
    assert isinstance(node, ast.IfExp)  # noqa: S101 - dispatched by type
    test = evaluate(node.test, scope)
    return evaluate(node.body if test else node.orelse, scope) if isinstance(test, bool) else UNKNOWN


def _compare(node: ast.expr, scope: Scope) -> object:
    assert isinstance(node, ast.Compare)  # noqa: S101 - dispatched by type
    if len(node.ops) != 1:
        return UNKNOWN
    left, right = evaluate(node.left, scope), evaluate(node.comparators[0], scope)
    is_negated = isinstance(node.ops[0], ast.NotEq | ast.NotIn | ast.IsNot)
    if isinstance(node.ops[0], ast.Eq | ast.NotEq):
        if isinstance(right, DialectName):
            left, right = right, left
        if isinstance(left, DialectName) and isinstance(right, str):
            return DialectTest(frozenset({right}), is_negated)
        if isinstance(left, str | int) and isinstance(right, str | int):
            return (left == right) is not is_negated
    return _membership(left, right, is_negated) if isinstance(node.ops[0], ast.In | ast.NotIn) else UNKNOWN


def _membership(left: object, right: object, is_negated: bool) -> object:
    """`dialect.name in ("postgresql", …)`, and `"postgresql" in dialect.dialect_description`."""
    names: frozenset[str] = frozenset()
    if isinstance(left, DialectName) and isinstance(right, list):
        found = frozenset(item for item in right if isinstance(item, str))
        names = found if len(found) == len(right) else names
    elif isinstance(left, str) and isinstance(right, DialectName):
        names = frozenset(word for word in ENGINES if left in word)
    return DialectTest(names, is_negated) if names else UNKNOWN


def _boolean(node: ast.expr, scope: Scope) -> object:
    """`or` and `and` of known values, and `or` of tests of the dialect."""
    assert isinstance(node, ast.BoolOp)  # noqa: S101 - dispatched by type
    values = [evaluate(value, scope) for value in node.values]
    is_or = isinstance(node.op, ast.Or)
    if any(value is is_or for value in values):
        return is_or
    if all(isinstance(value, bool) for value in values):
        return not is_or
    tests = [value for value in values if isinstance(value, DialectTest)]
    if is_or and len(tests) == len(values) and not any(test.is_negated for test in tests):
        return DialectTest(frozenset[str]().union(*(test.names for test in tests)))
    return UNKNOWN


def _unary(node: ast.expr, scope: Scope) -> object:
    assert isinstance(node, ast.UnaryOp)  # noqa: S101 - dispatched by type
    value = evaluate(node.operand, scope)
    if isinstance(node.op, ast.Not) and isinstance(value, bool | DialectTest):
        return value.opposite() if isinstance(value, DialectTest) else not value
    if isinstance(node.op, ast.USub) and isinstance(value, int | float):
        return -value
    return UNKNOWN


def _subscript(node: ast.expr, scope: Scope) -> object:
    assert isinstance(node, ast.Subscript)  # noqa: S101 - dispatched by type
    container, key = evaluate(node.value, scope), evaluate(node.slice, scope)
    if isinstance(container, dict) and isinstance(key, str | int):
        return container.get(key, UNKNOWN)
    if isinstance(container, list) and isinstance(key, int) and -len(container) <= key < len(container):
        return container[key]
    return UNKNOWN


def _call(node: ast.expr, scope: Scope) -> object:
    assert isinstance(node, ast.Call)  # noqa: S101 - dispatched by type
    name = call_name(node)
    if name in TRANSPARENT and node.args:
        return evaluate(node.args[0], scope)
    if isinstance(node.func, ast.Name):
        function = scope.function(name)
        if function is not None:
            return _returned(function, node, scope)
        if name in {"enumerate", "zip", "reversed"}:
            return _known(rows(name, [evaluate(argument, scope) for argument in node.args]))
        return Code(node, scope)
    return _method(node, node.func, scope) if isinstance(node.func, ast.Attribute) else Code(node, scope)


def _method(node: ast.Call, func: ast.Attribute, scope: Scope) -> object:
    receiver, name = evaluate(func.value, scope), func.attr
    if isinstance(receiver, DialectName) and name == "startswith" and node.args:
        start = evaluate(node.args[0], scope)
        return DialectTest(frozenset(word for word in ENGINES if isinstance(start, str) and word.startswith(start)))
    if isinstance(receiver, str):
        if name in SAME_TEXT:
            return receiver
        values = [evaluate(argument, scope) for argument in node.args]
        named = {keyword.arg: evaluate(keyword.value, scope) for keyword in node.keywords if keyword.arg}
        return _known(string_method(receiver, name, values, named))
    if isinstance(receiver, dict) and not node.args:
        return _known(dict_method(receiver, name))
    return Code(node, scope)


def entered(function: ast.FunctionDef, call: ast.Call, scope: Scope) -> Scope:
    """The scope of a function's body during a call of it."""
    inner = Scope(outer=scope)
    parameters = [parameter.arg for parameter in (*function.args.posonlyargs, *function.args.args)]
    defaults = function.args.defaults
    for parameter, default in zip(parameters[len(parameters) - len(defaults) :], defaults, strict=True):
        inner.names[parameter] = evaluate(default, scope)
    for parameter, argument in zip(parameters, call.args, strict=False):
        inner.names[parameter] = evaluate(argument, scope)
    if function.args.vararg is not None:
        rest = [evaluate(argument, scope) for argument in call.args[len(parameters) :]]
        is_starred = any(isinstance(argument, ast.Starred) for argument in call.args)
        inner.names[function.args.vararg.arg] = UNKNOWN if is_starred else rest
    for keyword in call.keywords:
        if keyword.arg is not None:
            inner.names[keyword.arg] = evaluate(keyword.value, scope)
    return inner


def _returned(function: ast.FunctionDef, call: ast.Call, scope: Scope) -> object:
    """What a function of the script gives back, where it only names a few values and returns one."""
    *before, last = function.body
    is_short = all(isinstance(one, ast.Assign | ast.Expr) for one in before)
    if not is_short or not isinstance(last, ast.Return) or last.value is None or _calls_around(scope) > MAX_CALLS:
        return Code(call, scope)
    inner = entered(function, call, scope)
    for one in before:
        if isinstance(one, ast.Assign):
            for target in one.targets:
                inner.bind(target, evaluate(one.value, inner))
    return evaluate(last.value, inner)


def _calls_around(scope: Scope) -> int:
    depth = 0
    while scope.outer is not None:
        scope, depth = scope.outer, depth + 1
    return depth


def _attribute(node: ast.expr, scope: Scope) -> object:
    assert isinstance(node, ast.Attribute)  # noqa: S101 - dispatched by type
    owner, is_name = node.value, node.attr in {"name", "dialect_description"}
    if is_name and isinstance(owner, ast.Attribute) and owner.attr in {"dialect", "engine"}:
        return DialectName()
    if is_name and isinstance(owner, ast.Name):
        value = scope.look_up(owner.id)
        if isinstance(value, Code) and isinstance(value.node, ast.Attribute) and value.node.attr == "dialect":
            return DialectName()
    if isinstance(owner, ast.Name):
        known = scope.class_attribute(owner.id, node.attr)
        if known is not UNKNOWN:
            return known
    return Code(node, scope)


READERS: Mapping[type[ast.expr], Callable[[ast.expr, Scope], object]] = {
    ast.Constant: _constant,
    ast.Name: _name,
    ast.List: _sequence,
    ast.Tuple: _sequence,
    ast.Set: _sequence,
    ast.Dict: _dict,
    ast.JoinedStr: _joined,
    ast.BinOp: _binary,
    ast.UnaryOp: _unary,
    ast.IfExp: _choice,
    ast.ListComp: _comprehension,
    ast.SetComp: _comprehension,
    ast.GeneratorExp: _comprehension,
    ast.Compare: _compare,
    ast.BoolOp: _boolean,
    ast.Subscript: _subscript,
    ast.Call: _call,
    ast.Attribute: _attribute,
}
