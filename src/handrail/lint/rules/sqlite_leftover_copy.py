"""HR-SQ102: a table that a failed batch left behind."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from handrail.facts import TableName
from handrail.lint.batches import same
from handrail.lint.change_rule import SQLITE, Around, ChangeRule
from handrail.lint.finding import Finding, Severity
from handrail.lint.rule import Case, Harm
from handrail.lint.samples import START
from handrail.migrations.changes import Batch, DropTable, RenameTable

_COPY = "_alembic_tmp_"
_LEFT = (
    "CREATE TABLE _alembic_tmp_bookings (id integer PRIMARY KEY, topic text)",
    "INSERT INTO _alembic_tmp_bookings VALUES (1, 'a'), (2, 'b')",
)


class SqliteLeftoverCopy(ChangeRule):
    code: ClassVar[str] = "HR-SQ102"
    title: ClassVar[str] = "copy left behind by a failed batch"
    why: ClassVar[str] = (
        "Batch mode fills _alembic_tmp_<table>, drops the table, then renames the copy. When it fails on the way the "
        'copy stays: the next run ends with "table _alembic_tmp_… already exists", and when the table was dropped '
        "already, the copy holds the only rows there are."
    )
    engines = SQLITE
    BAD: ClassVar[tuple[Case, ...]] = (
        Case(
            "the copy is thrown away unseen",
            {"drop.py": START + "    op.execute('DROP TABLE IF EXISTS _alembic_tmp_bookings')\n"},
            setup=_LEFT,
            harm=Harm("_alembic_tmp_bookings", loses=True),
        ),
        Case(
            "for several tables",
            {
                "loop.py": START + "    for table in ('bookings', 'users'):\n"
                "        op.drop_table(f'_alembic_tmp_{table}', if_exists=True)\n"
            },
            setup=_LEFT,
            harm=Harm("_alembic_tmp_bookings", loses=True),
        ),
    )
    GOOD: ClassVar[tuple[Case, ...]] = (
        Case(
            "a batch on a table without leftovers",
            {
                "batch.py": START + "    with op.batch_alter_table('bookings') as batch_op:\n"
                "        batch_op.alter_column('topic', nullable=False)\n"
            },
            setup=("CREATE TABLE bookings (id integer PRIMARY KEY, topic text)",),
        ),
        Case(
            "the copy takes the table's place",
            {"rename.py": START + "    op.rename_table('_alembic_tmp_bookings', 'bookings')\n"},
            setup=_LEFT,
        ),
    )

    def look(self, around: Around) -> Iterable[Finding]:
        change = around.change
        if isinstance(change, Batch) and change.is_copied and not around.is_new(change.table):
            yield from self._blocked(around, change)
        elif isinstance(change, DropTable) and change.table.name.startswith(_COPY):
            yield from self._thrown_away(around, change)

    def _blocked(self, around: Around, batch: Batch) -> Iterable[Finding]:
        copy = TableName(_COPY + batch.table.name)
        gone = [one.table for one in around.before if isinstance(one, DropTable | RenameTable)]
        if around.facts(copy) is None or any(same(copy.name, table.name) for table in gone):
            return
        yield around.finding(
            f"{copy} is there from a run that failed: copying {batch.table} ends with an error",
            Severity.ERROR,
            fix=f"compare {copy} with {batch.table}; when {batch.table} has all rows: DROP TABLE {copy}",
        )

    def _thrown_away(self, around: Around, change: DropTable) -> Iterable[Finding]:
        known, copied = around.context.facts, change.table.name.removeprefix(_COPY)
        if known is not None and (known.table(TableName(copied)) or not known.table(change.table)):
            return
        yield around.finding(
            f"dropping {change.table} loses the only copy of {copied} when a batch failed after it dropped {copied}",
            Severity.WARNING if known is None else Severity.ERROR,
            fix=f'op.rename_table("{change.table}", "{copied}") where {copied} is gone',
        )
