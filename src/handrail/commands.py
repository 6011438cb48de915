"""Runs the commands of a deployment: no shell, a deadline, each line told as it comes and kept without passwords."""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from handrail.command import CommandResult
from handrail.processes import program
from handrail.redaction import printable, redacted

_LOOK = 0.1
#: Seconds that a command has to end by itself when its time is over.
_GRACE = 5.0
_CHUNK = 65536
#: Of a line that is told; what is kept is whole.
_WIDTH = 400


@dataclass(frozen=True, slots=True)
class LocalCommands:
    """Commands that run in `folder`, each for `timeout` seconds at most; what they print is kept below `log_folder`.
    `variables` are added to their environment, `secrets` taken out of their output."""

    folder: Path
    timeout: float
    log_folder: Path
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)

    def kept(self, run_id: str) -> str:
        return str(self.log_folder / f"{run_id}.log")

    def run(self, command: str, run_id: str, on_line: Callable[[str], None]) -> CommandResult:
        shown = redacted(command, self.secrets)
        begun = time.monotonic()
        log = _Log(self.log_folder / f"{run_id}.log", self.secrets, on_line)
        log.keep(f"$ {shown}")
        how = self._ran(command, log)
        seconds = time.monotonic() - begun
        log.keep(f"# {how or 'exited 0'} after {seconds:.1f} s\n")
        detail = f"`{shown}` {how or 'exited 0'}"
        return CommandResult(not how, f"{detail}: {log.last}" if log.last else detail, seconds)

    def _ran(self, command: str, log: _Log) -> str:
        """Run it; how it failed, in words, "" when it did not."""
        try:
            words = shlex.split(command)
            with tempfile.TemporaryFile() as output:
                variables = {"PYTHONUNBUFFERED": "1", **self.variables}
                with program(words, self.folder, variables, output, grace=_GRACE) as child:
                    code = self._followed(child, output, log)
                log.read(output)
                log.finish()
        except OSError as error:
            return f"cannot be run: {error.strerror}"
        except (ValueError, IndexError):
            return "is not a command"
        if code is None:
            return f"did not end within {self.timeout:g} s and was ended, with all that it had started"
        return f"exited {code}" if code else ""

    def _followed(self, child: subprocess.Popen[bytes], output: IO[bytes], log: _Log) -> int | None:
        deadline = time.monotonic() + self.timeout
        while True:
            left = deadline - time.monotonic()
            with suppress(subprocess.TimeoutExpired):
                return child.wait(timeout=max(0.0, min(_LOOK, left)))
            log.read(output)
            if left <= 0:
                return None


@dataclass(slots=True)
class _Log:
    """Follows a file that a command writes; `last` is the last line that said something."""

    path: Path
    secrets: tuple[str, ...]
    on_line: Callable[[str], None]
    last: str = ""
    _read: int = 0
    _begun: bytes = b""

    def read(self, output: IO[bytes]) -> None:
        """Tell the whole lines that came since. `pread`, since the command writes at the position of this very file."""
        while chunk := os.pread(output.fileno(), _CHUNK, self._read):
            self._read += len(chunk)
            *lines, self._begun = (self._begun + chunk).split(b"\n")
            self._tell(lines)

    def finish(self) -> None:
        """The last line, if no line end follows it."""
        rest, self._begun = self._begun, b""
        self._tell([rest] if rest else [])

    def _tell(self, lines: list[bytes]) -> None:
        texts = [redacted(printable(line.decode(errors="replace")), self.secrets) for line in lines]
        if texts:
            self.keep("\n".join(texts))
        for text in filter(None, texts):
            self.last = text[:_WIDTH]
            self.on_line(self.last)

    def keep(self, text: str) -> None:
        """Append to the kept output. A full disk must not end a deployment half way."""
        with suppress(OSError):
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "ab") as out:
                out.write(f"{text}\n".encode(errors="backslashreplace"))
