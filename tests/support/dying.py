"""handrail in a process that ends itself as SIGKILL would, just before its n-th change of a file or folder.

Called as a program: the number, then handrail's words. With 0 it lives, and counts its changes into the file that
HANDRAIL_COUNT names. What SQLite writes inside of a file, and what children do, is not counted."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

_CHANGES = {"os.link", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "os.chmod"}
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC


def watch(end_at: int) -> list[int]:
    """Count the changes of this process; end it before that one."""
    count, own, here = [0], os.getpid(), str(Path.cwd())

    def hear(event: str, arguments: tuple[object, ...]) -> None:
        is_change = event in _CHANGES or (event == "open" and _is_writing(arguments))
        if not is_change or os.getpid() != own or not _is_within(arguments, here):
            return
        count[0] += 1
        if count[0] == end_at:
            os.kill(own, signal.SIGKILL)

    sys.addaudithook(hear)
    return count


def _is_writing(arguments: tuple[object, ...]) -> bool:
    flags = arguments[2]
    return isinstance(flags, int) and bool(flags & _WRITING)


def _is_within(arguments: tuple[object, ...], here: str) -> bool:
    """Python's own caches are no changes of ours."""
    place = arguments[0]
    text = os.fsdecode(place) if isinstance(place, (str, bytes, Path)) else ""
    return (text.startswith(here) or not text.startswith("/")) and "__pycache__" not in text


def main() -> None:
    end_at, sys.argv[1:] = int(sys.argv[1]), sys.argv[2:]
    count = watch(end_at)
    from handrail.cli.main import run

    try:
        run()
    finally:
        if not end_at:
            Path(os.environ["HANDRAIL_COUNT"]).write_text(str(count[0]))


if __name__ == "__main__":
    main()
