"""WAL segments: their names in order, and what is in one, read by the server's own pg_waldump."""

from __future__ import annotations

import itertools
import re
import subprocess
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from handrail.databases.postgres.binaries import ServerBinaries
from handrail.errors import BackupError

#: How large a segment is where initdb was not told otherwise.
SEGMENT_BYTES = 16 << 20
_SECONDS = 300
_NAME = re.compile(r"[0-9A-F]{24}")
_RECORD = re.compile(r"lsn: ([0-9A-F]+/[0-9A-F]+), ")
_ENDED = re.compile(r", desc: (?:COMMIT|ABORT|COMMIT_PREPARED|ABORT_PREPARED) (?:\d+: )?(\S+ \S+) UTC")
_STOPPED = re.compile(r"at ([0-9A-F]+/[0-9A-F]+)")


@dataclass(frozen=True, slots=True)
class Segment:
    """What is in a segment, up to where it can be read.

    `last` is where its last record begins, None when there is none; `end` where the next one would, None when that is
    not known. `ended` is when its last transaction ended, in UTC. `stopped` holds pg_waldump's words when it could not
    read on: in the newest segment the ordinary end, in any other one damage."""

    last: int | None = None
    end: int | None = None
    ended: datetime | None = None
    stopped: str = ""


def position(lsn: str) -> int:
    """0/B000028 as a number."""
    high, _, low = lsn.partition("/")
    return (int(high, 16) << 32) + int(low, 16)


def is_segment(name: str) -> bool:
    return _NAME.fullmatch(name) is not None


def start(name: str, size: int = SEGMENT_BYTES) -> int:
    """The position at which a segment begins."""
    return (int(name[8:16], 16) << 32) + int(name[16:], 16) * size


def named(at: int, timeline: str, size: int = SEGMENT_BYTES) -> str:
    """The segment that a position is in; `timeline` is the first eight letters of a segment's name."""
    return f"{timeline[:8]}{at >> 32:08X}{(at & 0xFFFFFFFF) // size:08X}"


def following(name: str, size: int = SEGMENT_BYTES) -> str:
    """The segment after this one, on the same timeline."""
    return named(start(name, size) + size, name, size)


def segment_bytes(name: str, at: int) -> int:
    """How large segments are of which `name` begins at the position `at`; initdb has powers of two megabytes."""
    sizes = (SEGMENT_BYTES, *(1 << power for power in range(20, 31)))
    return next((size for size in sizes if start(name, size) == at), SEGMENT_BYTES)


def gaps(names: Iterable[str], size: int = SEGMENT_BYTES) -> tuple[str, ...]:
    """The first segment of every gap between these, in order. Timelines begin where the one before was left."""
    ordered = sorted({start(name, size): name for name in names}.items())
    return tuple(following(name, size) for (at, name), (then, _) in itertools.pairwise(ordered) if then != at + size)


def read(binaries: ServerBinaries, path: Path) -> Segment:
    """Read a segment to its end, every record against its checksum. BackupError when pg_waldump cannot be run."""
    program = binaries.bin_dir / "pg_waldump"
    command = [str(program), f"--path={path.parent}", path.name, path.name]
    last, ended = None, None
    try:
        with (
            tempfile.TemporaryFile() as errors,
            subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=errors, env={"TZ": "UTC", "LC_ALL": "C"}, text=True
            ) as process,
        ):
            assert process.stdout is not None  # noqa: S101 - a pipe was asked for
            for line in process.stdout:
                found = _RECORD.search(line)
                last = found[1] if found else last
                when = _ENDED.search(line)
                ended = when[1] if when else ended
            process.wait(_SECONDS)
            errors.seek(0)
            said = " ".join(errors.read().decode(errors="replace").split())
    except OSError as error:
        raise BackupError(
            f"{program} cannot be run.",
            why=error.strerror or str(error),
            hint=f"apt-get install postgresql-{binaries.version}",
        ) from error
    return _seen(last, ended, said, path)


def _seen(last: str | None, ended: str | None, said: str, path: Path) -> Segment:
    size = path.stat().st_size
    moment = datetime.fromisoformat(ended).replace(tzinfo=UTC) if ended else None
    at = None if last is None else position(last)
    if not said:
        return Segment(at, start(path.name, size) + size, moment)
    stops = _STOPPED.findall(said)
    return Segment(at, position(stops[-1]) if stops else None, moment, said)
