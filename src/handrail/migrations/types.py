"""Column types as a script writes them, by one set of names whether it says `sa.String(50)` or `varchar(50)`."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from handrail.migrations.values import UNKNOWN, Code, Scope, call_name, evaluate

#: SQLAlchemy's and SQL's words for a type, lower case and without spaces, to the one used here.
NAMES: Final[Mapping[str, str]] = {
    "string": "varchar",
    "unicode": "varchar",
    "nvarchar": "varchar",
    "autostring": "varchar",
    "charactervarying": "varchar",
    "character": "char",
    "bpchar": "char",
    "unicodetext": "text",
    "int": "integer",
    "int4": "integer",
    "biginteger": "bigint",
    "int8": "bigint",
    "smallinteger": "smallint",
    "int2": "smallint",
    "decimal": "numeric",
    "double": "double precision",
    "doubleprecision": "double precision",
    "double_precision": "double precision",
    "float8": "double precision",
    "float4": "real",
    "bool": "boolean",
    "datetime": "timestamp",
    "timestampwithouttimezone": "timestamp",
    "timestampwithtimezone": "timestamptz",
    "timewithouttimezone": "time",
    "largebinary": "bytea",
    "blob": "bytea",
    "serial4": "serial",
    "serial8": "bigserial",
}


@dataclass(frozen=True, slots=True)
class TypeText:
    """A type. `name` is one of few ("varchar", "timestamptz", "enum"; a domain's or a project's own stays as it is),
    `arguments` its length or precision and scale, `labels` those of an enum, `enum_name` the enum type's name.

    `is_native` is False for an enum that is stored as text. `text` is what the script says. `variants` are the types
    that single engines get in its place.
    """

    name: str
    arguments: tuple[int, ...] = ()
    text: str = ""
    labels: tuple[str, ...] = ()
    enum_name: str = ""
    is_native: bool = True
    creates_check: bool = False
    variants: tuple[tuple[str, TypeText], ...] = ()

    def on(self, engine: str) -> TypeText:
        """The type that an engine gets, where the script says another one for it (`with_variant`)."""
        return dict(self.variants).get(engine, self)

    def __str__(self) -> str:
        size = f"({','.join(str(number) for number in self.arguments)})" if self.arguments else ""
        return f"{self.name}{size}"


def named(word: str) -> str:
    """The name used here for a type's word."""
    lower = word.lower().replace(" ", "")
    return NAMES.get(lower, lower)


def read_type(node: ast.expr | None, scope: Scope) -> TypeText | None:
    """The type that an expression like `sa.String(50)`, `sa.Integer` or a name bound to one stands for."""
    if node is None:
        return None
    value = evaluate(node, scope)
    expression = value.node if isinstance(value, Code) else node
    within = value.scope if isinstance(value, Code) else scope
    text = ast.unparse(expression)
    word = call_name(expression)
    if not word:
        return None
    if not isinstance(expression, ast.Call):
        return TypeText(named(word), text=text)
    if word in {"with_variant", "evaluates_none"} and isinstance(expression.func, ast.Attribute):
        return _varied(expression, expression.func.value, within)
    keywords = {keyword.arg: keyword.value for keyword in expression.keywords if keyword.arg is not None}
    if word.lower() == "enum":
        return _enum(expression, keywords, within, text)
    if word in {"DateTime", "TIMESTAMP", "DATETIME"} and _known(keywords.get("timezone"), within) is True:
        return TypeText("timestamptz", text=text)
    if word in {"DateTime", "TIMESTAMP"} and expression.args and _known(expression.args[0], within) is True:
        return TypeText("timestamptz", text=text)
    numbers = [_known(argument, within) for argument in expression.args]
    numbers += [_known(keywords[name], within) for name in ("length", "precision", "scale") if name in keywords]
    sizes = tuple(number for number in numbers if isinstance(number, int) and not isinstance(number, bool))
    is_checked = word == "Boolean" and _known(keywords.get("create_constraint"), within) is True
    return TypeText(named(word), sizes, text, creates_check=is_checked)


def _varied(call: ast.Call, base: ast.expr, scope: Scope) -> TypeText | None:
    found = read_type(base, scope)
    variant = read_type(call.args[0], scope) if call.args else None
    if found is None or variant is None:
        return found
    engines = [_known(argument, scope) for argument in call.args[1:]]
    more = tuple((engine, variant) for engine in engines if isinstance(engine, str))
    return replace(found, variants=found.variants + more)


def _enum(call: ast.Call, keywords: dict[str, ast.expr], scope: Scope, text: str) -> TypeText:
    values: list[object] = []
    for argument in call.args:
        value = evaluate(argument.value if isinstance(argument, ast.Starred) else argument, scope)
        values.extend(value if isinstance(value, list) else [value])
    labels = tuple(value for value in values if isinstance(value, str))
    name, length = _known(keywords.get("name"), scope), _known(keywords.get("length"), scope)
    if "name" not in keywords and len(call.args) == 1:
        name = _class_name(call.args[0])
    is_native = _known(keywords.get("native_enum"), scope) is not False
    return TypeText(
        "enum",
        (length,) if isinstance(length, int) else (),
        text,
        labels if len(labels) == len(values) else (),
        name if isinstance(name, str) else "",
        is_native,
        _known(keywords.get("create_constraint"), scope) is True,
    )


def _class_name(node: ast.expr) -> str:
    """The name that SQLAlchemy gives the type of `sa.Enum(Colour)`: that of the class in small letters."""
    found = call_name(node) if isinstance(node, ast.Name | ast.Attribute) else ""
    return found.lower() if found[:1].isupper() else ""


def _known(node: ast.expr | None, scope: Scope) -> object:
    return UNKNOWN if node is None else evaluate(node, scope)
