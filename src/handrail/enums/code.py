"""Steps as lines of a migration script, made of stock `op` calls only.

A block is closed by an empty line, which is how Alembic's own writer of scripts learns where an indentation ends.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from handrail.enums.changes import ChangeColumn
from handrail.enums.plan import PlannedChange
from handrail.enums.states import ColumnName
from handrail.enums.steps import BatchColumn, KeepReferences, RefuseRows, Statement, Step, condition, literals
from handrail.facts import TableName
from handrail.migrations.sql_names import quoted, quoted_table

_IS_POSTGRES = "op.get_context().dialect.name == 'postgresql'"
_WORD = re.compile(r"[^\W\d][\w$]*")
#: What Alembic's writer would take for the beginning of a block, within a text.
_BLOCK_SIGN = re.compile(r":([ \t]*)#")


def source_lines(planned: PlannedChange) -> list[str]:
    """Code for a change on each of its engines, under an `if` where they differ; [] where nothing is to be done."""
    steps = planned.steps()
    shared = [step for step in next(iter(steps.values()), ()) if isinstance(step, RefuseRows)]
    shared = [step for step in shared if all(step in found for found in steps.values())]
    by_engine = {engine: _lines([step for step in found if step not in shared]) for engine, found in steps.items()}
    if not any(by_engine.values()):
        return []
    head = [_comment(planned.title)]
    declared = [*map(_declared, planned.columns), *_leaving_checks(planned)]
    if declared:
        head.append(_comment(f"handrail: changes {', '.join(declared)}"))
    head += [line for step in shared for line in _step(step)]
    postgres, sqlite = by_engine.get("postgresql"), by_engine.get("sqlite")
    if postgres is None or sqlite is None or postgres == sqlite:
        return head + (postgres or sqlite or [])
    if not sqlite:
        return [*head, f"if {_IS_POSTGRES}:", *postgres, ""]
    if not postgres:
        return [*head, f"if {_IS_POSTGRES.replace('==', '!=')}:", *sqlite, ""]
    return [*head, f"if {_IS_POSTGRES}:", *postgres, "else:", *sqlite, ""]


def _lines(steps: Sequence[Step]) -> list[str]:
    found: list[str] = []
    is_alone = False
    for step in steps:
        starts_alone = isinstance(step, Statement) and step.is_alone
        if is_alone and not starts_alone:
            found.append("")
        if starts_alone and not is_alone:
            found.append("with op.get_context().autocommit_block():")
        is_alone = starts_alone
        found += _step(step)
    return [*found, ""] if is_alone else found


def _step(step: Step) -> list[str]:
    match step:
        case Statement(sql=sql):
            return [f"op.execute({text_literal(sql)})"]
        case RefuseRows():
            return _refusal(step)
        case KeepReferences(table=table):
            return _references(table)
    return _batch(step)


def text_literal(sql: str) -> str:
    """SQL as a Python text that SQLAlchemy's text() gives back: a colon in it would name a parameter."""
    written = repr(sql.replace(":", "\\:"))
    return _BLOCK_SIGN.sub(r":\1\\x23", written)


def python_literal(text: str) -> str:
    """A text as Python code."""
    return _BLOCK_SIGN.sub(r":\1\\x23", repr(text))


def _references(table: TableName) -> list[str]:
    query = (
        "SELECT count(*) FROM pragma_foreign_keys, sqlite_master AS child, pragma_foreign_key_list(child.name) AS key "
        f"WHERE foreign_keys = 1 AND key.[table] = {literals((table.name,))} COLLATE NOCASE"
    )
    message = python_literal(
        f"the copy of {table} would delete or unlink the rows that refer to it: SQLite enforces foreign keys, and this "
        "run is too far to switch that off; upgrade to the revision before first, or let handrail upgrade run it"
    )
    return [
        "op.execute('PRAGMA foreign_keys=OFF')",
        f"if not op.get_context().as_sql and op.get_bind().execute(sa.text({text_literal(query)})).scalar():",
        f"raise RuntimeError({message})",
        "",
    ]


def _refusal(step: RefuseRows) -> list[str]:
    name = quoted(step.column.name)
    source = quoted_table(step.column.table)
    value = f"CAST({name} AS VARCHAR)"
    if step.is_array:
        source, value = f"{source}, unnest({name}) AS held(value)", "CAST(held.value AS VARCHAR)"
    is_other = f"{value} NOT IN ({literals(step.allowed)})" if step.allowed else f"{value} IS NOT NULL"
    query = f"SELECT {value}, count(*) FROM {source} WHERE {is_other} GROUP BY 1 ORDER BY 1"
    new = f"array_replace({name}, ..., ...)" if step.is_array else f"... WHERE {name} = ..."
    update = f"UPDATE {quoted_table(step.column.table)} SET {name} = {new}"
    advice = python_literal(f"; give these rows another value first: {update}")
    message = python_literal(f"{step.column} holds other values than will be allowed (value, rows): ")
    return [
        f"left = [] if op.get_context().as_sql else op.get_bind().execute(sa.text({text_literal(query)})).all()",
        "if left:",
        f"raise RuntimeError({message} + repr(left) + {advice})",
        "",
    ]


def _batch(step: BatchColumn) -> list[str]:
    table = _table_arguments(step.column.table)
    drops = [f"batch_op.drop_constraint(op.f({python_literal(step.drops)}), type_='check')"] if step.drops else []
    makes = []
    if step.makes:
        check = text_literal(condition(step.column.name, step.allowed))
        makes = [f"batch_op.create_check_constraint(op.f({python_literal(step.makes)}), {check})"]
    return [f"with op.batch_alter_table({table}) as batch_op:", *drops, *_default(step), *makes, ""]


def _default(step: BatchColumn) -> list[str]:
    if step.default is None and not step.drops_default:
        return []
    default = "None" if step.drops_default else python_literal(step.default or "")
    kind = f"sa.String(length={step.length})" if step.length else "sa.String()"
    name = python_literal(step.column.name)
    return [f"batch_op.alter_column({name}, existing_type={kind}, server_default={default})"]


def _table_arguments(table: TableName) -> str:
    schema = "" if table.schema is None else f", schema={python_literal(table.schema)}"
    return f"{python_literal(table.name)}{schema}"


def _comment(text: str) -> str:
    """A comment of one line, whatever ends a line within a name."""
    return "# " + " ".join(text.split()).removesuffix(":")


def _declared(column: ColumnName) -> str:
    """The column as the comment that declares its change takes it."""
    parts = [part for part in (column.table.schema, column.table.name, column.name) if part]
    return ".".join(map(_word, parts))


def _word(part: str) -> str:
    return part if _WORD.fullmatch(part) else '"' + part.replace('"', '""') + '"'


def _leaving_checks(planned: PlannedChange) -> list[str]:
    """CHECKs that go for good on PostgreSQL, with no change of their columns that says so already."""
    return [
        _word(change.before.check_name)
        for change in planned.changes.get("postgresql", ())
        if isinstance(change, ChangeColumn)
        and change.before.check_name
        and not change.after.check_name
        and change.column not in planned.columns
    ]
