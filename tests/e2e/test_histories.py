"""Lint and its repairs over every migration script of a few real projects, from their packages (network needed)."""

from __future__ import annotations

import ast
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest
from bench.linting import CACHE, HISTORIES, histories

from handrail.lint.engine import judge, read_all
from handrail.lint.finding import Finding, apply_edits
from handrail.lint.rule import LintContext
from handrail.lint.settings import LintSettings
from handrail.migrations.changes import CreateTable
from handrail.migrations.revision import Revision
from handrail.migrator.script_files import ScriptFile, read_files
from handrail.workflows.lint_scripts import lint_files, repair

pytestmark = pytest.mark.long
BOTH = frozenset({"postgresql", "sqlite"})
LEAST_SCRIPTS = 500
MOST_SECONDS = 1.0
#: What an autocommit block brings to a script that does other things, too. `repair` then leaves the script alone.
HALF_DONE = "HR-PR107"


@pytest.fixture(scope="module")
def scripts() -> list[ScriptFile]:
    folders = histories()
    missing = sorted(HISTORIES.keys() - folders.keys())
    if missing:
        pytest.fail(
            f"pip cannot download {', '.join(missing)}: this test needs the network, or a mirror named in pip.conf"
        )
    found = [script for folder in folders.values() for script in read_files([folder], CACHE)]
    assert len(found) >= LEAST_SCRIPTS
    return found


def findings(revision: Revision, engines: frozenset[str] = BOTH) -> tuple[Finding, ...]:
    return judge(LintContext(read_all([revision]), is_path=False, engines=engines), LintSettings())


def words(found: Sequence[Finding]) -> Counter[tuple[str, str]]:
    """Findings without their lines, which move."""
    return Counter((one.rule, one.message) for one in found)


def test_every_script_is_read_in_a_moment(scripts: list[ScriptFile]) -> None:
    slow = []
    for script in scripts:
        assert not script.problem, script
        for engines in (BOTH, frozenset({"postgresql"}), frozenset({"sqlite"})):
            started = time.perf_counter()
            findings(script.revision, engines)
            seconds = time.perf_counter() - started
            if seconds > MOST_SECONDS:
                slow.append(f"{script.revision.path}: {seconds:.2f} s")
    assert slow == []


def test_whole_histories_are_read(scripts: list[ScriptFile]) -> None:
    for package in HISTORIES:
        mine = [script for script in scripts if package in script.file.relative_to(CACHE).parts]
        assert len(lint_files(mine, LintSettings(), BOTH, is_whole=True).findings) > len(mine) / 2


def test_an_index_on_a_new_table_is_not_told_of(scripts: list[ScriptFile]) -> None:
    told = []
    for script in scripts:
        (reading,) = read_all([script.revision])
        made = {f" on {one.table} locks" for one in reading.upgrade.changes if isinstance(one, CreateTable)}
        alarms = [one for one in findings(script.revision) if one.rule == "HR-LK101"]
        told += [str(one) for one in alarms if any(table in one.message for table in made)]
    assert told == []


def test_every_edit_repairs_its_finding_and_nothing_else_breaks(scripts: list[ScriptFile]) -> None:
    wrong = [line for script in scripts for line in _wrong_edits(script.revision)]
    assert wrong == [], "\n".join(wrong)


def _wrong_edits(revision: Revision) -> Iterator[str]:
    before = findings(revision)
    for one in before:
        if not one.edits:
            continue
        changed = replace(revision, source=apply_edits(revision.source, one.edits))
        try:
            ast.parse(changed.source)
        except SyntaxError as error:
            yield f"{one}: the text is no Python any more: {error}"
            continue
        after = findings(changed)
        if words(after)[one.rule, one.message] >= words(before)[one.rule, one.message]:
            yield f"{one}: still there"
        if new := {other.rule for other in after} - {other.rule for other in before} - {HALF_DONE}:
            yield f"{one}: brings {', '.join(sorted(new))}"


def test_repairing_twice_is_repairing_once(scripts: list[ScriptFile]) -> None:
    repaired = repair(scripts, LintSettings(), BOTH)
    assert len(repaired) >= 30
    again = []
    for one in repaired:
        ast.parse(one.source)
        assert one.source != one.script.revision.source
        revision = replace(one.script.revision, source=one.source)
        left, before = findings(revision), findings(one.script.revision)
        assert not words(left) - words(before), one.script.revision.path
        again.append(replace(one.script, revision=revision))
    assert [twice.script.revision.path for twice in repair(again, LintSettings(), BOTH)] == []
