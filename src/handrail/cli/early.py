"""The fork server of a call, begun before all else is imported: it imports for longer than the rest takes."""

from __future__ import annotations

import sys
from contextlib import suppress

from handrail.migrator.forkserver import ForkServer

_begun: list[ForkServer] = []


def begin() -> None:
    """Begin it now, for `fork_server` to give; one that nobody asks for ends with this process. What fails here fails
    again where it is asked for, and is told there."""
    with suppress(OSError):
        if (server := _new()) is not None:
            _begun.append(server)


def fork_server() -> ForkServer | None:
    """The one that was begun, else a new one; None where processes are not forked."""
    return _begun.pop() if _begun else _new()


def _new() -> ForkServer | None:
    return ForkServer() if sys.platform == "linux" else None
