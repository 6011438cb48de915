"""HR-LK112: an exclusion constraint on a table in use."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from handrail.lint.change_rule import POSTGRES, Around, ChangeRule
from handrail.lint.finding import Finding
from handrail.lint.rule import Case, Harm
from handrail.lint.samples import HEAD, upgrade
from handrail.migrations.changes import AddConstraint, ConstraintKind

_SETUP = (
    "CREATE TABLE bookings (id integer PRIMARY KEY, during tsrange)",
    "INSERT INTO bookings VALUES (1, '[2026-01-01,2026-01-02)')",
)
_HARM = Harm("bookings", lock="AccessExclusive")


class ExclusionConstraint(ChangeRule):
    code: ClassVar[str] = "HR-LK112"
    title: ClassVar[str] = "exclusion constraint builds its index under a lock"
    why: ClassVar[str] = (
        "The index is built and every row compared with the others while nobody may read or write the table, and there "
        "is no way to do that concurrently."
    )
    engines = POSTGRES
    BAD: ClassVar[tuple[Case, ...]] = (
        Case(
            "as an operation",
            {
                "add.py": upgrade(
                    "op.create_exclude_constraint('ex_during', 'bookings', ('during', '&&'), using='gist')",
                    head=HEAD.replace("\n\n\n", "\nfrom sqlalchemy.dialects import postgresql\n\n\n"),
                )
            },
            setup=_SETUP,
            harm=_HARM,
        ),
        Case(
            "as SQL, the table in a variable",
            {
                "sql.py": upgrade(
                    "table = 'bookings'",
                    "op.execute(f'ALTER TABLE {table} ADD CONSTRAINT ex EXCLUDE USING gist (during WITH &&)')",
                )
            },
            setup=_SETUP,
            harm=_HARM,
        ),
    )
    GOOD: ClassVar[tuple[Case, ...]] = (
        Case(
            "on a table that the same script makes",
            {
                "new.py": upgrade(
                    "op.execute('CREATE TABLE rooms (during tsrange)')",
                    "op.execute('ALTER TABLE rooms ADD CONSTRAINT ex EXCLUDE USING gist (during WITH &&)')",
                )
            },
            setup=_SETUP,
        ),
        Case(
            "another constraint",
            {"unique.py": upgrade("op.create_unique_constraint('uq_during', 'bookings', ['during'])")},
        ),
    )

    def look(self, around: Around) -> Iterable[Finding]:
        change = around.change
        if not isinstance(change, AddConstraint) or change.constraint.kind is not ConstraintKind.EXCLUDE:
            return
        table = change.table
        if not around.is_new(table):
            name = change.constraint.name or ""
            message = f"adding exclusion constraint {name} builds an index on {table} while nobody may use it"
            fix = "a new table with the constraint, filled in batches, then exchange the names; or a window for it"
            yield around.finding(message + around.size(table), around.by_size(table), fix=fix)
