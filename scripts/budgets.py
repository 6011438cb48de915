"""Checks the budgets of size: function length (median, 90th percentile, longest), file length, module docstrings.

Prints what is over and ends with 1 then. Complexity is ruff's (C901).
"""

from __future__ import annotations

import ast
import statistics
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOTS = ("src/handrail",)
MEDIAN, NINETIETH, LONGEST, FILE = 8, 25, 60, 400


@dataclass(frozen=True)
class Function:
    """A function and how many lines its body has, docstring and signature left out."""

    place: str
    name: str
    lines: int
    length: int
    has_docstring: bool


def main(roots: list[str]) -> int:
    """Check the files below `roots`; 1 when something is over its budget."""
    files = sorted(path for root in roots for path in Path(root).rglob("*.py"))
    offences = [offence for path in files for offence in check_file(path)]
    functions = [function for path in files for function in functions_of(path)]
    offences += check_functions(functions)
    for offence in offences:
        print(offence)
    return 1 if offences else 0


def check_file(path: Path) -> Iterator[str]:
    """A file that is too long or does not say what it is for."""
    text = path.read_text()
    if (number := len(text.splitlines())) > FILE:
        yield f"{path}: {number} lines, at most {FILE}"
    if text.strip() and not ast.get_docstring(ast.parse(text)):
        yield f"{path}: does not open with a sentence that says what it is for"


def functions_of(path: Path) -> Iterator[Function]:
    """Every function of a file."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            docstring = ast.get_docstring(node, clean=False)
            first = node.body[1] if docstring is not None and len(node.body) > 1 else node.body[0]
            end = node.end_lineno or node.lineno
            lines = end - first.lineno + 1
            yield Function(f"{path}:{node.lineno}", node.name, lines, end - node.lineno + 1, docstring is not None)


def check_functions(functions: list[Function]) -> Iterator[str]:
    """Functions that are too long, one by one and all together."""
    for function in functions:
        if function.length > LONGEST and not function.has_docstring:
            yield f"{function.place}: {function.name} has {function.length} lines and no docstring, at most {LONGEST}"
    lengths = sorted(function.lines for function in functions)
    if len(lengths) < 2:
        return
    median, ninetieth = statistics.median(lengths), statistics.quantiles(lengths, n=10)[-1]
    if median > MEDIAN:
        yield f"median of function lines is {median}, at most {MEDIAN}"
    if ninetieth > NINETIETH:
        longest = sorted(functions, key=lambda function: -function.lines)[:10]
        yield f"90th percentile of function lines is {ninetieth}, at most {NINETIETH}; the longest are"
        yield from (f"  {function.place}: {function.name}, {function.lines} lines" for function in longest)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or list(ROOTS)))
