"""HR-PR103: a script, or a part of one, that cannot be judged without running it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from handrail.lint.finding import Finding, Severity
from handrail.lint.rule import Case, LintContext
from handrail.migrations.calls import ReadOperation
from handrail.migrations.changes import NotAnalysable
from handrail.migrations.operations import OperationKind
from handrail.migrations.reading import FunctionReading, ScriptReading

#: How the reader begins its remarks on columns that it cannot see.
_ADD = "add_column:"


class UnreadableScript:
    code: ClassVar[str] = "HR-PR103"
    title: ClassVar[str] = "script that cannot be read"
    why: ClassVar[str] = (
        "What cannot be read cannot be reviewed before it runs. A text that is not Python fails the run at once; an "
        "added column whose nullability is computed may fail on the rows that are there. About everything else that "
        "only a run can tell the other rules are silent, which does not mean that it is safe: a rehearsal shows it."
    )
    BAD: ClassVar[tuple[Case, ...]] = (
        Case("not Python", {"broken.py": "def upgrade(:\n    pass\n"}),
        Case("no upgrade()", {"empty.py": "revision = '1a2b'\n"}),
        Case(
            "nullability computed",
            {
                "computed.py": "from alembic import op\nimport sqlalchemy as sa\nimport settings\n\n"
                "def upgrade():\n"
                "    op.add_column('bookings', sa.Column('room', sa.String(), nullable=settings.LOOSE))\n"
            },
        ),
        Case(
            "column made elsewhere",
            {
                "elsewhere.py": "from alembic import op\nfrom columns import room\n\n"
                "def upgrade():\n    op.add_column('bookings', room())\n"
            },
        ),
        Case(
            "SQL from a file",
            {
                "file.py": "from alembic import op\nfrom pathlib import Path\n\n"
                "def upgrade():\n    op.execute(Path('views.sql').read_text())\n"
            },
        ),
        Case(
            "a helper of the project",
            {"helper.py": "from alembic import op\nimport tools\n\ndef upgrade():\n    tools.fill('bookings')\n"},
        ),
        Case(
            "objects written by an ORM session",
            {
                "orm.py": "from alembic import op\nimport sqlalchemy as sa\n\ndef upgrade():\n"
                "    session = sa.orm.Session(bind=op.get_bind())\n    session.add_all([])\n    session.commit()\n"
            },
        ),
    )
    GOOD: ClassVar[tuple[Case, ...]] = (
        Case(
            "a loop, a helper and an f-string of the script itself",
            {
                "known.py": "from alembic import op\n\ndef fill(table):\n"
                "    op.execute(f'UPDATE {table} SET room = 1 WHERE room IS NULL')\n\n"
                "def upgrade():\n    for table in ('bookings', 'visits'):\n        fill(table)\n"
            },
        ),
        Case(
            "all literal",
            {
                "literal.py": "from alembic import op\nimport sqlalchemy as sa\n\nTABLE = 'bookings'\n\n"
                "def upgrade():\n    op.add_column(TABLE, sa.Column('room', sa.String(), nullable=True))\n"
            },
        ),
    )

    def check(self, context: LintContext) -> Iterable[Finding]:
        for script in context.scripts:
            if script.error is not None:
                line, reason = script.error.position.line, script.error.reason
                yield self._finding(script, line, 0, Severity.ERROR, reason, "correct the script: python -m py_compile")
                continue
            function = script.function(context.direction)
            if not function.exists:
                what = f"the script has no {context.direction}()"
                yield self._finding(script, 1, 0, Severity.ERROR, what, f"def {context.direction}() -> None: ...")
            yield from self._undecided(script, function)
            yield from self._unknown(script, function)

    def _undecided(self, script: ScriptReading, function: FunctionReading) -> Iterable[Finding]:
        """Added columns that may be NOT NULL."""
        for read in function.reads:
            if _is_undecided(read):
                column, table = read.operation.column, read.operation.table
                message = f"not analysable: whether {table}.{column} is NOT NULL is known only when the script runs"
                hint = "write nullable=True, or nullable=False with a server_default, as a literal"
                line, offset = read.call.lineno, read.call.col_offset
                yield self._finding(script, line, offset, Severity.WARNING, message, hint)
        for missed in function.not_understood:
            if missed.reason.startswith(_ADD):
                message, hint = f"not analysable: {missed.reason}", "write the table and sa.Column(…) in the script"
                yield self._finding(script, missed.position.line, 0, Severity.WARNING, message, hint)

    def _unknown(self, script: ScriptReading, function: FunctionReading) -> Iterable[Finding]:
        """Everything else that only a run can tell, once for each place."""
        told: set[tuple[int, int, str]] = set()
        for change in function.changes:
            if not isinstance(change, NotAnalysable) or change.reason.startswith(_ADD):
                continue
            place = (change.place.line, change.place.column, change.reason)
            if place not in told:
                told.add(place)
                message, hint = f"not analysable: {change.reason}", "let a rehearsal show what it does"
                yield self._finding(script, *place[:2], Severity.INFO, message, hint)

    def _finding(
        self, script: ScriptReading, line: int, column: int, severity: Severity, message: str, hint: str
    ) -> Finding:
        return Finding(self.code, severity, script.revision.path, line, column, message, self.why, hint)


def _is_undecided(read: ReadOperation) -> bool:
    column = read.column
    is_column = read.operation.kind is OperationKind.ADD_COLUMN and column is not None
    return is_column and column is not None and column.nullable is None and column.server_default is None
