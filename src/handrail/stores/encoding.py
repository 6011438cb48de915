"""How an artifact is encoded on its way into a store and out of it: zstd, and BLAKE3 over the stored bytes.

The digest covers what lies in the store, so that any flipped byte or cut is seen without decompressing; zstd adds a
checksum of the content. Both work in chunks: memory does not grow with the artifact.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, BinaryIO, cast

import zstandard
from blake3 import blake3

from handrail.backups.record import StoredArtifact
from handrail.errors import BackupError

if TYPE_CHECKING:
    from typing_extensions import Buffer

CHUNK = 1 << 20
_LEVEL = 1
_THREADS = 2


class _HashingWriter(io.RawIOBase):
    """Passes bytes on, counting and digesting them."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self._digest = blake3()
        self.size = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Buffer, /) -> int:
        view = memoryview(data).cast("B")
        self._digest.update(view)
        written = 0
        while written < len(view):
            written += self._out.write(view[written:])
        self.size += len(view)
        return len(view)

    def hexdigest(self) -> str:
        return self._digest.hexdigest()


class ArtifactWriter:
    """A sink for a dump: write to `sink`, `finish`, then `artifact` says what was stored."""

    def __init__(self, sink: BinaryIO, hashing: _HashingWriter, key: str, compression: str) -> None:
        self.sink = sink
        self._hashing = hashing
        self._key = key
        self._compression = compression

    def finish(self) -> None:
        """Write what the compressor still holds; nothing can be written to `sink` afterwards."""
        self.sink.close()

    def artifact(self) -> StoredArtifact:
        return StoredArtifact(self._key, self._hashing.size, self._hashing.hexdigest(), self._compression)


@contextmanager
def writing(out: BinaryIO, key: str, compression: str) -> Iterator[ArtifactWriter]:
    """Encode what is written to `.sink` into `out`. `compression` is "zstd" or "none"."""
    hashing = _HashingWriter(out)
    if compression == "none":
        yield ArtifactWriter(cast("BinaryIO", hashing), hashing, key, compression)
        return
    compressor = zstandard.ZstdCompressor(level=_LEVEL, threads=_THREADS, write_checksum=True)
    with closing(compressor.stream_writer(cast("BinaryIO", hashing), closefd=False)) as sink:
        yield ArtifactWriter(cast("BinaryIO", sink), hashing, key, compression)


class _CheckingReader(io.RawIOBase):
    """Reads the stored bytes, digesting them; `check` says whether they are what the manifest says."""

    def __init__(self, source: BinaryIO, artifact: StoredArtifact) -> None:
        self._source = source
        self._artifact = artifact
        self._digest = blake3()
        self._size = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer, /) -> int:
        view = memoryview(buffer).cast("B")
        data = self._source.read(len(view))
        view[: len(data)] = data
        self._digest.update(data)
        self._size += len(data)
        return len(data)

    def drain_and_check(self) -> None:
        while self.read(CHUNK):
            pass
        artifact = self._artifact
        if (self._size, self._digest.hexdigest()) != (artifact.size, artifact.digest):
            raise damaged(artifact, f"{self._size} bytes were read, {artifact.size} were written, or some differ")


def damaged(artifact: StoredArtifact, why: str) -> BackupError:
    return BackupError(
        f"the backup file {artifact.key} is damaged",
        why=why,
        hint="choose another backup (handrail backup list); make a new one with handrail backup create",
        code="HR520",
    )


class _WholeReader(io.RawIOBase):
    """Says that the content has ended only when the stored bytes are known to be whole: whoever reads to the end before
    he acts never acts on damaged content."""

    def __init__(self, content: BinaryIO, checking: _CheckingReader) -> None:
        self._content = content
        self._checking = checking

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer, /) -> int:
        view = memoryview(buffer).cast("B")
        data = self._content.read(len(view))
        if not data and len(view):
            self._checking.drain_and_check()
        view[: len(data)] = data
        return len(data)


def check(source: BinaryIO, artifact: StoredArtifact) -> None:
    """Read the stored bytes to their end; BackupError when they are not what was written."""
    _CheckingReader(source, artifact).drain_and_check()


@contextmanager
def reading(source: BinaryIO, artifact: StoredArtifact) -> Iterator[BinaryIO]:
    """The decoded content of an artifact. Before its end is told, and when the block ends, the stored bytes have been
    read to their end and their digest compared; BackupError when they are not what was written."""
    checking = _CheckingReader(source, artifact)
    try:
        if artifact.compression == "none":
            yield cast("BinaryIO", _WholeReader(cast("BinaryIO", checking), checking))
        else:
            decompressor = zstandard.ZstdDecompressor()
            with decompressor.stream_reader(cast("BinaryIO", checking), read_size=CHUNK, closefd=False) as content:
                yield cast("BinaryIO", _WholeReader(cast("BinaryIO", content), checking))
    except zstandard.ZstdError as error:
        raise damaged(artifact, f"zstd: {error}") from error
    except Exception:
        # Content that cannot be used is most often a damaged file: say that first when it is so.
        checking.drain_and_check()
        raise
    checking.drain_and_check()
