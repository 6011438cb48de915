"""How an artifact is encoded on its way into a store and out of it: zstd, then age, and BLAKE3 over the stored bytes.

The digest covers what lies in the store, so that any flipped byte or cut is seen without key and decompressing; zstd
adds a checksum of the content. All work in chunks: memory does not grow with the artifact.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, BinaryIO, cast

import zstandard
from blake3 import blake3

from handrail.backups.record import StoredArtifact
from handrail.errors import BackupError
from handrail.stores.keys import Identity, missing_identity

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

    def __init__(self, sink: BinaryIO, layers: Sequence[BinaryIO], artifact: Callable[[], StoredArtifact]) -> None:
        self.sink = sink
        self.artifact = artifact
        self._layers = layers

    def finish(self) -> None:
        """Write what compressor and encryption still hold; nothing can be written to `sink` afterwards."""
        for layer in self._layers:
            layer.close()


@contextmanager
def writing(out: BinaryIO, key: str, compression: str, recipients: Sequence[str] = ()) -> Iterator[ArtifactWriter]:
    """Encode what is written to `.sink` into `out`. `compression` is "zstd" or "none"; without recipients nothing is
    encrypted."""
    hashing = _HashingWriter(out)

    def artifact() -> StoredArtifact:
        stored = StoredArtifact(key, hashing.size, hashing.hexdigest(), compression)
        return replace(stored, encryption="age", recipients=tuple(recipients)) if recipients else stored

    with (
        _encrypted(cast("BinaryIO", hashing), recipients) as encrypted,
        _compressed(encrypted, compression) as sink,
    ):
        layers = [layer for layer in (sink, encrypted) if layer is not cast("BinaryIO", hashing)]
        yield ArtifactWriter(sink, layers, artifact)


@contextmanager
def _encrypted(out: BinaryIO, recipients: Sequence[str]) -> Iterator[BinaryIO]:
    if not recipients:
        yield out
        return
    from handrail.stores.age import encrypting

    with encrypting(out, recipients) as sink:
        yield sink


@contextmanager
def _compressed(out: BinaryIO, compression: str) -> Iterator[BinaryIO]:
    if compression == "none":
        yield out
        return
    compressor = zstandard.ZstdCompressor(level=_LEVEL, threads=_THREADS, write_checksum=True)
    with closing(compressor.stream_writer(out, closefd=False)) as sink:
        yield cast("BinaryIO", sink)


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
        piece = bytearray(CHUNK)  # one for all: read() makes two for each piece
        while self.readinto(piece):
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

    def __init__(self, content: BinaryIO, settle: Callable[[], None]) -> None:
        self._content = content
        self._settle = settle

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer, /) -> int:
        view = memoryview(buffer).cast("B")
        data = self._content.read(len(view))
        if not data and len(view):
            self._settle()
        view[: len(data)] = data
        return len(data)


def check(source: BinaryIO, artifact: StoredArtifact) -> None:
    """Read the stored bytes to their end; BackupError when they are not what was written. Needs no key."""
    _CheckingReader(source, artifact).drain_and_check()


@contextmanager
def reading(source: BinaryIO, artifact: StoredArtifact, identity: Identity | None = None) -> Iterator[BinaryIO]:
    """The decoded content of an artifact; an encrypted one needs an identity. Before its end is told, and when the
    block ends, the stored bytes have been read to their end and their digest compared; BackupError when they are not
    what was written, KeyUnusable when they are and the identity does not open them."""
    checking = _CheckingReader(source, artifact)
    try:
        with (
            _decrypted(cast("BinaryIO", checking), artifact, identity) as stored,
            _decompressed(stored, artifact) as content,
        ):

            def settle() -> None:
                while stored.read(CHUNK):  # what decrypts in another thread must have ended before
                    pass
                checking.drain_and_check()

            yield cast("BinaryIO", _WholeReader(content, settle))
    except zstandard.ZstdError as error:
        raise damaged(artifact, f"zstd: {error}") from error
    except Exception:
        # Content that cannot be used is most often a damaged file: say that first when it is so.
        checking.drain_and_check()
        raise
    checking.drain_and_check()


@contextmanager
def _decrypted(stored: BinaryIO, artifact: StoredArtifact, identity: Identity | None) -> Iterator[BinaryIO]:
    if not artifact.is_encrypted:
        yield stored
        return
    from handrail.stores.age import decrypting

    if identity is None:
        raise missing_identity()
    with decrypting(stored, identity, artifact.key) as plain:
        yield plain


@contextmanager
def _decompressed(stored: BinaryIO, artifact: StoredArtifact) -> Iterator[BinaryIO]:
    if artifact.compression == "none":
        yield stored
        return
    with zstandard.ZstdDecompressor().stream_reader(stored, read_size=CHUNK, closefd=False) as content:
        yield cast("BinaryIO", content)
