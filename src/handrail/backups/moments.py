"""Moments that can be restored: how they are written, which of them an archive holds, and how late an archive is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from handrail.amounts import span
from handrail.errors import BackupError, UsageError

_EXAMPLE = "2026-11-28T10:00:00Z"


class ArchiveError(BackupError):
    """The archive cannot be read or restored from. The live database is untouched."""

    code = "HR560"


@dataclass(frozen=True, slots=True)
class Window:
    """Which moments can be restored, both aware and in UTC. `newest` is the last that has arrived in the archive: what
    was committed after it is not there."""

    oldest: datetime
    newest: datetime

    def __str__(self) -> str:
        return f"{written(self.oldest)} to {written(self.newest)}"


@dataclass(frozen=True, slots=True)
class ArchiveState:
    """What is known about an archive. `window` is None when nothing can be restored.

    `behind` is how old, in seconds, the oldest change is that is not in the archive: what would be lost now; 0 when
    everything has arrived, None when that cannot be told. `problems` tell in words what is wrong, `remarks` what is
    only good to know.
    """

    tool: str
    release: str
    place: str
    window: Window | None = None
    behind: float | None = None
    size: int | None = None
    problems: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()

    def faults(self, max_lag: float) -> Iterator[str]:
        """Everything that somebody has to look at, in words; nothing for a sound archive."""
        yield from self.problems
        if self.window is None and not self.problems:
            yield f"nothing can be restored from {self.place} yet"
        if self.behind is not None and self.behind > max_lag:
            yield f"the archive is {span(self.behind)} behind the database, over {span(max_lag)}"


def written(moment: datetime) -> str:
    """A moment as people read it and `read_moment` takes it: 2026-11-28T10:00:00Z, in milliseconds if need be."""
    text = moment.astimezone(UTC).isoformat(timespec="milliseconds" if moment.microsecond >= 1000 else "seconds")
    return text.replace("+00:00", "Z")


def read_moment(text: str) -> datetime:
    """A moment with its zone, in UTC. UsageError for what is no time, or leaves open of which zone it is."""
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise UsageError(
            f"{text!r} is not a time",
            why="it is not written as ISO 8601",
            hint=f"write it like {_EXAMPLE}",
            code="HR563",
        ) from None
    if moment.tzinfo is None:
        given = text.strip().replace(" ", "T")
        raise UsageError(
            f"{text!r} does not say of which time zone it is",
            why="a guess could restore another hour than the one that is meant",
            hint=f"write {given}Z for UTC, or add the offset: {given}+01:00",
            code="HR563",
        )
    return moment.astimezone(UTC)


def require_within(moment: datetime | None, state: ArchiveState) -> None:
    """ArchiveError when the archive does not hold the moment, naming those that it holds. None: the newest."""
    if state.window is None:
        raise ArchiveError(
            f"nothing can be restored from {state.place}",
            why="; ".join(state.problems) or "nothing has arrived there yet",
            hint="handrail archive status",
            code="HR562",
        )
    if moment is not None and not state.window.oldest <= moment <= state.window.newest:
        is_early = moment < state.window.oldest
        edge = state.window.oldest if is_early else state.window.newest
        raise ArchiveError(
            f"{written(moment)} cannot be restored",
            why=f"{state.place} holds {state.window}",
            hint=f"the {'first' if is_early else 'last'} moment there is: --to-time {written(edge)}",
            code="HR561",
        )
