"""A program in a process group of its own, so that it can be ended together with all that it started."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO


@contextmanager
def program(
    words: Sequence[str], folder: Path, variables: Mapping[str, str], output: IO[bytes], *, grace: float = 0.0
) -> Iterator[subprocess.Popen[bytes]]:
    """Run `words` in `folder`; `variables` are added to the environment. What is still running at the block's end is
    asked to end, and killed `grace` seconds later. A program that has ended by itself may leave others behind.

    `output` is a file: a pipe that a grandchild keeps open could hold us beyond every deadline, and would break that
    grandchild when we are gone. Raises OSError when it cannot be started."""
    child = subprocess.Popen(
        words,
        cwd=folder,
        env={**os.environ, **variables},
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        start_new_session=True,
    )
    try:
        yield child
    finally:
        if child.poll() is None:
            _end(child, grace)


#: What a program gets that is asked to end.
_GRACE = 5.0


@contextmanager
def ended_with(child: subprocess.Popen[bytes]) -> Iterator[None]:
    """When the block fails, ask the program to end, and kill it when it takes long. Asked, those of PostgreSQL also
    end the processes that they work with in parallel, and what the server does for them; killed, they leave both."""
    try:
        yield
    except BaseException:
        child.terminate()
        with suppress(subprocess.TimeoutExpired):
            child.wait(_GRACE)
        child.kill()
        raise


def _end(child: subprocess.Popen[bytes], grace: float) -> None:
    if grace:
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            child.wait(timeout=grace)
    # Also when the program itself has ended: its children had the same time.
    with suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()
