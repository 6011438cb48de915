"""handrail and Alembic called in processes that have imported them: a call costs what it does, not what Python takes to import.

A template imports what one kind of process imports, and forks for each that is asked for. The fork is a process like
any other, with its own folder, environment, descriptors and end; only its start is spared, and that is tested by all
that starts `sys.executable` itself. HANDRAIL_TESTS=cold starts everything afresh (`make test-long` does).

Only on Linux, where forking is safe and handrail's own fork server works in the same way.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import gc
import importlib
import importlib.util
import json
import os
import pkgutil
import re
import runpy
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from io import StringIO, TextIOWrapper
from pathlib import Path
from typing import Any, NoReturn, TextIO, cast

TESTS = str(Path(__file__).resolve().parents[1])
CALL, SERVER, ALEMBIC = "handrail.cli.main", "handrail.child", "alembic"
_ON_AWS = "+aws"
#: What is imported only when it is needed, and then takes long.
_LATER = {
    CALL: ("obstore.store", "rich.live", "rich.progress_bar", "rich.table", "sqlglot.dialects.postgres"),
    CALL + _ON_AWS: ("boto3.s3.transfer", "botocore.docs"),
    SERVER: ("fastapi", "psycopg", "sqlmodel"),
    ALEMBIC: ("alembic.config", "psycopg", "sqlmodel"),
}
_START = f"import sys; sys.path.insert(0, {TESTS!r}); from support.warm import be_template; be_template()"
_MESSAGE = 1 << 20
_NO_BYTECODE = "PYTHONDONTWRITEBYTECODE"
#: What Python or a library reads as it starts: a call that sets one otherwise starts afresh.
_AT_START = ("PYTHON", "LC_", "LANG", "TZ", "TERM", "FORCE_COLOR", "COLUMNS", "_TYPER")
#: Never imported before a fork: it is run, or it changes the process that imports it.
_NOT_BEFORE = frozenset({CALL, SERVER, "handrail.plugin", "handrail.lambda_handler"})
IS_WARM = sys.platform == "linux" and os.environ.get("HANDRAIL_TESTS") != "cold"


class WarmProcess:
    """A forked process, with the part of Popen's face that is used of it."""

    def __init__(self, address: str, request: Mapping[str, Any], descriptors: Sequence[int]) -> None:
        self._told = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._told.connect(address)
        socket.send_fds(self._told, [json.dumps(request).encode()], list(descriptors))
        self.returncode: int | None = None
        self.pid = int(self._told.recv(_MESSAGE))

    def kill(self) -> None:
        if self.returncode is None:  # the template lets it be until we have gone: the pid is still its own
            os.kill(self.pid, signal.SIGKILL)

    def wait(self, timeout: float | None = None) -> int:
        if self.returncode is None:
            self._told.settimeout(timeout)
            try:
                self.returncode = int(self._told.recv(_MESSAGE) or b"-9")
            except TimeoutError:
                raise subprocess.TimeoutExpired("handrail", timeout or 0.0) from None
            self._told.close()
        return self.returncode


def call(
    *words: str,
    module: str = CALL,
    cwd: Path | None = None,
    env: Mapping[str, str],
    timeout: float | None = None,
    before: Callable[[], None] | None = None,
) -> subprocess.CompletedProcess[str]:
    """`python -m module` with these words, its output captured; `before` runs in its process first."""
    if IS_WARM and before is None and _at_start(env) == _at_start(os.environ):
        kind = module + _ON_AWS if module == CALL and "AWS_ENDPOINT_URL" in env else module
        return _forked(kind, words, cwd or Path.cwd(), env, timeout)
    return subprocess.run(
        [sys.executable, "-m", module, *words],
        cwd=cwd,
        env=env,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
        preexec_fn=before,
    )


def _at_start(variables: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in variables.items() if name.startswith(_AT_START) and name != _NO_BYTECODE}


