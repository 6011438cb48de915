"""HR-PR102: the database is stamped with a revision that no script has."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from handrail.lint.finding import Finding, Severity
from handrail.lint.rule import Case, LintContext


class UnknownRevision:
    code: ClassVar[str] = "HR-PR102"
    title: ClassVar[str] = "database stamped with an unknown revision"
    why: ClassVar[str] = (
        "The database was migrated by a script that is not here (another branch, a deleted or renamed file). What it "
        "changed is not known, so no path from there can be planned or undone."
    )
    BAD: ClassVar[tuple[Case, ...]] = (Case("a deleted script", current=("dead",), unknown=("dead",)),)
    GOOD: ClassVar[tuple[Case, ...]] = (Case("a known revision", current=("1a2b",)), Case("an empty database"))

    def check(self, context: LintContext) -> Iterable[Finding]:
        for revision in context.unknown:
            yield Finding(
                rule=self.code,
                severity=Severity.ERROR,
                file="",
                line=0,
                column=0,
                message=f"the database is stamped with {revision}, which no script has",
                why=self.why,
                fix_hint="bring the missing script back (git log --all -- '*/versions/*'), or, when the schema is "
                "known to match a revision that is here: handrail stamp <revision>",
            )
