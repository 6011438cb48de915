"""HR-EN105: a server default of an enum column that no member of the enum is stored as."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar

from handrail.enums.meaning import meant, which
from handrail.enums.states import ColumnName, Member, ModelEnum, Strategy
from handrail.enums.words import holder, listed
from handrail.facts import TableName
from handrail.lint.change_rule import Around, ChangeRule
from handrail.lint.finding import Edit, Finding, Severity
from handrail.lint.repairs import corrected, one_line, over
from handrail.lint.rule import Case, Harm
from handrail.lint.samples import BOOKINGS, upgrade
from handrail.migrations.changes import (
    AddColumn,
    AlterColumn,
    Change,
    CreateTable,
    DropColumn,
    DropTable,
    RenameEnumValue,
    RenameTable,
)
from handrail.migrations.columns import ColumnText

_LITERAL = re.compile(r"'((?:[^']|'')*)'(?:\s*::.*)?", re.DOTALL)
_STATUS = ModelEnum(
    ColumnName(TableName("bookings"), "attendance_status"),
    "app.models.AttendanceStatus",
    (Member("SCHEDULED", "scheduled"), Member("NO_SHOW", "no_show")),
    Strategy.VARCHAR,
    length=50,
)
_ADD = "op.add_column('bookings', sa.Column('attendance_status', {}, server_default={}, nullable=False))"
_READ = (
    "status = sa.column('attendance_status', sa.Enum('scheduled', 'no_show', native_enum=False))",
    "op.get_bind().execute(sa.select(status).select_from(sa.table('bookings'))).all()",
)
_CHECK = "op.create_check_constraint('ck_status', {!r})"
_IN = "attendance_status IN ('scheduled', 'no_show')"


@dataclass(frozen=True, slots=True)
class _Default:
    """A default that a change gives a column: its SQL, and the call that it is written in."""

    table: TableName
    column: str
    sql: str
    call: ast.Call | None
    labels: tuple[str, ...] = ()


class EnumDefaultUnknown(ChangeRule):
    code: ClassVar[str] = "HR-EN105"
    title: ClassVar[str] = "default that is no member of the enum"
    why: ClassVar[str] = (
        "Every row that gets the default has a text that no member is stored as: a query that reads it fails "
        "(LookupError), or it reads back a str that equals no member; under a CHECK or as a native type the database "
        "refuses it. A member's name is not its value: auto() of a StrEnum makes the value lower case."
    )
    BAD: ClassVar[tuple[Case, ...]] = (
        Case(
            "a member's name where the value is stored",
            {"add.py": upgrade(_ADD.format("sa.String(50)", "'SCHEDULED'"), *_READ)},
            setup=BOOKINGS,
            harm=Harm(fails="'SCHEDULED' is not among the defined enum values"),
            enums=(_STATUS,),
        ),
        Case(
            "under a CHECK",
            {
                "check.py": upgrade(
                    "with op.batch_alter_table('bookings') as batch_op:",
                    "    batch_op.add_column(sa.Column('attendance_status', sa.String(50), "
                    "server_default='Scheduled', nullable=False))",
                    f"    batch_op.create_check_constraint('ck_status', {_IN!r})",
                )
            },
            setup=BOOKINGS,
            harm=Harm(fails="ck_status"),
            enums=(_STATUS,),
        ),
        Case(
            "a type that lists its values",
            {
                "type.py": upgrade(
                    "op.add_column('bookings', sa.Column('attendance_status', sa.Enum('scheduled', 'no_show', "
                    "name='status', native_enum=False), server_default='late', nullable=False))",
                    *_READ,
                )
            },
            setup=BOOKINGS,
            harm=Harm(fails="'late' is not among the defined enum values"),
        ),
        Case(
            "as SQL",
            {
                "sql.py": upgrade(
                    "op.execute(\"ALTER TABLE bookings ADD COLUMN attendance_status varchar(50) DEFAULT 'NO_SHOW'\")",
                    *_READ,
                )
            },
            setup=BOOKINGS,
            harm=Harm(fails="'NO_SHOW' is not among the defined enum values"),
            enums=(_STATUS,),
        ),
        Case(
            "given to a column that is there",
            {
                "alter.py": upgrade(
                    "with op.batch_alter_table('bookings') as batch_op:",
                    "    batch_op.alter_column('attendance_status', existing_type=sa.String(50), "
                    "server_default=sa.text(\"'SCHEDULED'\"))",
                )
            },
            enums=(_STATUS,),
        ),
    )
    GOOD: ClassVar[tuple[Case, ...]] = (
        Case(
            "the text that is stored",
            {"add.py": upgrade(_ADD.format("sa.String(50)", "'scheduled'"), *_READ)},
            setup=BOOKINGS,
            enums=(_STATUS,),
        ),
        Case(
            "put right later in the script",
            {
                "later.py": upgrade(
                    "with op.batch_alter_table('bookings') as batch_op:",
                    "    batch_op.add_column(sa.Column('attendance_status', sa.String(50), "
                    "server_default='SCHEDULED', nullable=False))",
                    "with op.batch_alter_table('bookings') as batch_op:",
                    "    batch_op.alter_column('attendance_status', existing_type=sa.String(50), "
                    "server_default='scheduled')",
                    "op.execute(\"UPDATE bookings SET attendance_status = 'scheduled'\")",
                    *_READ,
                )
            },
            setup=BOOKINGS,
            enums=(_STATUS,),
        ),
        Case(
            "a column that no enum is stored in",
            {"other.py": upgrade(_ADD.format("sa.String(50)", "'SCHEDULED'"))},
            setup=BOOKINGS,
        ),
    )

    def look(self, around: Around) -> Iterable[Finding]:
        for default in _defaults(around.change):
            found = _LITERAL.fullmatch(default.sql.strip())
            model = _model(around, default)
            if found is None or model is None or model.is_array or not _is_last_word(around, default):
                continue
            text = found[1].replace("''", "'")
            if text not in model.labels:
                yield _finding(around, default, model, text)


def _finding(around: Around, default: _Default, model: ModelEnum, text: str) -> Finding:
    member = meant(model, text)
    told = f"{which(member, text)}" if member else f"no member of {holder(model)} ({listed(model.labels)})"
    place = around.change.place
    edits: tuple[Edit, ...] = ()
    fix = "server_default=" + (repr(member.text) if member else "… (one of the texts above)")
    if place.is_sql:
        fix = f"DEFAULT '{member.text}'" if member else "DEFAULT with one of the texts above"
    elif member is not None and default.call is not None:
        edits = tuple(_edits(default.call, member.text))
        if edits and place.call is not None:
            fix = one_line(corrected(around.script.revision.source, place.call, edits))
    too = ""
    if model.default == text:
        right = repr(member.text) if member else "the text of a member"
        too = f" The model has it too: write server_default={right} there."
    message = f"{default.table}.{default.column} gets the default {text!r}, {told}"
    return around.finding(message, Severity.ERROR, fix=fix, edits=edits, why=f"{EnumDefaultUnknown.why}{too}")


def _edits(call: ast.Call, text: str) -> Iterator[Edit]:
    """The right text in place of a literal one; nothing where it is put together, or stands elsewhere."""
    for word in call.keywords:
        if word.arg != "server_default":
            continue
        value = word.value
        inner = value.args[0] if isinstance(value, ast.Call) and len(value.args) == 1 else value
        if isinstance(inner, ast.Constant) and isinstance(inner.value, str):
            yield over(value, repr(text))


def _defaults(change: Change) -> Iterator[_Default]:
    match change:
        case CreateTable(table=table, columns=columns):
            for column in columns:
                yield from _of_column(table, column)
        case AddColumn(table=table, column=column):
            yield from _of_column(table, column)
        case AlterColumn(table=table, column=name, default=sql) if sql:
            labels = change.type.labels if change.type is not None else ()
            yield _Default(table, change.new_name or name, sql, change.place.call, labels)


def _of_column(table: TableName, column: ColumnText) -> Iterator[_Default]:
    if column.server_default and column.name:
        labels = column.sql_type.labels if column.sql_type is not None else ()
        yield _Default(table, column.name, column.server_default, column.call, labels)


def _model(around: Around, default: _Default) -> ModelEnum | None:
    """What the models say of the column; else what the type in the script does."""
    plain = {None, "public", "main"}
    for model in around.context.enums:
        table = model.column.table
        is_same_schema = table.schema == default.table.schema or {table.schema, default.table.schema} <= plain
        if (table.name, model.column.name) == (default.table.name, default.column) and is_same_schema:
            return model
    if not default.labels:
        return None
    members = tuple(Member(label, label) for label in default.labels)
    return ModelEnum(ColumnName(default.table, default.column), "", members, Strategy.VARCHAR, type_name=default.column)


def _is_last_word(around: Around, default: _Default) -> bool:
    """Whether nothing that runs later changes the default, or what is stored, again."""
    scripts = around.context.scripts
    later = scripts[scripts.index(around.script) + 1 :] if around.script in scripts else ()
    rest = [one for script in later for one in script.function(around.context.direction).changes]
    return not any(_changes_again(one, default) for one in (*around.after, *rest))


def _changes_again(change: Change, default: _Default) -> bool:
    match change:
        case AlterColumn(table=table, column=column) if (table, column) == (default.table, default.column):
            return change.default is not None or change.type is not None or change.new_name is not None
        case DropColumn(table=table, column=column):
            return (table, column) == (default.table, default.column)
        case DropTable(table=table) | RenameTable(table=table):
            return table == default.table
    return isinstance(change, RenameEnumValue)
