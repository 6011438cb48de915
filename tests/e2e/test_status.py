"""`handrail status` tells runs that are at work from those that died, and where the dead ones can be settled."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path

from support.calling import at_b2, handrail
from support.projects import Script
from support.runs import interrupted


def runs_of(out: str) -> list[str]:
    return [line for line in out.splitlines() if line.startswith(("at work", "interrupted"))]


def test_an_upgrade_that_is_at_work(tmp_path: Path) -> None:
    """Its own health check asks."""
    folder = at_b2(tmp_path, Script("c3", "b2"))
    asking = f"{sys.executable} -m handrail.cli.main status --json"
    command = f"sh -c {shlex.quote(f'{asking} > seen.json && {asking[:-7]} > seen.txt')}"
    (folder / "handrail.toml").write_text(f"[environments.development]\nhealth = {{command = {json.dumps(command)}}}\n")
    done = handrail(folder, "upgrade", "--yes", "--json")
    assert done.code == 0, done
    run_id = json.loads(done.out)["result"]["run_id"]
    seen = json.loads((folder / "seen.json").read_text())["result"]
    assert (seen["runs_at_work"], seen["interrupted_runs"]) == ([run_id], [])
    assert runs_of((folder / "seen.txt").read_text()) == [f"at work        {run_id}"]
    assert runs_of(handrail(folder, "status").out) == []


def test_runs_that_died_here_and_elsewhere(tmp_path: Path) -> None:
    folder = at_b2(tmp_path)
    here = json.loads(handrail(folder, "status", "--json").out)["result"]["database"]
    interrupted(folder, "run_1", command="upgrade", database=here)
    interrupted(folder, "run_2", command="backup restore", database="sqlite:///new.db", source=here)
    interrupted(folder, "run_3", command="upgrade", database="postgresql://u@elsewhere/shop")
    interrupted(folder, "run_4", command="backup restore", database=here, source="postgresql://u@h/shop")
    assert runs_of(handrail(folder, "status").out) == [
        "interrupted    run_1: handrail recover",
        "interrupted    run_2: handrail recover",
        "interrupted    run_3: handrail recover, in an environment that leads to postgresql://u@elsewhere/shop",
        "interrupted    run_4: handrail recover",
    ]
    found = json.loads(handrail(folder, "status", "--json").out)["result"]
    assert (found["interrupted_runs"], found["runs_at_work"]) == (["run_1", "run_2", "run_3", "run_4"], [])
