"""HR-SQ108: an ALTER that SQLite does not have, outside batch mode."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from typing import ClassVar

from handrail.facts import TableName
from handrail.lint.batches import is_stored
from handrail.lint.change_rule import SQLITE, Around, ChangeRule
from handrail.lint.finding import Edit, Finding, Severity, source_text
from handrail.lint.repairs import one_line, replaced
from handrail.lint.rule import Case, Harm
from handrail.lint.samples import START
from handrail.migrations import changes
from handrail.migrations.changes import Change, ConstraintKind
from handrail.migrations.values import call_name

_SETUP = (
    "CREATE TABLE users (id integer PRIMARY KEY, name text)",
    "CREATE TABLE bookings (id integer PRIMARY KEY, topic text, user_id integer,"
    " CONSTRAINT ck_topic CHECK (topic <> ''))",
    "INSERT INTO bookings VALUES (1, 'a', NULL), (2, 'b', NULL)",
)
#: Where each call has its table, and what its schema argument is called.
_TABLE_AT = {"alter_column": (0, "table_name"), "add_column": (0, "table_name")}
_SECOND = (1, "table_name")
_FOREIGN_KEY = (1, "source_table")


class SqliteAlterOutsideBatch(ChangeRule):
    code: ClassVar[str] = "HR-SQ108"
    title: ClassVar[str] = "ALTER that SQLite does not have"
    why: ClassVar[str] = (
        "SQLite can only add, drop and rename columns. Every other ALTER raises NotImplementedError or a syntax error "
        "when the script reaches it, and what the script did before may stay. In batch_alter_table Alembic copies the "
        "table instead; on PostgreSQL the same block is the plain ALTER."
    )
    engines = SQLITE
    BAD: ClassVar[tuple[Case, ...]] = (
        Case(
            "a foreign key",
            {"key.py": START + "    op.create_foreign_key('fk_user', 'bookings', 'users', ['user_id'], ['id'])\n"},
            setup=_SETUP,
            harm=Harm("bookings", fails="No support for ALTER of constraints in SQLite"),
        ),
        Case(
            "NOT NULL, in a loop",
            {
                "strict.py": START + "    for column in ('topic', 'user_id'):\n"
                "        op.alter_column('bookings', column, existing_type=sa.Text(), nullable=False)\n"
            },
            setup=_SETUP,
            harm=Harm("bookings", fails="syntax error"),
        ),
        Case(
            "as SQL",
            {"drop.py": START + '    op.execute("ALTER TABLE bookings DROP CONSTRAINT ck_topic")\n'},
            setup=_SETUP,
            harm=Harm("bookings", fails="syntax error"),
        ),
        Case(
            "a column that is unique",
            {"add.py": START + "    op.add_column('bookings', sa.Column('code', sa.Integer(), unique=True))\n"},
            setup=_SETUP,
            harm=Harm("bookings", fails="No support for ALTER of constraints in SQLite"),
        ),
        Case(
            "without a name in batch mode, as autogenerate writes it",
            {
                "unnamed.py": START + "    with op.batch_alter_table('bookings') as batch_op:\n"
                "        batch_op.create_foreign_key(None, 'users', ['user_id'], ['id'])\n"
            },
            setup=_SETUP,
            harm=Harm("bookings", fails="Constraint must have a name"),
        ),
    )
    GOOD: ClassVar[tuple[Case, ...]] = (
        Case(
            "in batch mode",
            {
                "batch.py": START + "    with op.batch_alter_table('bookings') as batch_op:\n"
                "        batch_op.create_foreign_key('fk_user', 'users', ['user_id'], ['id'])\n"
                "        batch_op.alter_column('user_id', existing_type=sa.Integer(), server_default='1')\n"
            },
            # Without the CHECK: SQLAlchemy 2.0.36 reflects one that the end of the table follows wrongly.
            setup=(_SETUP[0], "CREATE TABLE bookings (id integer PRIMARY KEY, topic text, user_id integer)"),
        ),
        Case(
            "what SQLite has: a plain column, another name, an index",
            {
                "plain.py": START + "    op.add_column('bookings', sa.Column('note', sa.Text(), index=True))\n"
                "    op.alter_column('bookings', 'topic', new_column_name='title')\n"
                "    op.create_index('ix_title', 'bookings', ['title'], unique=True)\n"
            },
            setup=_SETUP,
        ),
        Case(
            "for PostgreSQL only",
            {
                "branch.py": START + "    if op.get_bind().dialect.name != 'postgresql':\n        return\n"
                "    op.create_unique_constraint('uq_topic', 'bookings', ['topic'])\n"
                "    op.alter_column('bookings', 'topic', nullable=False)\n"
            },
            setup=_SETUP,
        ),
    )

    def look(self, around: Around) -> Iterable[Finding]:
        change = around.change
        severity = Severity.WARNING if change.place.is_conditional else Severity.ERROR
        if change.place.batch:
            if what := _unnamed(change):
                message = f"{what} has no name: batch mode on SQLite fails unless a naming convention gives it one"
                yield around.finding(message, Severity.WARNING, fix='name it: "fk_<table>_<column>"')
            return
        what = "" if _follows_its_column(around) else _refused(change)
        if what:
            edits, fix = _repair(around)
            yield around.finding(f"{what}: SQLite cannot do this outside batch mode", severity, fix=fix, edits=edits)


def _refused(change: Change) -> str:
    """What SQLite would refuse; "" for nothing."""
    match change:
        case changes.AlterColumn(table=table, column=column) if what := _altered(change):
            return f"changing the {what} of {table}.{column}"
        case changes.AddConstraint(table=table, constraint=constraint):
            return f"adding {_article(constraint.kind)} to {table}"
        case changes.DropConstraint(table=table, name=name):
            return f"dropping constraint {name or ''} of {table}".replace("  ", " ")
        case changes.AddColumn(table=table, column=column) if what := _inline(change):
            return f"adding {table}.{column.name} with {what}"
        case changes.ValidateConstraint(table=table):
            return f"validating a constraint of {table}"
        case changes.AddEnumValue(name=name) | changes.RenameEnumValue(name=name):
            return f"changing the enum type {name}"
    return ""


def _altered(change: changes.AlterColumn) -> str:
    parts = {"type": change.type, "nullability": change.nullable, "default": change.default}
    return " and ".join(name for name, value in parts.items() if value is not None)


def _inline(change: changes.AddColumn) -> str:
    """The constraint in the column's definition that ALTER TABLE ADD COLUMN does not take on SQLite."""
    column, is_call = change.column, not change.place.is_sql
    if change.if_not_exists:
        return "IF NOT EXISTS"
    if column.is_primary_key:
        return "a primary key"
    if column.is_unique and not (is_call and column.is_indexed):
        return "a unique constraint"
    if column.references is not None and is_call:
        return "a foreign key"
    return "a stored generated value" if is_stored(column) else ""


