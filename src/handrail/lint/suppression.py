"""Findings that a person has looked at: `# handrail: ignore HR-LK101 -- the table has three rows`.

The comment stands on a line of the statement, on the line above it, or, as `ignore-file`, anywhere in the script. The
reason is mandatory; an ignore that meets no finding is a finding itself, so that none outlives what it was for.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from handrail.lint.finding import Finding, Severity
from handrail.migrations.reading import ScriptReading

EXAMPLE = "# handrail: ignore HR-LK101 -- why it is right here"
MALFORMED, UNUSED = "HR-PR108", "HR-PR109"
_COMMENT = re.compile(r"#\s*handrail\s*:\s*ignore(?P<scope>-file)?\b(?P<rest>.*)", re.IGNORECASE)
_WORDS = re.compile(r"handrail|ignore")
_CODE = re.compile(r"HR-[A-Z]{2}\d{3}")


@dataclass(frozen=True, slots=True)
class Ignore:
    """One comment. `first` and `last` are the lines it speaks of, all of them when it is for the file."""

    line: int
    codes: tuple[str, ...]
    reason: str
    is_for_file: bool
    first: int
    last: int

    def covers(self, finding: Finding) -> bool:
        is_there = self.is_for_file or self.first <= finding.line <= self.last
        return is_there and finding.rule in self.codes


def read_ignores(source: str) -> tuple[Ignore, ...]:
    """The ignore comments of a script; none when it is no Python."""
    if not {"ignore", "handrail"} <= set(_WORDS.findall(source.lower())):
        return ()
    try:
        # First, so that only Python is cut into tokens: at a fault Python 3.13 looks for a file of the text's name.
        statements = _statements(ast.parse(source))
        tokens = list(tokenize.generate_tokens(io.StringIO(source).readline))
    except (SyntaxError, ValueError, RecursionError, tokenize.TokenError):
        return ()
    return tuple(
        found for token in tokens if token.type == tokenize.COMMENT and (found := _read(token, statements)) is not None
    )


def _read(token: tokenize.TokenInfo, statements: Sequence[tuple[int, int]]) -> Ignore | None:
    match = _COMMENT.match(token.string)
    if match is None:
        return None
    codes, _, reason = match["rest"].partition("--")
    line = token.start[0]
    is_alone = not token.line[: token.start[1]].strip()
    below = next((span for span in statements if span[0] > line), (line, line))
    first, last = below if is_alone else _around(line, statements)
    return Ignore(
        line, tuple(dict.fromkeys(_CODE.findall(codes.upper()))), reason.strip(), bool(match["scope"]), first, last
    )


def _around(line: int, statements: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """The innermost statement that the line belongs to."""
    spans = [span for span in statements if span[0] <= line <= span[1]]
    return min(spans, key=lambda span: span[1] - span[0], default=(line, line))


def _statements(module: ast.Module) -> list[tuple[int, int]]:
    """First and last line of each simple statement, and of the head of each compound one, in the order of the text."""
    found = []
    for node in ast.walk(module):
        if isinstance(node, ast.stmt):
            body = getattr(node, "body", None)
            last = body[0].lineno - 1 if isinstance(body, list) and body else node.end_lineno or node.lineno
            found.append((node.lineno, max(node.lineno, last)))
    return sorted(found)


def suppress(
    findings: Iterable[Finding], scripts: Iterable[ScriptReading], *, tell_unused: bool = True
) -> tuple[Finding, ...]:
    """The findings that no comment ignores, and those about the comments themselves. `tell_unused` is False where the
    catalog of one database has shown some findings to be none."""
    kept = list(findings)
    for script in scripts:
        path = script.revision.path
        for ignore in read_ignores(script.revision.source):
            if not ignore.reason or not ignore.codes:
                kept.append(_malformed(path, ignore))
                continue
            met = {finding.rule for finding in kept if finding.file == path and ignore.covers(finding)}
            kept = [finding for finding in kept if finding.file != path or not ignore.covers(finding)]
            kept += _unused(path, ignore, met) if tell_unused else ()
    return tuple(kept)


def _malformed(path: str, ignore: Ignore) -> Finding:
    what = "names no rule" if not ignore.codes else "gives no reason"
    return Finding(
        MALFORMED,
        Severity.ERROR,
        path,
        ignore.line,
        0,
        f"this ignore {what}, so it ignores nothing",
        "Whoever reads it later must know why the finding was right to be set aside.",
        EXAMPLE,
    )


def _unused(path: str, ignore: Ignore, met: set[str]) -> Iterator[Finding]:
    for code in ignore.codes:
        if code not in met:
            yield Finding(
                UNUSED,
                Severity.WARNING,
                path,
                ignore.line,
                0,
                f"there is no {code} here to ignore",
                "An ignore that meets nothing hides what comes later.",
                f"remove {code} from the comment",
            )
