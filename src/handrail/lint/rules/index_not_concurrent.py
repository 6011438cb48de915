"""HR-LK101: an index that is built while nobody may write to its table."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from handrail.lint.change_rule import POSTGRES, Around, ChangeRule
from handrail.lint.constraint_repairs import BLOCK
from handrail.lint.finding import Edit, Finding
from handrail.lint.repairs import corrected, in_autocommit_block, one_line, with_keywords
from handrail.lint.rule import Case, Harm
from handrail.lint.samples import START
from handrail.migrations.changes import AddColumn, CreateIndex

_SETUP = (
    "CREATE TABLE bookings (id integer PRIMARY KEY, topic text)",
    "INSERT INTO bookings VALUES (1, 'a'), (2, 'b')",
)


class IndexNotConcurrent(ChangeRule):
    code: ClassVar[str] = "HR-LK101"
    title: ClassVar[str] = "index built with writers locked out"
    why: ClassVar[str] = (
        "CREATE INDEX holds a SHARE lock on the table until the index is built: every write waits "
        "(measured: 1.5 s for 3 million rows; 0.01 s with CONCURRENTLY)."
    )
    engines = POSTGRES
    BAD: ClassVar[tuple[Case, ...]] = (
        Case(
            "an index on a table that is in use",
            {"add.py": START + "    op.create_index('ix_topic', 'bookings', ['topic'])\n"},
            setup=_SETUP,
            harm=Harm("bookings", lock="Share"),
        ),
        Case(
            "the same as SQL, in a loop",
            {
                "loop.py": START + "    for column in ('topic', 'id'):\n"
                "        op.execute(f'CREATE INDEX ix_{column} ON bookings ({column})')\n"
            },
            setup=_SETUP,
            harm=Harm("bookings", lock="Share"),
        ),
        Case(
            "with a new column",
            {"column.py": START + "    op.add_column('bookings', sa.Column('room', sa.String(9), index=True))\n"},
            setup=_SETUP,
            harm=Harm("bookings", lock="Share"),
        ),
    )
    GOOD: ClassVar[tuple[Case, ...]] = (
        Case(
            "built concurrently, outside the transaction",
            {
                "add.py": START + "    with op.get_context().autocommit_block():\n"
                "        op.create_index('ix_topic', 'bookings', ['topic'], postgresql_concurrently=True)\n"
            },
            setup=_SETUP,
        ),
        Case(
            "on a table that the same script makes",
            {
                "new.py": START + "    op.create_table('rooms', sa.Column('name', sa.Text()))\n"
                "    op.create_index('ix_name', 'rooms', ['name'])\n"
            },
            setup=_SETUP,
        ),
    )

    def look(self, around: Around) -> Iterable[Finding]:
        match around.change:
            case CreateIndex(table=table, name=name, is_concurrent=False) as change:
                edits, fix = _repair(around, change)
            case AddColumn(table=table, column=column, place=place) if column.is_indexed and not place.is_sql:
                edits, name = (), f"ix_{table.name}_{column.name}"
                fix = f"the column without index, then {BLOCK} op.create_index(…, postgresql_concurrently=True)"
            case _:
                return
        if not around.is_new(table):
            message = f"building {f'index {name}' if name else 'an index'} on {table} locks out writers"
            yield around.finding(message + around.size(table), around.by_size(table), fix=fix, edits=edits)


def _repair(around: Around, change: CreateIndex) -> tuple[tuple[Edit, ...], str]:
    call, place = change.place.call, change.place
    if call is None or place.is_sql or place.batch:
        return (), "CREATE INDEX CONCURRENTLY, within op.get_context().autocommit_block()"
    source = around.script.revision.source
    inner = corrected(source, call, with_keywords(call, {"postgresql_concurrently": "True", "if_not_exists": "True"}))
    edits = () if place.in_autocommit else in_autocommit_block(source, call, inner)
    return edits, f"with op.get_context().autocommit_block(): {one_line(inner)}"
