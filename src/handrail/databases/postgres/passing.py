"""Passing a base backup on: its manifest is picked on the way, and digests keep clear of its beginning and end."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import BinaryIO, Generic, TypeVar

from handrail.databases.postgres.dump import copy

_BLOCK = 512
#: What is left of a backup when it waits for the digests: more than lies in pipes and sockets on the way.
_LAST = 32 << 20
_LONGEST_WAIT = 30.0
_Seen = TypeVar("_Seen")


class FileInTar:
    """Collects the content of one file of a tar that passes in pieces. Nothing of the others is copied, as tarfile
    would do. What is no tar holds no file: the program that wrote it says what is wrong."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._header = bytearray()
        self._left = 0
        self._wanted = 0
        self._found = bytearray()

    @property
    def content(self) -> bytes:
        """b"" when the file was not there, or was cut."""
        return b"" if self._wanted else bytes(self._found)

    def feed(self, piece: bytes) -> None:
        view = memoryview(piece)
        while view:
            if self._left:
                step = min(self._left, len(view))
                taken = view[: min(self._wanted, step)]
                self._found += taken
                self._wanted -= len(taken)
                self._left -= step
            else:
                step = min(_BLOCK - len(self._header), len(view))
                self._header += view[:step]
                if len(self._header) == _BLOCK:
                    self._begin(bytes(self._header))
                    self._header.clear()
            view = view[step:]

    def _begin(self, header: bytes) -> None:
        """An entry, whose content is filled up to whole blocks."""
        try:
            entry = tarfile.TarInfo.frombuf(header, "utf-8", "surrogateescape")
        except tarfile.TarError:  # its end, or no tar
            self._left = sys.maxsize
            return
        size = entry.size if entry.isreg() else 0
        self._left = -(-size // _BLOCK) * _BLOCK
        if entry.name == self._name:
            self._wanted = size


class Beside(Generic[_Seen]):
    """Digests beside a copy of about `total` bytes: they begin with its first bytes, and its last wait for them.

    The server begins a backup with a checkpoint and ends it by filling its WAL segment up, for which every writer
    waits; this takes longer while sessions of ours keep processors busy. But the copy never waits longer than it has
    taken so far, nor 30 s: the server need not keep the WAL that belongs to it."""

    def __init__(self, thread: ThreadPoolExecutor, see: Callable[[], _Seen], total: int) -> None:
        self._thread, self._see = thread, see
        self._until_wait = max(0, total - _LAST)
        self._seeing: Future[_Seen] | None = None
        self._began = 0.0
        self._passed = 0

    def passing(self, size: int) -> None:
        """To be called for each piece. Raises what made the digests fail, before gigabytes are written for nothing."""
        if self._seeing is None:
            self._seeing, self._began = self._thread.submit(self._see), time.monotonic()
        before, self._passed = self._passed, self._passed + size
        if self._seeing.done():
            self._seeing.result()
        elif before <= self._until_wait < self._passed:
            with suppress(TimeoutError):
                self._seeing.result(min(time.monotonic() - self._began, _LONGEST_WAIT))

    def result(self) -> _Seen:
        """Wait for the digests."""
        return (self._seeing or self._thread.submit(self._see)).result()


def pass_on(process: subprocess.Popen[bytes], out: BinaryIO, manifest: str, heard: Callable[[int], object]) -> bytes:
    """Write on the tar that a program writes, `heard` told before each piece; the content of its manifest, b"" when it
    holds none."""
    found = FileInTar(manifest)

    def each(piece: bytes) -> None:
        heard(len(piece))
        found.feed(piece)

    copy(process, out, each)
    return found.content
