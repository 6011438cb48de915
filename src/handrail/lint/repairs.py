"""Exact edits that rules offer: they change what they must and leave every other byte of the script as it is."""

from __future__ import annotations

import ast
import builtins
import functools
from collections.abc import Iterator, Mapping

from handrail.lint.finding import Edit, apply_edits, source_line, source_text

_STEP = "    "
_BEGINNINGS = frozenset({"begin", "begin_nested", "begin_transaction"})


def with_keywords(call: ast.Call, keywords: Mapping[str, str]) -> tuple[Edit, ...]:
    """Edits that give a call these keyword arguments: in place of the values it has, else after the last argument."""
    edits, missing = [], dict(keywords)
    for word in call.keywords:
        if word.arg in missing:
            edits.append(over(word.value, missing.pop(word.arg)))
    if missing:
        last = max(arguments(call), key=lambda node: (node.end_lineno or 0, node.end_col_offset or 0), default=None)
        text = ", ".join(f"{name}={value}" for name, value in missing.items())
        if last is not None:
            end = (last.end_lineno or 0, last.end_col_offset or 0)
            edits.append(Edit(*end, *end, f", {text}"))
    return tuple(edits)


def corrected(source: str, call: ast.Call, edits: tuple[Edit, ...]) -> str:
    """The call as it reads after edits within it, its further lines as if it stood at the beginning of a line."""
    begin = (call.lineno, call.col_offset)
    moved = tuple(
        Edit(
            edit.line - call.lineno + 1,
            edit.column - (call.col_offset if edit.line == call.lineno else 0),
            edit.end_line - call.lineno + 1,
            edit.end_column - (call.col_offset if edit.end_line == call.lineno else 0),
            edit.text,
        )
        for edit in edits
        if (edit.line, edit.column) >= begin
    )
    return _unindented(source, call, apply_edits(source_text(source, call), moved))


def _unindented(source: str, call: ast.Call, text: str) -> str:
    """Without the indentation that `replaced` gives back to every line; as it is when some line has less."""
    before = source_line(source, call.lineno).encode()[: call.col_offset].decode()
    first, *others = text.split("\n")
    if before.strip() or not all(line.startswith(before) for line in others if line.strip()):
        return text
    return "\n".join([first, *(line.removeprefix(before) for line in others)])


def statement_of(source: str, call: ast.Call) -> bool:
    """Whether the call is a statement of its own, alone on its lines: only then may lines be put around it."""
    before = source_line(source, call.lineno).encode()[: call.col_offset].strip()
    before += b"\\" if source_line(source, call.lineno - 1).endswith("\\") else b""  # it goes on with the line above
    after = source_line(source, call.end_lineno or 0).encode()[call.end_col_offset :].strip()
    return not before and (not after or after.startswith(b"#"))


def replaced(source: str, call: ast.Call, text: str) -> tuple[Edit, ...]:
    """An edit that puts lines in place of a statement; `text` is indented as the statement is. () when the call is no
    statement of its own, or holds a text of several lines, which must not be indented."""
    if not statement_of(source, call) or _has_long_text(call):
        return ()
    indent = source_line(source, call.lineno).encode()[: call.col_offset].decode()
    lines = text.split("\n")
    whole = "\n".join([lines[0], *(f"{indent}{line}" if line.strip() else line for line in lines[1:])])
    return (over(call, whole),)


def committing(source: str, call: ast.Call, text: str) -> tuple[Edit, ...]:
    """`replaced`, for lines with an autocommit block: () too where the statement is within a transaction that the
    script itself begins and ends, since the block would end it before."""
    return replaced(source, call, text) if may_commit(source, call) else ()


def may_commit(source: str, call: ast.Call) -> bool:
    """Whether no `with ….begin():` or `with ….begin_nested():` is around the call."""
    return not any(first <= call.lineno <= last for first, last in _transactions(source))


@functools.lru_cache(maxsize=16)
def _transactions(source: str) -> tuple[tuple[int, int], ...]:
    """The lines of the blocks that are a transaction or a savepoint."""
    return tuple(
        (node.lineno, node.end_lineno or node.lineno)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.With)
        for item in node.items
        if isinstance(item.context_expr, ast.Call)
        and isinstance(item.context_expr.func, ast.Attribute)
        and item.context_expr.func.attr in _BEGINNINGS
    )


def _has_long_text(call: ast.Call) -> bool:
    texts = (node for node in ast.walk(call) if isinstance(node, ast.Constant | ast.JoinedStr))
    return any(node.lineno != node.end_lineno for node in texts)


def in_autocommit_block(source: str, call: ast.Call, inner: str) -> tuple[Edit, ...]:
    """The statement `inner` in place of the call, within an autocommit block."""
    body = "\n".join(f"{_STEP}{line}" if line.strip() else line for line in inner.split("\n"))
    return committing(source, call, f"with {op_name(source)}.get_context().autocommit_block():\n{body}")


@functools.lru_cache(maxsize=16)
def op_name(source: str) -> str:
    """What the script calls Alembic's operations: "op" unless its imports say otherwise."""
    for statement in ast.parse(source).body:
        if isinstance(statement, ast.ImportFrom) and statement.module == "alembic":
            found = next((one for one in statement.names if one.name == "op"), None)
            if found is not None:
                return found.asname or found.name
        elif isinstance(statement, ast.Import):
            found = next((one for one in statement.names if one.name in {"alembic", "alembic.op"}), None)
            if found is not None:
                return found.asname or "alembic.op"
    return "op"


def open_names(source: str) -> frozenset[str]:
    """Names that a script uses and nowhere binds: running it would end in a NameError."""
    used: set[str] = set()
    bound = set(dir(builtins)) | {"__file__", "__name__"}
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Name(id=name, ctx=ast.Load()):
                used.add(name)
            case ast.Name(id=name) | ast.arg(arg=name) | ast.ExceptHandler(name=str(name)):
                bound.add(name)
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                bound.add(name)
            case ast.alias(name=name, asname=other):
                bound.add(other or name.partition(".")[0])
            case ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)) | ast.MatchMapping(rest=str(name)):
                bound.add(name)
    return frozenset(used - bound) if "*" not in bound else frozenset()


def one_line(text: str) -> str:
    """Code for a hint: its lines joined."""
    return " ".join(line.strip() for line in text.split("\n"))


def over(node: ast.expr, text: str) -> Edit:
    """The text in place of an expression."""
    return Edit(node.lineno, node.col_offset, node.end_lineno or 0, node.end_col_offset or 0, text)


def arguments(call: ast.Call) -> Iterator[ast.expr]:
    """The values of a call's arguments, those with a name last."""
    yield from call.args
    yield from (keyword.value for keyword in call.keywords)
