"""The process that forks children: each child is as if it were started afresh, and none outlives its reason."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from handrail.errors import ProjectError
from handrail.migrator import forkserver
from handrail.migrator.alembic import AlembicMigrator
from handrail.migrator.forkserver import ForkServer
from handrail.migrator.migrator import MigrationEvent, MigrationFailed
from support.children import Child
from support.projects import SYNC_ENV, Script, make_project, path_of

RUNS = 50
WAITS = """
import os, time
with open("pid.new", "w") as file:
    file.write(str(os.getpid()))
os.rename("pid.new", "pid")
while not os.path.exists("go"):
    time.sleep(0.01)
print("went on")
"""


@pytest.fixture(autouse=True)
def _afresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """Here the start itself is what is tested."""
    monkeypatch.setattr(forkserver, "subprocess", subprocess)


@pytest.fixture
def server() -> Iterator[ForkServer]:
    with closing(ForkServer()) as server:
        yield server


def wait_until(condition: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.01)


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def children_of(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def descriptors_of(pid: int | str) -> list[str]:
    return sorted(os.listdir(f"/proc/{pid}/fd"))  # noqa: PTH208 - names only


def printing(folder: Path, code: str) -> AlembicMigrator:
    """A project whose env.py first runs `code`."""
    return AlembicMigrator(make_project(folder, env=f"{code}\n{SYNC_ENV}"))


def test_each_child_has_the_folder_and_environment_of_its_own_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    show = """
import os
print(os.getcwd(), os.environ.get("ENV"), os.environ.get("LATER"), os.environ.get("GONE"), os.getpgid(0) == os.getpid())
"""
    said = []
    monkeypatch.delenv("ENV", raising=False)
    monkeypatch.setenv("GONE", "yes")
    with closing(ForkServer()) as server:
        monkeypatch.delenv("GONE")
        for name, env in (("one", "staging"), ("two", ""), ("한글 two", "production")):
            folder = tmp_path / name
            make_project(folder, env=f"{show}\n{SYNC_ENV}")
            monkeypatch.setenv("LATER", name)
            migrator = AlembicMigrator(folder, environment={"ENV": env} if env else {}, server=server)
            said.append(migrator.describe().env_output)
    assert said == [
        f"{tmp_path}/one staging one None True\n",
        f"{tmp_path}/two None two None True\n",
        f"{tmp_path}/한글 two production 한글 two None True\n",
    ]
    assert os.environ.get("ENV") is None


def test_many_children_leave_no_descriptor_and_no_zombie(tmp_path: Path) -> None:
    make_project(tmp_path)
    with closing(ForkServer()) as server:
        migrator = AlembicMigrator(tmp_path, server=server)
        migrator.describe()
        before = descriptors_of("self"), descriptors_of(server.pid)
        for _ in range(RUNS):
            migrator.describe()
        assert (descriptors_of("self"), descriptors_of(server.pid)) == before
        assert children_of(server.pid) == []
    assert not is_alive(server.pid)


def test_a_script_that_changed_is_read_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when it was changed within a second, and not in size: Python would take its old bytecode."""
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    server = ForkServer()
    second = 1_700_000_000 * 10**9
    seen = []
    for number in range(3):
        script = Script("a1", None, f"import app_module\nprint({number}, app_module.VALUE)")
        make_project(tmp_path, revisions=(script,))
        (tmp_path / "app_module.py").write_text(f"VALUE = {'x' * number!r}\n")
        file = tmp_path / "migrations" / "versions" / "a1_script.py"
        os.utime(file, ns=(0, second + number * 10**8 + 1))
        (tmp_path / "local.db").unlink(missing_ok=True)
        seen.append(AlembicMigrator(tmp_path, server=server).run(path_of(script)).output)
        compiled = next(file.parent.glob("__pycache__/a1_*"))
        os.utime(compiled, ns=(0, second + number * 10**8 + 2))
    server.close()
    assert seen == ["0 \n", "1 x\n", "2 xx\n"]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM])
