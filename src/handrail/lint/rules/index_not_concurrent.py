"""HR-LK101: an index that is built while nobody may write to its table."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from handrail.lint.change_rule import POSTGRES, Around, ChangeRule
from handrail.lint.finding import Edit, Finding
from handrail.lint.repairs import corrected, in_autocommit_block, one_line, with_keywords
from handrail.lint.rule import Case, Harm
from handrail.migrations.changes import CreateIndex

_HEAD = "from alembic import op\nimport sqlalchemy as sa\n\n\ndef upgrade():\n"
_SETUP = (
    "CREATE TABLE bookings (id integer PRIMARY KEY, topic text)",
    "INSERT INTO bookings VALUES (1, 'a'), (2, 'b')",
)


class IndexNotConcurrent(ChangeRule):
    code: ClassVar[str] = "HR-LK101"
    title: ClassVar[str] = "index built with writers locked out"
    why: ClassVar[str] = (
        "CREATE INDEX holds a SHARE lock on the table until the index is built: every write waits, 8 s per GB "
        "(measured: 4.0 s for 3 million rows; 0.07 s with CONCURRENTLY)."
    )
    engines = POSTGRES
    BAD: ClassVar[tuple[Case, ...]] = (
        Case(
            "an index on a table that is in use",
            {"add.py": _HEAD + "    op.create_index('ix_topic', 'bookings', ['topic'])\n"},
            setup=_SETUP,
            harm=Harm("bookings", lock="Share"),
        ),
        Case(
            "the same as SQL, in a loop",
            {
                "loop.py": _HEAD + "    for column in ('topic', 'id'):\n"
                "        op.execute(f'CREATE INDEX ix_{column} ON bookings ({column})')\n"
            },
            setup=_SETUP,
            harm=Harm("bookings", lock="Share"),
        ),
    )
    GOOD: ClassVar[tuple[Case, ...]] = (
        Case(
            "built concurrently, outside the transaction",
            {
                "add.py": _HEAD + "    with op.get_context().autocommit_block():\n"
                "        op.create_index('ix_topic', 'bookings', ['topic'], postgresql_concurrently=True)\n"
            },
            setup=_SETUP,
        ),
        Case(
            "on a table that the same script makes",
            {
                "new.py": _HEAD + "    op.create_table('rooms', sa.Column('name', sa.Text()))\n"
                "    op.create_index('ix_name', 'rooms', ['name'])\n"
            },
            setup=_SETUP,
        ),
    )

    def look(self, around: Around) -> Iterable[Finding]:
        change = around.change
        if not isinstance(change, CreateIndex) or change.is_concurrent or around.is_new(change.table):
            return
        edits, fix = _repair(around, change)
        message = f"building index {change.name or 'on'} {change.table} locks out writers{around.size(change.table)}"
        yield around.finding(message, around.by_size(change.table), fix=fix, edits=edits)


def _repair(around: Around, change: CreateIndex) -> tuple[tuple[Edit, ...], str]:
    call, place = change.place.call, change.place
    if call is None or place.is_sql or place.batch:
        return (), "CREATE INDEX CONCURRENTLY, within op.get_context().autocommit_block()"
    source = around.script.revision.source
    inner = corrected(source, call, with_keywords(call, {"postgresql_concurrently": "True", "if_not_exists": "True"}))
    edits = () if place.in_autocommit else in_autocommit_block(source, call, inner)
    return edits, f"with op.get_context().autocommit_block(): {one_line(inner)}"
