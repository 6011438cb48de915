"""A real terminal for tests: runs a command in one (a pty), keeps what it sends, and shows what would be seen."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from support.children import Child

#: Makes the pty the controlling terminal, so that Ctrl-C reaches whoever is in the foreground.
_ON_TERMINAL = "import fcntl,os,sys,termios; fcntl.ioctl(2,termios.TIOCSCTTY,0); os.execv(sys.argv[1],sys.argv[1:])"
_SEQUENCE = re.compile(r"\x1b\[([0-9;?]*)([A-Za-z])|\r\n|\r|\n|[^\x1b\r\n]+")
_SILENCE = 60
CTRL_C = b"\x03"
CTRL_D = b"\x04"


def once(prompt: str, keys: bytes) -> Callable[[str], bytes]:
    """An answer that types these keys when the prompt has been sent, and nothing more."""
    typed: list[bytes] = []

    def answer(sent: str) -> bytes:
        if typed or prompt not in sent:
            return b""
        typed.append(keys)
        return keys

    return answer


class Terminal:
    """What one command did on a terminal: `sent` is everything it sent there, `stdout` what went to a pipe instead."""

    def __init__(self, command: list[str], folder: Path, *, columns: int = 80, piped_stdout: bool = False) -> None:
        self.sent = ""
        self._columns = columns
        self._command = command
        self._folder = folder
        self._piped = piped_stdout
        self.stdout = ""

    def run(
        self,
        environment: Mapping[str, str] | None = None,
        answer: Callable[[str], bytes] = lambda _sent: b"",
        closes: Callable[[], bool] | None = None,
    ) -> int:
        """Run to the end; `answer` sees all that was sent so far and says what is typed now. The terminal is closed as
        soon as `closes` says so. Returns the exit code."""
        ours, theirs = pty.openpty()
        fcntl.ioctl(ours, termios.TIOCSWINSZ, struct.pack("HHHH", 40, self._columns, 0, 0))
        dropped = ("ENV", "NO_COLOR", "COLUMNS")
        inherited = {key: value for key, value in os.environ.items() if key not in dropped}
        with Child[bytes](
            [sys.executable, "-c", _ON_TERMINAL, *self._command],
            cwd=self._folder,
            env={**inherited, "TERM": "xterm-256color", **(environment or {})},
            stdin=theirs,
            stdout=subprocess.PIPE if self._piped else theirs,
            stderr=theirs,
            start_new_session=True,
        ) as process:
            os.close(theirs)
            try:
                self._follow(ours, answer, closes)
            finally:
                os.close(ours)
            self.stdout = process.stdout.read().decode() if process.stdout else ""
        return process.returncode

    def _follow(self, ours: int, answer: Callable[[str], bytes], closes: Callable[[], bool] | None) -> None:
        data = b""
        while True:
            if closes is not None:
                if closes():
                    return
                if not select.select([ours], [], [], 0.02)[0]:
                    continue
            elif not select.select([ours], [], [], _SILENCE)[0]:
                pytest.fail(f"nothing was said for {_SILENCE} seconds after: {self.sent!r}")
            try:
                more = os.read(ours, 65536)
            except OSError:  # EIO: the last of them has closed the terminal
                return
            if not more:
                return
            data += more
            self.sent = data.decode(errors="ignore")
            os.write(ours, answer(self.sent))

    def screen(self) -> list[str]:
        """The lines that are to be seen at the end. Knows what Rich's live display sends; anything else fails."""
        rows, row, column = [""], 0, 0
        for match in _SEQUENCE.finditer(self.sent):
            text, (number, code) = match.group(), (match.group(1), match.group(2))
            if code == "A":
                row -= int(number or 1)
            elif code == "K":
                assert number == "2"
                rows[row] = ""
            elif code is not None:
                assert code in "mhl", text
            elif text.startswith(("\r", "\n")):
                column = 0
                row += text.endswith("\n")
                rows += [""] * (row + 1 - len(rows))
            else:
                rows[row] = rows[row][:column].ljust(column) + text + rows[row][column + len(text) :]
                column += len(text)
        return rows[:-1] if rows[-1] == "" else rows
