"""Findings as text for a terminal, and in the formats that code hosts read: JSON, SARIF, GitHub, GitLab, Markdown."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from handrail.amounts import count
from handrail.lint.finding import Finding, Severity, source_line
from handrail.lint.rule import Rule
from handrail.pages import page

#: The text of each script by its path, for the lines that are shown.
Sources = Mapping[str, str]
DOCS: Final = page("rules")
_SARIF: Final = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}
_GITHUB: Final = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "notice"}
_GITLAB: Final = {Severity.ERROR: "critical", Severity.WARNING: "minor", Severity.INFO: "info"}


def summary(findings: Sequence[Finding], scripts: int) -> str:
    """ "3 scripts: 1 error, 2 warnings"."""
    numbers = [(severity, sum(one.severity is severity for one in findings)) for severity in reversed(Severity)]
    told = [
        count(number, noun) for (_, number), noun in zip(numbers, ("error", "warning", "note"), strict=True) if number
    ]
    return f"{count(scripts, 'script')}: {', '.join(told) or 'nothing found'}"


def as_text(findings: Sequence[Finding], sources: Sources) -> str:
    """Each finding with its line, a caret below it, the harm and the corrected code."""
    return "\n\n".join("\n".join(_block(finding, sources)) for finding in findings)


def _block(finding: Finding, sources: Sources) -> Iterable[str]:
    yield str(finding)
    line = source_line(sources.get(finding.file, ""), finding.line)
    if line.strip():
        before = line.encode()[: finding.column].decode(errors="ignore")
        indent = len(line) - len(line.lstrip())
        caret = max(len(before), indent) if before.strip() == "" else len(before)
        yield f"    {line.rstrip()}"
        yield f"    {' ' * caret}^"
    yield f"  why: {finding.why}"
    if finding.fix_hint:
        word = "fix" if finding.is_repairable else "write"
        yield f"  {word}: {finding.fix_hint}"


def as_document(findings: Sequence[Finding]) -> Mapping[str, Any]:
    """The JSON document, version 1."""
    return {
        "version": 1,
        "findings": [
            {
                "rule": one.rule,
                "severity": one.severity.value,
                "file": one.file,
                "line": one.line,
                "column": one.column + 1,
                "message": one.message,
                "why": one.why,
                "source": one.source,
                "fix": _fix(one),
            }
            for one in findings
        ],
    }


def _fix(finding: Finding) -> Mapping[str, Any] | None:
    if not finding.fix_hint and not finding.edits:
        return None
    edits = [
        {
            "line": edit.line,
            "column": edit.column + 1,
            "end_line": edit.end_line,
            "end_column": edit.end_column + 1,
            "text": edit.text,
        }
        for edit in finding.edits
    ]
    found: dict[str, Any] = {"text": finding.fix_hint, "edits": edits, "is_suggestion": finding.is_suggestion}
    if finding.revisions:
        found["revisions"] = [
            {"message": one.message, "head": list(one.head), "upgrade": one.upgrade, "downgrade": one.downgrade}
            for one in finding.revisions
        ]
    return found


def as_json(findings: Sequence[Finding], sources: Sources) -> str:
    return json.dumps(as_document(findings), ensure_ascii=False, indent=2)


def as_sarif(findings: Sequence[Finding], sources: Sources, *, rules: Sequence[Rule] = (), version: str = "") -> str:
    """SARIF 2.1.0 (OASIS), as GitHub's code scanning and most editors take it."""
    described = [
        {
            "id": rule.code,
            "shortDescription": {"text": rule.title},
            "fullDescription": {"text": rule.why},
            "helpUri": page_of(rule.code),
        }
        for rule in rules
    ]
    driver = {"name": "handrail", "version": version, "informationUri": DOCS, "rules": described}
    results = [_sarif_result(finding) for finding in findings]
    whole = {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{"tool": {"driver": driver}, "columnKind": "utf16CodeUnits", "results": results}],
    }
    return json.dumps(whole, ensure_ascii=False, indent=2)