def _forked(
    kind: str, words: Sequence[str], cwd: Path, env: Mapping[str, str], timeout: float | None
) -> subprocess.CompletedProcess[str]:
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        request = {"arguments": list(words), "folder": str(cwd), "environment": dict(env)}
        process = WarmProcess(_template(kind), request, (0, out.fileno(), err.fileno()))
        try:
            code = process.wait(timeout)
        except BaseException:
            process.kill()
            raise
        for file in (out, err):
            file.seek(0)
        return subprocess.CompletedProcess([kind, *words], code, out.read(), err.read())


@functools.cache
def _template(kind: str) -> str:
    """Where the template listens that forks those that run this module, and need AWS's library or not. It ends with
    this process."""
    server, options = ("", ["-P", "-u"]) if kind == SERVER else (_template(SERVER), ["-P"])
    folder = Path(tempfile.mkdtemp(prefix="handrail-warm-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    lifeline, _ = os.pipe()  # the other end closes with this process, and no other has it
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(str(folder / "template"))
        listener.listen(64)
        started = subprocess.Popen(
            [sys.executable, *options, "-c", _START, kind, str(listener.fileno()), str(lifeline), server],
            stdin=subprocess.DEVNULL,
            pass_fds=(listener.fileno(), lifeline),
        )
    os.close(lifeline)
    atexit.register(_end, started)
    return str(folder / "template")


def _end(template: subprocess.Popen[bytes]) -> None:
    template.kill()
    template.wait()


def use_warm_servers() -> None:
    """Let handrail's fork servers of this process be forked themselves."""
    if IS_WARM:
        _servers_from(lambda: _template(SERVER))


def _servers_from(address: Callable[[], str]) -> None:
    from handrail.migrator import forkserver

    setattr(forkserver, "subprocess", _Subprocess(address))  # noqa: B010 - the module as it sees it


class _Subprocess:
    """The module as `ForkServer` uses it."""

    DEVNULL, TimeoutExpired = subprocess.DEVNULL, subprocess.TimeoutExpired

    def __init__(self, address: Callable[[], str]) -> None:
        self._address = address

    def Popen(self, words: Sequence[str], **given: Any) -> Any:
        begin = [sys.executable, "-P", "-u", "-m", SERVER, "--fork-server"]
        if list(words[:-1]) != begin:
            return subprocess.Popen(words, **given)
        request = {"arguments": ["--fork-server"], "folder": str(Path.cwd()), "environment": dict(os.environ)}
        with Path(os.devnull).open("r+b") as nothing:
            return WarmProcess(self._address(), request, (*[nothing.fileno()] * 3, int(words[-1])))


# --- in the template --------------------------------------------------------------------------------------------


def be_template() -> NoReturn:
    """Import, then fork for whoever connects, until the process that started this one is gone."""
    sys.path.remove(TESTS)
    kind, listener, lifeline, server = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    for name in _modules(kind):
        importlib.import_module(name)
    if kind.startswith(CALL):
        _call_once()
    gc.collect()
    gc.freeze()
    assert len(list(Path("/proc/self/task").iterdir())) == 1, "a process of several threads must not fork"
    sys.exit(_serve(kind, socket.socket(fileno=listener), lifeline, server))


def _modules(kind: str) -> Sequence[str]:
    import handrail
    from handrail.migrator import forkserver

    if kind in {SERVER, ALEMBIC}:
        return (*forkserver._FIRST, *_LATER[kind])
    found = (module.name for module in pkgutil.walk_packages(handrail.__path__, "handrail."))
    own = [name for name in found if name not in _NOT_BEFORE and not _is_for_child(name)]
    return (*own, *_LATER[CALL], *(_LATER[kind] if kind != CALL else ()))


def _is_for_child(name: str) -> bool:
    """Whether the module is of the process in which Alembic runs."""
    found = importlib.util.find_spec(name)
    assert found is not None
    assert found.origin is not None
    return bool(re.search(r"^(import|from) (alembic|sqlalchemy)", Path(found.origin).read_text(), re.MULTILINE))


def _call_once() -> None:
    """What reads the words imports more as it reads the first."""
    from handrail.cli.app import app_for

    words = ["--version"]
    with contextlib.redirect_stdout(StringIO()):
        app_for(words)(words, standalone_mode=False)


def _serve(kind: str, listener: socket.socket, lifeline: int, server: str) -> int:
    """Fork for each that connects, tell it the pid and how the process ended, and let nobody else have the pid while it
    may be asked for. All are minded here: one more process for each would take as long as a call's own work."""
    working: dict[int, tuple[int, int]] = {}  # by the descriptor of the process: its pid, and whom to tell
    ended: dict[int, int] = {}  # by whom it was told to: the pid
    while True:
        ready, _, _ = select.select([listener.fileno(), lifeline, *working, *ended], [], [])
        if lifeline in ready:
            return 0
        for process in working.keys() & ready:
            pid, told = working.pop(process)
            _tell(told, _code(pid))
            os.close(process)
            ended[told] = pid
        for told in ended.keys() & ready:
            os.close(told)
            os.waitpid(ended.pop(told), 0)
        if listener.fileno() in ready:
            connection, _ = listener.accept()
            message, descriptors, _, _ = socket.recv_fds(connection, _MESSAGE, 8)
            told, pid = connection.detach(), os.fork()
            if pid == 0:
                listener.detach()
                return _become(kind, json.loads(message), descriptors, server)
            for descriptor in descriptors:
                os.close(descriptor)
            _tell(told, pid)
            working[os.pidfd_open(pid)] = pid, told


def _tell(told: int, number: int) -> None:
    with contextlib.suppress(OSError):  # it may be gone
        os.write(told, str(number).encode())


def _code(pid: int) -> int:
    """How it ended, as Popen says it; its pid stays taken."""
    ended = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    assert ended is not None
    return ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status


def _become(kind: str, request: Mapping[str, Any], descriptors: list[int], server: str) -> int:
    """Be the process that was asked for."""
    more, module = descriptors[3:], kind.removesuffix(_ON_AWS)
    for number, descriptor in enumerate(descriptors[:3]):
        os.dup2(descriptor, number)
    _close_all_but(more)
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.stdin = open(0, closefd=False)  # noqa: SIM115 - they are the process's
    sys.stdout, sys.stderr = _as_begun(sys.stdout, 1), _as_begun(sys.stderr, 2)
    for name in ("stdin", "stdout", "stderr"):
        setattr(sys, f"__{name}__", getattr(sys, name))
    sys.dont_write_bytecode = bool(os.environ.get(_NO_BYTECODE))
    sys.argv = [module, *request["arguments"], *map(str, more)]
    if kind == SERVER:
        os.setsid()
    else:
        _servers_from(lambda: server)
        sys.path.insert(0, request["folder"])
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as ended:
        _end_at_once(ended)
    return 0  # that, and what is raised, ends it as any other


def _end_at_once(ended: SystemExit) -> None:
    """Without taking apart what was imported, which takes longer than many a call."""
    if ended.code is None or isinstance(ended.code, int):
        threading._shutdown()  # type: ignore[attr-defined] # what Python itself does first
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(ended.code or 0)
    raise ended


def _as_begun(stream: TextIO, descriptor: int) -> TextIO:
    """A stream like the one that Python has begun this process with."""
    is_direct = cast(TextIOWrapper, stream).write_through
    return TextIOWrapper(
        open(descriptor, "wb", buffering=0 if is_direct else -1, closefd=False),
        stream.encoding,
        stream.errors,
        line_buffering=cast(TextIOWrapper, stream).line_buffering,
        write_through=is_direct,
    )


def _close_all_but(kept: Sequence[int]) -> None:
    begin = 3
    for descriptor in (*sorted(kept), os.sysconf("SC_OPEN_MAX")):
        os.closerange(begin, descriptor)
        begin = descriptor + 1
