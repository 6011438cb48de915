"""HR-PR104: a revision that changes something and whose downgrade does nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from handrail.lint.empty_downgrade import filled
from handrail.lint.finding import Edit, Finding, Severity
from handrail.lint.rule import Case, LintContext
from handrail.lint.samples import START
from handrail.lint.way_back import way_back
from handrail.migrations import changes
from handrail.migrations.changes import Change
from handrail.migrations.reading import ScriptReading

_ADD = "    op.add_column('bookings', sa.Column('seats', sa.Integer()))\n"
#: What is no change of the schema, or one that no downgrade could take back.
_NO_SCHEMA = (
    changes.WriteRows,
    changes.Command,
    changes.Batch,
    changes.NotAnalysable,
    changes.AddEnumValue,
    changes.ValidateConstraint,
)


class NoWayBack:
    code: ClassVar[str] = "HR-PR104"
    title: ClassVar[str] = "downgrade that does nothing"
    why: ClassVar[str] = (
        "`alembic downgrade` runs it, stamps the older revision and leaves the newer schema: from then on the stamp "
        "lies, and the next upgrade fails on what is there already. Only restoring a backup leads back. (Empty: 30 of "
        "70 downgrades of one application, 85 of 344 of another.)"
    )
    BAD: ClassVar[tuple[Case, ...]] = (
        Case("only `pass`", {"pass.py": START + _ADD + "\n\ndef downgrade():\n    pass\n"}),
        Case("only a docstring", {"doc.py": START + _ADD + '\n\ndef downgrade():\n    """Nothing to do."""\n'}),
        Case("none at all", {"none.py": START + _ADD}),
        Case(
            "raw SQL that changes the schema",
            {
                "sql.py": START + "    op.execute('ALTER TABLE bookings ADD COLUMN seats integer')\n"
                "\n\ndef downgrade() -> None:\n    ...\n"
            },
        ),
        Case(
            "a batch, an index and a new table",
            {
                "batch.py": START + "    op.create_table('visits', sa.Column('id', sa.Integer(), primary_key=True))\n"
                "    with op.batch_alter_table('bookings') as batch_op:\n"
                "        batch_op.add_column(sa.Column('seats', sa.Integer()))\n"
                "        batch_op.create_index('ix_seats', ['seats'])\n\n\ndef downgrade():\n    pass\n"
            },
        ),
        Case(
            "a dropped column, which the script does not say how to bring back",
            {"lost.py": START + "    op.drop_column('bookings', 'topic')\n\n\ndef downgrade():\n    pass\n"},
        ),
    )
    GOOD: ClassVar[tuple[Case, ...]] = (
        Case(
            "it takes the change back",
            {"back.py": START + _ADD + "\n\ndef downgrade():\n    op.drop_column('bookings', 'seats')\n"},
        ),
        Case("it refuses", {"refuses.py": START + _ADD + "\n\ndef downgrade():\n    raise NotImplementedError\n"}),
        Case("a merge of heads", {"merge.py": START + "    pass\n\n\ndef downgrade():\n    pass\n"}),
        Case(
            "a helper of the project takes it back",
            {
                "helper.py": "from tools import drop\n" + START + _ADD + "\n\ndef downgrade():\n    drop('bookings')\n",
            },
        ),
        Case(
            "an enum value, which cannot be taken back",
            {"enum.py": START + "    op.execute(\"ALTER TYPE status ADD VALUE IF NOT EXISTS 'late'\")\n"
             "\n\ndef downgrade():\n    pass\n"},
        ),
    )  # fmt: skip

    def check(self, context: LintContext) -> Iterable[Finding]:
        for script in context.scripts:
            found = _that_run(script, context)
            if script.error is None and (severity := _severity(script, found)) is not None:
                lacks = "does nothing" if script.downgrade.exists else "is missing"
                hint, edits = _repair(script, found, context.engines)
                yield Finding(
                    rule=self.code,
                    severity=severity,
                    file=script.revision.path,
                    line=_line(found),
                    column=0,
                    message=f"downgrade() {lacks}, though upgrade() changes {_what(found, severity)}",
                    why=self.why,
                    fix_hint=hint,
                    edits=edits,
                )


def _repair(script: ScriptReading, found: Sequence[Change], engines: frozenset[str]) -> tuple[str, tuple[Edit, ...]]:
    """What to write, and the edits where the script says all that is needed to write it."""
    back = way_back(script, found, engines)
    if back.lines:
        return f"def downgrade(): {'; '.join(map(str.strip, back.lines))}", filled(script.revision.source, back.lines)
    obstacle = f" ({back.obstacle})" if back.obstacle else ""
    refusal = 'raise NotImplementedError("restore the backup")'
    return f"take each change back in downgrade(){obstacle}, or say that there is no way back: {refusal}", ()


def _that_run(script: ScriptReading, context: LintContext) -> list[Change]:
    """What upgrade() does on the engines that are asked about, not `if dialect.name == "mysql":`."""
    found = script.upgrade.changes
    return [one for one in found if any(one.place.dialects.allows(engine) for engine in context.engines)]


def _severity(script: ScriptReading, found: Sequence[Change]) -> Severity | None:
    """A warning for a schema that stays, of interest when only rows do; None when all is well."""
    back = script.downgrade
    if back.changes or back.reads or back.not_understood or back.refuses:
        return None
    if any(not isinstance(one, _NO_SCHEMA) for one in found):
        return Severity.WARNING
    return Severity.INFO if any(isinstance(one, changes.WriteRows) for one in found) else None


def _line(found: Sequence[Change]) -> int:
    return next((one.place.line for one in found if not isinstance(one, changes.NotAnalysable)), 1)


def _what(found: Sequence[Change], severity: Severity) -> str:
    if severity is Severity.INFO:
        return "rows"
    tables = [getattr(one, "table", None) for one in found if not isinstance(one, _NO_SCHEMA)]
    names = list(dict.fromkeys(str(table) for table in tables if table is not None))
    return ", ".join(names[:3]) + (" …" if len(names) > 3 else "") if names else "the schema"
