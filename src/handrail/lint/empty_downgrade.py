"""An edit that gives a script the body of downgrade(), where it has none."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from handrail.lint.finding import Edit, source_line
from handrail.lint.script_text import ScriptText, binds


def filled(source: str, lines: Sequence[str]) -> tuple[Edit, ...]:
    """The edit that puts these lines (within blocks indented by four) into downgrade(): in place of `pass`, or as a
    function of its own at the end. () where the body holds anything else."""
    script = ScriptText.of(source)
    function = script.function("downgrade")
    step = _step(script)
    if function is None:
        return () if binds(script.module, "downgrade") else (_appended(script, _indented(lines, step, step)),)
    body = _empty(function.body)
    if not body:
        return ()
    first, last = body[0], body[-1]
    rest = source_line(source, last.end_lineno or 0).encode()[last.end_col_offset or 0 :].strip()
    if rest and not rest.startswith(b"#"):
        return ()
    end = (last.end_lineno or 0, last.end_col_offset or 0)
    indent = script.indent_of(first)
    if indent is not None:
        text = _indented(lines, indent, step).removeprefix(indent)
        return (Edit(first.lineno, first.col_offset, *end, text),)
    return _opened(script, function, first, _indented(lines, step, step))


def _opened(script: ScriptText, function: ast.FunctionDef, first: ast.stmt, text: str) -> tuple[Edit, ...]:
    """The edit for `def downgrade(): pass`: the body moves to lines of its own."""
    line = source_line(script.source, first.lineno).encode()[: first.col_offset]
    before = line.rstrip()
    if not before.endswith(b":") or function.body[0] is not first:
        return ()
    end = (function.body[-1].end_lineno or 0, function.body[-1].end_col_offset or 0)
    return (Edit(first.lineno, len(before), *end, f"\n{text}"),)


def _empty(body: Sequence[ast.stmt]) -> Sequence[ast.stmt]:
    """The statements to replace when none does anything. A docstring "Downgrade schema." stays if more follows it;
    any other says that there is nothing to do, which is no longer true."""
    if not all(_is_nothing(one) for one in body):
        return ()
    text = ast.get_docstring(ast.Module([*body], [])) or ""
    return body[1:] if len(body) > 1 and text.casefold().startswith("downgrade") else body


def _is_nothing(statement: ast.stmt) -> bool:
    match statement:
        case ast.Pass() | ast.Expr(value=ast.Constant()):
            return True
        case ast.Return(value=value):
            return value is None or (isinstance(value, ast.Constant) and value.value is None)
    return False


def _appended(script: ScriptText, text: str) -> Edit:
    """downgrade() at the end of the text, which ends as it did: with a line end or without."""
    upgrade = script.function("upgrade")
    returns = " -> None" if upgrade is not None and upgrade.returns is not None else ""
    data = script.source.encode()
    blank = len(data.decode()) - len(data.decode().rstrip("\r\n"))
    is_ended = blank > 0
    ends = script.source[len(script.source) - blank :].replace("\r\n", "\n").replace("\r", "\n").count("\n")
    whole = "\n" * max(0, 3 - ends) + f"def downgrade(){returns}:\n{text}" + ("\n" if is_ended else "")
    lines = data.splitlines()
    at = (len(lines) + 1, 0) if is_ended else (len(lines), len(lines[-1]) if lines else 0)
    return Edit(*at, *at, whole)


def _indented(lines: Sequence[str], indent: str, step: str) -> str:
    return "\n".join(indent + (step + line[4:] if line.startswith("    ") else line) for line in lines)


def _step(script: ScriptText) -> str:
    """By how much the script indents the body of a function."""
    for name in ("upgrade", "downgrade"):
        function = script.function(name)
        if function is not None and (indent := script.indent_of(function.body[0])):
            return indent
    return "    "
