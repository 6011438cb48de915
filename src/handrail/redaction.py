"""Keeps passwords out of texts that others wrote: output of commands, commands as they were given."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

_IN_URL: Final = re.compile(r"://([^/\s:@]*):[^/\s@]*@")
#: Escape sequences of terminals, and what else moves a cursor. A tab stays.
_CONTROL: Final = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07]*\x07|[\x00-\x08\x0b-\x1f\x7f]")
#: A shorter secret would take pieces out of plain words.
_LEAST: Final = 4


def redacted(text: str, secrets: Iterable[str] = ()) -> str:
    """The text with the passwords of its URLs, and each of `secrets`, as "***"."""
    for secret in sorted({one for one in secrets if len(one) >= _LEAST}, key=len, reverse=True):
        text = text.replace(secret, "***")
    return _IN_URL.sub(r"://\1:***@", text)


def printable(line: str) -> str:
    """A line that a program wrote for a terminal, without what would move the cursor or change colours. Of a line that
    was overwritten (a progress bar) what stood there last."""
    return _CONTROL.sub("", line.rstrip("\r").rpartition("\r")[2]).rstrip()
