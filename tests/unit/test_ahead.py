"""Reading ahead gives the same bytes, the same end and the same errors as reading."""

from __future__ import annotations

import io
import tarfile
import threading
from contextlib import AbstractContextManager
from typing import BinaryIO, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handrail.databases.ahead import PIECE, ahead, tar_ahead

_LARGE = bytes(range(256)) * (2 * PIECE // 256) + b"the end"


class _Source(io.RawIOBase):
    """Gives what it holds in pieces of `step` bytes, then an error when there is one; counts its reads."""

    def __init__(self, content: bytes, step: int, error: Exception | None = None) -> None:
        self._content, self._step, self._error = io.BytesIO(content), step, error
        self.reads = 0

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        self.reads += 1
        data = self._content.read(min(size, self._step))
        if not data and self._error is not None:
            raise self._error
        return data


def _ahead(source: _Source) -> AbstractContextManager[BinaryIO]:
    return ahead(cast("BinaryIO", source))


@given(content=st.binary(max_size=2000), step=st.integers(1, 700), size=st.integers(1, 900))
def test_the_same_bytes_are_read(content: bytes, step: int, size: int) -> None:
    found = []
    with _ahead(_Source(content, step)) as reader:
        while data := reader.read(size):
            found.append(data)
        assert reader.read(size) == b""
    assert b"".join(found) == content


def test_pieces_are_not_mixed_up() -> None:
    with _ahead(_Source(_LARGE, PIECE // 3)) as reader:
        assert reader.read(-1) == _LARGE


def test_an_error_comes_where_the_source_had_it() -> None:
    with _ahead(_Source(_LARGE, PIECE, OSError("torn"))) as reader:
        assert reader.read(PIECE) + reader.read(PIECE) == _LARGE[: 2 * PIECE]
        for _ in range(2):
            with pytest.raises(OSError, match=r"^torn$"):
                reader.read(PIECE)


def test_a_block_that_is_left_early_keeps_its_own_error_and_stops_reading() -> None:
    source = _Source(_LARGE, PIECE, OSError("torn"))
    with pytest.raises(KeyError, match="mine"), _ahead(source) as reader:
        reader.read(1)
        raise KeyError("mine")
    reads = source.reads
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("ahead")] == []
    assert source.reads == reads <= 3


def test_a_tar_is_read_to_the_end_of_what_holds_it() -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, content in {"a": b"first", "b": _LARGE}.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    source = _Source(packed.getvalue() + bytes(3 * PIECE), PIECE, OSError("read to the end"))
    found = {}
    with pytest.raises(OSError, match="read to the end"), tar_ahead(cast("BinaryIO", source)) as tar:
        for entry in tar:
            inside = tar.extractfile(entry)
            found[entry.name] = inside.read() if inside else b""
    assert found == {"a": b"first", "b": _LARGE}
