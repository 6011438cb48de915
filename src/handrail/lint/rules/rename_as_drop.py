"""HR-DL103: a rename that autogenerate wrote as a drop and an addition."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import ClassVar

from handrail.lint.change_rule import Around, ChangeRule
from handrail.lint.finding import Finding, Severity
from handrail.lint.rename_repairs import column_edits, table_edits
from handrail.lint.renames import column_rename, table_rename
from handrail.lint.rule import Case, Harm
from handrail.lint.samples import START
from handrail.lint.script_facts import is_declared
from handrail.migrations.changes import DropColumn, DropTable
from handrail.migrations.revision import Direction

_SETUP = (
    "CREATE TABLE bookings (id integer PRIMARY KEY, topic varchar(50))",
    "INSERT INTO bookings VALUES (1, 'a'), (2, 'b')",
)
_LOSS = Harm("bookings", loses=True)
_DOWN = "\n\ndef downgrade():\n    op.add_column('bookings', sa.Column('topic', sa.VARCHAR(length=50)))\n"


class RenameAsDrop(ChangeRule):
    code: ClassVar[str] = "HR-DL103"
    title: ClassVar[str] = "rename written as drop and add"
    why: ClassVar[str] = (
        "Autogenerate cannot see a rename: it drops the old name with every value and adds the new one empty. The "
        "upgrade succeeds and the schema is right, so nobody notices until the values are missed."
    )
    #: What only a person knows, and the findings that the answer yes may bring with its edits.
    question: ClassVar[str] = "is it a rename?"
    brings: ClassVar[frozenset[str]] = frozenset({"HR-BC101"})
    BAD: ClassVar[tuple[Case, ...]] = (
        Case(
            "a column as autogenerate writes it",
            {
                "rename.py": START + "    op.add_column('bookings', sa.Column('subject', sa.String(length=50)))\n"
                "    op.drop_column('bookings', 'topic')\n" + _DOWN
            },
            setup=_SETUP,
            harm=_LOSS,
        ),
        Case(
            "in a batch, the drop first, no downgrade to tell the type",
            {
                "batch.py": START + "    with op.batch_alter_table('bookings') as batch_op:\n"
                "        batch_op.drop_column('topic')\n"
                "        batch_op.add_column(sa.Column('subject', sa.String(length=50)))\n"
            },
            setup=_SETUP,
            harm=_LOSS,
        ),
        Case(
            "as SQL",
            {
                "sql.py": START + "    op.execute('ALTER TABLE bookings ADD COLUMN subject varchar(50)')\n"
                "    op.execute('ALTER TABLE bookings DROP COLUMN topic')\n" + _DOWN
            },
            setup=_SETUP,
            harm=_LOSS,
        ),
        Case(
            "a table",
            {
                "table.py": START + "    op.create_table('visits', sa.Column('id', sa.Integer(), primary_key=True), "
                "sa.Column('topic', sa.String(50)))\n    op.drop_table('bookings')\n\n\ndef downgrade():\n"
                "    op.create_table('bookings', sa.Column('id', sa.INTEGER(), primary_key=True), "
                "sa.Column('topic', sa.VARCHAR(50)))\n    op.drop_table('visits')\n"
            },
            setup=_SETUP,
            harm=_LOSS,
        ),
    )
    GOOD: ClassVar[tuple[Case, ...]] = (
        Case(
            "a rename",
            {"rename.py": START + "    op.alter_column('bookings', 'topic', new_column_name='subject')\n"},
            setup=_SETUP,
        ),
        Case(
            "another type",
            {
                "other.py": START + "    op.add_column('bookings', sa.Column('seats', sa.Integer()))\n"
                "    op.drop_column('bookings', 'topic')\n" + _DOWN
            },
            setup=_SETUP,
        ),
        Case(
            "values carried over",
            {
                "carry.py": START + "    op.add_column('bookings', sa.Column('subject', sa.String(length=50)))\n"
                "    op.execute('UPDATE bookings SET subject = topic')\n"
                "    op.drop_column('bookings', 'topic')\n" + _DOWN
            },
            setup=_SETUP,
        ),
        Case(
            "on two tables",
            {
                "two.py": START + "    op.add_column('rooms', sa.Column('topic', sa.String(length=50)))\n"
                "    op.drop_column('bookings', 'topic')\n" + _DOWN
            },
        ),
    )

    def look(self, around: Around) -> Iterable[Finding]:
        change = around.change
        if isinstance(change, DropColumn):
            yield from self._column(around, change)
        elif isinstance(change, DropTable) and (new := table_rename(around)) is not None:
            severity = _severity(around, Severity.ERROR, None)
            message = f"drops table {change.table} and makes {new} with the same columns: a rename loses no row"
            fix = f"op.rename_table({change.table.name!r}, {new.name!r})"
            found = around.finding(message, severity, fix=fix, edits=table_edits(around, new))
            yield replace(found, is_suggestion=True)

    def _column(self, around: Around, change: DropColumn) -> Iterable[Finding]:
        rename = column_rename(around)
        if rename is None:
            return
        new = rename.added.column
        severity = _severity(around, Severity.ERROR if rename.is_certain else Severity.WARNING, change.column)
        alike = "with the same type" if rename.is_certain else "in its place"
        message = (
            f"drops {change.table}.{change.column} and adds {change.table}.{new.name} {alike}: "
            f"a rename keeps the values{around.size(change.table)}"
        )
        fix = f"op.alter_column({change.table.name!r}, {change.column!r}, new_column_name={new.name!r})"
        found = around.finding(message, severity, fix=fix, edits=column_edits(around, rename.added))
        yield replace(found, is_suggestion=True)


def _severity(around: Around, bad: Severity, column: str | None) -> Severity:
    change = around.change
    assert isinstance(change, DropColumn | DropTable)  # noqa: S101 - look() saw it
    if is_declared(around, change.table, column, may_vanish=True) or around.is_empty(change.table):
        return Severity.INFO
    return Severity.WARNING if around.context.direction is Direction.DOWNGRADE else bad
