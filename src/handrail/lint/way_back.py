"""Writes what takes a script's upgrade() back, where the script itself says all that this needs."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from handrail.facts import TableName
from handrail.lint.alter_back import alter_back
from handrail.lint.script_text import ScriptText
from handrail.migrations import changes
from handrail.migrations.changes import Change, ConstraintKind, Verb
from handrail.migrations.dialects import ANY
from handrail.migrations.reading import ScriptReading
from handrail.migrations.types import TypeText

_TYPES: Final[Mapping[ConstraintKind, str]] = {
    ConstraintKind.UNIQUE: "unique",
    ConstraintKind.CHECK: "check",
    ConstraintKind.FOREIGN_KEY: "foreignkey",
    ConstraintKind.PRIMARY_KEY: "primary",
}
#: From here on a loop made them, and nobody would read what takes them back.
_MOST: Final = 200
#: Settings of the session, which end with it.
_SETTINGS: Final = frozenset({"set lock_timeout", "set statement_timeout"})
#: Arguments of a batch block that mean the same on the way back.
_BLOCK_ARGUMENTS: Final = frozenset({"table_name", "schema", "recreate", "naming_convention"})
_SCHEMA: Final = re.compile(r"\bschema\s*=\s*(?!None\b)")


@dataclass(frozen=True, slots=True)
class WayBack:
    """The statements of a downgrade() as lines, those within a block indented by four; or, without any, what stands
    in the way, in words."""

    lines: tuple[str, ...] = ()
    obstacle: str = ""


class _NoWay(Exception):
    """A change that cannot be taken back by what the script says, and why."""


@dataclass(frozen=True, slots=True)
class _Step:
    """One statement of the way back, and the block it has to stand in: its first line, "" for none."""

    line: str
    block: str = ""
    batch: int = 0


@dataclass(slots=True)
class _Writer:
    """What was taken back so far, in the order of upgrade()."""

    script: ScriptText
    engines: frozenset[str]
    tables: set[TableName] = field(default_factory=set)
    columns: set[tuple[TableName, str]] = field(default_factory=set)
    types: dict[str, str] = field(default_factory=dict)
    steps: list[_Step] = field(default_factory=list)
    beside: list[str] = field(default_factory=list)
    unique: set[TableName] = field(default_factory=set)
    batches: dict[int, changes.Batch] = field(default_factory=dict)
    last_added: changes.AddColumn | None = None
    altered: dict[tuple[int, str], bool] = field(default_factory=dict)

    def take_back(self, change: Change) -> None:
        """Add what takes the change back; nothing for what goes with a table or column that is new here."""
        if change.place.dialects != ANY or change.place.is_conditional:
            raise _NoWay("a change is made only under a condition")
        if isinstance(change, changes.Batch):
            self.batches[change.number] = change
            return
        table = getattr(change, "table", None)
        if isinstance(table, TableName):
            if table in self.tables and _goes_with_its_table(change, table):
                return
            if self.script.is_named_elsewhere(change.place.call, table.name):
                raise _NoWay(f"the name of table {table} is known only when the script runs")
        writer = _WRITERS.get(type(change))
        if writer is None:
            raise _NoWay(_lost(change))
        writer(self, change)

    def lines(self) -> Iterable[str]:
        """All steps from the last to the first. What stands outside the transaction goes first: if it fails, nothing
        else was done. The enum types go last, when nothing uses them."""
        if self.beside:
            yield f"with {self.script.op}.get_context().autocommit_block():"
        yield from (f"    {line}" for line in reversed(self.beside))
        last = _Step("")
        for step in reversed(self.steps):
            if step.block and (step.block, step.batch) != (last.block, last.batch):
                yield f"with {step.block}:"
            last = step
            yield f"    {step.line}" if step.block else step.line
        yield from reversed(self.types.values())

    def call(self, change: Change, name: str, *arguments: str) -> None:
        """Add `op.name(arguments)`, on the batch where the change stands in one."""
        inside = ", ".join(arguments)
        if not change.place.batch:
            if change.place.in_autocommit:
                raise _NoWay("a change stands in an autocommit block, outside the transaction")
            self.steps.append(_Step(f"{self.script.op}.{name}({inside})"))
            return
        owner = change.place.call.func if change.place.call is not None else None
        if not isinstance(owner, ast.Attribute) or not isinstance(owner.value, ast.Name):
            raise _NoWay("what is done to a batch is known only when the script runs")
        line = f"{owner.value.id}.{name}({inside})"
        self.steps.append(_Step(line, f"{self._opening(change)} as {owner.value.id}", change.place.batch))

    def _opening(self, change: Change) -> str:
        """The call that opens the batch block, as the script has it."""
        batch = self.batches.get(change.place.batch)
        call = batch.place.call if batch is not None else None
        if batch is None or call is None or len(call.args) > 2 or change.place.in_autocommit:
            raise _NoWay("a batch block cannot be written again")
        others = {word.arg for word in call.keywords} - _BLOCK_ARGUMENTS
        if others:
            raise _NoWay(f"batch_alter_table({', '.join(sorted(map(str, others)))}=…) speaks of the table as it was")
        if all(isinstance(node, ast.Constant) for node in (*call.args, *(word.value for word in call.keywords))):
            return self.script.text_of(call) or ""
        rest = {word.arg: self.script.text_of(word.value) for word in call.keywords if word.arg not in _TABLE_WORDS}
        if None in rest.values():
            raise _NoWay("a batch block cannot be written again")
        words = [f"{name}={text}" for name, text in rest.items()]
        where = [self.script.quoted(batch.table.name), *self.schema(batch.table), *words]
        return f"{self.script.op}.batch_alter_table({', '.join(where)})"

    def where(self, change: Change, table: TableName) -> list[str]:
        """The table as first argument, which is left out in a batch."""
        return [] if change.place.batch else [self.script.quoted(table.name)]

    def schema(self, table: TableName, change: Change | None = None) -> list[str]:
        is_said = table.schema is None or (change is not None and change.place.batch)
        return [] if is_said else [f"schema={self.script.quoted(table.schema or '')}"]


_TABLE_WORDS: Final = frozenset({"table_name", "schema"})


def way_back(script: ScriptReading, found: Sequence[Change], engines: frozenset[str]) -> WayBack:
    """What takes back these changes of upgrade(), in reverse order."""
    if script.upgrade.not_understood:
        return WayBack(obstacle=script.upgrade.not_understood[0].reason)
    if len(found) > _MOST:
        return WayBack(obstacle=f"upgrade() makes {len(found)} changes")
    writer = _Writer(ScriptText.of(script.revision.source), engines)
    try:
        for change in found:
            writer.take_back(change)
    except _NoWay as reason:
        return WayBack(obstacle=str(reason))
    return WayBack(tuple(writer.lines()))


def _goes_with_its_table(change: Change, table: TableName) -> bool:
    """Whether dropping the new table takes the change back. A key to another table goes first: that one may be new too,
    and is dropped before. Raises _NoWay where the table has another end than it began with."""
    if isinstance(change, changes.RenameTable | changes.DropTable):
        raise _NoWay(f"{table} is made and then renamed or dropped")
    if isinstance(change, changes.AddConstraint):
        return change.constraint.references in {None, table}
    return not isinstance(change, changes.CreateTable)


def _lost(change: Change) -> str:
    """Why a change cannot be taken back."""
    match change:
        case changes.DropColumn(table=table, column=column):
            return f"{table}.{column} is dropped, and the script does not say what it was"
        case changes.DropTable(table=table):
            return f"table {table} is dropped, and the script does not say what it was"
        case changes.DropConstraint(table=table, name=name):
            return f"constraint {name} of {table} is dropped, and the script does not say what it was"
        case changes.DropIndex(name=name):
            return f"index {name} is dropped, and the script does not say what it was"
        case changes.NotAnalysable(reason=reason):
            return reason
        case changes.Command(words=words):
            return f"what {words} does cannot be taken back by what the script says"
    return "a change cannot be taken back by what the script says"


def _nothing(writer: _Writer, change: Change) -> None:
    """It leaves nothing to take back."""


def _create_table(writer: _Writer, change: Change) -> None:
    assert isinstance(change, changes.CreateTable)  # noqa: S101 - dispatched by type
    if change.if_not_exists or change.is_temporary or (not change.is_whole and not change.place.is_sql):
        raise _NoWay(f"table {change.table} may not be this script's own, or not all of it can be read")
    writer.tables.add(change.table)
    quoted = writer.script.quoted(change.table.name)
    writer.call(change, "drop_table", quoted, *writer.schema(change.table))
    for column in change.columns if not change.place.is_sql else ():
        _own_type(writer, column.sql_type)


def _own_type(writer: _Writer, known: TypeText | None) -> None:
    """A new table makes its enum types on PostgreSQL, and leaves them behind."""
    if known is None or known.name != "enum" or not known.is_native or "create_type=False" in known.text:
        return
    _drop_type(writer, known.enum_name)


def _drop_type(writer: _Writer, name: str) -> None:
    if not name or _SCHEMA.search(writer.script.source):
        raise _NoWay("the name of an enum type, or its schema, is known only when the script runs")
    if not writer.script.has_sa:
        raise _NoWay(f"enum type {name} is left behind, and `import sqlalchemy as sa` is missing")
    text = f"sa.Enum(name={writer.script.quoted(name)}).drop({writer.script.op}.get_bind(), checkfirst=True)"
    writer.types.setdefault(name, text)


def _create_enum(writer: _Writer, change: Change) -> None:
    assert isinstance(change, changes.CreateEnum)  # noqa: S101 - dispatched by type
    if not change.place.is_sql:
        _drop_type(writer, change.name)
        return
    if not change.name.isidentifier() or not change.name.islower() or f".{change.name}" in writer.script.source:
        raise _NoWay(f"the name of type {change.name} has to be quoted or belongs to a schema")
    writer.types.setdefault(
        change.name, f"{writer.script.op}.execute({writer.script.quoted(f'DROP TYPE {change.name}')})"
    )


def _add_column(writer: _Writer, change: Change) -> None:
    assert isinstance(change, changes.AddColumn)  # noqa: S101 - dispatched by type
    table, column = change.table, change.column
    if change.if_not_exists or column.is_indexed or column.is_primary_key or column.name is None:
        raise _NoWay(f"{table}.{column.name} may not be this script's own, or comes with an index or a key")
    if change.place.batch and "sqlite" in writer.engines and _has_check(column.sql_type):
        raise _NoWay(f"the type of {table}.{column.name} makes a CHECK, which SQLite may keep without the column")
    writer.columns.add((table, column.name))
    writer.last_added = change
    name = writer.script.quoted(column.name)
    writer.call(change, "drop_column", *writer.where(change, table), name, *writer.schema(table, change))


def _has_check(known: TypeText | None) -> bool:
    """Whether a type makes a CHECK. A batch leaves it out where it has only to add a column, and else writes it."""
    return known is not None and any(one.creates_check for one in (known, *dict(known.variants).values()))


def _alter_column(writer: _Writer, change: Change) -> None:
    assert isinstance(change, changes.AlterColumn)  # noqa: S101 - dispatched by type
    table = change.table
    if (table, change.column) in writer.columns:
        if change.new_name is not None:
            raise _NoWay(f"{table}.{change.column} is added and renamed")
        return
    if change.place.batch:
        # Within a block Alembic knows a column by the name that it has before the block, which is another on each way.
        key, is_rename = (change.place.batch, change.column), change.new_name is not None
        if key in writer.altered and (is_rename or writer.altered[key]):
            raise _NoWay(f"{table}.{change.column} is renamed and changed in one batch")
        writer.altered[key] = is_rename
        writer.altered[change.place.batch, change.new_name or change.column] = is_rename
    back = alter_back(writer.script, change)
    if isinstance(back, str):
        raise _NoWay(back)
    if not back:
        return
    name = writer.script.quoted(change.new_name or change.column)
    words = [f"{word}={text}" for word, text in back.items()]
    writer.call(change, "alter_column", *writer.where(change, table), name, *words, *writer.schema(table, change))


def _rename_table(writer: _Writer, change: Change) -> None:
    assert isinstance(change, changes.RenameTable)  # noqa: S101 - dispatched by type
    if change.table.schema != change.new.schema:
        raise _NoWay(f"{change.table} moves to another schema")
    names = (writer.script.quoted(change.new.name), writer.script.quoted(change.table.name))
    writer.call(change, "rename_table", *names, *writer.schema(change.table))


def _refuse_renamed(writer: _Writer, change: Change, columns: Iterable[str]) -> None:
    """What a batch makes on a column that it renames: Alembic leaves out a constraint, and fails on an index."""
    for name in columns:
        if writer.altered.get((change.place.batch, name)):
            raise _NoWay(f"a batch renames {name} and makes an index or a constraint on it")


def _create_index(writer: _Writer, change: Change) -> None:
    """On PostgreSQL an index goes beside running code, also one that a batch made."""
    assert isinstance(change, changes.CreateIndex)  # noqa: S101 - dispatched by type
    if change.name is None or (change.if_not_exists and not change.is_concurrent):
        raise _NoWay(f"an index on {change.table} has no name, or may not be this script's own")
    _refuse_renamed(writer, change, change.columns)
    if change.is_concurrent and not change.place.in_autocommit:
        raise _NoWay(f"index {change.name} is built concurrently within a transaction")
    name = writer.script.object_name(change.place.call, change.name)
    words = [f"table_name={writer.script.quoted(change.table.name)}", *writer.schema(change.table)]
    if "postgresql" not in writer.engines and not change.is_concurrent:
        writer.call(change, "drop_index", name, *(words if not change.place.batch else ()))
        return
    words += ["postgresql_concurrently=True", "if_exists=True"]
    writer.beside.append(f"{writer.script.op}.drop_index({', '.join([name, *words])})")
    if change.is_unique:
        writer.unique.add(change.table)


def _add_constraint(writer: _Writer, change: Change) -> None:
    assert isinstance(change, changes.AddConstraint)  # noqa: S101 - dispatched by type
    table, made, added = change.table, change.constraint, writer.last_added
    if made.name is None and change.place.is_sql and added is not None and added.place == change.place:
        return  # a part of ADD COLUMN, which goes with its column
    if made.name is None or made.kind not in _TYPES or made.using_index is not None:
        raise _NoWay(f"a constraint of {table} has no name, or is of a kind that needs more than its name")
    _refuse_renamed(writer, change, made.columns)
    if made.references in writer.unique:
        raise _NoWay(f"constraint {made.name} of {table} may rest on an index that is new too")
    name = writer.script.object_name(change.place.call, made.name, is_sql=change.place.is_sql)
    kind = f"type_={writer.script.quoted(_TYPES[made.kind])}"
    where = [name, *writer.where(change, table), *writer.schema(table, change), kind]
    writer.call(change, "drop_constraint", *where)


def _write_rows(writer: _Writer, change: Change) -> None:
    """Values that were written into columns that are new here go with them."""
    assert isinstance(change, changes.WriteRows)  # noqa: S101 - dispatched by type
    is_own = change.table is not None and all((change.table, name) in writer.columns for name in change.columns)
    if change.verb is not Verb.UPDATE or not change.columns or not is_own:
        raise _NoWay(f"rows of {change.table or 'a table'} are written, and the script does not say what they were")


def _add_enum_value(writer: _Writer, change: Change) -> None:
    assert isinstance(change, changes.AddEnumValue)  # noqa: S101 - dispatched by type
    if not change.if_not_exists:
        raise _NoWay(f"enum value {change.label!r} cannot be taken away, and adding it again fails")


def _command(writer: _Writer, change: Change) -> None:
    assert isinstance(change, changes.Command)  # noqa: S101 - dispatched by type
    if change.words.casefold() not in _SETTINGS:
        raise _NoWay(_lost(change))


_WRITERS: Final[Mapping[type[Change], Callable[[_Writer, Change], None]]] = {
    changes.CreateTable: _create_table,
    changes.CreateEnum: _create_enum,
    changes.AddColumn: _add_column,
    changes.AlterColumn: _alter_column,
    changes.RenameTable: _rename_table,
    changes.CreateIndex: _create_index,
    changes.AddConstraint: _add_constraint,
    changes.WriteRows: _write_rows,
    changes.AddEnumValue: _add_enum_value,
    changes.ValidateConstraint: _nothing,
    changes.Command: _command,
}
