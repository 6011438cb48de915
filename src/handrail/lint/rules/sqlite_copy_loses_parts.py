"""HR-SQ103: parts of a table that a batch copy leaves out."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from typing import ClassVar

from handrail.facts import ObjectKind
from handrail.lint.batches import in_block, same, things
from handrail.lint.change_rule import SQLITE, Around, ChangeRule
from handrail.lint.finding import Finding, Severity
from handrail.lint.rule import Case
from handrail.lint.samples import START
from handrail.migrations.changes import (
    AddColumn,
    Batch,
    Change,
    Command,
    CreateIndex,
    CreateTable,
    DropColumn,
    DropIndex,
    DropObject,
)
from handrail.migrations.columns import ColumnText

_BLOCK = (
    "    with op.batch_alter_table('bookings') as batch_op:\n        batch_op.alter_column('topic', nullable=False)\n"
)
_TRIGGER = (
    "    op.execute('CREATE TRIGGER touch AFTER UPDATE ON bookings BEGIN "
    "UPDATE bookings SET seen = 1 WHERE id = NEW.id; END')\n"
)
_SETUP = (
    "CREATE TABLE bookings (id integer PRIMARY KEY, topic text, seen integer)",
    "INSERT INTO bookings VALUES (1, 'a', 0), (2, 'b', 0)",
)
_TRIGGER_NAME = re.compile(r"TRIGGER\s+(?:IF\s+NOT\s+EXISTS\s+)?[\"']?(\w+)", re.IGNORECASE)
_PLAIN_NAME = re.compile(r'"[^"]+"|\w+')


class SqliteCopyLosesParts(ChangeRule):
    code: ClassVar[str] = "HR-SQ103"
    title: ClassVar[str] = "batch copy leaves parts of the table out"
    why: ClassVar[str] = (
        "Alembic makes the copy from what SQLAlchemy can reflect. Triggers, COLLATE, checks without a name, "
        "AUTOINCREMENT (ids are given out again), indexes on expressions, DESC, ON DELETE written in a column are not "
        "part of that: they are gone after the copy, without an error (all measured)."
    )
    engines = SQLITE
    BAD: ClassVar[tuple[Case, ...]] = (
        Case("a trigger that the script made before", {"trigger.py": START + _TRIGGER + _BLOCK}, setup=_SETUP),
        Case(
            "an index on an expression",
            {"index.py": START + "    op.execute('CREATE INDEX ix_low ON bookings (lower(topic))')\n" + _BLOCK},
            setup=_SETUP,
        ),
        Case(
            "a key written in the column, as SQL",
            {
                "key.py": START + "    op.execute('ALTER TABLE bookings ADD COLUMN room integer "
                "REFERENCES rooms (id) ON DELETE SET NULL')\n" + _BLOCK
            },
            setup=(*_SETUP, "CREATE TABLE rooms (id integer PRIMARY KEY)"),
        ),
    )
    GOOD: ClassVar[tuple[Case, ...]] = (
        Case("the trigger is made after the copy", {"after.py": START + _BLOCK + _TRIGGER}, setup=_SETUP),
        Case(
            "a plain index",
            {"index.py": START + "    op.create_index('ix_topic', 'bookings', ['topic'])\n" + _BLOCK},
            setup=_SETUP,
        ),
        Case(
            "a block that copies nothing",
            {
                "plain.py": START + _TRIGGER + "    with op.batch_alter_table('bookings') as batch_op:\n"
                "        batch_op.add_column(sa.Column('note', sa.Text()))\n"
            },
            setup=_SETUP,
        ),
    )

    def look(self, around: Around) -> Iterable[Finding]:
        batch = around.change
        if not isinstance(batch, Batch) or not batch.is_copied or batch.has_copy_from:
            return
        lost = sorted({*_of_the_catalog(around, batch), *_of_the_script(around, batch)})
        if lost:
            yield around.finding(
                f"copying {batch.table} loses {', '.join(lost)}",
                Severity.WARNING,
                fix="give the block copy_from=sa.Table(…) with all of it, table_kwargs={'sqlite_autoincrement': True}; "
                "make triggers and such indexes again after it",
            )


def _of_the_catalog(around: Around, batch: Batch) -> Iterator[str]:
    """What the table has now and the copy will not have."""
    yield from _constraints(around, batch)
    gone = [one for one in (*around.before, *in_block(around, batch)) if isinstance(one, DropObject | DropIndex)]
    for trigger in things(around, ObjectKind.TRIGGER, batch.table):
        if not _is_gone(trigger.name, gone):
            yield f"trigger {trigger.name}"
    for index in things(around, ObjectKind.INDEX, batch.table):
        columns = index.definition.partition(" ON ")[2].partition("(")[2].partition(" WHERE ")[0].removesuffix(")")
        if not _is_gone(index.name, gone) and not all(_is_kept(part) for part in columns.split(",")):
            yield _index(index.name, columns)


def _constraints(around: Around, batch: Batch) -> Iterator[str]:
    """Checks without a name, AUTOINCREMENT and COLLATE, as far as the block does not give them."""
    call = batch.place.call
    given = {word.arg: ast.unparse(word.value) for word in call.keywords} if call is not None else {}
    for constraint in things(around, ObjectKind.CONSTRAINT, batch.table):
        is_check = constraint.definition.startswith("CHECK") and constraint.name == constraint.definition
        if is_check and "table_args" not in given:
            yield f"the unnamed {constraint.definition}"
        elif " ON CONFLICT " in constraint.definition:
            yield f"ON CONFLICT of {constraint.name}"
        elif constraint.name == "AUTOINCREMENT" and "autoincrement" not in given.get("table_kwargs", ""):
            yield "AUTOINCREMENT"
    found = around.facts(batch.table)
    dropped = {one.column.casefold() for one in in_block(around, batch) if isinstance(one, DropColumn)}
    for column in found.columns if found is not None else ():
        if column.collation and column.name.casefold() not in dropped:
            yield f"COLLATE {column.collation} of {column.name}"


def _of_the_script(around: Around, batch: Batch) -> Iterator[str]:
    """What the script itself made before the copy."""
    made = around.before
    gone = [one for one in made if isinstance(one, DropObject | DropIndex)]
    for change in made:
        if same(str(getattr(change, "table", "")), str(batch.table)):
            yield from (what for name, what in _made(change) if not _is_gone(name, gone))


def _made(change: Change) -> Iterator[tuple[str, str]]:
    """The parts of a table that a change makes and a copy loses: their name, and how a finding speaks of them."""
    columns: tuple[ColumnText, ...] = ()
    match change:
        case Command(words="CREATE TRIGGER", sql=sql) if found := _TRIGGER_NAME.search(sql):
            yield found[1], f"trigger {found[1]}"
        case CreateIndex(name=str(name)) if change.place.is_sql and not all(map(_is_kept, change.columns)):
            yield name, _index(name, ", ".join(change.columns))
        case AddColumn(column=column):
            columns = (column,)
        case CreateTable():
            columns = change.columns
    for column in columns:
        if change.place.is_sql and column.on_delete:
            yield column.name or "", f"ON DELETE {column.on_delete} of {column.name}"


def _is_gone(name: str, gone: Iterable[Change]) -> bool:
    return any(same(name, getattr(one, "name", None)) for one in gone)


def _is_kept(column: str) -> bool:
    """Whether a part of an index is what SQLAlchemy reflects: a column's name."""
    words = column.split()
    return len(words) == 1 and bool(_PLAIN_NAME.fullmatch(words[0]))


def _index(name: str, columns: str) -> str:
    is_order = bool(re.search(r"\bDESC\b", columns, re.IGNORECASE)) and "(" not in columns
    return f"DESC of index {name}" if is_order else f"index {name} on ({columns})"
