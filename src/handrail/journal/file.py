"""A journal in a folder: one file of JSON lines per run, each line flushed to the disk before `append` returns."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from handrail.journal.journal import EventKind, JournalError, JournalEvent, JournalledRun


class FileJournal:
    """Files `<run id>.jsonl` below `folder` (0700, files 0600)."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def append(self, event: JournalEvent) -> None:
        line = json.dumps(
            {
                "run": event.run_id,
                "at": event.at.isoformat(),
                "kind": event.kind.value,
                "step": event.step,
                "data": dict(event.data),
            },
            ensure_ascii=False,
        )
        path = self._path(event.run_id)
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            _append_line(path, f"{line}\n".encode(errors="backslashreplace"))
        except OSError as error:
            raise _unwritable(path, error) from error

    def runs(self) -> tuple[JournalledRun, ...]:
        runs = []
        for path in sorted(self._folder.glob("*.jsonl")):
            events = tuple(_events(path))
            if events:
                runs.append(JournalledRun(path.stem, events))
        return tuple(sorted(runs, key=lambda run: run.started.at))

    def open_runs(self) -> tuple[JournalledRun, ...]:
        return tuple(run for run in self.runs() if run.is_open)

    @contextmanager
    def held(self, run_id: str) -> Iterator[None]:
        """By a lock on the run's file, which is empty when the run has not begun. Where the file system has no locks,
        nobody is seen to hold it."""
        path = self._path(run_id)
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise _unwritable(path, error) from error
        try:
            with suppress(OSError):
                fcntl.flock(descriptor, fcntl.LOCK_EX)  # who asks whether it is held shares it for an instant
            yield
        finally:
            os.close(descriptor)

    def is_held(self, run_id: str) -> bool:
        try:
            with self._path(run_id).open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False

    def _path(self, run_id: str) -> Path:
        return self._folder / f"{run_id}.jsonl"


def _unwritable(path: Path, error: OSError) -> JournalError:
    return JournalError(
        f"the journal {path} cannot be written",
        why=error.strerror or str(error),
        hint="a run without a journal could not be recovered: make room or rights there and try again",
    )


def _append_line(path: Path, line: bytes) -> None:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        whole = _cut_torn_line(descriptor)
        is_new = whole == 0  # made by `held`, it may not be in its folder after a power cut
        try:
            rest = memoryview(line)
            while rest:
                rest = rest[os.write(descriptor, rest) :]
            os.fsync(descriptor)
        except OSError:
            with suppress(OSError):
                os.ftruncate(descriptor, whole)  # an event that was not acknowledged must not be read later
            raise
    finally:
        os.close(descriptor)
    if is_new:
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _cut_torn_line(descriptor: int) -> int:
    """Cut what follows the last whole line, so that the next one does not continue it; the size that remains."""
    size = os.fstat(descriptor).st_size
    if size == 0 or os.pread(descriptor, 1, size - 1) == b"\n":
        return size
    whole = os.pread(descriptor, size, 0).rfind(b"\n") + 1
    os.ftruncate(descriptor, whole)
    return whole


def _events(path: Path) -> Iterator[JournalEvent]:
    try:
        *lines, _torn = path.read_bytes().split(b"\n")  # what follows the last newline was never acknowledged
    except OSError as error:
        raise JournalError(f"the journal {path} cannot be read", why=error.strerror or str(error)) from error
    for number, line in enumerate(lines, 1):
        try:
            raw = json.loads(line)
            at = datetime.fromisoformat(raw["at"])
            yield JournalEvent(raw["run"], at, EventKind(raw["kind"]), raw["step"], raw["data"])
        except (ValueError, KeyError, TypeError) as error:
            raise JournalError(
                f"line {number} of the journal {path} cannot be read",
                why="it was altered, or written by another handrail",
                hint="find out what that run did to the database, then move the file away",
            ) from error
