"""Measures lint against the tools that people use for Alembic scripts: what each catches of one corpus, and how fast."""

from __future__ import annotations

import io
import json
import os
import statistics
import subprocess
import sys
import time
import tomllib
import venv
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alembic.migration import MigrationContext
from alembic.operations import Operations
from bench.measuring import Figure, program

from handrail.lint.engine import judge, read_all
from handrail.lint.rule import LintContext
from handrail.lint.settings import LintSettings
from handrail.migrator.script_files import ScriptFile, read_files

ROOT = Path(__file__).resolve().parent.parent
CORPUS, CACHE = ROOT / "tests" / "corpus", ROOT / ".cache"
TOOLS = ("squawk-cli", "alembic-guard", "zdm", "pytest-mrt")
_OUR_CORPUS = "a corpus of ours, on which our rules were repaired; others are judged on its scripts for PostgreSQL"
_COMPILED = "with bytecode, as pip leaves it; the fastest of five runs"
#: Beginnings of squawk's rules on style, naming and per-file timeouts.
_STYLE = ("prefer-", "require-timeout", "require-lock-timeout", "require-statement-timeout", "transaction-nesting")
#: Where each package keeps its migration scripts.
HISTORIES = {
    "mlflow": "mlflow/store/db_migrations/versions/",
    "optuna": "optuna/storages/_rdb/alembic/versions/",
    "dagster": "dagster/_core/storage/alembic/versions/",
    "apache-airflow-core": "airflow/migrations/versions/",
    "prefect": "prefect/server/database/_migrations/versions/",
}


def histories() -> dict[str, Path]:
    """The scripts of real projects, from their packages; those that can be had."""
    found = {}
    for package, inside in HISTORIES.items():
        folder = CACHE / "histories" / package
        if not folder.is_dir():
            with_wheel = CACHE / "wheels" / package
            words = ["download", "-q", "--no-deps", "--only-binary=:all:", "--dest", str(with_wheel), package]
            if subprocess.run([sys.executable, "-m", "pip", *words], capture_output=True, check=False).returncode:
                continue
            for wheel in with_wheel.glob("*.whl"):
                with zipfile.ZipFile(wheel) as archive:
                    names = [name for name in archive.namelist() if name.startswith(inside) and name.endswith(".py")]
                    archive.extractall(folder, [name for name in names if not name.endswith("__init__.py")])
        found[package] = folder
    return found


def tools() -> Path | None:
    """The bin folder of an environment with the other tools; None when they cannot be had."""
    folder = CACHE / "lint-tools"
    if not (folder / "bin" / "squawk").exists():
        venv.create(folder, with_pip=True, clear=True)
        for name in TOOLS:
            words = [str(folder / "bin" / "python"), "-m", "pip", "install", "-q", name]
            subprocess.run(words, capture_output=True, check=False)
    return folder / "bin" if (folder / "bin" / "squawk").exists() else None


@dataclass(frozen=True, slots=True)
class Judged:
    """A script of the corpus: what it is, the rules that count as catching it, the engines it is for."""

    file: Path
    is_hazard: bool
    codes: frozenset[str]
    engines: frozenset[str]
    is_static: bool


def corpus() -> list[Judged]:
    entries = tomllib.loads((CORPUS / "expected.toml").read_text(encoding="utf-8"))
    return [
        Judged(
            CORPUS / f"{name}.py",
            entry["kind"] == "hazard",
            frozenset(entry.get("codes", ())),
            frozenset(entry["engines"]),
            entry.get("static", True),
        )
        for name, entry in entries.items()
    ]


def findings_of(script: ScriptFile, engines: frozenset[str]) -> list[tuple[str, str]]:
    context = LintContext(read_all([script.revision]), is_path=False, engines=engines)
    return [(one.rule, one.severity.value) for one in judge(context, LintSettings())]


def handrail_says(one: Judged) -> bool:
    """Whether a finding is there: for a hazard one of its rules, for a safe script a warning or an error."""
    (script,) = read_files([one.file], CORPUS)
    found = findings_of(script, one.engines)
    if one.is_hazard:
        return any(rule in one.codes for rule, _ in found)
    return any(severity != "info" for _, severity in found)


def rendered(file: Path) -> str | None:
    """The SQL that `alembic upgrade --sql` would print for PostgreSQL; None when the script cannot be rendered."""
    names: dict[str, object] = {}
    buffer = io.StringIO()
    try:
        context = MigrationContext.configure(dialect_name="postgresql", opts={"as_sql": True, "output_buffer": buffer})
        with Operations.context(context), redirect_stdout(io.StringIO()):
            exec(compile(file.read_text(encoding="utf-8"), str(file), "exec"), names)  # noqa: S102 - scripts of ours
            names["upgrade"]()  # type: ignore[operator]
    except BaseException:
        return None
    return f"BEGIN;\n\n{buffer.getvalue()}\nCOMMIT;\n"


def squawk(bin_folder: Path, work: Path) -> Callable[[Judged], bool]:
    """squawk on the rendered SQL, without its rules of style and timeouts; what cannot be rendered it cannot see."""

    def says(one: Judged) -> bool:
        sql = rendered(one.file)
        if sql is None:
            return False
        path = work / "one.sql"
        path.write_text(sql, encoding="utf-8")
        found = _json([str(bin_folder / "squawk"), "--reporter", "json", str(path)], work)
        return any(not str(entry["rule_name"]).startswith(_STYLE) for entry in found or ())

    return says


