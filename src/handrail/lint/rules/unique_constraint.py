"""HR-LK110: a unique constraint that builds its index while nobody may use the table."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from typing import ClassVar

from handrail.lint.change_rule import POSTGRES, Around, ChangeRule
from handrail.lint.constraint_repairs import BLOCK, is_written_out
from handrail.lint.finding import Edit, Finding
from handrail.lint.repairs import committing
from handrail.lint.rule import Case, Harm
from handrail.lint.samples import BOOKINGS, BOOKINGS_TOO, upgrade
from handrail.migrations.changes import AddColumn, AddConstraint, ConstraintKind
from handrail.migrations.sql_names import quoted, quoted_table

_HARM = Harm("bookings", lock="AccessExclusive")


class UniqueConstraint(ChangeRule):
    code: ClassVar[str] = "HR-LK110"
    title: ClassVar[str] = "unique constraint builds its index under a lock"
    why: ClassVar[str] = (
        "The index of the constraint is built while nobody may read or write the table (measured: 0.93 s for 3 million "
        "rows; an index built CONCURRENTLY that then becomes the constraint: 0.01 s)."
    )
    engines = POSTGRES
    BAD: ClassVar[tuple[Case, ...]] = (
        Case(
            "on a table that is in use",
            {"add.py": upgrade("op.create_unique_constraint('uq_topic', 'bookings', ['topic', 'email'])")},
            setup=BOOKINGS,
            harm=_HARM,
        ),
        Case(
            "in a batch block, the table in a variable",
            {
                "batch.py": upgrade(
                    "table = 'bookings'",
                    "with op.batch_alter_table(table) as batch_op:",
                    "    batch_op.create_unique_constraint('uq_topic', ['topic'])",
                )
            },
            setup=BOOKINGS,
            harm=_HARM,
        ),
        Case(
            "as SQL",
            {"sql.py": upgrade("op.execute('ALTER TABLE bookings ADD UNIQUE (email)')")},
            setup=BOOKINGS,
            harm=_HARM,
        ),
        Case(
            "in a new column",
            {"column.py": upgrade("op.add_column('bookings', sa.Column('code', sa.String(8), unique=True))")},
            setup=BOOKINGS,
            harm=_HARM,
        ),
    )
    GOOD: ClassVar[tuple[Case, ...]] = (
        Case(
            "from an index that was built concurrently",
            {
                "using.py": upgrade(
                    "with op.get_context().autocommit_block():",
                    "    op.create_index('uq_topic', 'bookings', ['topic'], unique=True,",
                    "                    postgresql_concurrently=True)",
                    "op.execute('ALTER TABLE bookings ADD CONSTRAINT uq_topic UNIQUE USING INDEX uq_topic')",
                )
            },
            setup=BOOKINGS_TOO,
        ),
        Case(
            "on a table that the same script makes",
            {
                "new.py": upgrade(
                    "op.create_table('rooms', sa.Column('name', sa.Text(), unique=True), sa.Column('on', sa.Text()))",
                    "op.create_unique_constraint('uq_rooms', 'rooms', ['on'])",
                )
            },
            setup=BOOKINGS,
        ),
    )

    def look(self, around: Around) -> Iterable[Finding]:
        match around.change:
            case AddConstraint(table=table, constraint=made) if (
                made.kind is ConstraintKind.UNIQUE and made.using_index is None
            ):
                edits, fix = _repair(around)
                what = f"unique constraint {made.name or ''}".strip()
            case AddColumn(table=table, column=column) if column.is_unique and not column.is_indexed:
                edits, what = (), f"the unique constraint of {column.name}"
                fix = f"the column without unique, then {BLOCK} op.create_index(…, unique=True, "
                fix += "postgresql_concurrently=True), then ADD CONSTRAINT … UNIQUE USING INDEX"
            case _:
                return
        if not around.is_new(table):
            message = f"adding {what} builds an index on {table} while nobody may use it{around.size(table)}"
            yield around.finding(message, around.by_size(table), fix=fix, edits=edits)


def _repair(around: Around) -> tuple[tuple[Edit, ...], str]:
    change, place = around.change, around.change.place
    assert isinstance(change, AddConstraint)  # noqa: S101 - nothing else is repaired
    made, table = change.constraint, change.table
    name = made.name or f"uq_{table.name}"
    schema = f", schema={table.schema!r}" if table.schema else ""
    index = f"op.create_index({name!r}, {table.name!r}, {list(made.columns)!r}{schema}, unique=True, "
    index += "postgresql_concurrently=True, if_not_exists=True)"
    sql = f"ALTER TABLE {quoted_table(table)} ADD CONSTRAINT {quoted(name)} UNIQUE USING INDEX {quoted(name)}"
    text = f"{BLOCK}\n    {index}\nop.execute({sql!r})"
    call = place.call
    if call is None or place.is_sql or place.batch or place.in_autocommit or made.name is None:
        return (), text
    is_certain = is_written_out(call, ("constraint_name", 0), ("table_name", 1)) and _is_plain(call)
    return committing(around.script.revision.source, call, text) if is_certain else (), text


def _is_plain(call: ast.Call) -> bool:
    """Whether the columns stand in the call, and nothing that an index could not take over (deferrable=…)."""
    words = {word.arg: word.value for word in call.keywords}
    columns = words.get("columns") or (call.args[2] if len(call.args) > 2 else None)
    are_names = isinstance(columns, ast.List | ast.Tuple) and all(
        isinstance(one, ast.Constant) and isinstance(one.value, str) for one in columns.elts
    )
    return are_names and words.keys() <= {"constraint_name", "table_name", "columns", "schema"}