def _unnamed(change: Change) -> str:
    """A constraint in batch mode whose name is left out."""
    match change:
        case changes.AddConstraint(table=table, constraint=constraint) if _has_no_name(change):
            return f"{_article(constraint.kind)} on {table}"
        case changes.DropConstraint(table=table) if _has_no_name(change):
            return f"the constraint to drop from {table}"
        case changes.AddColumn(table=table, column=column) if column.call is not None:
            what = "a foreign key" if column.references is not None and not _is_key_named(column.call) else ""
            what = what or ("a unique constraint" if column.is_unique and not column.is_indexed else "")
            return f"{what} of {table}.{column.name}" if what else ""
    return ""


def _has_no_name(change: Change) -> bool:
    """Whether the call's first argument is None itself, not something that could not be read."""
    call = change.place.call
    if call is None or change.place.is_sql:
        return False
    named = next((word.value for word in call.keywords if word.arg == "constraint_name"), None)
    node = call.args[0] if call.args else named
    return isinstance(node, ast.Constant) and node.value is None


def _is_key_named(column: ast.Call) -> bool:
    keys = [node for node in ast.walk(column) if isinstance(node, ast.Call) and call_name(node) == "ForeignKey"]
    return all(any(word.arg == "name" for word in key.keywords) for key in keys)


def _follows_its_column(around: Around) -> bool:
    """Whether it is the CHECK within an ADD COLUMN, which SQLite takes."""
    change, before = around.change, around.before
    return (
        isinstance(change, changes.AddConstraint)
        and change.constraint.name is None
        and change.constraint.kind is ConstraintKind.CHECK
        and bool(before)
        and isinstance(before[-1], changes.AddColumn | changes.AddConstraint)
        and before[-1].place.call is change.place.call
        and change.place.is_sql
    )


def _article(kind: ConstraintKind) -> str:
    words = {ConstraintKind.CHECK: "a check", ConstraintKind.UNIQUE: "a unique constraint"}
    return words.get(kind, f"an {kind}" if kind.value[0] in "aeio" else f"a {kind}")


def _repair(around: Around) -> tuple[tuple[Edit, ...], str]:
    """The call within batch_alter_table; edits where that is all there is to do."""
    change, call = around.change, around.change.place.call
    if call is None or change.place.is_sql or not isinstance(call.func, ast.Attribute):
        return (), f"op.batch_alter_table({_table(change)!r}) with the same call on batch_op"
    text = _in_batch(around.script.revision.source, call, call.func)
    is_alone = not isinstance(change, changes.AlterColumn) or change.type is None
    is_alone = is_alone and not _has_no_name(change) and not isinstance(change, changes.AddColumn)
    others = [one for one in around.all if one is not change and _is_beside(one, change)]
    edits = replaced(around.script.revision.source, call, text) if is_alone and not others else ()
    return ("'''" not in text and '"""' not in text and edits) or (), one_line(text)


def _is_beside(other: Change, change: Change) -> bool:
    """Whether another change would need the same block, or comes from the same call."""
    if other.place.call is change.place.call:
        return True
    return _table(other) == _table(change) and (isinstance(other, changes.Batch) or bool(_refused(other)))


def _table(change: Change) -> str:
    table = getattr(change, "table", None)
    return str(table) if isinstance(table, TableName) else ""


def _in_batch(source: str, call: ast.Call, func: ast.Attribute) -> str:
    """The call as it reads within a batch block of its table."""
    at, name = _FOREIGN_KEY if func.attr == "create_foreign_key" else _TABLE_AT.get(func.attr, _SECOND)
    words = {word.arg: word for word in call.keywords}
    given = call.args[at] if len(call.args) > at else words[name].value if name in words else None
    table = source_text(source, given) if given is not None else None
    positional = [source_text(source, node) for place, node in enumerate(call.args) if place != at]
    schema = words.get("source_schema") or words.get("schema")
    kept = [word for word in call.keywords if word.arg != name and word is not schema]
    named = [source_text(source, word) for word in kept]
    inside = f", schema={source_text(source, schema.value)}" if schema is not None else ""
    owner = source_text(source, func.value) or "op"
    block = f"with {owner}.batch_alter_table({table}{inside}) as batch_op:"
    return f"{block}\n    batch_op.{func.attr}({', '.join([*positional, *named])})"
