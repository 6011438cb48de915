"""Signals that ask this process to end: raised once, as an exception, and never while something is being undone."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from handrail.errors import ExitCode, Interruption

_MEANINGS = {
    "SIGINT": ("cancelled", ExitCode.CANCELLED),
    "SIGTERM": ("ended by SIGTERM", ExitCode.TERMINATED),
    "SIGHUP": ("ended by SIGHUP", ExitCode.HUNG_UP),
}
_ENDING = "what is under way is brought to its end first; kill -9 ends at once, and needs handrail recover"
#: What the innermost `shielded` or `answerable` block says. Signals are the process's, and so is this.
_is_shielded: list[bool] = []


@contextmanager
def heard(tell: Callable[[str], None]) -> Iterator[None]:
    """Within the block such a signal raises Interruption in the main thread. While one is being dealt with already, or
    within `shielded`, it changes nothing, and `tell` gets a line that says so.

    What was ignored before stays ignored (nohup). Outside of the main thread, where Python hears no signal, nothing
    is changed."""
    terminals = tuple(descriptor for descriptor in (1, 2) if os.isatty(descriptor))

    def hear(number: int, _frame: FrameType | None) -> None:
        name = signal.Signals(number).name
        if name == "SIGHUP":
            _leave(terminals)
        if _is_shielded[-1] if _is_shielded else _is_ending():
            tell(f"{name} was heard: {_ENDING}")
        else:
            raise Interruption(*_MEANINGS[name])

    before = {}
    try:
        if threading.current_thread() is threading.main_thread():
            for number in _to_hear():
                before[number] = signal.signal(number, hear)
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def shielded() -> Iterator[None]:
    """Within the block nothing is interrupted: what is being undone would be neither old nor new."""
    with _saying(True):
        yield


@contextmanager
def answerable() -> Iterator[None]:
    """Within the block, where a person is asked, they are raised whatever is under way: that is an answer, too."""
    with _saying(False):
        yield


@contextmanager
def _saying(is_shielded: bool) -> Iterator[None]:
    _is_shielded.append(is_shielded)
    try:
        yield
    finally:
        _is_shielded.pop()


def _to_hear() -> list[signal.Signals]:
    """Those that exist here and that nobody has had ignored, or given a handler that Python does not know."""
    known = [signal.Signals.__members__[name] for name in _MEANINGS if name in signal.Signals.__members__]
    return [number for number in known if signal.getsignal(number) not in (signal.SIG_IGN, None)]


def _is_ending() -> bool:
    """Whether an Interruption is being handled in this thread: blocks are being left, or a run is brought back."""
    error = sys.exception()
    while error is not None and not isinstance(error, Interruption):
        error = error.__context__
    return error is not None


def _leave(terminals: tuple[int, ...]) -> None:
    """What is still to be said to a terminal that was closed goes nowhere: writing there fails, which must not be what
    ends the bringing back."""
    for descriptor in terminals:
        if not os.isatty(descriptor):
            with suppress(OSError):
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, descriptor)
                os.close(nowhere)