def _sarif_result(finding: Finding) -> dict[str, Any]:
    text = f"{finding.message}. {finding.why}" + (f" Write: {finding.fix_hint}" if finding.fix_hint else "")
    result: dict[str, Any] = {"ruleId": finding.rule, "level": _SARIF[finding.severity], "message": {"text": text}}
    if finding.file:
        region = {"startLine": max(1, finding.line), "startColumn": finding.column + 1}
        place = {"artifactLocation": {"uri": finding.file}, "region": region}
        result["locations"] = [{"physicalLocation": place}]
    if finding.edits and not finding.revisions:  # it has no word for scripts that do not exist yet
        result["fixes"] = [_sarif_fix(finding)]
    return result


def _sarif_fix(finding: Finding) -> dict[str, Any]:
    replacements = [
        {
            "deletedRegion": {
                "startLine": edit.line,
                "startColumn": edit.column + 1,
                "endLine": edit.end_line,
                "endColumn": edit.end_column + 1,
            },
            "insertedContent": {"text": edit.text},
        }
        for edit in finding.edits
    ]
    changed = {"artifactLocation": {"uri": finding.file}, "replacements": replacements}
    return {"description": {"text": finding.fix_hint}, "artifactChanges": [changed]}


def as_github(findings: Sequence[Finding], sources: Sources) -> str:
    """Workflow commands of GitHub Actions: annotations on the changed lines."""
    lines = []
    for one in findings:
        where = f"file={_property(one.file)},line={max(1, one.line)},col={one.column + 1}," if one.file else ""
        text = f"{one.message}\n{one.why}" + (f"\nwrite: {one.fix_hint}" if one.fix_hint else "")
        lines.append(f"::{_GITHUB[one.severity]} {where}title={_property(one.rule)}::{_data(text)}")
    return "\n".join(lines)


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def as_gitlab(findings: Sequence[Finding], sources: Sources) -> str:
    """GitLab's Code Quality report. The fingerprint does not change when the script grows above the finding."""
    import hashlib

    seen: dict[str, int] = {}
    found = []
    for one in findings:
        base = f"{one.rule}|{one.file}|{one.message}"
        seen[base] = seen.get(base, 0) + 1
        mark = hashlib.sha256(f"{base}|{seen[base]}".encode()).hexdigest()
        found.append(
            {
                "check_name": one.rule,
                "description": f"{one.message}. {one.why}",
                "fingerprint": mark,
                "severity": _GITLAB[one.severity],
                "location": {"path": one.file or "alembic.ini", "lines": {"begin": max(1, one.line)}},
            }
        )
    return json.dumps(found, ensure_ascii=False, indent=2)


def as_markdown(findings: Sequence[Finding], sources: Sources) -> str:
    """A table for a comment on a pull request, and the corrected code below it."""
    if not findings:
        return "No findings."
    head = ["| | rule | where | what |", "|---|---|---|---|"]
    rows = [
        f"| {one.severity.value} | [{one.rule}]({page_of(one.rule)})"
        f" | {_cell(one.file)}{f':{one.line}' if one.file else ''} | {_cell(one.message)} |"
        for one in findings
    ]
    fixes = [
        f"**{one.rule}** {_cell(one.file)}:{one.line}: {_cell(one.why)}\n\n```python\n{one.fix_hint}\n```"
        for one in findings
        if one.fix_hint
    ]
    return "\n".join([*head, *rows]) + "".join(f"\n\n{fix}" for fix in fixes)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def page_of(code: str) -> str:
    """The address of the page about a rule."""
    return page(f"rules/{code}")


FORMATS: Mapping[str, Callable[[Sequence[Finding], Sources], str]] = {
    "text": as_text,
    "json": as_json,
    "sarif": as_sarif,
    "github": as_github,
    "gitlab": as_gitlab,
    "markdown": as_markdown,
}
