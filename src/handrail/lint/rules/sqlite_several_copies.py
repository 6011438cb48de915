"""HR-SQ107: several batch blocks copy one table several times."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from handrail.amounts import count
from handrail.lint.change_rule import SQLITE, Around, ChangeRule
from handrail.lint.finding import Finding, Severity
from handrail.lint.rule import Case
from handrail.lint.samples import START
from handrail.migrations.changes import Batch, WriteRows

_FILLED = """\
    with op.batch_alter_table('bookings') as batch_op:
        batch_op.alter_column('note', new_column_name='remark')
    op.execute("UPDATE bookings SET topic = 'x' WHERE topic IS NULL")
    with op.batch_alter_table('bookings') as batch_op:
        batch_op.alter_column('topic', nullable=False)
"""
_SETUP = (
    "CREATE TABLE bookings (id integer PRIMARY KEY, topic text, note text)",
    "INSERT INTO bookings VALUES (1, 'a', 'b'), (2, 'b', 'c')",
)


class SqliteSeveralCopies(ChangeRule):
    code: ClassVar[str] = "HR-SQ107"
    title: ClassVar[str] = "one table copied several times"
    why: ClassVar[str] = (
        "Each batch block copies the whole table while the file is locked for every writer (measured: 2.1 to 3.8 s for "
        "2 million rows, 242 MB). One block with all the changes copies it once."
    )
    engines = SQLITE
    BAD: ClassVar[tuple[Case, ...]] = (
        Case(
            "two blocks",
            {
                "two.py": START + "    with op.batch_alter_table('bookings') as batch_op:\n"
                "        batch_op.alter_column('topic', nullable=False)\n"
                "    with op.batch_alter_table('bookings') as batch_op:\n"
                "        batch_op.alter_column('note', nullable=False)\n"
            },
            setup=_SETUP,
        ),
        Case(
            "a block in a loop",
            {
                "loop.py": START + "    for name in ('topic', 'note'):\n"
                "        with op.batch_alter_table('bookings') as batch_op:\n"
                "            batch_op.alter_column(name, nullable=False)\n"
            },
            setup=_SETUP,
        ),
    )
    GOOD: ClassVar[tuple[Case, ...]] = (
        Case(
            "one block, and one that copies nothing",
            {
                "one.py": START + "    with op.batch_alter_table('bookings') as batch_op:\n"
                "        batch_op.alter_column('topic', nullable=False)\n"
                "        batch_op.alter_column('note', nullable=False)\n"
                "    with op.batch_alter_table('bookings') as batch_op:\n"
                "        batch_op.create_index('ix_note', ['note'])\n"
            },
            setup=_SETUP,
        ),
        Case(
            "rows are written between the blocks",
            {
                "fill.py": START + _FILLED,
            },
            setup=_SETUP,
        ),
    )

    def look(self, around: Around) -> Iterable[Finding]:
        batch = around.change
        if not isinstance(batch, Batch) or not batch.is_copied or around.is_new(batch.table):
            return
        copies = [one for one in around.all if isinstance(one, Batch) and one.is_copied and one.table == batch.table]
        written = [one for one in around.all if isinstance(one, WriteRows) and one.table in {batch.table, None}]
        if written or len(copies) < 2 or copies[1] is not batch:
            return
        yield around.finding(
            f"{count(len(copies), 'batch block')} copy {batch.table} {len(copies)} times{around.size(batch.table)}",
            Severity.INFO,
            fix=f"put the changes of {batch.table} into one batch_alter_table block",
        )