def reading_files(words: Sequence[str], work: Path, key: str, last: Sequence[str] = ()) -> Callable[[Judged], bool]:
    """A tool that reads the script itself, in a project of its own; what it says of the downgrade is left out."""
    versions = work / "case" / "alembic" / "versions"
    versions.mkdir(parents=True, exist_ok=True)
    (versions.parent / "env.py").touch()
    (work / "case" / "alembic.ini").write_text("[alembic]\nscript_location = alembic\n", encoding="utf-8")

    def says(one: Judged) -> bool:
        source = one.file.read_text(encoding="utf-8")
        path = versions / "one.py"
        path.write_text(source, encoding="utf-8")
        place = str(path if not last else versions)
        found = _json([*words, place, *last], work / "case")
        ends = source.partition("def downgrade")[0].count("\n") + 1
        entries = found.get(key, ()) if isinstance(found, dict) else found or ()
        return any(int(entry.get("line") or 0) < ends for entry in entries)

    return says


def _json(words: Sequence[str], folder: Path) -> Any:
    done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=folder)
    try:
        return json.loads(done.stdout or "[]")
    except json.JSONDecodeError:
        return []


def measure_lint(work: Path, rounds: int) -> Iterator[Figure]:
    """The corpus side by side, then speed on real histories and on one file in a new process."""
    scripts = corpus()
    bin_folder = tools()
    voices: dict[str, Callable[[Judged], bool]] = {"handrail lint": handrail_says}
    if bin_folder is not None:
        voices["squawk, by --sql"] = squawk(bin_folder, work)
        voices["alembic-guard"] = reading_files(
            [str(bin_folder / "alembic-guard"), "--format", "json"], work, "findings"
        )
        voices["zdm"] = reading_files([str(bin_folder / "zdm"), "--output-format", "json"], work, "diagnostics")
        mrt = [str(bin_folder / "mrt"), "check"]
        voices["pytest-mrt check"] = reading_files(mrt, work, "findings", ("--format", "json"))
    else:
        yield Figure("lint: other tools", "not measured: they cannot be had")
    for name, says in voices.items():
        told = [(one, says(one)) for one in scripts if "postgresql" in one.engines or name == "handrail lint"]
        hazards = [found for one, found in told if one.is_hazard]
        safe = [found for one, found in told if not one.is_hazard]
        details = {"missed": [one.file.stem for one, found in told if one.is_hazard and not found]}
        details["false"] = [one.file.stem for one, found in told if not one.is_hazard and found]
        value = f"{sum(hazards)} of {len(hazards)} caught, {sum(safe)} of {len(safe)} false alarms"
        yield Figure(f"lint, corpus: {name}", value, limit=_OUR_CORPUS, details=details)
    yield from _speed(work, rounds, bin_folder)


def _speed(work: Path, rounds: int, bin_folder: Path | None) -> Iterator[Figure]:
    folders = histories()
    files = [file for folder in folders.values() for file in read_files([folder], CACHE)]
    if not files:
        yield Figure("lint: speed", "not measured: no histories can be had")
        return
    engines = frozenset({"postgresql", "sqlite"})
    seconds = []
    for script in files:
        started = time.perf_counter()
        findings_of(script, engines)
        seconds.append(time.perf_counter() - started)
    median = statistics.median(seconds)
    yield Figure(
        f"lint: median of {len(files)} real scripts, one process", f"{median * 1000:.2f} ms", median / 0.002, 1.0
    )
    every = {"handrail lint": [program("handrail"), "lint"]}
    if bin_folder is not None:
        every |= {name: [str(bin_folder / name)] for name in ("alembic-guard", "zdm")}
    calls, sql = files[0].file, CORPUS / "check_as_sql.py"
    for name, words in every.items():
        whole = _fastest(rounds, [*words, *map(str, folders.values())], work)
        yield Figure(f"lint: {name}, {len(files)} scripts in a new process", f"{whole:.2f} s")
        target = 0.15 if name == "handrail lint" else None
        for what, one in (("of op calls", calls), ("with SQL", sql)):
            alone = _fastest(rounds, [*words, str(one)], work)
            ratio = alone / target if target else None
            bound = 1.0 if target else None
            yield Figure(
                f"lint: {name}, one script {what} in a new process", f"{alone * 1000:.0f} ms", ratio, bound, _COMPILED
            )
    alone = _fastest(rounds, [*every["handrail lint"], str(calls)], None)
    yield Figure("lint: handrail lint, the same without bytecode", f"{alone * 1000:.0f} ms", limit="a fresh checkout")


def _fastest(rounds: int, words: list[str], work: Path | None) -> float:
    """Seconds of the fastest of a few runs: what start-up costs, not what else the machine did. In `work` bytecode is
    kept between them, as pip leaves it when it installs; None: every run compiles what is not compiled."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment |= {"PYTHONDONTWRITEBYTECODE": "1"} if work is None else {"PYTHONPYCACHEPREFIX": str(work / "compiled")}
    found = []
    for _ in range(max(5, rounds)):
        started = time.perf_counter()
        subprocess.run(words, capture_output=True, check=False, cwd=ROOT / "examples" / "puddingcamp", env=environment)
        found.append(time.perf_counter() - started)
    return min(found)
