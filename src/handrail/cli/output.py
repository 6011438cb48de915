"""Where everything that a person reads passes: results on stdout, progress on stderr, one JSON document with --json."""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from enum import Enum
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from handrail.cli.display import Display
from handrail.errors import HandrailError

if TYPE_CHECKING:
    from rich.console import Console

    from handrail.workflows.run import Progress

SCHEMA_VERSION = 1
_SIGNS = {"started": "…", "detail": " ", "done": "✓", "failed": "✗", "warning": "!"}
_STYLES = {"done": "green", "failed": "bold red", "warning": "yellow", "detail": "dim", "started": "dim"}


@dataclasses.dataclass(frozen=True, slots=True)
class Failure:
    """What happened, why, what to type next. `code` names the message; the process exits with `exit_code`."""

    code: str
    exit_code: int
    message: str
    why: str
    hint: str


def to_plain(value: object) -> Any:
    """A value of ours as JSON's types: dataclasses become objects, aware times ISO text, tuples and sets lists."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = (f for f in dataclasses.fields(value) if f.repr)  # a field kept out of repr is a secret
        return {f.name: to_plain(getattr(value, f.name)) for f in fields}
    if isinstance(value, Mapping):
        return {str(key): to_plain(item) for key, item in value.items()}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, list | tuple):
        return [to_plain(item) for item in value]
    if isinstance(value, frozenset | set):
        return sorted(to_plain(item) for item in value)
    return str(value) if isinstance(value, Path) else value


class Output:
    """One call's voice. `as_json` puts exactly one document on stdout; progress stays on stderr either way."""

    def __init__(self, command: str, *, as_json: bool) -> None:
        self.command = command
        self.as_json = as_json
        self._err: Console | None = None
        self._making = Lock()
        self._result: dict[str, object] = {}
        self.display = Display(self._console, is_live=sys.stderr.isatty() and os.environ.get("TERM") != "dumb")

    def lines(self, *texts: str) -> None:
        """Result lines for people; nothing with --json."""
        self.display.end()
        if not self.as_json:
            _print("".join(f"{text}\n" for text in texts))

    def warnings(self, texts: Sequence[str]) -> None:
        """Result lines that tell what to look at although the call succeeded."""
        self.lines(*(f"warning: {text}" for text in texts))

    def table(self, headings: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
        """A result table: aligned columns, plain text, the same on a terminal and in a pipe."""
        widths = [max(width_of(cell) for cell in column) for column in zip(headings, *rows, strict=True)]
        for row in (headings, *rows):
            padded = (f"{cell}{' ' * (width - width_of(cell))}" for cell, width in zip(row, widths, strict=True))
            self.lines("  ".join(padded).rstrip())

    def document(self, body: object) -> None:
        """The result, for `finish` or `error` to print as JSON."""
        self._result = {"result": to_plain(body)} if self.as_json else {}

    def finish(self) -> None:
        """Print the document of a call that succeeded, with --json only."""
        if self._result:
            self._write(self._result)

    def _write(self, body: Mapping[str, object]) -> None:
        whole = {"version": SCHEMA_VERSION, "command": self.command, **body}
        _print(json.dumps(whole, ensure_ascii=False, indent=2) + "\n")

    def progress(self, event: Progress) -> None:
        """One event of a run: a line each in a pipe; on a terminal what is passing is shown only while it lasts."""
        match event.state:
            case "started" | "waiting":
                self.display.begin(event.step, event.text)
            case "detail" | "moving":
                self.display.move(event.step, event.text, event.amount)
            case "done" | "failed" | "waited":
                self.display.end()
        is_passing = event.state == "started" or (event.state == "detail" and event.step == self.display.step)
        if event.state in _SIGNS and not (is_passing and self.display.is_live):
            text = f"{_SIGNS[event.state]} {event.step:<12} {self._hanging(event.text, 15)}"
            self._say(text, style=_STYLES[event.state])

    def at_once(self, text: str) -> None:
        """A line on stderr from a signal handler, which may have come in the midst of any other line of ours."""
        with suppress(OSError):
            os.write(2, f"\n! {text}\n".encode())

    def _hanging(self, text: str, indent: int) -> str:
        """Wrapped for a terminal, every further line below the first; in a pipe as it is."""
        console = self._console()
        if not self.display.is_live or console.width < 2 * indent:
            return text
        from rich.text import Text

        lines = Text(text).wrap(console, console.width - indent)
        return f"\n{' ' * indent}".join(line.plain.rstrip() for line in lines)

    def error(self, error: HandrailError) -> None:
        """What happened, why, what to type next; the document holds the result too, where there was one already."""
        if self.as_json:
            failure = Failure(error.code, int(error.exit_code), error.message, error.why, error.hint)
            self._write({**self._result, "error": to_plain(failure)})
        self.display.end()
        self._say(f"{error.code} {error.message}", style="bold red")
        for label, text in (("why", error.why), ("next", error.hint)):
            if text:
                self._say(f"  {label}: {text}")

    def _say(self, text: str, style: str = "") -> None:
        """Write to stderr. As `_print`, it does not fail when nobody reads it: a run that is being brought back must
        not end for that. (Rich turns a broken pipe into SystemExit.)"""
        try:
            self._console().print(text, style=style, highlight=False, markup=False, soft_wrap=True)
        except (OSError, SystemExit):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())

    def _console(self) -> Console:
        with self._making:  # the live line is drawn by a thread of its own
            if self._err is None:
                from rich.console import Console

                self._err = Console(stderr=True, force_terminal=None if sys.stderr.isatty() else False)
            return self._err


def _print(text: str) -> None:
    """Write to stdout. When whoever reads it has gone (`| head`), the rest goes nowhere: how the call ends does not
    depend on it."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def width_of(text: str) -> int:
    """How many places of a terminal a text takes: signs of East Asia take two."""
    from unicodedata import east_asian_width

    return sum(2 if east_asian_width(sign) in "WF" else 1 for sign in text)
