"""Reads what is neither `op.…` nor SQL: batch blocks, ORM sessions, enum types made by hand, helpers of the project."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from handrail.facts import TableName
from handrail.migrations import changes
from handrail.migrations.call_changes import table_of
from handrail.migrations.calls import Arguments
from handrail.migrations.changes import Change, NotAnalysable, Place
from handrail.migrations.core_writes import chain, read_core
from handrail.migrations.types import read_type
from handrail.migrations.values import Code, Scope, call_name, evaluate

#: Calls of a session that write what was done to objects before.
_FLUSHES = {"add", "add_all", "merge", "flush", "bulk_save_objects", "bulk_insert_mappings", "bulk_update_mappings"}
#: What Alembic's batch mode does on SQLite without copying the table.
_UNCOPIED = (changes.CreateIndex, changes.DropIndex)


def batch_changes(opened: Arguments, place: Place, number: int, inside: Sequence[Change]) -> tuple[Change, ...]:
    """The block itself. On SQLite it copies the table unless it only adds plain columns and makes or drops indexes
    (SQLiteImpl.requires_recreate_in_batch of Alembic)."""
    table = table_of(opened, "table_name", 0)
    if table is None:
        return (NotAnalysable(place, "batch_alter_table: the table is known only when the script runs"),)
    recreate = opened.text("recreate") or "auto"
    is_copied = recreate == "always" or (recreate == "auto" and any(_needs_copy(change) for change in inside))
    calls = tuple(call_name(change.place.call) for change in inside if change.place.call is not None)
    has_copy_from = opened.node("copy_from") is not None
    return (changes.Batch(place, table, number, recreate, calls, is_copied, has_copy_from),)


def _needs_copy(change: Change) -> bool:
    if isinstance(change, changes.AddColumn):
        return _has_expression(change.column.call)
    return not isinstance(change, _UNCOPIED)


def _has_expression(column: ast.Call | None) -> bool:
    """Whether a column has a stored value or a default that is no plain string: `sa.text("0")`, `sa.true()`."""
    if column is None:
        return False
    computed = (node for node in column.args if isinstance(node, ast.Call) and call_name(node) == "Computed")
    if any(word.arg == "persisted" and _is_true(word.value) for node in computed for word in node.keywords):
        return True
    defaults = (word.value for word in column.keywords if word.arg == "server_default")
    return any(not isinstance(node, ast.Constant | ast.JoinedStr | ast.Name) for node in defaults)


def _is_true(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is True


def session_changes(
    call: ast.Call, receiver: object, scope: Scope, place: Place, *, is_session: bool
) -> tuple[Change, ...]:
    """What a call on a session, a query or an enum type writes; () for everything else."""
    name = call_name(call)
    if isinstance(receiver, Code) and name in {"create", "drop"} and call_name(receiver.node).lower() == "enum":
        enum = read_type(receiver.node, receiver.scope)
        if enum is not None and name == "create":
            return (changes.CreateEnum(place, enum.enum_name, enum.labels),)
        return () if enum is None else (changes.DropObject(place, "type", enum.enum_name),)
    if not is_session:
        return ()
    names = [call_name(one) for one in chain(call)]
    if name in {"update", "delete"} and "query" in names:
        return read_core(call, scope, place) or ()
    if name == "delete":
        return (NotAnalysable(place, "an ORM session deletes objects: which rows is known only when the script runs"),)
    if name in _FLUSHES:
        return (NotAnalysable(place, "an ORM session writes rows: which is known only when the script runs"),)
    if name in {"commit", "rollback", "begin"}:
        owner = ast.unparse(receiver.node) if isinstance(receiver, Code) else ""
        return (changes.Command(place, name.upper(), f"{owner}.{name}()"),)
    return ()


def made_by_helper(node: ast.stmt | ast.expr, place: Place) -> Change | None:
    """A table that a helper of the project makes: `create_table("users", …)`. Its columns are not known."""
    if not isinstance(node, ast.Call) or "create_table" not in call_name(node) or not node.args:
        return None
    first = node.args[0]
    table = evaluate(first, Scope())
    name = table if isinstance(table, str) else ast.unparse(first)
    return changes.CreateTable(place, TableName(name), is_whole=False)
