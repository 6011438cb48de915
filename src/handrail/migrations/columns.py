"""What a `sa.Column(...)` in a migration script says: name, type, nullability and default, as text."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from handrail.facts import TableName
from handrail.migrations.types import TypeText, read_type
from handrail.migrations.values import UNKNOWN, Code, Scope, call_name, evaluate

#: Arguments of Column that are no types.
NO_TYPES = frozenset(
    {"ForeignKey", "CheckConstraint", "Identity", "Computed", "Sequence", "FetchedValue", "Constraint", "DefaultClause"}
)
#: Arguments of Column by which the database itself fills the column.
FILLING = frozenset({"Identity", "Computed", "Sequence", "FetchedValue", "DefaultClause"})


@dataclass(frozen=True, slots=True)
class ColumnText:
    """A column as the script writes it.

    `type` is source text, `type_name` its last word ("Enum"), `labels` those of an Enum with literal labels.
    `nullable` is None when only running the script could tell. `server_default` is SQL text, None when there is none.
    `python_default` is the literal value of `default=`. `call` is the `sa.Column(...)` expression, None in SQL text.
    `filled_by` names what fills it beside a default ("identity", "computed", "computed virtual",
    "serial"); `references` is the table of a
    foreign key written in the column.
    """

    name: str | None
    type: str
    type_name: str
    labels: tuple[str, ...]
    nullable: bool | None
    server_default: str | None
    python_default: str | int | float | bool | None
    call: ast.Call | None = None
    sql_type: TypeText | None = None
    filled_by: str = ""
    references: TableName | None = None
    on_delete: str = ""
    is_unique: bool = False
    is_primary_key: bool = False
    is_indexed: bool = False


def read_column(code: object) -> ColumnText | None:
    """Read a column; None when `code` is no call that could be one."""
    if not isinstance(code, Code) or not isinstance(code.node, ast.Call) or call_name(code.node) != "Column":
        return None
    call, scope = code.node, code.scope
    keywords = {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg is not None}
    positional = [evaluate(argument, scope) for argument in call.args]
    name = positional[0] if positional and isinstance(positional[0], str) else _value(keywords.get("name"), scope)
    type_node = keywords.get("type_") or _type_argument(call, positional)
    default = _value(keywords.get("default"), scope)
    return ColumnText(
        name=name if isinstance(name, str) else None,
        type="" if type_node is None else ast.unparse(type_node),
        type_name="" if type_node is None else call_name(type_node),
        labels=_labels(type_node, scope),
        nullable=_nullable(call, keywords, scope),
        server_default=_server_default(keywords, positional, scope),
        python_default=default if isinstance(default, str | int | float) else None,
        call=call,
        sql_type=read_type(type_node, scope),
        filled_by=next((word for word in map(_filler, positional) if word), ""),
        references=next((table for table in (_foreign_key(value)[0] for value in positional) if table), None),
        on_delete=next((text for text in (_foreign_key(value)[1] for value in positional) if text), ""),
        is_unique=_value(keywords.get("unique"), scope) is True,
        is_primary_key=_value(keywords.get("primary_key"), scope) is True,
        is_indexed=_value(keywords.get("index"), scope) is True,
    )


def _filler(value: object) -> str:
    if not isinstance(value, Code):
        return ""
    name = call_name(value.node).lower()
    if name == "computed" and isinstance(value.node, ast.Call):
        words = {word.arg: word.value for word in value.node.keywords}
        is_virtual = _value(words.get("persisted"), value.scope) is False
        return "computed virtual" if is_virtual else "computed"
    return name if name == "identity" else ""


def _foreign_key(value: object) -> tuple[TableName | None, str]:
    """The table and the ON DELETE of a `sa.ForeignKey("users.id", ondelete="CASCADE")`."""
    if not isinstance(value, Code) or not isinstance(value.node, ast.Call) or call_name(value.node) != "ForeignKey":
        return None, ""
    target = evaluate(value.node.args[0], value.scope) if value.node.args else UNKNOWN
    rule = next((evaluate(word.value, value.scope) for word in value.node.keywords if word.arg == "ondelete"), "")
    if not isinstance(target, str) or "." not in target:
        return None, ""
    schema, _, table = target.rpartition(".")[0].rpartition(".")
    return TableName(table, schema or None), rule.upper() if isinstance(rule, str) else ""


def default_text(node: ast.expr, scope: Scope) -> str | None:
    """A `server_default=` argument as SQL text; None for None."""
    if isinstance(node, ast.Call) and call_name(node) in {"text", "literal_column"}:
        inner = evaluate(node, scope)
        return inner if isinstance(inner, str) else ast.unparse(node)
    value = evaluate(node, scope)
    if value is None:
        return None
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    expression = value.node if isinstance(value, Code) else node
    if isinstance(expression, ast.Call) and not expression.args and call_name(expression) in {"true", "false", "null"}:
        return call_name(expression)
    text = ast.unparse(expression)
    return text.partition("func.")[2] or text


def _value(node: ast.expr | None, scope: Scope) -> object:
    return UNKNOWN if node is None else evaluate(node, scope)


def _type_argument(call: ast.Call, positional: list[object]) -> ast.expr | None:
    for node, value in zip(call.args, positional, strict=True):
        expression = value.node if isinstance(value, Code) else node
        if isinstance(value, str) or isinstance(node, ast.Starred) or call_name(expression) in NO_TYPES:
            continue
        return expression
    return None


def _labels(node: ast.expr | None, scope: Scope) -> tuple[str, ...]:
    if not isinstance(node, ast.Call) or call_name(node).lower() != "enum":
        return ()
    values: list[object] = []
    for argument in node.args:
        value = evaluate(argument.value if isinstance(argument, ast.Starred) else argument, scope)
        values.extend(value if isinstance(value, list) else [value])
    texts = tuple(value for value in values if isinstance(value, str))
    return texts if len(texts) == len(values) else ()


def _nullable(call: ast.Call, keywords: dict[str, ast.expr], scope: Scope) -> bool | None:
    if "nullable" in keywords:
        value = evaluate(keywords["nullable"], scope)
        return value if isinstance(value, bool) else None
    if any(keyword.arg is None for keyword in call.keywords):
        return None
    return _value(keywords.get("primary_key"), scope) is not True


def _server_default(keywords: dict[str, ast.expr], positional: list[object], scope: Scope) -> str | None:
    if "server_default" in keywords:
        text = default_text(keywords["server_default"], scope)
        if text is not None:
            return text
    filling = (value.node for value in positional if isinstance(value, Code) and call_name(value.node) in FILLING)
    return next((ast.unparse(node) for node in filling), None)
