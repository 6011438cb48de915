"""Adding a NOT NULL column in three revisions: nullable first, then filled, then required."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from handrail.facts import TableName
from handrail.lint.column_steps import POSTGRES, ColumnName, filling, not_null, proven
from handrail.lint.finding import Edit, NextRevision, Split
from handrail.lint.next_revisions import literal
from handrail.lint.repairs import over
from handrail.migrations import changes
from handrail.migrations.calls import ReadOperation
from handrail.migrations.changes import Change, ConstraintKind
from handrail.migrations.columns import ColumnText
from handrail.migrations.declarations import marker
from handrail.migrations.values import call_name

BOTH: Final = POSTGRES | {"sqlite"}
#: Only PostgreSQL has it.
_UUID: Final = "gen_random_uuid()"
#: What functions that models take for a default are called in SQL.
_FUNCTIONS: Final = {
    "now": "CURRENT_TIMESTAMP",
    "utcnow": "CURRENT_TIMESTAMP",
    "current_timestamp": "CURRENT_TIMESTAMP",
    "today": "CURRENT_DATE",
    "uuid4": _UUID,
}
_TYPES: Final = {
    "CURRENT_TIMESTAMP": {"datetime", "timestamp"},
    "CURRENT_DATE": {"date"},
    _UUID: {"uuid", "guid"},
}


def nullable_edit(read: ReadOperation) -> Edit | None:
    """The edit by which the added column may hold NULLs; None where the column is not written out in the call."""
    column = read.column
    if column is None or column.call is None or column.is_primary_key:
        return None
    if not any(node is column.call for node in ast.walk(read.call)):
        return None  # made elsewhere, perhaps for other tables too
    for keyword in column.call.keywords:
        if keyword.arg == "nullable" and isinstance(keyword.value, ast.Constant):
            return over(keyword.value, "True")
    return None


def is_used_otherwise(found: Iterable[Change], table: TableName, column: str) -> bool:
    """Whether the same script does more to the column than add it, so that it cannot be required later for certain."""
    for change in found:
        match change:
            case changes.AlterColumn(table=where, column=name) | changes.DropColumn(table=where, column=name):
                if (where, name) == (table, column):
                    return True
            case changes.RenameTable(table=where) | changes.DropTable(table=where) if where == table:
                return True
            case changes.AddConstraint(table=where, constraint=made) if where == table:
                if made.kind is ConstraintKind.PRIMARY_KEY and column in made.columns:
                    return True
    return False


@dataclass(frozen=True, slots=True)
class ColumnSplit:
    """A column that is added as nullable, to be filled and required in the next revisions. `value` is the SQL of what
    the rows that are there get, None where a person has to choose it; on PostgreSQL `postgres_value`."""

    table: TableName
    column: str
    value: str | None = None
    postgres_value: str | None = None

    def together(self, others: Sequence[Split], engines: frozenset[str]) -> tuple[NextRevision, ...]:
        """A revision that fills, and one that requires."""
        if not engines or not engines <= BOTH:
            return ()
        columns = (self, *(one for one in others if isinstance(one, ColumnSplit)))
        return (_filled(columns, engines), _required(columns, engines))

    def on(self, engines: frozenset[str]) -> str | None:
        """The value where the scripts run on these engines."""
        return self.postgres_value if engines == POSTGRES else self.value

    @property
    def name(self) -> ColumnName:
        return ColumnName(self.table, self.column)

    def todo(self, engines: frozenset[str]) -> tuple[str, ...]:
        """What a person has to write for it."""
        text = (
            f"VALUES[{literal(str(self.name))}]: the SQL of its value in the rows that are there, unless there are none"
        )
        return () if self.on(engines) else (text,)


def column_split(table: TableName, name: str, column: ColumnText) -> ColumnSplit:
    """The split of a column that op.add_column adds. Where its `default=` is a function that SQL has too (uuid4, a
    clock) that is its value; none is guessed."""
    found = _known_value(column)
    return ColumnSplit(table, name, found if found != _UUID else None, found)


def _message(verb: str, columns: Sequence[ColumnSplit]) -> str:
    return f"{verb} {', '.join(str(one.name) for one in columns)}"


def _filled(columns: Sequence[ColumnSplit], engines: frozenset[str]) -> NextRevision:
    markers = "\n".join(marker(one.table, one.column) for one in columns)
    return NextRevision(
        _message("fill", columns),
        "\n".join(one.name.fill() for one in columns),
        "# handrail: ignore-file HR-PR104 -- the values go with the column, which the revision before takes back\npass",
        (markers, *filling({str(one.name): one.on(engines) for one in columns}, engines)),
        tuple(text for one in columns for text in one.todo(engines)),
    )


def _required(columns: Sequence[ColumnSplit], engines: frozenset[str]) -> NextRevision:
    """The revision that sets NOT NULL; on PostgreSQL no row is read under a lock that keeps others waiting."""
    if engines == POSTGRES:
        upgrade, downgrade = _required_on_postgres(columns), "\n".join(_alter(one, nullable=True) for one in columns)
    else:
        upgrade, downgrade = _in_batches(columns, nullable=False), _in_batches(columns, nullable=True)
        if "postgresql" in engines:
            there = _indented(_required_on_postgres(columns))
            upgrade = f'if op.get_context().dialect.name == "postgresql":\n{there}\nelse:\n{_indented(upgrade)}'
    return NextRevision(_message("require", columns), upgrade, downgrade)


def _in_batches(columns: Sequence[ColumnSplit], *, nullable: bool) -> str:
    """One block for each table: on SQLite it copies the table."""
    lines = []
    for table in dict.fromkeys(one.table for one in columns):
        those = [one for one in columns if one.table == table]
        lines.append(f"with op.batch_alter_table({literal(table.name)}{those[0].name.schema}) as batch_op:")
        lines += [f"    batch_op.alter_column({literal(one.column)}, nullable={nullable})" for one in those]
    return "\n".join(lines)


def _required_on_postgres(columns: Sequence[ColumnSplit]) -> str:
    checks = [not_null(one.name) for one in columns]
    lines = [*proven(checks), *(_alter(one, nullable=False) for one in columns), *(one.drop() for one in checks)]
    return "\n".join(lines)


def _alter(one: ColumnSplit, *, nullable: bool) -> str:
    return one.name.alter(f"nullable={nullable}")


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.split("\n"))


def _known_value(column: ColumnText) -> str | None:
    assert column.call is not None  # noqa: S101 - a column of op.add_column
    default = next((word.value for word in column.call.keywords if word.arg == "default"), None)
    if isinstance(default, ast.Lambda):
        default = default.body
    found = _FUNCTIONS.get(call_name(default)) if default is not None else None
    return found if found is not None and column.type_name.lower() in _TYPES[found] else None