def test_a_child_that_dies_by_a_signal(tmp_path: Path, server: ForkServer, number: signal.Signals) -> None:
    script = Script("a1", None, f"import os\nprint('last', flush=True)\nos.kill(os.getpid(), {int(number)})")
    make_project(tmp_path, revisions=(script,))
    migrator = AlembicMigrator(tmp_path, server=server)
    with pytest.raises(MigrationFailed) as caught:
        migrator.run(path_of(script))
    assert caught.value.message == "the script of revision a1 ended the process that runs Alembic"
    assert caught.value.why == f"killed by signal {int(number)}; its last words: last"
    assert migrator.describe().current == ()  # and the server goes on


def test_a_child_that_dies_while_env_py_loads(tmp_path: Path, server: ForkServer) -> None:
    make_project(tmp_path, env="import os\nos.kill(os.getpid(), 9)")
    with pytest.raises(ProjectError) as caught:
        AlembicMigrator(tmp_path, server=server).describe()
    assert caught.value.message == "env.py ended the process that runs Alembic"
    assert caught.value.why == "killed by signal 9; it printed nothing"


def test_a_server_that_is_gone_is_done_without(tmp_path: Path, server: ForkServer) -> None:
    make_project(tmp_path)
    migrator = AlembicMigrator(tmp_path, server=server)
    assert migrator.describe().current == ()
    os.kill(server.pid, signal.SIGKILL)
    wait_until(lambda: not is_alive(server.pid))
    assert migrator.describe().current == ()
    assert migrator.describe("head").current == ()


def waiting(folder: Path, server: ForkServer) -> tuple[AlembicMigrator, Script]:
    script = Script("a1", None, WAITS)
    make_project(folder, revisions=(script,))
    return AlembicMigrator(folder, server=server), script


def kill_server_when_it_runs(folder: Path, server: ForkServer, then: Callable[[], None]) -> Callable[..., None]:
    def heard(event: MigrationEvent) -> None:
        if event.kind == "revision":
            wait_until((folder / "pid").exists)
            os.kill(server.pid, signal.SIGKILL)
            wait_until(lambda: not is_alive(server.pid))
            then()

    return heard


def test_a_server_that_dies_while_a_script_runs_does_no_harm(tmp_path: Path, server: ForkServer) -> None:
    migrator, script = waiting(tmp_path, server)
    listener = kill_server_when_it_runs(tmp_path, server, (tmp_path / "go").touch)
    outcome = migrator.run(path_of(script), on_event=listener)
    assert (outcome.output, [run.revision for run in outcome.runs]) == ("went on\n", ["a1"])
    assert migrator.describe().current == ("a1",)


def test_a_child_without_its_server_is_ended_even_if_it_hears_nothing(tmp_path: Path, server: ForkServer) -> None:
    """The expression keeps Python's lock for minutes: the thread that watches the parent cannot run."""

    def cancel() -> None:
        raise KeyboardInterrupt

    deaf = Script("a1", None, WAITS.partition("while")[0] + 'import re\nre.match("(a+)+$", "a" * 36 + "b")')
    make_project(tmp_path, revisions=(deaf,))
    migrator = AlembicMigrator(tmp_path, server=server)
    with pytest.raises(KeyboardInterrupt):
        migrator.run(path_of(deaf), on_event=kill_server_when_it_runs(tmp_path, server, cancel))
    child = int((tmp_path / "pid").read_text())
    wait_until(lambda: not is_alive(child), seconds=5)
    assert migrator.describe().current == ()


def test_ctrl_c_ends_server_and_child(tmp_path: Path) -> None:
    """As a terminal sends it: to the whole process group of the parent."""
    make_project(tmp_path, revisions=(Script("a1", None, WAITS),))
    program = textwrap.dedent(f"""
        from pathlib import Path
        from handrail.migrator.alembic import AlembicMigrator
        from handrail.migrator.forkserver import ForkServer
        server = ForkServer()
        print(server.pid, flush=True)
        migrator = AlembicMigrator(Path({str(tmp_path)!r}), server=server)
        migrator.run(migrator.describe("head").path)
    """)
    with Child(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
    ) as parent:
        assert parent.stdout is not None
        server = int(parent.stdout.readline())
        wait_until((tmp_path / "pid").exists)
        os.killpg(parent.pid, signal.SIGINT)
        assert parent.wait(30) == -signal.SIGINT
    child = int((tmp_path / "pid").read_text())
    wait_until(lambda: not is_alive(child) and not is_alive(server))
