"""One file is picked from a tar that passes in pieces, and digests keep clear of a copy's beginning and end."""

from __future__ import annotations

import io
import tarfile
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handrail.databases.postgres.passing import Beside, FileInTar

_NAMES = st.sampled_from(["base/1/2", "global/pg_control", "backup_manifest", "pg_wal/0001"])


def _tar(files: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        folder = tarfile.TarInfo("base")
        folder.type = tarfile.DIRTYPE
        tar.addfile(folder)
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


def _found(packed: bytes, step: int) -> bytes:
    found = FileInTar("backup_manifest")
    for start in range(0, len(packed), step):
        found.feed(packed[start : start + step])
    return found.content


@given(files=st.dictionaries(_NAMES, st.binary(max_size=1500)), step=st.integers(1, 3000))
def test_the_file_is_found_however_the_tar_is_cut_into_pieces(files: dict[str, bytes], step: int) -> None:
    assert _found(_tar(files), step) == files.get("backup_manifest", b"")


def test_a_file_that_was_cut_is_not_taken() -> None:
    packed = _tar({"backup_manifest": b"x" * 600})
    assert [_found(packed[:size], 100) for size in (1024, 1624)] == [b"", b"x" * 600]


def test_what_is_no_tar_holds_no_file() -> None:
    assert _found(b"pg_basebackup: error: " * 100, 100) == b""


def test_digests_begin_with_the_first_bytes_and_the_last_bytes_wait_for_them() -> None:
    began, may_end = threading.Event(), threading.Event()

    def see() -> str:
        began.set()
        may_end.wait()
        return "seen"

    with ThreadPoolExecutor(1) as thread:
        beside = Beside(thread, see, 100 << 20)
        assert not began.wait(0.01)
        beside.passing(60 << 20)
        began.wait()
        threading.Timer(0.05, may_end.set).start()
        beside.passing(1 << 20)
        beside.passing(39 << 20)
        assert beside.result() == "seen"


def test_a_copy_does_not_wait_longer_than_it_has_taken() -> None:
    may_end = threading.Event()
    with ThreadPoolExecutor(1) as thread:
        beside = Beside(thread, may_end.wait, 1 << 20)
        beside.passing(2 << 20)
        beside.passing(1 << 20)
        may_end.set()
        assert beside.result()


def test_what_made_digests_fail_ends_the_copy() -> None:
    def see() -> str:
        raise OSError("no such table")

    with ThreadPoolExecutor(1) as thread:
        beside = Beside(thread, see, 0)
        with pytest.raises(OSError, match=r"^no such table$"):  # at the first piece, or at a later one
            for _ in range(2):
                beside.passing(1)
                thread.submit(int).result()


def test_digests_of_a_copy_without_bytes_are_made_all_the_same() -> None:
    with ThreadPoolExecutor(1) as thread:
        assert Beside(thread, lambda: "seen", 0).result() == "seen"
