"""HR-LK108: a foreign key that checks all old rows at once, with the writers of both tables locked out."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from handrail.facts import TableName
from handrail.lint.change_rule import POSTGRES, Around, ChangeRule
from handrail.lint.constraint_repairs import BLOCK, unchecked_then_validated, validation
from handrail.lint.finding import Finding
from handrail.lint.rule import Case, Harm
from handrail.lint.samples import upgrade
from handrail.migrations.changes import AddColumn, AddConstraint, ConstraintKind

_SETUP = (
    "CREATE TABLE rooms (id integer PRIMARY KEY)",
    "CREATE TABLE bookings (id integer PRIMARY KEY, room_id integer)",
    "INSERT INTO rooms VALUES (1)",
    "INSERT INTO bookings VALUES (1, 1), (2, NULL)",
)
#: The same with one more row: a good case with it may take for a moment the lock that a bad one holds for long.
_SETUP_TOO = (*_SETUP, "INSERT INTO bookings VALUES (3, 1)")


class ForeignKeyValidated(ChangeRule):
    code: ClassVar[str] = "HR-LK108"
    title: ClassVar[str] = "foreign key checked with writers locked out"
    why: ClassVar[str] = (
        "Every old row is looked up in the other table while nobody may write to either of the two (measured: "
        "0.3 s for 3 million rows; NOT VALID first and VALIDATE in another transaction: under 0.01 s)."
    )
    engines = POSTGRES
    BAD: ClassVar[tuple[Case, ...]] = (
        Case(
            "on a table that is in use",
            {"add.py": upgrade("op.create_foreign_key('fk_room', 'bookings', 'rooms', ['room_id'], ['id'])")},
            setup=_SETUP,
            harm=Harm("rooms", lock="ShareRowExclusive"),
        ),
        Case(
            "in a new column (Alembic adds it in a statement of its own)",
            {
                "column.py": upgrade(
                    "op.add_column('bookings', sa.Column('hall_id', sa.Integer(), sa.ForeignKey('rooms.id')))"
                )
            },
            setup=_SETUP,
            harm=Harm("bookings", lock="ShareRowExclusive"),
        ),
        Case(
            "as SQL, the names in variables",
            {
                "sql.py": upgrade(
                    "child, parent = 'bookings', 'rooms'",
                    "op.execute(f'ALTER TABLE {child} ADD CONSTRAINT fk FOREIGN KEY (room_id) REFERENCES {parent}')",
                )
            },
            setup=_SETUP,
            harm=Harm("bookings", lock="ShareRowExclusive"),
        ),
        Case(
            "in a batch block",
            {
                "batch.py": upgrade(
                    "with op.batch_alter_table('bookings') as batch_op:",
                    "    batch_op.create_foreign_key('fk_room', 'rooms', ['room_id'], ['id'])",
                )
            },
            setup=_SETUP,
            harm=Harm("bookings", lock="ShareRowExclusive"),
        ),
    )
    GOOD: ClassVar[tuple[Case, ...]] = (
        Case(
            "not validated yet, then validated on its own",
            {
                "add.py": upgrade(
                    "op.create_foreign_key('fk_room', 'bookings', 'rooms', ['room_id'], ['id'],",
                    "                      postgresql_not_valid=True)",
                    "with op.get_context().autocommit_block():",
                    "    op.execute('ALTER TABLE bookings VALIDATE CONSTRAINT fk_room')",
                )
            },
            setup=_SETUP_TOO,
        ),
        Case(
            "of a table that the same script makes",
            {
                "new.py": upgrade(
                    "op.create_table('seats', sa.Column('id', sa.Integer(), primary_key=True),",
                    "                sa.Column('room_id', sa.Integer(), sa.ForeignKey('rooms.id')))",
                    "op.create_foreign_key('fk_seat', 'seats', 'rooms', ['id'], ['id'])",
                )
            },
            setup=_SETUP_TOO,
        ),
        Case(
            "written in ADD COLUMN without a default, by which PostgreSQL looks at no row",
            {"sql.py": upgrade("op.execute('ALTER TABLE bookings ADD hall_id integer REFERENCES rooms (id)')")},
            setup=_SETUP_TOO,
        ),
    )

    def look(self, around: Around) -> Iterable[Finding]:
        match around.change:
            case AddConstraint(table=table, constraint=made) if (
                made.kind is ConstraintKind.FOREIGN_KEY and made.is_checked
            ):
                edits, fix = unchecked_then_validated(around, "source_table")
                parent, what = made.references, f"foreign key {made.name or ''}".strip()
            case AddColumn(table=table, column=column) as change if column.references and _looks_at_rows(change):
                edits, fix = (), _apart(f"fk_{table.name}_{column.name}", table)
                parent, what = column.references, f"the foreign key of {column.name}"
            case _:
                return
        if not around.is_new(table):
            both = f"{table} and {parent}" if parent is not None and parent != table else str(table)
            message = f"adding {what} checks every row of {table} with the writers of {both} locked out"
            yield around.finding(message + around.size(table), around.by_size(table), fix=fix, edits=edits)


def _apart(name: str, table: TableName) -> str:
    key = f"op.create_foreign_key({name!r}, …, postgresql_not_valid=True)"
    return f"the column without the key, then {key}, then {BLOCK} {validation(table, name)}"


def _looks_at_rows(change: AddColumn) -> bool:
    """Whether old rows are checked: not when the key stands in ADD COLUMN itself and every row has NULL."""
    call = change.place.call
    words = {} if call is None else {word.arg: word.value for word in call.keywords}
    is_inline = change.place.is_sql or "inline_references" in words
    return not is_inline or change.column.server_default is not None
