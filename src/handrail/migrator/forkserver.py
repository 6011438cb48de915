"""A process that has imported what every child needs and forks one child per request: a start costs milliseconds.

Only well-known libraries are imported before the fork (never the user's modules: they may connect on import), and a
process with more than one thread never forks. Where forking is not possible the parent starts children afresh.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

_FIRST = ("alembic.command", "sqlalchemy.ext.asyncio", "handrail.migrator.serving")
_LIBRARIES = frozenset(
    {"alembic", "sqlalchemy", "sqlmodel", "pydantic", "pydantic_core", "pydantic_settings", "fastapi", "starlette"}
    | {"anyio", "asyncio", "psycopg", "psycopg_binary", "asyncpg", "aiosqlite", "greenlet", "mako", "email_validator"}
)
_MESSAGE = 1 << 20
#: Seconds that importing the libraries may take.
_STARTING = 120.0


def library_modules() -> list[str]:
    """Modules of well-known libraries that this process has imported, for the server to import before its next fork."""
    return sorted(name for name in sys.modules if name.partition(".")[0] in _LIBRARIES)


class ForkServer:
    """The parent's end. `start` gives the same as Popen would; None when this server cannot fork.

    It begins to import at once and knows no project: make it early, and read the configuration meanwhile. It ends when
    it is closed, with this object, or with this process.
    """

    def __init__(self, python: str = sys.executable) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket = ours
        self._server = subprocess.Popen(
            [python, "-P", "-u", "-m", "handrail.child", "--fork-server", str(theirs.fileno())],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=(theirs.fileno(),),
            start_new_session=True,
        )
        theirs.close()
        self._modules: list[str] = []
        self._end = weakref.finalize(self, _end, self._socket, self._server)

    @property
    def pid(self) -> int:
        return self._server.pid

    def remember(self, modules: list[str]) -> None:
        """Libraries that a child needed: imported before the next fork."""
        self._modules = modules

    def start(
        self, descriptors: tuple[int, int, int], folder: Path, environment: Mapping[str, str]
    ) -> ForkedProcess | None:
        """Fork a child that serves one request over `descriptors` (request, events, control) in a folder, with this
        process's environment as it is now and more variables."""
        output, output_in = os.pipe()
        start = {"modules": self._modules, "folder": str(folder), "environment": {**os.environ, **environment}}
        try:
            message = json.dumps(start).encode()
            self._socket.settimeout(_STARTING)
            socket.send_fds(self._socket, [message], [*descriptors, output_in])
            pid = json.loads(self._socket.recv(_MESSAGE) or b"null")
        except OSError:
            pid = None
        finally:
            os.close(output_in)
        if pid is None:
            os.close(output)
            return None
        return ForkedProcess(pid, output, self._socket)

    def close(self) -> None:
        self._end()


def _end(ours: socket.socket, server: subprocess.Popen[bytes]) -> None:
    """End the server, which may be importing still. A child that runs notices by itself that its parent is gone."""
    ours.close()
    server.kill()
    server.wait()


class ForkedProcess:
    """A child of the fork server, with the part of Popen's face that the parent uses."""

    def __init__(self, pid: int, output: int, server: socket.socket) -> None:
        self.pid = pid
        self.stdout = os.fdopen(output, "rb", buffering=0)
        self.returncode: int | None = None
        self._server = server

    def poll(self) -> int | None:
        return self._receive(0.0)

    def wait(self, timeout: float | None = None) -> int:
        """As Popen.wait; raises subprocess.TimeoutExpired."""
        status = self._receive(timeout)
        if status is None:
            raise subprocess.TimeoutExpired("handrail.child", timeout or 0.0)
        return status

    def send_signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def _receive(self, timeout: float | None) -> int | None:
        """The status that the server sends when the child has ended. Without its server nobody would learn of the
        child's end: then it is ended here."""
        if self.returncode is None:
            self._server.settimeout(timeout)
            try:
                data = self._server.recv(_MESSAGE)
            except (BlockingIOError, TimeoutError):
                return None
            except ConnectionError:
                data = b""
            finally:
                self._server.settimeout(None)
            if not data:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(self.pid, signal.SIGKILL)
            self.returncode = json.loads(data) if data else -signal.SIGKILL
        return self.returncode


def serve_forks(descriptor: int, serve: Callable[[list[str]], int]) -> int:
    """The server's loop: fork for each request until the parent is gone. `serve` is the child's `main`."""
    server = socket.socket(fileno=descriptor)
    _import(_FIRST)
    while True:
        message, descriptors, _, _ = socket.recv_fds(server, _MESSAGE, 4)
        if not message:
            return 0
        start = json.loads(message)
        _import(start["modules"])
        if threading.active_count() > 1:
            _close(descriptors)
            server.send(b"null")
        else:
            _fork(server, descriptors, functools.partial(_serve, serve, start))


def _close(descriptors: list[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


def _import(modules: Any) -> None:
    for name in modules:
        if name.partition(".")[0] in (*_LIBRARIES, "handrail"):
            with contextlib.suppress(Exception):
                importlib.import_module(name)


def _serve(serve: Callable[[list[str]], int], start: Mapping[str, Any], arguments: list[str]) -> int:
    os.chdir(start["folder"])
    os.environ.clear()
    os.environ.update(start["environment"])
    return serve(arguments)


def _fork(server: socket.socket, descriptors: list[int], serve: Callable[[list[str]], int]) -> None:
    request, events, control, output = descriptors
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            server.close()
            os.setsid()
            os.dup2(output, 1)
            os.dup2(output, 2)
            os.close(output)
            status = serve([str(request), str(events), str(control)])
        except SystemExit as ended:
            status = ended.code if isinstance(ended.code, int) else 1
        finally:
            with contextlib.suppress(Exception):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(status)
    _close(descriptors)
    server.send(json.dumps(pid).encode())
    _, status = os.waitpid(pid, 0)
    server.send(json.dumps(os.waitstatus_to_exitcode(status)).encode())
