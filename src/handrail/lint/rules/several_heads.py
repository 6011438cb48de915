"""HR-PR101: more than one head, so `head` does not name a revision."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from handrail.lint.finding import Finding, Severity
from handrail.lint.rule import Case, LintContext


class SeveralHeads:
    code: ClassVar[str] = "HR-PR101"
    title: ClassVar[str] = "several heads"
    why: ClassVar[str] = (
        "Two scripts follow the same revision (usually two branches of work were merged). `upgrade head` cannot tell "
        "which one is meant, and a database that takes only one of them differs from the models."
    )
    BAD: ClassVar[tuple[Case, ...]] = (Case("two scripts on one parent", heads=("1a2b", "3c4d")),)
    GOOD: ClassVar[tuple[Case, ...]] = (Case("one head", heads=("1a2b",)), Case("no scripts at all"))

    def check(self, context: LintContext) -> Iterable[Finding]:
        if len(context.heads) < 2:
            return
        heads = ", ".join(sorted(context.heads))
        files = {script.revision.id: script.revision.path for script in context.scripts}
        yield Finding(
            rule=self.code,
            severity=Severity.ERROR,
            file=files.get(context.heads[-1], ""),
            line=0,
            column=0,
            message=f"the history has {len(context.heads)} heads: {heads}",
            why=self.why,
            fix_hint=f'alembic merge -m "merge heads" {" ".join(sorted(context.heads))}',
        )
