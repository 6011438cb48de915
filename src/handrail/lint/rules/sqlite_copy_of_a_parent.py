"""HR-SQ101: a parent table that is copied or dropped while SQLite enforces foreign keys: its children go with it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import ClassVar

from handrail.facts import ObjectKind, TableName
from handrail.lint.batches import referenced, same, things
from handrail.lint.change_rule import SQLITE, Around, ChangeRule
from handrail.lint.finding import Finding, Severity
from handrail.lint.rule import Case, Harm
from handrail.lint.samples import START
from handrail.migrations import changes
from handrail.migrations.changes import Batch, Change, Command, DropTable

_BLOCK = "with op.batch_alter_table('users') as batch_op:\n        batch_op.alter_column('name', nullable=False)\n"
_SETUP = (
    "CREATE TABLE users (id integer PRIMARY KEY, name text)",
    "CREATE TABLE bookings (id integer PRIMARY KEY, user_id integer REFERENCES users (id) ON DELETE CASCADE)",
    "INSERT INTO users VALUES (1, 'a'), (2, 'b')",
    "INSERT INTO bookings VALUES (1, 1), (2, 2)",
)


class SqliteCopyOfAParent(ChangeRule):
    code: ClassVar[str] = "HR-SQ101"
    title: ClassVar[str] = "parent table copied with foreign keys on"
    why: ClassVar[str] = (
        "Batch mode copies the table, drops the old one and renames the copy. With foreign_keys=ON the drop deletes "
        "every row first: child rows are deleted (ON DELETE CASCADE) or their keys become NULL (SET NULL), without an "
        "error (measured: 10 of 10 child rows lost). handrail turns the enforcement off around its own runs; a plain "
        "`alembic upgrade` does not."
    )
    engines = SQLITE
    BAD: ClassVar[tuple[Case, ...]] = (
        Case(
            "the script turns the enforcement on",
            {
                "on.py": START + "    with op.get_context().autocommit_block():\n"
                "        op.execute('PRAGMA foreign_keys=ON')\n    " + _BLOCK
            },
            setup=_SETUP,
            harm=Harm("bookings", loses=True),
        ),
        Case(
            "on the connection, and a plain DROP TABLE",
            {
                "drop.py": START + "    bind = op.get_bind()\n"
                "    bind.exec_driver_sql('PRAGMA foreign_keys = 1')\n    op.drop_table('users')\n"
            },
        ),
        Case(
            "a child made by the same script",
            {
                "child.py": START + "    op.create_table('notes', sa.Column('user_id', sa.Integer(), "
                "sa.ForeignKey('users.id', ondelete='CASCADE')))\n"
                "    op.bulk_insert(sa.table('notes', sa.column('user_id')), [{'user_id': 1}])\n    " + _BLOCK
            },
        ),
    )
    GOOD: ClassVar[tuple[Case, ...]] = (
        Case(
            "the enforcement is off during the copy",
            {
                "off.py": START + "    op.execute('PRAGMA foreign_keys=OFF')\n    " + _BLOCK + "    "
                "op.execute('PRAGMA foreign_keys=ON')\n"
            },
            setup=_SETUP,
        ),
        Case(
            "a block that copies nothing",
            {
                "plain.py": START + "    op.execute('PRAGMA foreign_keys=ON')\n"
                "    with op.batch_alter_table('users') as batch_op:\n"
                "        batch_op.add_column(sa.Column('age', sa.Integer()))\n"
                "        batch_op.create_index('ix_name', ['name'])\n"
            },
            setup=_SETUP,
        ),
        Case(
            "a new table",
            {
                "new.py": START + "    op.execute('PRAGMA foreign_keys=ON')\n"
                "    op.create_table('rooms', sa.Column('id', sa.Integer()))\n    op.drop_table('rooms')\n"
            },
            setup=_SETUP,
        ),
    )

    def look(self, around: Around) -> Iterable[Finding]:
        change = around.change
        if not isinstance(change, Batch | DropTable) or around.is_new(change.table) or around.is_empty(change.table):
            return
        if isinstance(change, Batch) and not change.is_copied:
            return
        enforced, children = _enforcement(around.before), _children(around, change.table)
        is_known = around.context.facts is not None
        if enforced is False or (not children and (is_known or not enforced)):
            return
        what = "copying" if isinstance(change, Batch) else "dropping"
        whom = f"the rows of {', '.join(sorted(children))}" if children else "the rows of every table that refers to it"
        how = "while the script has foreign_keys on" if enforced else "with foreign_keys on"
        yield around.finding(
            f"{what} {change.table} {how} would delete or unlink {whom}",
            Severity.ERROR if enforced else Severity.WARNING,
            fix='op.execute("PRAGMA foreign_keys=OFF") before the first change, outside a transaction, and '
            '"PRAGMA foreign_key_check" after the last; or let handrail run it',
        )


def _enforcement(before: Iterable[Change]) -> bool | None:
    """What the script last said of foreign_keys; None when it said nothing."""
    found = None
    for change in before:
        if isinstance(change, Command) and change.words.casefold() == "pragma foreign_keys":
            words = change.sql.casefold().replace("=", " ").replace("(", " ").replace(")", " ").split()
            found = words[-1].strip("'\"") in {"on", "1", "true", "yes"} if len(words) > 2 else found
    return found


def _children(around: Around, parent: TableName) -> set[str]:
    """The tables that point to this one and still hold rows: those of the catalog and of the script."""
    children = {
        thing.table.name
        for thing in things(around, ObjectKind.CONSTRAINT)
        if thing.table is not None and same(referenced(thing.definition), parent.name)
    }
    filled = {one.table.name for one in around.before if isinstance(one, changes.WriteRows) and one.table}
    for change in around.before:
        children |= {child for child, of in _keys(change) if same(of, parent.name) and child in filled}
        if isinstance(change, DropTable):
            children.discard(change.table.name)
    return {child for child in children if not same(child, parent.name)}


def _keys(change: Change) -> Iterator[tuple[str, str]]:
    """The foreign keys that a change makes: table, and table it points to."""
    match change:
        case changes.CreateTable(table=table, columns=columns, constraints=constraints):
            targets = [part.references for part in columns] + [part.references for part in constraints]
            yield from ((table.name, target.name) for target in targets if target is not None)
        case changes.AddConstraint(table=table, constraint=constraint) if constraint.references is not None:
            yield table.name, constraint.references.name
