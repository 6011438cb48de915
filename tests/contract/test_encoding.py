"""An artifact that is not exactly what was written is refused: every flipped byte, every cut; memory stays flat."""

from __future__ import annotations

import io
import random
import shutil
import subprocess
import sys
from typing import BinaryIO

import pyrage
import pytest
import zstandard

from handrail.backups.record import StoredArtifact
from handrail.errors import BackupError
from handrail.stores.encoding import reading, writing
from handrail.stores.keys import Identity

WAYS = ["zstd", "none", "zstd age", "none age"]
KEY = pyrage.x25519.Identity.generate()
IDENTITY = Identity("the test", (KEY,))
RECIPIENT = str(KEY.to_public())
CONTENT = b"1|Python|" + "파이썬 학습".encode() + bytes(range(256)) + b"SCHEDULED" * 40


def named(way: str) -> tuple[str, tuple[str, ...]]:
    """Compression and recipients."""
    compression, _, encryption = way.partition(" ")
    return compression, (RECIPIENT,) if encryption else ()


def encoded(content: bytes, way: str) -> tuple[bytes, StoredArtifact]:
    out = io.BytesIO()
    with writing(out, "production/1/artifact", *named(way)) as writer:
        writer.sink.write(content)
        writer.finish()
        artifact = writer.artifact()
    return out.getvalue(), artifact


def decoded(data: bytes, artifact: StoredArtifact) -> bytes:
    with reading(io.BytesIO(data), artifact, IDENTITY) as content:
        return content.read()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("content", [b"", b"x", CONTENT, random.Random(7).randbytes(3_000_000)], ids=len)
def test_round_trip(content: bytes, way: str) -> None:
    data, artifact = encoded(content, way)
    assert artifact.key == "production/1/artifact"
    assert (artifact.compression, artifact.recipients) == named(way)
    assert artifact.is_encrypted is ("age" in way)
    assert artifact.size == len(data)
    assert decoded(data, artifact) == content


def test_stored_bytes_are_plain_zstd_plain_age_or_plain() -> None:
    """Readable without handrail, by the tools zstd and age and `cat`."""
    assert zstandard.ZstdDecompressor().decompressobj().decompress(encoded(CONTENT, "zstd")[0]) == CONTENT
    assert encoded(CONTENT, "none")[0] == CONTENT
    assert pyrage.decrypt(encoded(CONTENT, "none age")[0], [KEY]) == CONTENT


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("flip", [0x01, 0x80, 0xFF])
def test_one_altered_byte_at_every_offset_is_seen(way: str, flip: int) -> None:
    data, artifact = encoded(CONTENT, way)
    for offset in range(len(data)):
        altered = bytearray(data)
        altered[offset] ^= flip
        with pytest.raises(BackupError, match="the backup file production/1/artifact is damaged") as caught:
            decoded(bytes(altered), artifact)
        assert caught.value.code == "HR520"


@pytest.mark.parametrize("way", WAYS)
def test_cut_at_every_length_is_seen(way: str) -> None:
    data, artifact = encoded(CONTENT, way)
    for length in range(len(data)):
        with pytest.raises(BackupError, match="is damaged"):
            decoded(data[:length], artifact)


@pytest.mark.parametrize("way", WAYS)
def test_anything_appended_is_seen(way: str) -> None:
    data, artifact = encoded(CONTENT, way)
    for tail in (b"\0", data):
        with pytest.raises(BackupError, match="is damaged"):
            decoded(data + tail, artifact)


@pytest.mark.parametrize("way", WAYS)
def test_a_reader_that_stops_early_still_checks_to_the_end(way: str) -> None:
    data, artifact = encoded(random.Random(7).randbytes(3_000_000), way)
    altered = data[:-1] + bytes([data[-1] ^ 1])
    with pytest.raises(BackupError, match="is damaged"), reading(io.BytesIO(altered), artifact, IDENTITY) as content:
        content.read(10)
    with reading(io.BytesIO(data), artifact, IDENTITY) as content:
        content.read(10)


@pytest.mark.parametrize("way", WAYS)
def test_who_reads_to_the_end_before_he_acts_never_acts_on_damage(way: str) -> None:
    data, artifact = encoded(CONTENT, way)
    for stored in (data[:-1] + bytes([data[-1] ^ 1]), bytes([data[0] ^ 1]) + data[1:], data[:-1], data + b"more"):
        acted = False
        with pytest.raises(BackupError, match="is damaged"), reading(io.BytesIO(stored), artifact, IDENTITY) as content:
            while content.read(100):
                pass
            acted = True
        assert not acted


class LoadFailedError(Exception):
    pass


@pytest.mark.parametrize("way", WAYS)
def test_a_load_that_fails_says_damaged_only_when_it_is_so(way: str) -> None:
    data, artifact = encoded(CONTENT, way)

    def load(stored: bytes) -> None:
        with reading(io.BytesIO(stored), artifact, IDENTITY):
            raise LoadFailedError

    with pytest.raises(LoadFailedError):
        load(data)
    with pytest.raises(BackupError, match="is damaged") as caught:
        load(data[:-1])
    assert isinstance(caught.value.__context__, LoadFailedError)


class _Narrow(io.RawIOBase):
    """A place that takes at most 7 bytes at a time, as a raw file may."""

    def __init__(self) -> None:
        self.taken = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: object, /) -> int:
        part = bytes(memoryview(data)[:7])  # type: ignore[arg-type]  # any buffer, as RawIOBase says
        self.taken += part
        return len(part)


@pytest.mark.parametrize("way", WAYS)
def test_short_writes_lose_nothing(way: str) -> None:
    from typing import cast

    out = _Narrow()
    with writing(cast("BinaryIO", out), "k", *named(way)) as writer:
        shutil.copyfileobj(io.BytesIO(CONTENT), writer.sink)
        writer.finish()
        artifact = writer.artifact()
    assert artifact.size == len(out.taken)
    assert decoded(bytes(out.taken), artifact) == CONTENT


MEASURE = """
import random, resource, sys
from pathlib import Path
import pyrage
from handrail.stores.encoding import reading, writing
from handrail.stores.keys import Identity

key = pyrage.x25519.Identity.generate()

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

def run(path, megabytes, way):
    compression, _, encryption = way.partition(" ")
    recipients = (str(key.to_public()),) if encryption else ()
    part = random.Random(7).randbytes(1 << 20)
    with path.open("wb", buffering=0) as out, writing(out, "k", compression, recipients) as writer:
        for _ in range(megabytes):
            writer.sink.write(part)
        writer.finish()
        artifact = writer.artifact()
    size = 0
    with path.open("rb", buffering=0) as source, reading(source, artifact, Identity('', (key,))) as content:
        while data := content.read(1 << 20):
            size += len(data)
    assert size == megabytes << 20

path, way = Path(sys.argv[1]), sys.argv[2]
run(path, 8, way)
before = peak()
run(path, 64, way)
print(peak() - before)
"""


@pytest.mark.parametrize("way", WAYS)
def test_memory_does_not_grow_with_the_artifact(tmp_path: object, way: str) -> None:
    command = [sys.executable, "-c", MEASURE, f"{tmp_path}/artifact", way]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert float(done.stdout) < 8, "MiB more for 64 MB than for 8 MB"
