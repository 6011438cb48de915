"""Write the pages that come from the code (docs/cli.md, docs/rules, docs/schemas); --check fails on a stale one."""

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
from typing import TYPE_CHECKING, Any, Union, get_args, get_origin, get_type_hints

if TYPE_CHECKING:
    from handrail.lint.rule import Case, Rule

DOCS = Path(__file__).resolve().parent.parent / "docs"


def _help(words: list[str]) -> str:
    environment = {**os.environ, "COLUMNS": "100", "NO_COLOR": "1", "TERMINAL_WIDTH": "100"}
    command = [sys.executable, "-m", "handrail.cli.main", *words, "--help"]
    text = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    lines = (line.rstrip() for line in text.replace("python -m handrail.cli.main", "handrail").splitlines())
    return "\n".join(lines).strip()


def cli_page() -> str:
    """The help of every command."""
    from handrail.cli.commands import COMMANDS, Group

    parts = ["# Commands\n\nWritten by `make docs` from the program itself.\n"]
    alone = [[name] for name, command in COMMANDS.items() if not isinstance(command, Group)]
    groups = {name: command.commands for name, command in COMMANDS.items() if isinstance(command, Group)}
    grouped = [[name, *one] for name, commands in groups.items() for one in ([], *([word] for word in commands))]
    for words in ([], *alone, *grouped):
        parts.append(f"## {' '.join(['handrail', *words])}\n\n```text\n{_help(words)}\n```\n")
    return "\n".join(parts)


def rule_pages() -> Iterator[tuple[str, str]]:
    """A page for each lint rule, from its class, and one that lists them."""
    from handrail.lint.rules import RULES

    rows = ["| rule | what it finds | on | `--fix` |", "| --- | --- | --- | --- |"]
    for rule in RULES:
        repairs = sum(bool(_repaired(rule, case)) for case in rule.BAD)
        fix = {0: "", len(rule.BAD): "yes"}.get(repairs, "some")
        if any(_is_split(rule, case) for case in rule.BAD):
            fix = f"{fix}, also in several revisions".removeprefix(", also ")
        if _live_repair(rule):
            fix = "with `--live`, in several revisions"
        rows.append(f"| [{rule.code}](rules/{rule.code}.md) | {rule.title} | {_engines(rule)} | {fix} |")
        yield f"rules/{rule.code}.md", _rule_page(rule)
    head = (
        "Written by `make docs` from the rules' classes. Every case is a test; most run on real databases. Waits that a"
        " rule calls measured are of [one run](../bench/results/latest-rules.md) of `make bench ARGS=rules`."
    )
    yield "rules.md", f"# Lint rules\n\n{head}\n\n" + "\n".join(rows) + "\n"


def _engines(rule: Rule) -> str:
    names = {"postgresql": "PostgreSQL", "sqlite": "SQLite"}
    engines = sorted(getattr(rule, "engines", names))
    return ", ".join(names[engine] for engine in engines) if len(engines) == 1 else "both"


def _rule_page(rule: Rule) -> str:
    parts = [
        f"# {rule.code} {rule.title}\n\n{rule.why}\n\nOn {_engines(rule).replace('both', 'PostgreSQL and SQLite')}.\n"
    ]
    if live := _live_repair(rule):
        parts.append(f"## Repaired with `--live`\n\n{live}\n")
    parts.append("## Caught\n")
    for case in rule.BAD:
        parts.append(_case(case))
        if repaired := _repaired(rule, case):
            parts.append(f"`handrail lint --fix` makes of it:\n\n{repaired}")
    parts.append("## Passes\n")
    parts += [_case(case) for case in rule.GOOD]
    parts.append(f"To set one aside: `# handrail: ignore {rule.code} -- why it is right here`.\n")
    return "\n".join(parts)


def _live_repair(rule: Rule) -> str:
    """What the rule repairs where the catalog is known, in words."""
    return str(getattr(rule, "live_repair", ""))


def _case(case: Case) -> str:
    codes = (f"```python\n{source.strip()}\n```\n" for source in case.sources.values())
    return "\n".join([f"### {case.title}\n", *codes])


def _is_split(rule: Rule, case: Case) -> bool:
    """Whether --fix adds revisions for a finding of the case."""
    from handrail.lint.engine import read_all
    from handrail.lint.rule import LintContext
    from handrail.migrations.identity import identify

    scripts = read_all(identify(name, source) for name, source in case.sources.items())
    engines = frozenset(getattr(rule, "engines", {"postgresql", "sqlite"}))
    found = rule.check(LintContext(scripts, is_path=False, engines=engines))
    return any(one.revisions and one.is_repairable for one in found)


def _repaired(rule: Rule, case: Case) -> str:
    """The scripts that --fix leaves where it repairs this rule's finding, as code; "" where it does not."""
    from handrail.lint.settings import LintSettings
    from handrail.migrations.identity import identify
    from handrail.migrator.script_files import ScriptFile
    from handrail.workflows.lint_scripts import repair

    files = [ScriptFile(Path(name), identify(name, source)) for name, source in case.sources.items()]
    found = repair(files, LintSettings(), frozenset(getattr(rule, "engines", {"postgresql", "sqlite"})))
    ours = [one for one in found if any(gone.rule == rule.code for gone in one.gone)]
    return "\n".join(f"```python\n{one.source.strip()}\n```\n" for one in ours)


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
    from handrail.cli.output import SCHEMA_VERSION, Failure
    from handrail.cli.results import RESULTS

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
    pages = (("cli.md", cli_page()), *rule_pages(), *schema_pages())
    names = {name for name, _ in pages}
    stale = [f"rules/{page.name}" for page in (DOCS / "rules").glob("*.md") if f"rules/{page.name}" not in names]
    for name in stale if "--check" not in sys.argv else ():
        (DOCS / name).unlink()
        print(f"removed docs/{name}")
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
