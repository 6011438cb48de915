"""Ignore comments, the project's weights, the order of a history, and the formats of a report."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from handrail.lint.engine import check, judge, read_all
from handrail.lint.finding import Edit, Finding, Severity, apply_edits
from handrail.lint.reports import FORMATS, as_sarif, page_of, summary
from handrail.lint.rule import LintContext
from handrail.lint.rules import RULES
from handrail.lint.settings import LintSettings, after, weigh
from handrail.lint.suppression import read_ignores
from handrail.migrations.identity import identify, in_order
from handrail.migrations.revision import Revision
from unit.building import HEADER, revision

UNSAFE = "op.add_column('t', sa.Column('a', sa.Integer(), nullable=False))"


def judged(body: str, settings: LintSettings | None = None) -> list[tuple[str, str, int]]:
    context = LintContext(read_all([revision(f"{HEADER}def upgrade():\n{body}")]), is_path=False)
    kept = ("HR-DD101", "HR-PR108", "HR-PR109")
    return [
        (one.rule, one.severity, one.line) for one in judge(context, settings or LintSettings()) if one.rule in kept
    ]


FIRST = len((HEADER + "def upgrade():\n").splitlines())


@pytest.mark.parametrize(
    "body",
    [
        f"    {UNSAFE}  # handrail: ignore HR-DD101 -- the table is empty\n",
        f"    # handrail: ignore HR-DD101 -- the table is empty\n    {UNSAFE}\n",
        f"    # Handrail: IGNORE hr-dd101, HR-DD101 -- the table is empty\n    {UNSAFE}\n",
        f"    {UNSAFE[:-2]},  # handrail: ignore HR-DD101 -- the table is empty\n    ))\n",
        f"    pass\n    {UNSAFE}\n# handrail: ignore-file HR-DD101 -- the table is empty\n",
    ],
)
def test_an_ignored_finding_is_not_told(body: str) -> None:
    assert judged(body) == []


def test_an_ignore_without_a_reason_or_rule_ignores_nothing() -> None:
    for comment in ("ignore HR-DD101", "ignore HR-DD101 --", "ignore HR-DD101 because", "ignore -- why not"):
        assert judged(f"    {UNSAFE}  # handrail: {comment}\n") == [
            ("HR-PR108", "error", FIRST + 1),
            ("HR-DD101", "error", FIRST + 1),
        ]


def test_an_ignore_that_meets_nothing_is_told() -> None:
    assert judged("    # handrail: ignore HR-DD101 -- x\n    pass\n") == [("HR-PR109", "warning", FIRST + 1)]
    elsewhere = f"    pass  # handrail: ignore HR-DD101 -- x\n    {UNSAFE}\n"
    assert judged(elsewhere) == [("HR-PR109", "warning", FIRST + 1), ("HR-DD101", "error", FIRST + 2)]


def test_a_comment_in_a_text_ignores_nothing() -> None:
    assert read_ignores('x = "# handrail: ignore HR-DD101 -- no"\n') == ()
    assert read_ignores("# handrail: ignore HR-DD101 -- no\nthis is no Python (") == ()


def test_the_projects_weights() -> None:
    assert judged(f"    {UNSAFE}\n", LintSettings(rules={"HR-DD": "warning"})) == [("HR-DD101", "warning", FIRST + 1)]
    assert judged(f"    {UNSAFE}\n", LintSettings(rules={"HR-DD": "warning", "HR-DD101": "off"})) == []
    by_path = LintSettings(rules={"HR-DD101": "off"}, paths={"versions/*": {"HR-DD101": "info"}})
    assert judged(f"    {UNSAFE}\n", by_path) == [("HR-DD101", "info", FIRST + 1)]
    harmless = Finding("HR-DD101", Severity.INFO, "f", 1, 0, "m", "w")
    assert weigh([harmless], LintSettings(rules={"HR-DD101": "error"})) == (harmless,)


def history(*steps: str) -> list[Revision]:
    """ "b<a" is revision b, which follows a."""
    found = []
    for step in steps:
        id_, _, down = step.partition("<")
        found.append(Revision(id_, tuple(filter(None, down.split("+"))), "", f"{id_}.py", ""))
    return found


def test_a_history_in_order() -> None:
    ordered = in_order(history("d<b+c", "b<a", "c<a", "a", "x<nowhere"))
    assert [one.id for one in ordered] == ["a", "x", "b", "c", "d"]
    assert [one.id for one in ordered if one.is_head] == ["x", "d"]
    assert [one.id for one in in_order(history("a<b", "b<a", "c"))] == ["c", "a", "b"]
    twice = [*history("a"), replace(history("a")[0], path="again.py")]
    assert [one.path for one in in_order(twice)] == ["a.py", "again.py"]


def test_what_comes_after_a_revision() -> None:
    scripts = history("a", "b<a", "c<b", "d<a")
    assert [one.id for one in after(scripts, "b")] == ["c", "d"]
    assert after(scripts, None) == tuple(scripts)
    with pytest.raises(KeyError):
        after(scripts, "nosuch")


def test_what_a_script_says_of_itself() -> None:
    text = (
        '"""add 방\n\nmore"""\nrevision: str = "b2"\nBASE = "a1"\ndown_revision = (BASE, "a0")\nbranch_labels = None\n'
    )
    assert identify("b.py", text) == Revision("b2", ("a1", "a0"), "add 방", "b.py", text)
    for text in ("def (", "", "revision = make()\n", "down_revision = 3\n"):
        assert identify("b.py", text) == Revision("", (), "", "b.py", text)


FINDINGS = [
    Finding("HR-AA101", Severity.ERROR, "versions/a.py", 2, 4, "a 100% | b", "why, yes: it fails", "op.x()", (Edit(2, 4, 2, 8, "op.x()"),)),
    Finding("HR-AA102", Severity.WARNING, "versions/a.py", 9, 0, "beyond the text", "why"),
    Finding("HR-AA103", Severity.INFO, "", 0, 0, "of the whole history", "why"),
]  # fmt: skip
SOURCES = {"versions/a.py": "def upgrade():\n    한글()\n"}


def test_the_text_shows_line_caret_and_correction() -> None:
    assert FORMATS["text"](FINDINGS, SOURCES) == (
        "versions/a.py:2:4: error HR-AA101 a 100% | b\n"
        "        한글()\n"
        "        ^\n"
        "  why: why, yes: it fails\n"
        "  fix: op.x()\n"
        "\n"
        "versions/a.py:9:0: warning HR-AA102 beyond the text\n"
        "  why: why\n"
        "\n"
        "info HR-AA103 of the whole history\n"
        "  why: why"
    )
    assert summary(FINDINGS, 1) == "1 script: 1 error, 1 warning, 1 note"
    assert summary([], 3) == "3 scripts: nothing found"


def test_json_is_the_documented_document() -> None:
    document = json.loads(FORMATS["json"](FINDINGS, SOURCES))
    assert (document["version"], len(document["findings"])) == (1, 3)
    assert document["findings"][0] == {
        "rule": "HR-AA101",
        "severity": "error",
        "file": "versions/a.py",
        "line": 2,
        "column": 5,
        "message": "a 100% | b",
        "why": "why, yes: it fails",
        "source": "static",
        "fix": {
            "text": "op.x()",
            "edits": [{"line": 2, "column": 5, "end_line": 2, "end_column": 9, "text": "op.x()"}],
            "is_suggestion": False,
        },
    }
    assert document["findings"][1]["fix"] is None


def test_sarif_has_rules_places_and_fixes() -> None:
    run: Any = json.loads(as_sarif(FINDINGS, SOURCES, rules=RULES, version="1.2"))["runs"][0]
    assert (run["tool"]["driver"]["name"], run["tool"]["driver"]["version"]) == ("handrail", "1.2")
    assert [one["id"] for one in run["tool"]["driver"]["rules"]] == [rule.code for rule in RULES]
    first, second, third = run["results"]
    assert first["locations"] == [
        {
            "physicalLocation": {
                "artifactLocation": {"uri": "versions/a.py"},
                "region": {"startLine": 2, "startColumn": 5},
            }
        }
    ]
    assert first["fixes"][0]["artifactChanges"][0]["replacements"][0]["insertedContent"] == {"text": "op.x()"}
    assert (second["level"], "fixes" in second, "locations" in third) == ("warning", False, False)


def test_github_annotations_are_escaped() -> None:
    assert FORMATS["github"](FINDINGS, SOURCES).splitlines() == [
        "::error file=versions/a.py,line=2,col=5,title=HR-AA101::a 100%25 | b%0Awhy, yes: it fails%0Awrite: op.x()",
        "::warning file=versions/a.py,line=9,col=1,title=HR-AA102::beyond the text%0Awhy",
        "::notice title=HR-AA103::of the whole history%0Awhy",
    ]


def test_gitlab_fingerprints_do_not_move_with_lines() -> None:
    report = json.loads(FORMATS["gitlab"]([*FINDINGS, FINDINGS[0]], SOURCES))
    moved = json.loads(FORMATS["gitlab"]([replace(FINDINGS[0], line=77)], SOURCES))
    assert report[0]["fingerprint"] == moved[0]["fingerprint"]
    assert len({one["fingerprint"] for one in report}) == 4
    assert [one["severity"] for one in report] == ["critical", "minor", "info", "critical"]
    assert report[2]["location"] == {"path": "alembic.ini", "lines": {"begin": 1}}


def test_markdown_is_a_table_with_corrections() -> None:
    text = FORMATS["markdown"](FINDINGS, SOURCES)
    assert text.splitlines()[2].startswith("| error | [HR-AA101](")
    assert "| versions/a.py:2 | a 100% \\| b |" in text
    assert "```python\nop.x()\n```" in text
    assert FORMATS["markdown"]([], {}) == "No findings."


def test_every_rule_has_a_page_of_its_own() -> None:
    assert len({rule.code for rule in RULES}) == len(RULES)
    pages = Path(__file__).parents[2] / "docs" / "rules"
    assert {f"{rule.code}.md" for rule in RULES} == {page.name for page in pages.glob("*.md")}
    assert page_of("HR-LK101") == "https://github.com/puddingcamp/handrail/blob/main/docs/rules/HR-LK101.md"


def test_edits_keep_the_line_ends_of_the_script() -> None:
    source = "a = 1\r\nb = 2\r\n"
    assert apply_edits(source, [Edit(2, 0, 2, 5, "c = 3\nd = 4")]) == "a = 1\r\nc = 3\r\nd = 4\r\n"


def test_repairs_remove_their_finding_add_none_and_are_final() -> None:
    for rule in RULES:
        for case in rule.BAD:
            for name, source in case.sources.items():
                context = LintContext(read_all([revision(source, name, name)]), is_path=False, enums=case.enums)
                for finding in check(context, [rule]):
                    if not finding.edits or finding.file != context.scripts[0].revision.path:
                        continue
                    repaired = read_all([revision(apply_edits(source, finding.edits), name, name)])
                    changed = LintContext(repaired, is_path=False, enums=case.enums)
                    assert len(check(changed, [rule])) < len(check(context, [rule])), (rule.code, case.title)
                    before, now = ({one.rule for one in check(one_context)} for one_context in (context, changed))
                    brought: frozenset[str] = getattr(rule, "brings", frozenset())
                    assert now - brought <= before, (rule.code, case.title, now - before)
