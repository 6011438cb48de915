"""What every store promises (handrail.stores.store), and what only the one in a folder can break."""

from __future__ import annotations

import errno
import fcntl
import os
import resource
import shutil
import signal
import stat
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from handrail.errors import BackupError, ExitCode
from handrail.stores import write_behind
from handrail.stores.file import FileStore
from handrail.stores.memory import MemoryStore
from handrail.stores.objects.upload import PART
from handrail.stores.store import MissingObject, Store, StoreError
from handrail.stores.write_behind import STEP
from support.children import Child
from support.objects import Server, cloud_store, environment

BAD_KEYS = [
    "",
    "/",
    "/etc/passwd",
    "..",
    "../x",
    "a/../b",
    "a//b",
    "a/",
    "./a",
    ".hidden",
    "a b",
    "가",
    "a\n",
    "a\0b",
    "a\\b",
]


@pytest.fixture(params=["file", "memory", "moto", "seaweed"])
def store(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    if request.param == "file":
        return FileStore(tmp_path / "store")
    if request.param == "memory":
        return MemoryStore()
    server: Server = request.getfixturevalue(request.param)
    for name, value in environment(server.endpoint, tmp_path).items():
        monkeypatch.setenv(name, value)
    return cloud_store(server.bucket(), prefix=uuid.uuid4().hex)


def put(store: Store, key: str, data: bytes) -> None:
    with store.open_write(key) as out:
        out.write(data)


def get(store: Store, key: str) -> bytes:
    with store.open_read(key) as source:
        return source.read()


def test_what_is_written_is_read(store: Store) -> None:
    with store.open_write("production/1/artifact.zst") as out:
        for part in (b"", b"one ", b"two", bytes(range(256)) * 9000):
            assert out.write(part) == len(part)
    expected = b"one two" + bytes(range(256)) * 9000
    assert get(store, "production/1/artifact.zst") == expected
    assert store.size("production/1/artifact.zst") == len(expected)


def test_objects_around_the_size_of_a_part_come_back_whole(store: Store) -> None:
    piece = os.urandom(1 << 20)
    for number, size in enumerate((PART - 1, PART, PART + 1, 3 * PART + 5)):
        expected = (piece * (size // len(piece) + 1))[:size]
        with store.open_write(f"a/{number}") as out:
            for start in range(0, size, 700_001):
                out.write(expected[start : start + 700_001])
        assert store.size(f"a/{number}") == size
        assert get(store, f"a/{number}") == expected
    assert store.keys() == ("a/0", "a/1", "a/2", "a/3")


def test_of_two_large_writers_at_once_the_first_to_end_wins(store: Store) -> None:
    early, late = os.urandom(PART + 1), os.urandom(PART + 1)
    with pytest.raises(StoreError), store.open_write("a/b") as out:
        out.write(late)
        put(store, "a/b", early)
    assert get(store, "a/b") == early
    assert store.keys() == ("a/b",)


def test_a_large_object_that_is_given_up_half_way_leaves_nothing(store: Store) -> None:
    with pytest.raises(SourceBrokeError), store.open_write("a/b") as out:
        out.write(bytes(2 * PART))
        raise SourceBrokeError("cut")
    assert store.keys() == ()
    put(store, "a/b", b"whole")
    assert get(store, "a/b") == b"whole"


def test_an_empty_object_is_an_object(store: Store) -> None:
    put(store, "empty", b"")
    assert (store.keys(), store.size("empty"), get(store, "empty")) == (("empty",), 0, b"")


def test_keys_are_sorted_and_chosen_by_prefix(store: Store) -> None:
    assert store.keys() == ()
    for key in ("b/2/x", "a/1/x", "b/1/x", "b-top", "a/1/w"):
        put(store, key, b"-")
    assert store.keys() == ("a/1/w", "a/1/x", "b-top", "b/1/x", "b/2/x")
    assert store.keys("b/") == ("b/1/x", "b/2/x")
    assert store.keys("b/1") == ("b/1/x",)
    assert store.keys("c") == ()


def test_an_object_is_written_once(store: Store) -> None:
    put(store, "a/b", b"first")
    with pytest.raises(StoreError, match="a/b is already in the store") as caught:
        put(store, "a/b", b"second")
    assert caught.value.why == "objects are written once"
    assert get(store, "a/b") == b"first"


def test_of_two_writers_at_once_the_first_to_end_wins(store: Store) -> None:
    with pytest.raises(StoreError), store.open_write("a/b") as late:
        late.write(b"late")
        put(store, "a/b", b"early")
    assert get(store, "a/b") == b"early"
    assert store.keys() == ("a/b",)


class SourceBrokeError(Exception):
    pass


@pytest.mark.parametrize(
    "failure", [SourceBrokeError("cut"), OSError(errno.EPIPE, "Broken pipe"), KeyboardInterrupt()], ids=repr
)
def test_a_source_that_breaks_half_way_leaves_nothing(store: Store, failure: BaseException) -> None:
    """And its own error comes through: it is not the store's."""
    with pytest.raises(type(failure)) as caught, store.open_write("a/b") as out:
        out.write(b"half")
        raise failure
    assert caught.value is failure
    assert store.keys() == ()
    with pytest.raises(MissingObject):
        get(store, "a/b")
    put(store, "a/b", b"whole")
    assert get(store, "a/b") == b"whole"


def test_an_object_is_not_seen_before_it_is_whole(store: Store) -> None:
    with store.open_write("a/b") as out:
        out.write(b"half")
        assert store.keys() == ()
        with pytest.raises(MissingObject):
            store.size("a/b")
    assert store.keys() == ("a/b",)


@pytest.mark.parametrize("key", BAD_KEYS)
@pytest.mark.parametrize(
    "verb",
    [lambda s, k: put(s, k, b""), get, lambda s, k: s.size(k), lambda s, k: s.written_at(k), lambda s, k: s.delete(k)],
    ids=["write", "read", "size", "time", "delete"],
)  # fmt: skip
def test_a_malformed_key_is_refused(store: Store, key: str, verb: Callable[[Store, str], object]) -> None:
    with pytest.raises(StoreError) as caught:
        verb(store, key)
    assert not isinstance(caught.value, MissingObject)
    assert caught.value.message == f"{key!r} is not a key of a store"
    assert store.keys() == ()


@pytest.mark.parametrize(
    "verb",
    [get, lambda s, k: s.size(k), lambda s, k: s.written_at(k), lambda s, k: s.delete(k)],
    ids=["read", "size", "time", "delete"],
)
def test_a_missing_key_raises(store: Store, verb: Callable[[Store, str], object]) -> None:
    put(store, "a/here", b"-")
    for key in ("a/gone", "a", "gone/x"):
        with pytest.raises(MissingObject) as caught:
            verb(store, key)
        assert caught.value.message == f"{key} is not in the store {store.place}"
        assert caught.value.exit_code is ExitCode.BACKUP_NOT_VERIFIED


def test_deleted_is_gone_and_can_be_written_again(store: Store) -> None:
    put(store, "a/1/x", b"1")
    put(store, "a/1/y", b"2")
    store.delete("a/1/x")
    assert store.keys() == ("a/1/y",)
    store.delete("a/1/y")
    assert store.keys() == ()
    put(store, "a/1/x", b"3")
    assert get(store, "a/1/x") == b"3"


def test_a_prefix_that_is_no_key_chooses_nothing(store: Store) -> None:
    put(store, "a/1/x", b"1")
    found = [store.keys(prefix) for prefix in ("../", "a/../a/", "/", "a//", "a/1/x/", "gone/")]
    assert found == [()] * 6
    assert store.keys("a/1/x") == ("a/1/x",)


def test_when_an_object_was_written_is_known_to_the_second(store: Store) -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    put(store, "a/b", b"-")
    assert before <= store.written_at("a/b") <= datetime.now(UTC)


def test_free_bytes_is_a_number_or_unknown(store: Store) -> None:
    free = store.free_bytes()
    assert free is None or free > 0


# --- what only a folder can break -------------------------------------------------------------------------------


def everything_below(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def test_files_are_0600_and_folders_0700_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        put(FileStore(tmp_path / "deep" / "store"), "production/1/artifact", b"rows")
    finally:
        os.umask(before)
    modes = {path.relative_to(tmp_path).as_posix(): stat.S_IMODE(path.stat().st_mode) for path in tmp_path.rglob("*")}
    assert modes == {
        "deep": 0o700,
        "deep/store": 0o700,
        "deep/store/production": 0o700,
        "deep/store/production/1": 0o700,
        "deep/store/production/1/artifact": 0o600,
    }


def test_file_and_folders_are_flushed_before_the_object_appears(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    fsync, link = os.fsync, os.link

    def watched_fsync(descriptor: int) -> None:
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        done.append("object" if path.name.startswith(".partial-") else path.relative_to(tmp_path).as_posix())
        fsync(descriptor)

    def watched_link(source: Path, target: Path) -> None:
        done.append("link")
        link(source, target)

    monkeypatch.setattr(os, "fsync", watched_fsync)
    monkeypatch.setattr(os, "link", watched_link)
    put(FileStore(tmp_path / "store"), "a/1/x", b"-")
    assert done == [".", "store", "store/a", "object", "link", "store/a/1"]


def test_a_deletion_is_flushed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = FileStore(tmp_path / "store")
    put(store, "a/1/x", b"-")
    done: list[str] = []
    fsync, unlink = os.fsync, Path.unlink

    def watched_fsync(descriptor: int) -> None:
        done.append(Path(f"/proc/self/fd/{descriptor}").readlink().relative_to(tmp_path).as_posix())
        fsync(descriptor)

    def watched_unlink(path: Path, missing_ok: bool = False) -> None:
        done.append(f"unlink {path.name}")
        unlink(path, missing_ok)

    monkeypatch.setattr(os, "fsync", watched_fsync)
    monkeypatch.setattr(Path, "unlink", watched_unlink)
    store.delete("a/1/x")
    assert done == ["unlink x", "store/a/1"]


def test_a_large_object_goes_to_the_disk_while_it_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[int] = []

    def watched(descriptor: int) -> None:
        sent.append(os.fstat(descriptor).st_size)
        os.fsync(descriptor)

    monkeypatch.setattr(write_behind, "send", watched)
    store, piece = FileStore(tmp_path / "store"), os.urandom(STEP // 4)
    with store.open_write("a/large") as out:
        for _ in range(9):
            out.write(piece)
    assert len(sent) == 2
    assert STEP <= sent[0] <= 2 * STEP <= sent[1] <= 9 * len(piece)  # each sees what was written until it ran
    assert get(store, "a/large") == 9 * piece


@pytest.mark.parametrize("pieces", [4, 8, 9])
def test_what_fails_on_the_way_to_the_disk_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pieces: int
) -> None:
    """The kernel tells it once, here in the background; the last fsync would say that all is well."""

    def failing(_: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(write_behind, "send", failing)
    store, piece = FileStore(tmp_path / "store"), bytes(STEP // 4)
    with pytest.raises(StoreError) as raised, store.open_write("a/large") as out:
        for _ in range(pieces):
            out.write(piece)
    assert raised.value.message == f"cannot write a/large to the store {tmp_path / 'store'}"
    assert raised.value.why.startswith("Input/output error")
    assert everything_below(tmp_path) == ["store"]


def test_a_failed_writer_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(SourceBrokeError), FileStore(tmp_path).open_write("a/b") as out:
        out.write(b"half")
        raise SourceBrokeError
    assert everything_below(tmp_path) == []


#: Kills itself in the middle of a write, or waits there for a line when told so.
KILLED = """
import os, signal, sys
from pathlib import Path
from handrail.stores.file import FileStore
with FileStore(Path(sys.argv[1])).open_write("a/b") as out:
    out.write(b"half")
    if len(sys.argv) > 2:
        print("writing", flush=True)
        sys.stdin.readline()
    else:
        os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_writer_left_is_never_seen(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False)
    assert done.returncode == -signal.SIGKILL
    store = FileStore(tmp_path)
    assert len(everything_below(tmp_path)) == 2  # the folder and the partial file
    assert store.keys() == ()
    put(store, "a/b", b"whole")
    assert (store.keys(), get(store, "a/b")) == (("a/b",), b"whole")
    assert everything_below(tmp_path) == ["a", "a/b"]


def test_deleting_clears_away_what_a_killed_writer_left(tmp_path: Path) -> None:
    """On a disk that is full by it nothing can be written, but a prune makes room."""
    put(FileStore(tmp_path), "old/x", b"whole")
    subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False)
    assert len(everything_below(tmp_path)) == 4
    FileStore(tmp_path).delete("old/x")
    assert everything_below(tmp_path) == []


def test_only_what_a_dead_writer_left_is_removed(tmp_path: Path) -> None:
    """One writer lives and one is dead, in other processes; a third writer comes."""
    command = [sys.executable, "-c", KILLED.replace("a/b", "live/x"), str(tmp_path), "wait"]
    with Child[bytes](command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as living:
        assert living.stdout is not None
        assert living.stdout.readline() == b"writing\n"
        subprocess.run([sys.executable, "-c", KILLED.replace("a/b", "dead/x"), str(tmp_path)], check=False)
        (dead,) = tmp_path.glob("dead/.partial-*")
        (live,) = tmp_path.glob("live/.partial-*")
        put(FileStore(tmp_path), "later/x", b"-")
        assert (dead.exists(), dead.parent.exists(), live.exists()) == (False, False, True)
        assert living.stdin is not None
        living.stdin.write(b"\n")
        living.stdin.close()
        assert living.wait() == 0
    assert FileStore(tmp_path).keys() == ("later/x", "live/x")
    assert get(FileStore(tmp_path), "live/x") == b"half"
    assert everything_below(tmp_path) == ["later", "later/x", "live", "live/x"]


def test_a_file_that_is_taken_for_abandoned_before_it_is_locked_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flock = fcntl.flock
    removed: list[Path] = []

    def late_flock(descriptor: int, how: int) -> None:
        if not removed:
            removed.append(Path(f"/proc/self/fd/{descriptor}").readlink())
            removed[0].unlink()
        flock(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", late_flock)
    put(FileStore(tmp_path), "a/b", b"whole")
    assert (len(removed), everything_below(tmp_path)) == (1, ["a", "a/b"])


def test_links_and_files_that_only_look_like_leftovers_stay(tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(b"kept")
    (tmp_path / ".partial-link").symlink_to(tmp_path / "real")
    put(FileStore(tmp_path / "store"), "a", b"-")
    put(FileStore(tmp_path), "b", b"-")
    assert (tmp_path / "real").read_bytes() == b"kept"
    assert (tmp_path / ".partial-link").is_symlink()


def test_files_of_others_are_not_objects(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    put(store, "a/b", b"-")
    (tmp_path / ".DS_Store").write_bytes(b"")
    (tmp_path / "a" / "my notes.txt").write_bytes(b"")
    assert store.keys() == ("a/b",)


@contextmanager
def _tmpfs(folder: Path) -> Iterator[Path | None]:
    """A file system of 64 KiB, or None where this user may not mount one."""
    folder.mkdir()
    mount, umount = shutil.which("mount"), shutil.which("umount")
    command = [mount or "mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    if not (mount and umount) or subprocess.run(command, capture_output=True, check=False).returncode != 0:
        yield None
        return
    try:
        yield folder
    finally:
        subprocess.run([umount, str(folder)], check=True)


@contextmanager
def _file_size_limit(size: int) -> Iterator[None]:
    """Writes beyond `size` fail for this process, first short and then with an error, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, ignored)


@pytest.mark.parametrize("chunk", [1 << 20, 5000], ids=["one write", "many writes"])
def test_a_full_disk_is_told_and_leaves_nothing(tmp_path: Path, chunk: int) -> None:
    """One large write is cut short by the kernel without an error: it must not pass for a whole object."""
    with ExitStack() as stack:
        folder = stack.enter_context(_tmpfs(tmp_path / "small"))
        if folder is None:
            folder = tmp_path / "limited"
            stack.enter_context(_file_size_limit(64 << 10))
        store = FileStore(folder)
        with pytest.raises(StoreError) as caught, store.open_write("a/b") as out:
            for _ in range(0, 1 << 20, chunk):
                out.write(b"x" * chunk)
        assert caught.value.message == f"cannot write a/b to the store {folder}"
        assert caught.value.why.split(" (")[0] in ("No space left on device", "File too large")
        assert (
            caught.value.hint
            == "make room or rights there, or name another folder (`store`, `copies` or --to says which)"
        )
        assert caught.value.exit_code is ExitCode.BACKUP_NOT_VERIFIED
        assert everything_below(folder) == []
        put(store, "a/b", b"fits")
        assert get(store, "a/b") == b"fits"


def test_a_short_write_is_continued(tmp_path: Path) -> None:
    with _file_size_limit(10):
        with pytest.raises(StoreError, match="cannot write x"):
            put(FileStore(tmp_path), "x", b"12345678901")
        put(FileStore(tmp_path), "x", b"1234567890")
    assert get(FileStore(tmp_path), "x") == b"1234567890"


@pytest.mark.parametrize("below", ["", "/x/y"])
@pytest.mark.parametrize("kind", ["a file", "a link that leads nowhere"])
@pytest.mark.parametrize(
    "verb",
    [
        lambda store: put(store, "a/b", b"-"),
        lambda store: get(store, "a/b"),
        lambda store: store.keys(),
        lambda store: store.keys("a/"),
        lambda store: store.delete("a/b"),
    ],
    ids=["write", "read", "list", "list below", "delete"],
)
def test_a_place_that_is_no_folder_is_told(
    tmp_path: Path, verb: Callable[[Store], object], kind: str, below: str
) -> None:
    place = tmp_path / "place"
    if kind == "a file":
        place.write_bytes(b"")
    else:
        place.symlink_to(tmp_path / "nowhere")
    with pytest.raises(StoreError) as caught:
        verb(FileStore(Path(f"{place}{below}")))
    error = caught.value
    assert (error.message, error.why, error.hint) == (
        f"the store {place}{below} is no folder",
        f"{place} is {kind}",
        "name a folder (`store`, `copies` or --to says which), or move that away",
    )
    assert isinstance(error, BackupError)


def test_an_unreadable_folder_does_not_look_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root may list every folder, so the refusal is put into the call."""
    store = FileStore(tmp_path)
    put(store, "a/b", b"-")
    scandir = os.scandir

    def refusing(path: str) -> object:
        if Path(path).name == "a":
            raise PermissionError(errno.EACCES, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    with pytest.raises(StoreError, match="cannot list the store") as caught:
        store.keys()
    assert caught.value.why.startswith("Permission denied (")


def test_an_unreadable_block_is_told(tmp_path: Path) -> None:
    """Reading a folder as a file is the one read error that can be had anywhere."""
    store = FileStore(tmp_path)
    put(store, "a/b", b"-")
    with pytest.raises(StoreError, match="cannot read a/b from the store"), store.open_read("a/b") as source:
        folder = os.open(tmp_path, os.O_RDONLY)
        os.dup2(folder, source.fileno())
        os.close(folder)
        source.read(10)
