"""HR-PR110: scripts that form no history: without an id, with one that another has, following none, in a circle."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import ClassVar

from handrail.lint.finding import Finding, Severity
from handrail.lint.rule import Case, LintContext
from handrail.migrations.revision import Revision


class BrokenHistory:
    code: ClassVar[str] = "HR-PR110"
    title: ClassVar[str] = "scripts that form no history"
    why: ClassVar[str] = (
        "Alembic orders the scripts by what each says it follows. With an id missing, given twice, unknown or in a "
        "circle it stops, or leaves scripts out, wherever it is run next."
    )
    BAD: ClassVar[tuple[Case, ...]] = (
        Case("no revision id", {"a.py": "down_revision = None\n\ndef upgrade():\n    pass\n"}),
        Case("one id twice", {"a.py": "revision = 'a'\n", "copy.py": "revision = 'a'\n"}),
        Case("following a revision that is not there", {"b.py": "revision = 'b'\ndown_revision = 'a'\n"}),
        Case(
            "a circle",
            {"a.py": "revision = 'a'\ndown_revision = 'b'\n", "b.py": "revision = 'b'\ndown_revision = 'a'\n"},
        ),
    )
    GOOD: ClassVar[tuple[Case, ...]] = (
        Case(
            "two branches and a merge",
            {
                "a.py": "revision = 'a'\ndown_revision = None\n",
                "b.py": "revision = 'b'\ndown_revision = 'a'\n",
                "c.py": "revision = 'c'\ndown_revision = 'a'\n",
                "d.py": "revision = 'd'\ndown_revision = ('b', 'c')\n",
            },
        ),
    )

    def check(self, context: LintContext) -> Iterable[Finding]:
        if not context.is_whole:
            return
        scripts = [script.revision for script in context.scripts if script.error is None]
        times = Counter(script.id for script in scripts)
        for script in scripts:
            if not script.id:
                yield self._finding(
                    script, "the script has no revision id", "revision = '…', as `alembic revision` does"
                )
            elif times[script.id] > 1:
                message = f"{times[script.id]} scripts have the revision id {script.id}"
                yield self._finding(script, message, "give one of them another id")
            for down in script.down_revisions:
                if down not in times:
                    message = f"{script.id or 'the script'} follows {down}, which no script has"
                    yield self._finding(script, message, "correct down_revision, or bring the missing script back")
        for script in _in_circles(scripts):
            message = f"{script.id} follows itself, by way of others"
            yield self._finding(script, message, "correct one of the down_revisions")

    def _finding(self, script: Revision, message: str, hint: str) -> Finding:
        return Finding(self.code, Severity.ERROR, script.path, 1, 0, message, self.why, hint)


def _in_circles(scripts: list[Revision]) -> list[Revision]:
    """The scripts that can be reached from themselves, going back."""
    downs = {script.id: script.down_revisions for script in scripts}
    found = []
    for script in scripts:
        seen, todo = set[str](), list(script.down_revisions)
        while todo:
            one = todo.pop()
            if one not in seen:
                seen.add(one)
                todo += downs.get(one, ())
        if script.id in seen:
            found.append(script)
    return found
