"""HR-PR103: a script that cannot be read, or whose NOT NULL column cannot be judged without running it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from handrail.lint.finding import Finding, Severity
from handrail.lint.rule import Case, LintContext
from handrail.migrations.calls import ReadOperation
from handrail.migrations.operations import OperationKind
from handrail.migrations.reading import ScriptReading


class UnreadableScript:
    code: ClassVar[str] = "HR-PR103"
    title: ClassVar[str] = "script that cannot be read"
    why: ClassVar[str] = (
        "What cannot be read cannot be reviewed before it runs. A text that is not Python fails the run at once; an "
        "added column whose nullability is computed may fail on the rows that are there."
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
    )
    GOOD: ClassVar[tuple[Case, ...]] = (
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
            for read in function.reads:
                if _is_undecided(read):
                    column, table = read.operation.column, read.operation.table
                    message = f"not analysable: whether {table}.{column} is NOT NULL is known only when the script runs"
                    hint = "write nullable=True, or nullable=False with a server_default, as a literal"
                    line, offset = read.call.lineno, read.call.col_offset
                    yield self._finding(script, line, offset, Severity.WARNING, message, hint)
            for missed in function.not_understood:
                if missed.reason.startswith("add_column:"):
                    message, hint = f"not analysable: {missed.reason}", "write the table and sa.Column(…) in the script"
                    yield self._finding(script, missed.position.line, 0, Severity.WARNING, message, hint)

    def _finding(
        self, script: ScriptReading, line: int, column: int, severity: Severity, message: str, hint: str
    ) -> Finding:
        return Finding(self.code, severity, script.revision.path, line, column, message, self.why, hint)


def _is_undecided(read: ReadOperation) -> bool:
    column = read.column
    is_column = read.operation.kind is OperationKind.ADD_COLUMN and column is not None
    return is_column and column is not None and column.nullable is None and column.server_default is None
