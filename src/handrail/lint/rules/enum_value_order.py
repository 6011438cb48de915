"""HR-EN102: an enum value that is added without its place, or so that it cannot be added twice."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from handrail.lint.change_rule import POSTGRES, Around, ChangeRule
from handrail.lint.finding import Finding, Severity
from handrail.lint.rule import Case
from handrail.lint.samples import START
from handrail.migrations.changes import AddEnumValue, CreateEnum


class EnumValueOrder(ChangeRule):
    code: ClassVar[str] = "HR-EN102"
    title: ClassVar[str] = "enum value added without IF NOT EXISTS or place"
    why: ClassVar[str] = (
        "A value of an enum cannot be removed again, so a revision that was half done and runs once more fails on it "
        "without IF NOT EXISTS. Without BEFORE or AFTER it sorts after all others, which ORDER BY and < then show."
    )
    engines = POSTGRES
    BAD: ClassVar[tuple[Case, ...]] = (
        Case("neither", {"add.py": START + "    op.execute(\"ALTER TYPE state ADD VALUE 'late'\")\n"}),
        Case(
            "in a loop",
            {
                "loop.py": START + "    for value in ('late', 'early'):\n"
                "        op.execute(f\"ALTER TYPE state ADD VALUE '{value}' AFTER 'on'\")\n"
            },
        ),
    )
    GOOD: ClassVar[tuple[Case, ...]] = (
        Case(
            "may be there already, at the end",
            {"end.py": START + "    op.execute(\"ALTER TYPE state ADD VALUE IF NOT EXISTS 'late'\")\n"},
        ),
        Case(
            "may be there already, in its place",
            {"place.py": START + "    op.execute(\"ALTER TYPE state ADD VALUE IF NOT EXISTS 'late' AFTER 'on'\")\n"},
        ),
    )

    def look(self, around: Around) -> Iterable[Finding]:
        change = around.change
        if not isinstance(change, AddEnumValue) or change.if_not_exists:
            return
        if any(isinstance(one, CreateEnum) and one.name == change.name for one in around.before):
            return
        lacks = "IF NOT EXISTS" if change.is_placed else "IF NOT EXISTS, and sorts it last without BEFORE or AFTER"
        place = "" if change.is_placed else " AFTER '…'"
        yield around.finding(
            f"adds '{change.label}' to {change.name} without {lacks}",
            Severity.INFO,
            fix=f"ALTER TYPE {change.name} ADD VALUE IF NOT EXISTS '{change.label}'{place}",
        )
