"""HR-PR107: steps around an autocommit block that cannot run twice."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from handrail.lint.change_rule import POSTGRES, Around, ChangeRule
from handrail.lint.finding import Finding, Severity
from handrail.lint.rule import Case
from handrail.lint.samples import START
from handrail.migrations import changes
from handrail.migrations.changes import AddConstraint, Change, CreateIndex, DropConstraint, DropIndex

_ADD = "    op.add_column('bookings', sa.Column('seats', sa.Integer()))\n"
_BLOCK = "    with op.get_context().autocommit_block():\n"
_INDEX = "        op.create_index('ix', 'bookings', ['topic'], postgresql_concurrently=True, if_not_exists=True)\n"
_DROP = "        op.drop_index('ix', 'bookings', postgresql_concurrently=True, if_exists=True)\n"
#: What can be done twice, or leaves nothing that a second run would meet.
_REPEATABLE = (changes.Batch, changes.Command, changes.NotAnalysable, changes.WriteRows, changes.ValidateConstraint)


class HalfDone(ChangeRule):
    code: ClassVar[str] = "HR-PR107"
    title: ClassVar[str] = "revision that cannot be run again half-way"
    why: ClassVar[str] = (
        "An autocommit block first commits what the script did before it. When a step in the block fails, that stays, "
        'while the revision is not stamped: the next run fails on it ("already exists"). And a failed CREATE INDEX '
        "CONCURRENTLY leaves an INVALID index that no query uses: IF NOT EXISTS takes it for done (measured)."
    )
    engines = POSTGRES
    BAD: ClassVar[tuple[Case, ...]] = (
        Case("a column before the block", {"before.py": START + _ADD + _BLOCK + _DROP + _INDEX}),
        Case(
            "an index in the block, a column after it",
            {"after.py": START + _BLOCK + _INDEX.replace(", if_not_exists=True", "") + _ADD},
        ),
        Case("IF NOT EXISTS takes an INVALID index for done", {"invalid.py": START + _BLOCK + _INDEX + _ADD}),
    )
    GOOD: ClassVar[tuple[Case, ...]] = (
        Case("the block alone", {"alone.py": START + _BLOCK + _INDEX}),
        Case("what an earlier try left is dropped first", {"drop.py": START + _BLOCK + _DROP + _INDEX + _ADD}),
        Case(
            "what stands before can run twice",
            {"twice.py": START + _ADD.replace("))\n", "), if_not_exists=True)\n") + _BLOCK + _DROP + _INDEX},
        ),
        Case(
            "a constraint that is validated in the block",
            {
                "valid.py": START
                + "    op.create_check_constraint('ck', 'bookings', 'id > 0', postgresql_not_valid=True)\n"
                + _BLOCK
                + "        op.execute('ALTER TABLE bookings VALIDATE CONSTRAINT ck')\n"
            },
        ),
        Case(
            "a CHECK replaced by a wider one, validated in the block",
            {
                "wider.py": START + "    op.execute('ALTER TABLE bookings DROP CONSTRAINT ck, "
                "ADD CONSTRAINT ck CHECK (id > 0) NOT VALID')\n"
                + _BLOCK
                + "        op.execute('ALTER TABLE bookings VALIDATE CONSTRAINT ck')\n"
            },
        ),
        Case(
            "an index that becomes a constraint, which an INVALID one cannot",
            {
                "using.py": START
                + _BLOCK
                + _INDEX
                + "    op.execute('ALTER TABLE bookings ADD CONSTRAINT ix UNIQUE USING INDEX ix')\n"
            },
        ),
        Case("one transaction", {"one.py": START + _ADD + "    op.create_index('ix', 'bookings', ['topic'])\n"}),
    )

    def look(self, around: Around) -> Iterable[Finding]:
        change = around.change
        if not change.place.in_autocommit or all(one.place.in_autocommit for one in around.all):
            return
        if not around.before or not around.before[-1].place.in_autocommit:
            yield from self._committed(around)
        if around.after and not _is_repeatable(change):
            message = "this step is committed by itself: when a later one fails, the next run fails here"
            fix = "a revision of its own for it, or if_not_exists=True / if_exists=True"
            yield around.finding(message, Severity.WARNING, fix=fix)
        elif isinstance(change, CreateIndex) and change.is_concurrent and not _is_cleared(around, change):
            message = f"IF NOT EXISTS takes an INVALID index {change.name} of a failed try for done"
            fix = f"op.drop_index({change.name!r}, postgresql_concurrently=True, if_exists=True) before it"
            yield around.finding(message, Severity.WARNING, fix=fix)

    def _committed(self, around: Around) -> Iterable[Finding]:
        """Steps before the block that a second run would meet."""
        before = around.before
        found = [one for one in before if not one.place.in_autocommit and not _is_repeatable(one, before)]
        if found:
            lines = ", ".join(str(line) for line in sorted({one.place.line for one in found}))
            message = f"the block commits line {lines} first: when it fails, the next run fails there"
            fix = "a revision of its own for the block, or if_not_exists=True / if_exists=True in the steps before it"
            yield around.finding(message, Severity.WARNING, fix=fix)


def _is_repeatable(change: Change, committed: Sequence[Change] = ()) -> bool:
    """Whether it runs a second time when it and the `committed` changes have run before."""
    if isinstance(change, _REPEATABLE):
        return True
    if isinstance(change, DropConstraint):
        added = (one for one in committed if isinstance(one, AddConstraint) and one.table == change.table)
        return any(one.constraint.name == change.name for one in added)  # it is there again to be dropped
    if isinstance(change, AddConstraint) and not change.constraint.is_checked:
        return True  # the known way to add one without a long lock; what VALIDATE refuses is to be corrected by hand
    return bool(getattr(change, "if_not_exists", False) or getattr(change, "if_exists", False))


def _is_cleared(around: Around, change: CreateIndex) -> bool:
    if not change.if_not_exists or any(isinstance(one, DropIndex) and one.name == change.name for one in around.before):
        return True
    constraints = [one.constraint for one in around.after if isinstance(one, AddConstraint)]
    return any(one.using_index == change.name for one in constraints)  # which refuses an INVALID one
