"""The child process: its silence is bounded, it dies with its parent, and no password leaves it."""

from __future__ import annotations

import signal
import sys
import textwrap
import time
from pathlib import Path

import pytest

from handrail.migrator.alembic import AlembicMigrator
from handrail.migrator.migrator import Limits, MigrationEvent, MigrationFailed
from support.children import Child
from support.projects import Script, make_project, path_of

HANGING = Script("a1", None, 'import os, time\nprint("PID", os.getpid(), flush=True)\ntime.sleep(600)')


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def leaves_its_pid(folder: Path) -> tuple[Script, Path]:
    """A project whose script writes its process id into a file and hangs."""
    pid_file = folder / "pid"
    text = f"import os, time\nopen({str(pid_file)!r}, 'w').write(str(os.getpid()))\ntime.sleep(600)"
    hanging = Script("a1", None, text)
    make_project(folder, revisions=(hanging,))
    return hanging, pid_file


def test_a_silent_script_is_ended(tmp_path: Path) -> None:
    make_project(tmp_path, revisions=(HANGING,))
    with pytest.raises(MigrationFailed) as caught:
        AlembicMigrator(tmp_path).run(path_of(HANGING), limits=Limits(statement_timeout=3))
    assert caught.value.message == "the script of revision a1 did nothing for 3 s"
    assert caught.value.committed == ()
    assert not is_alive(int(caught.value.output.split()[1]))


def test_an_interrupted_parent_ends_the_child(tmp_path: Path) -> None:
    hanging, pid_file = leaves_its_pid(tmp_path)

    def interrupt(event: MigrationEvent) -> None:
        if event.kind == "revision":
            wait_until(lambda: pid_file.exists() and pid_file.read_text() != "")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        AlembicMigrator(tmp_path).run(path_of(hanging), on_event=interrupt)
    assert not is_alive(int(pid_file.read_text()))


def test_a_killed_parent_takes_the_child_with_it(tmp_path: Path) -> None:
    _, pid_file = leaves_its_pid(tmp_path)
    program = textwrap.dedent(f"""
        from pathlib import Path
        from handrail.migrator.alembic import AlembicMigrator
        migrator = AlembicMigrator(Path({str(tmp_path)!r}))
        migrator.run(migrator.describe("head").path)
    """)
    parent = Child([sys.executable, "-c", program])
    wait_until(lambda: pid_file.exists() and pid_file.read_text() != "")
    child = int(pid_file.read_text())
    assert is_alive(child)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    wait_until(lambda: not is_alive(child))


def test_what_a_script_prints_is_kept_up_to_64_kib(tmp_path: Path) -> None:
    loud = Script("a1", None, 'print("x" * 300_000)\nprint("last")')
    make_project(tmp_path, revisions=(loud,))
    outcome = AlembicMigrator(tmp_path).run(path_of(loud))
    assert len(outcome.output) == 65_536
    assert outcome.output.endswith("xxx\nlast\n")


def test_passwords_in_urls_are_not_kept(tmp_path: Path) -> None:
    make_project(tmp_path, revisions=(Script("a1", None, 'print("at postgresql://me:s3cret@db/app")'),))
    outcome = AlembicMigrator(tmp_path).run(path_of(Script("a1", None)))
    assert outcome.output == "at postgresql://me:***@db/app\n"


def test_thousands_of_statements_are_counted_not_kept(tmp_path: Path) -> None:
    many = Script("a1", None, 'for number in range(6_000):\n    op.get_bind().execute(sa.text("SELECT 1"))')
    make_project(tmp_path, revisions=(many,))
    outcome = AlembicMigrator(tmp_path).run(path_of(many))
    assert len(outcome.runs[0].statements) == 5_000


def wait_until(condition: object, seconds: float = 30) -> None:
    assert callable(condition)
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.02)
