"""The scripts of a real history as `handrail lint --fix` leaves them, and what holds of their texts."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from handrail.facts import ColumnFacts
from handrail.lint.settings import LintSettings
from handrail.migrations.identity import in_order
from handrail.migrator.script_files import ScriptFile, read_files
from handrail.workflows.lint_scripts import new_findings
from handrail.workflows.repair_scripts import judge_history, repair_all

URLS = {"sqlite": "sqlite:///app.db", "postgresql": "postgresql+psycopg://localhost/app"}
#: What a person would write for the rows that are there, by the beginning of the column's type.
VALUES = (
    (("int", "bigint", "smallint", "numeric", "double", "real", "float"), "7"),
    (("bool",), "true"),
    (("timestamp", "datetime", "date"), "CURRENT_TIMESTAMP"),
    (("json",), "'{}'"),
    (("uuid",), "'00000000-0000-0000-0000-000000000007'"),
    (("",), "'seven'"),
)
NEEDS_VALUE = re.compile(r'^    "([^"]+)": None,$', re.M)


@dataclass(slots=True)
class RepairedHistory:
    """What was repaired: rules by revision, the new revisions that follow one, findings by rule."""

    versions: Path
    rules: dict[str, frozenset[str]] = field(default_factory=dict)
    new: dict[str, str] = field(default_factory=dict)
    by_rule: Counter[str] = field(default_factory=Counter)
    changed: int = 0

    def chain(self, revision: str) -> list[str]:
        """The revision and the new ones that it was split into, in their order."""
        found = [revision]
        while found[-1] in self.new:
            found.append(self.new[found[-1]])
        return found

    def text(self) -> dict[str, bytes]:
        """What lies in the files, by their names."""
        return {file.name: data for file, data in _texts(self.versions).items()}

    def write_values(self, columns: Mapping[str, ColumnFacts]) -> None:
        """Write what new revisions ask a person for; `columns` are those of the untouched history by "table.column"."""

        def value(found: re.Match[str]) -> str:
            kind = columns[found[1]].type.lower() if found[1] in columns else ""
            sql = next(sql for begins, sql in VALUES if kind.startswith(begins))
            return f'    "{found[1]}": "{sql}",'

        for file in self.versions.glob("*.py"):
            text = file.read_text(encoding="utf-8")
            if "nobody has chosen one" in text:
                file.write_text(NEEDS_VALUE.sub(value, text), encoding="utf-8")


def scripts_in(folder: Path) -> tuple[ScriptFile, ...]:
    return tuple(one for one in read_files([folder], folder.parent) if one.file.name != "__init__.py")


def project_of(scripts: Path, work: Path, engines: Sequence[str], off: Sequence[str] = ()) -> Path:
    """A project folder with a copy of the scripts, whose configuration names the engines, and
    rules that are off. Returns its versions folder."""
    versions = work / "versions"
    work.mkdir()
    shutil.copytree(scripts, versions, ignore=shutil.ignore_patterns("__pycache__"))
    (work / "env.py").write_text("")
    (work / "alembic.ini").write_text("[alembic]\nscript_location = .\n")
    tables = "".join(f'[tool.handrail.environments.{name}]\nurl = "{URLS[name]}"\n' for name in engines)
    rules = "[tool.handrail.lint.rules]\n" + "".join(f'{code} = "off"\n' for code in off)
    (work / "pyproject.toml").write_text(f'[tool.handrail]\ndefault = "{engines[0]}"\n{tables}{rules}')
    return versions


def lint_fix(work: Path) -> None:
    """`handrail lint --fix`, as somebody would call it."""
    program = Path(sys.executable).with_name("handrail")
    done = subprocess.run([program, "lint", "--fix", "-C", work], capture_output=True, text=True, check=False, cwd=work)
    assert done.returncode in {0, 3}, done.stdout[-2000:] + done.stderr[-2000:]


def repair_history(scripts: Path, work: Path, engines: Sequence[str], off: Sequence[str] = ()) -> RepairedHistory:
    """Repair a copy by the command, and see that the texts are what they should be: Python, without the findings that
    were repaired, with no other in their place, and not changed by a second time."""
    versions = project_of(scripts, work, engines, off)
    before, wanted = scripts_in(versions), frozenset(engines)
    settings = LintSettings(dict.fromkeys(off, "off"))
    judged = judge_history(settings, wanted)
    repairs = repair_all(before, before, settings, wanted)
    lint_fix(work)
    texts = _texts(versions)
    expected = {one.file: one.revision.source for one in before}
    expected |= {one.script.file: one.source for one in repairs.changed}
    expected |= {one.file: one.source for one in repairs.added}
    now = scripts_in(versions)
    assert {one.file: one.revision.source for one in now} == expected
    for one in now:
        compile(ast.parse(one.revision.source), str(one.file), "exec")
    first, second = (judged(in_order([one.revision for one in some if not one.problem])) for some in (before, now))
    brought = new_findings(first, second, repairs.gone)
    assert brought == (), [str(one) for one in brought]
    lint_fix(work)
    assert _texts(versions) == texts
    found = RepairedHistory(versions, changed=len(repairs.changed))
    ids = {one.revision.path: one.revision.id for one in before}
    for repaired in repairs.changed:
        found.rules[ids[repaired.script.revision.path]] = frozenset(one.rule for one in repaired.gone)
    found.new = {one.revision.down_revisions[0]: one.revision.id for one in repairs.added}
    found.by_rule = Counter(one.rule for one in repairs.gone)
    return found


def _texts(folder: Path) -> dict[Path, bytes]:
    return {file: file.read_bytes() for file in sorted(folder.rglob("*.py"))}
