"""Pure rooms open no file, socket, process or connection: an audit hook watches every unit test.

Properties run on few examples, other ones each time; `make test-long` takes many (--hypothesis-profile=thorough).
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import pytest
from hypothesis import settings

import handrail

settings.register_profile("quick", max_examples=10, deadline=None)
settings.register_profile("thorough", max_examples=1000, deadline=None)
settings.load_profile("quick")

ROOT = Path(handrail.__file__).parent
PURE = tuple(
    str(ROOT / room)
    for room in (
        *("errors.py", "facts.py", "labelled_enum.py"),
        *("migrations/", "backups/", "enums/", "lint/", "rehearsal/", "guard/", "retention/"),
    )
)
WATCHED = (
    "open", "os.", "socket.", "subprocess.", "sqlite3.", "shutil.", "tempfile.", "glob.", "pathlib.", "time.",
    "urllib.", "http.", "ftplib.", "smtplib.", "mmap.", "fcntl.", "pty.", "webbrowser.", "_thread.",
)  # fmt: skip
#: CPython's parser looks for the text of a syntax error in the file that it was told, even for a mere string.
PARSER = ("open", "<unknown>")
watching: list[list[str]] = []


def pure_frame(frame: FrameType | None) -> str | None:
    """Where in a pure room an event comes from; None for other code, and for an import on the way."""
    while frame is not None:
        name = frame.f_code.co_filename
        if name.startswith("<frozen importlib"):
            return None
        if name.startswith(PURE):
            return f"{Path(name).relative_to(ROOT)}:{frame.f_lineno}"
        frame = frame.f_back
    return None


def listen(event: str, arguments: tuple[object, ...]) -> None:
    if not watching or not event.startswith(WATCHED) or (event, *arguments[:1]) == PARSER:
        return
    place = pure_frame(sys._getframe(1))
    if place is not None:
        watching[-1].append(f"{event}{arguments!r} in {place}")


sys.addaudithook(listen)  # a hook cannot be taken away again; outside of unit tests it does nothing


@pytest.fixture(autouse=True)
def leaks() -> Iterator[list[str]]:
    """What pure rooms asked of the outside during this test; anything left in the list fails it."""
    seen: list[str] = []
    gc.freeze()  # what other tests left behind may close files and end processes when it is collected
    watching.append(seen)
    yield seen
    watching.remove(seen)
    gc.unfreeze()
    if seen:
        pytest.fail("a pure room reached outside: " + "; ".join(seen), pytrace=False)
