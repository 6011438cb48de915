"""The judged corpus: scripts of tests/corpus/ as real projects write them, read with every rule."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest

from handrail.lint.engine import check
from handrail.lint.finding import Finding, Severity
from handrail.lint.rule import LintContext
from handrail.lint.rules import RULES
from handrail.migrations.changes import NotAnalysable
from handrail.migrations.reading import ScriptReading, read_script
from unit.building import revision

FOLDER = Path(__file__).parents[1] / "corpus"
CODES = {rule.code for rule in RULES}
LEAST_CAUGHT, MOST_FALSE = 0.92, 0.02


@dataclass(frozen=True)
class Judged:
    """A script, what it is, and what the rules say of it."""

    name: str
    is_hazard: bool
    codes: frozenset[str]
    engines: frozenset[str]
    is_static: bool
    reading: ScriptReading
    findings: tuple[Finding, ...]

    @property
    def is_caught(self) -> bool:
        return any(finding.rule in self.codes for finding in self.findings)

    @property
    def is_due(self) -> bool:
        """Whether the rules that should catch it are there."""
        return self.is_caught or self.codes <= CODES

    @property
    def is_false_alarm(self) -> bool:
        return not self.is_hazard and any(
            finding.severity.weight >= Severity.WARNING.weight for finding in self.findings
        )

    def line(self) -> str:
        said = "; ".join(map(str, self.findings)) or "nothing"
        return f"{self.name:45} {' '.join(sorted(self.codes)) or 'safe':20} found: {said}"


def judge(name: str, expected: dict[str, object]) -> Judged:
    codes, engines = expected.get("codes", []), expected["engines"]
    assert isinstance(codes, list) and isinstance(engines, list)
    source = (FOLDER / f"{name}.py").read_text()
    reading = read_script(revision(source, name, f"versions/{name}.py"))
    findings = check(LintContext((reading,), engines=frozenset(engines)))
    is_static = expected.get("static", True) is True
    is_hazard = expected["kind"] == "hazard"
    return Judged(name, is_hazard, frozenset(codes), frozenset(engines), is_static, reading, findings)


@pytest.fixture(scope="module")
def corpus() -> list[Judged]:
    expected = tomllib.loads((FOLDER / "expected.toml").read_text())
    return [judge(name, entry) for name, entry in expected.items()]


def table(title: str, rows: list[Judged]) -> str:
    return "\n".join([f"{title}:", *(f"  {row.line()}" for row in rows)])


def test_the_manifest_names_every_script(corpus: list[Judged]) -> None:
    assert {judged.name for judged in corpus} == {path.stem for path in FOLDER.glob("*.py")}
    hazards = [judged for judged in corpus if judged.is_hazard]
    assert len(hazards) >= 85
    assert len(corpus) - len(hazards) >= 40
    assert all(judged.codes if judged.is_hazard else not judged.codes for judged in corpus)


def test_every_script_is_read(corpus: list[Judged]) -> None:
    assert [judged.name for judged in corpus if judged.reading.error is not None] == []
    assert [judged.name for judged in corpus if not judged.reading.upgrade.exists] == []


def test_no_safe_script_is_warned_of(corpus: list[Judged]) -> None:
    safe = [judged for judged in corpus if not judged.is_hazard]
    alarms = [judged for judged in safe if judged.is_false_alarm]
    assert len(alarms) <= MOST_FALSE * len(safe), table("false alarms", alarms)
    assert alarms == [], table("false alarms", alarms)


def test_hazards_are_caught(corpus: list[Judged], capsys: pytest.CaptureFixture[str]) -> None:
    due = [judged for judged in corpus if judged.is_hazard and judged.is_static and judged.is_due]
    missed = [judged for judged in due if not judged.is_caught]
    with capsys.disabled():
        later = sum(judged.is_hazard and judged.is_static for judged in corpus) - len(due)
        print(f"\n{len(due) - len(missed)} of {len(due)} hazards caught, {later} wait for their rules")
        if missed:
            print(table("missed", missed))
    assert len(missed) <= (1 - LEAST_CAUGHT) * len(due), table("missed", missed)


def test_what_cannot_be_read_is_never_called_clean(corpus: list[Judged]) -> None:
    """Only a rehearsal sees the harm of these; the reader has to say that it does not."""
    hidden = [judged for judged in corpus if not judged.is_static]
    assert len(hidden) >= 3
    silent = [
        judged for judged in hidden if not any(isinstance(c, NotAnalysable) for c in judged.reading.upgrade.changes)
    ]
    assert silent == [], table("silent", silent)
