"""Write the pages that come from the code (docs/cli.md, docs/rules.md, docs/schemas); --check fails on a stale one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import Enum
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

DOCS = Path(__file__).resolve().parent.parent / "docs"
COMMANDS = (
    *("init", "doctor", "status", "current", "history", "check", "revision", "lint", "plan", "rehearse", "upgrade"),
    *("downgrade", "stamp", "recover"),
    *("enum", "enum list", "enum check", "enum rename", "enum convert"),
    *("backup", "backup create", "backup list", "backup show", "backup verify", "backup restore"),
)


def _help(words: list[str]) -> str:
    environment = {**os.environ, "COLUMNS": "100", "NO_COLOR": "1", "TERMINAL_WIDTH": "100"}
    command = [sys.executable, "-m", "handrail.cli.main", *words, "--help"]
    text = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    lines = (line.rstrip() for line in text.replace("python -m handrail.cli.main", "handrail").splitlines())
    return "\n".join(lines).strip()


def cli_page() -> str:
    """The help of every command."""
    parts = ["# Commands\n\nWritten by `make docs` from the program itself.\n"]
    for name in ("", *COMMANDS):
        title = f"handrail {name}".strip()
        parts.append(f"## {title}\n\n```text\n{_help(name.split())}\n```\n")
    return "\n".join(parts)


def rules_page() -> str:
    """One section per lint rule, from its class."""
    from handrail.lint.rules import RULES

    parts = ["# Lint rules\n\nWritten by `make docs` from the rules' classes.\n"]
    for rule in RULES:
        cases = "\n".join(f"- {case.title}" for case in rule.BAD)
        example = next((text for case in rule.BAD for text in case.sources.values()), "")
        code = f"\n```python\n{example.strip()}\n```\n" if example else ""
        parts.append(f"## {rule.code} {rule.title}\n\n{rule.why}\n\nCaught:\n\n{cases}\n{code}")
    return "\n".join(parts)


SCHEMA_ID = "https://github.com/puddingcamp/handrail/blob/main/docs/schemas/{}.json"
SIMPLE = {str: "string", int: "integer", float: "number", bool: "boolean", NoneType: "null"}


def schema_of(kind: Any, defs: dict[str, Any]) -> dict[str, Any]:
    """The JSON Schema of what `handrail.cli.output.to_plain` makes of a value of this type; classes go into `defs`."""
    if kind in SIMPLE:
        return {"type": SIMPLE[kind]}
    if kind is datetime:
        return {"type": "string", "format": "date-time"}
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return {"anyOf": [schema_of(one, defs) for one in inner]}
    if origin in (tuple, list, frozenset):
        return {"type": "array", "items": schema_of(inner[0], defs)}
    if origin is not None:  # a mapping: keys become text
        return {"type": "object", "additionalProperties": schema_of(inner[1], defs)}
    if issubclass(kind, Enum):
        return {"enum": [member.value for member in kind]}
    return _class(kind, defs)


def _class(kind: Any, defs: dict[str, Any]) -> dict[str, Any]:
    if not (isinstance(kind, type) and is_dataclass(kind)):
        raise TypeError(f"no schema for {kind}: a document holds values of ours only")
    name = kind.__name__
    if name not in defs:
        defs[name] = {}  # a class may hold itself
        hints = get_type_hints(kind)
        shown = [field.name for field in fields(kind) if field.repr]
        defs[name] = {
            "description": " ".join((kind.__doc__ or "").split()),
            "type": "object",
            "properties": {name: schema_of(hints[name], defs) for name in shown},
            "required": shown,
        }
    return {"$ref": f"#/$defs/{name}"}


def schema_pages() -> Iterator[tuple[str, str]]:
    """One JSON Schema per command, whole in itself."""
    from handrail.cli.documents import RESULTS
    from handrail.cli.output import SCHEMA_VERSION, Failure

    for command, kind in RESULTS.items():
        defs: dict[str, Any] = {}
        name = command.replace(" ", "-")
        schema = {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "$id": SCHEMA_ID.format(name),
            "title": f"handrail {command} --json",
            "type": "object",
            "properties": {
                "version": {"const": SCHEMA_VERSION},
                "command": {"const": command},
                "result": schema_of(kind, defs),
                "error": schema_of(Failure, defs),
            },
            "required": ["version", "command"],
            "anyOf": [{"required": ["result"]}, {"required": ["error"]}],
            "$defs": defs,
        }
        yield f"schemas/{name}.json", json.dumps(schema, ensure_ascii=False, indent=2) + "\n"


def main() -> int:
    stale = []
    pages = (("cli.md", cli_page()), ("rules.md", rules_page()), *schema_pages())
    for name, text in pages:
        page = DOCS / name
        if page.exists() and page.read_text(encoding="utf-8") == text:
            continue
        stale.append(name)
        if "--check" not in sys.argv:
            page.parent.mkdir(exist_ok=True)
            page.write_text(text, encoding="utf-8")
            print(f"wrote docs/{name}")
    if stale and "--check" in sys.argv:
        print(f"stale: {', '.join(stale)}; run: make docs")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
