"""Edits that add a constraint without a check of the old rows, and check those afterwards on their own."""

from __future__ import annotations

import ast
import re
from typing import Final

from handrail.facts import TableName
from handrail.lint.change_rule import Around
from handrail.lint.finding import Edit, source_line, source_text
from handrail.lint.repairs import committing, corrected, may_commit, statement_of, with_keywords
from handrail.migrations.changes import AddConstraint
from handrail.migrations.sql_changes import read_sql
from handrail.migrations.sql_names import quoted, quoted_table

#: A text of SQL in a script: what it says, and how it ends.
_LITERAL: Final = re.compile(r"""(?P<body>.*?)(?P<end>[\s;]*('{3}|"{3}|'|"))""", re.DOTALL)
BLOCK: Final = "with op.get_context().autocommit_block():"


def is_written_out(call: ast.Call, *arguments: tuple[str, int]) -> bool:
    """Whether these arguments of the call (keyword, place) are texts on the spot: then it means the same every time
    it runs."""
    return all(_is_text(_argument(call, name, place)) for name, place in arguments)


def validation(table: TableName, name: str) -> str:
    """The statement of a script that checks the old rows against a constraint."""
    return f"op.execute({f'ALTER TABLE {quoted_table(table)} VALIDATE CONSTRAINT {quoted(name)}'!r})"


def unchecked_then_validated(around: Around, table_argument: str) -> tuple[tuple[Edit, ...], str]:
    """Edits for `op.create_…_constraint(…)` by which it is NOT VALID first and validated in a transaction of its own;
    and the corrected code."""
    change = around.change
    assert isinstance(change, AddConstraint)  # noqa: S101 - the rules ask about nothing else
    name, call, place = change.constraint.name, change.place.call, change.place
    check = f"{BLOCK} {validation(change.table, name or '…')}"
    if call is None or place.is_sql or place.batch:
        edits: tuple[Edit, ...] = ()
        if call is not None and name is not None and place.is_sql:
            edits = _sql_edits(around, call, validation(change.table, name))
        return edits, f"ALTER TABLE {quoted_table(change.table)} ADD … NOT VALID, and then {check}"
    source = around.script.revision.source
    inner = corrected(source, call, with_keywords(call, {"postgresql_not_valid": "True"}))
    if name is None or place.in_autocommit or not is_written_out(call, ("constraint_name", 0), (table_argument, 1)):
        return (), f"{inner}; {check}"
    text = f"{inner}\n{BLOCK}\n    {validation(change.table, name)}"
    return committing(source, call, text), text


def _sql_edits(around: Around, call: ast.Call, validating: str) -> tuple[Edit, ...]:
    """Edits that end the SQL in NOT VALID and validate afterwards; () where the text holds more, or is put together."""
    source, place = around.script.revision.source, around.change.place
    text = call.args[0] if call.args else None
    if isinstance(text, ast.Call) and text.args:
        text = text.args[0]
    is_alone = not any(one.place is place for one in around.all if one is not around.change)
    if not isinstance(text, ast.Constant) or not is_alone or place.in_autocommit:
        return ()
    if not statement_of(source, call) or not may_commit(source, call):
        return ()
    literal = source_text(source, text)
    found = _LITERAL.fullmatch(literal)
    if found is None:
        return ()
    unchecked = f"{found['body']} NOT VALID{found['end']}"
    read = read_sql(ast.literal_eval(f"({unchecked})"), place)  # texts side by side may stand on several lines
    if len(read) != 1 or not isinstance(read[0], AddConstraint) or read[0].constraint.is_checked:
        return ()
    indent = source_line(source, call.lineno).encode()[: call.col_offset].decode()
    end = (call.end_lineno or 0, call.end_col_offset or 0)
    after = f"\n{indent}{BLOCK}\n{indent}    {validating}"
    where = (text.lineno, text.col_offset, text.end_lineno or 0, text.end_col_offset or 0)
    return (Edit(*where, unchecked), Edit(*end, *end, after))


def _argument(call: ast.Call, name: str, place: int) -> ast.expr | None:
    for keyword in call.keywords:
        if keyword.arg == name:
            return keyword.value
    return call.args[place] if place < len(call.args) else None


def _is_text(node: ast.expr | None) -> bool:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "f" and node.args:
        node = node.args[0]
    return isinstance(node, ast.Constant) and isinstance(node.value, str)
