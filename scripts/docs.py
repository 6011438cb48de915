"""Write the pages that come from the code (docs/cli.md, docs/rules.md); with --check, fail when they are stale."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

DOCS = Path(__file__).resolve().parent.parent / "docs"
COMMANDS = (
    *("init", "doctor", "status", "current", "history", "check", "plan", "rehearse", "upgrade", "downgrade", "stamp"),
    *("recover", "backup", "backup create", "backup list", "backup show", "backup verify", "backup restore"),
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


def main() -> int:
    stale = []
    for name, text in (("cli.md", cli_page()), ("rules.md", rules_page())):
        page = DOCS / name
        if page.exists() and page.read_text(encoding="utf-8") == text:
            continue
        stale.append(name)
        if "--check" not in sys.argv:
            page.write_text(text, encoding="utf-8")
            print(f"wrote docs/{name}")
    if stale and "--check" in sys.argv:
        print(f"stale: {', '.join(stale)}; run: make docs")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
