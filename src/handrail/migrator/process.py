"""The parent's end of the child process: start it, read its messages, bound its silence, end it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import selectors
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from handrail.migrator.forkserver import ForkedProcess, ForkServer
from handrail.migrator.protocol import Request, encode

_URL_PASSWORD = re.compile(r"(://[^/\s:@]*:)[^@\s]+@")
_OUTPUT_KEPT = 65_536
_CHUNK = 65_536
_GRACE = 2.0
#: How long env.py may be silent, in seconds, before a script runs.
STARTING_SILENCE = 120.0


class Silence(Exception):
    """The child sent nothing for as long as it may be silent."""


class Child:
    """One child process serving one request. A context manager: leaving it, however, ends the child.

    The request goes through a pipe, since it may hold passwords. The child is in a session of its own, so Ctrl-C
    reaches only the parent, which then ends the child in order.
    """

    def __init__(
        self,
        request: Request,
        *,
        python: str,
        environment: Mapping[str, str],
        silence: float = STARTING_SILENCE,
        server: ForkServer | None = None,
    ) -> None:
        self._silence = silence or None
        self._secrets = {one.password for one in (request.project, request.on) if one is not None and one.password}
        self._output = bytearray()
        self._buffer = bytearray()
        request_in, request_out = os.pipe()
        self._events, events_out = os.pipe()
        control_in, self._control = os.pipe()
        inherited = (request_in, events_out, control_in)
        self._process: subprocess.Popen[bytes] | ForkedProcess
        try:
            folder = Path(request.place.root)
            forked = server.start(inherited, folder, environment) if server is not None else None
            self._process = forked or subprocess.Popen(
                [python, "-P", "-u", "-m", "handrail.child", *map(str, inherited)],
                cwd=folder,
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=inherited,
                start_new_session=True,
            )
        except BaseException:
            for descriptor in (request_out, self._events, self._control):
                os.close(descriptor)
            raise
        finally:
            for descriptor in inherited:
                os.close(descriptor)
        with contextlib.suppress(BrokenPipeError), os.fdopen(request_out, "wb") as target:
            target.write(json.dumps(encode(request)).encode())

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def output(self) -> str:
        """What env.py and the scripts printed: the last 64 KiB, without passwords."""
        text = _URL_PASSWORD.sub(r"\1***@", self._output.decode("utf-8", "replace"))
        for word in self._secrets:
            text = text.replace(word, "***")
        return text

    @property
    def status(self) -> int | None:
        """The exit status, negative for a signal; None while it runs."""
        return self._process.poll()

    def answer(self, word: str) -> None:
        """Answer a message that the child waits on."""
        with contextlib.suppress(BrokenPipeError):
            os.write(self._control, word.encode() + b"\n")

    def messages(self) -> Iterator[dict[str, Any]]:
        """The child's messages until it closes its end. Raises Silence; `silence` bounds scripts, not their start."""
        assert self._process.stdout is not None  # noqa: S101 - asked for above
        bound: float | None = STARTING_SILENCE
        with selectors.DefaultSelector() as selector:
            selector.register(self._events, selectors.EVENT_READ, self._read_events)
            selector.register(self._process.stdout, selectors.EVENT_READ, self._read_output)
            while self._events in selector.get_map():
                ready = selector.select(bound)
                if not ready:
                    raise Silence
                for key, _ in ready:
                    if not key.data():
                        selector.unregister(key.fileobj)
                for message in self._complete():
                    bound = None if message["kind"] in ("quiet", "proof") else self._silence
                    yield message

    def __enter__(self) -> Child:
        return self

    def __exit__(self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> None:
        if kind is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)  # lets the driver cancel what the server is doing
        os.set_blocking(self._stdout_descriptor(), False)
        self._wait(_GRACE)
        os.close(self._control)
        if self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._read_output()
        os.close(self._events)
        if self._process.stdout is not None:
            self._process.stdout.close()

    def _wait(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while self._process.poll() is None and time.monotonic() < deadline:
            self._read_output()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(0.05)

    def _stdout_descriptor(self) -> int:
        assert self._process.stdout is not None  # noqa: S101 - asked for above
        return self._process.stdout.fileno()

    def _read_events(self) -> bool:
        data = os.read(self._events, _CHUNK)
        self._buffer += data
        return bool(data)

    def _read_output(self) -> bool:
        try:
            data = os.read(self._stdout_descriptor(), _CHUNK)
        except BlockingIOError:
            return True
        self._output += data
        del self._output[:-_OUTPUT_KEPT]
        return bool(data)

    def _complete(self) -> Iterator[dict[str, Any]]:
        *lines, rest = self._buffer.split(b"\n")
        self._buffer = bytearray(rest)
        for line in lines:
            message: dict[str, Any] = json.loads(line)
            yield message
