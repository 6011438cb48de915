"""What handrail tells to read can be read: by its address, since an installed handrail brings no page."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from handrail.pages import DOCUMENTATION, page

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "src").rglob("*.py"))


def texts(source: str) -> Iterator[str]:
    """Texts of a module but for its docstrings."""
    tree = ast.parse(source)
    said = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in said:
            yield node.value


def test_no_text_names_a_file_of_the_repository() -> None:
    named = {(path.name, text) for path in SOURCES for text in texts(path.read_text()) if re.search(r"\w\.md\b", text)}
    assert {name for name, _ in named} <= {"pages.py"}, named


def test_every_page_that_is_named_is_there() -> None:
    found = {name for path in SOURCES for name in re.findall(r"\bpage\([\"']([^\"']+)[\"']\)", path.read_text())}
    assert {"stores", "configuration", "rules"} <= found
    assert [name for name in sorted(found) if not (ROOT / "docs" / f"{name}.md").is_file()] == []


@pytest.mark.parametrize("name", ["stores", "rules/HR-LK101"])
def test_addresses(name: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["urls"]["Documentation"] == DOCUMENTATION
    assert page(name) == f"https://github.com/puddingcamp/handrail/blob/main/docs/{name}.md"
    assert (ROOT / "docs" / f"{name}.md").is_file()
