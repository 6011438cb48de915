"""Files that are no database, may not be opened, are links, are full: a clear error and nothing lost."""

from __future__ import annotations

import errno
import io
import multiprocessing
import os
import sqlite3
import stat
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from handrail.databases.sqlite.database import SqliteDatabase
from handrail.errors import BackupError, DatabaseUnavailable, HandrailError, LockNotObtained
from handrail.facts import DatabaseAddress

NOBODY = 65534


def open_database(path: Path | str) -> SqliteDatabase:
    work = Path(path).parent / "work" if str(path).startswith("/") else Path("work")
    return SqliteDatabase(DatabaseAddress("sqlite", str(path)), work_dir=work)


@pytest.fixture
def live(tmp_path: Path) -> Path:
    path = tmp_path / "live.db"
    with closing(sqlite3.connect(path)) as raw, raw:
        raw.execute("CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT)")
        raw.executemany("INSERT INTO users (name) VALUES (?)", ((f"푸딩 {number}",) for number in range(5000)))
    return path


def dumped(path: Path) -> bytes:
    out = io.BytesIO()
    open_database(path).dump(out)
    return out.getvalue()


@pytest.mark.parametrize("name", ["", ":memory:", "file::memory:?cache=shared"])
def test_a_database_in_memory_is_refused(name: str) -> None:
    with pytest.raises(DatabaseUnavailable, match="not a file on disk"):
        open_database(name)


def test_a_missing_file_does_not_exist_and_is_not_made(tmp_path: Path) -> None:
    database = open_database(tmp_path / "none.db")
    assert not database.exists()
    for read in (database.facts, database.fingerprint, database.revisions, lambda: database.dump(io.BytesIO())):
        with pytest.raises(DatabaseUnavailable, match="There is no SQLite database at"):
            read()
    assert not database.exists()


def test_a_folder_is_named_as_such(tmp_path: Path) -> None:
    for read in (open_database(tmp_path).exists, open_database(tmp_path).facts):
        with pytest.raises(DatabaseUnavailable, match="is a folder"):
            read()


def test_a_file_of_another_kind_shows_its_first_bytes(tmp_path: Path) -> None:
    path = tmp_path / "not.db"
    path.write_bytes(b"%PDF-1.7 and so on" * 100)
    database = open_database(path)
    for read in (database.facts, database.fingerprint, lambda: database.dump(io.BytesIO())):
        with pytest.raises(DatabaseUnavailable, match="is not a SQLite database") as caught:
            read()
        assert "%PDF-1.7" in caught.value.why
    assert [probe.ok for probe in database.probe() if probe.name == "readable"] == [False]


def test_a_damaged_file_says_so(live: Path) -> None:
    whole = live.read_bytes()
    live.write_bytes(whole[:4096] + b"\xff" * (len(whole) - 4096))
    with pytest.raises(HandrailError, match="damaged"):
        open_database(live).fingerprint()


def test_a_file_of_no_bytes_is_an_empty_database(tmp_path: Path) -> None:
    path = tmp_path / "empty.db"
    path.touch()
    assert open_database(path).facts().tables == ()
    assert dumped(path)[:15] == b"SQLite format 3"
    assert path.stat().st_size == 0


def test_a_link_is_followed_and_stays(live: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    link = tmp_path / "elsewhere" / "link.db"
    link.symlink_to(live)
    live.chmod(0o640)
    database = open_database(link)
    content, before = dumped(link), database.fingerprint()
    with closing(sqlite3.connect(live)) as raw, raw:
        raw.execute("DELETE FROM users")
    with (
        database.lock("one", wait=0),
        pytest.raises(LockNotObtained, match="run one"),
        open_database(live).lock("two", wait=0),
    ):
        pass
    kept = Path(database.replace(io.BytesIO(content), aside="failed"))
    assert (link.is_symlink(), link.resolve(), kept) == (True, live, live.with_name("live.db.failed"))
    assert open_database(live).fingerprint() == before
    assert (stat.S_IMODE(live.stat().st_mode), stat.S_IMODE(kept.stat().st_mode)) == (0o640, 0o640)
    assert "symbolic link" in {probe.name for probe in database.probe()}


def test_copies_are_for_the_owner_only(live: Path) -> None:
    with open_database(live).scratch("run") as scratch:
        scratch.load(io.BytesIO(dumped(live)))
        path = Path(scratch.address.database)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize("damage", ["garbage", "cut", "wal of another database"])
def test_replace_mends_a_file_that_sqlite_cannot_read(live: Path, damage: str) -> None:
    content, before = dumped(live), open_database(live).fingerprint()
    live.chmod(0o644)
    if damage == "garbage":
        live.write_bytes(b"no database at all" * 1000)
    elif damage == "cut":
        live.write_bytes(content[: len(content) // 2])
    else:
        live.write_bytes(b"\0" * 5000)
        live.with_name("live.db-wal").write_bytes(b"old frames" * 1000)
    broken = live.read_bytes()
    kept = Path(open_database(live).replace(io.BytesIO(content), aside="failed"))
    assert open_database(live).fingerprint() == before
    assert kept.read_bytes() == broken
    assert stat.S_IMODE(live.stat().st_mode) == 0o644
    assert sorted(path.name for path in live.parent.glob("live.db*") if "failed" not in path.name) == ["live.db"]


def test_replace_waits_for_a_transaction_and_changes_page_size(live: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    with closing(sqlite3.connect(other)) as raw:
        raw.execute("PRAGMA page_size=1024")
        raw.execute("PRAGMA journal_mode=WAL")
        raw.execute("CREATE TABLE small (id)")
    with closing(sqlite3.connect(live)) as raw:
        raw.execute("PRAGMA journal_mode=WAL")
    content = dumped(other)
    open_database(live).replace(io.BytesIO(content), aside="failed")
    assert open_database(live).fingerprint() == open_database(other).fingerprint()


def test_an_aside_name_that_is_taken_is_refused(live: Path) -> None:
    live.with_name("live.db.failed").write_text("precious")
    with pytest.raises(BackupError, match="is there already"):
        open_database(live).replace(io.BytesIO(dumped(live)), aside="failed")
    assert live.with_name("live.db.failed").read_text() == "precious"


def test_loading_into_a_database_with_tables_is_refused(live: Path) -> None:
    with pytest.raises(BackupError, match="is not empty"):
        open_database(live).load(io.BytesIO(dumped(live)))


@pytest.mark.parametrize("place", [0, 16, 18, 100, 4096, 4100, 9000])
def test_a_flipped_header_or_tree_byte_is_found_or_harmless(live: Path, place: int) -> None:
    """Page checks find structure; a flipped byte inside a value is found by the digests of artifact and rows."""
    content = bytearray(dumped(live))
    content[place] ^= 0xFF
    before = open_database(live).fingerprint()
    with open_database(live).scratch("flipped") as scratch:
        try:
            scratch.load(io.BytesIO(bytes(content)))
            loaded = scratch.fingerprint()
        except HandrailError:
            return
        assert loaded != before or place == 18


def test_dumping_to_a_full_device_tells_the_free_space(live: Path) -> None:
    with Path("/dev/full").open("wb", buffering=0) as full, pytest.raises(BackupError, match="No space left") as caught:
        open_database(live).dump(full)
    assert "free" in caught.value.why


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder with room for 64 KiB: a tmpfs for root, else a limit on the size of files (see `limited`)."""
    folder = tmp_path / "small"
    folder.mkdir()
    if os.geteuid() == 0:
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)], check=False)  # noqa: S607
        if done.returncode == 0:
            yield folder
            subprocess.run(["umount", str(folder)], check=True)  # noqa: S607
            return
    yield folder


def test_a_full_disk_while_loading_leaves_nothing(live: Path, small_disk: Path) -> None:
    target = small_disk / "copy.db"
    content = dumped(live)
    if os.path.ismount(small_disk):
        with pytest.raises(BackupError, match=r"No space left while writing") as caught:
            open_database(target).load(io.BytesIO(content))
        assert "free in" in caught.value.why
    assert list(small_disk.iterdir()) == []


def as_nobody(path: Path, report: str) -> None:
    if os.geteuid() == 0:
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    lines = []
    database = open_database(path)
    for name, act in (("facts", database.facts), ("lock", lambda: database.lock("r", wait=0).__enter__())):
        try:
            act()
            lines.append(f"{name}: fine")
        except DatabaseUnavailable as error:
            lines.append(f"{name}: {error.message} {error.hint}")
    Path(report).write_text("\n".join(lines))


@pytest.mark.parametrize("mode", ["delete", "wal"])
def test_without_rights_the_error_names_the_rights(mode: str, tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    folder, report = tmp_path / "folder", tmp_path / "out"
    folder.mkdir()
    report.mkdir()
    report.chmod(0o777)
    path = folder / "live.db"
    with closing(sqlite3.connect(path)) as raw:
        raw.execute(f"PRAGMA journal_mode={mode}")
        raw.execute("CREATE TABLE t (id)")
    path.chmod(0o444)
    folder.chmod(0o555)
    for parent in tmp_path.parents:
        if parent.stat().st_uid == os.geteuid() and not parent.stat().st_mode & 0o001:
            parent.chmod(0o755)
    child = multiprocessing.get_context("fork").Process(target=as_nobody, args=(path, str(report / "lines")))
    child.start()
    child.join()
    folder.chmod(0o755)
    facts, lock = (report / "lines").read_text().splitlines()
    if mode == "delete":
        assert facts == "facts: fine"
    else:
        assert facts.startswith(f"facts: The SQLite database {path} cannot be opened.")
        assert f"ls -ld {folder}" in facts
    assert lock.startswith(f"lock: The lock file {path}.handrail-lock cannot be made.")


def test_a_database_that_stays_locked_says_so(live: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("handrail.databases.sqlite.connection.BUSY_SECONDS", 0.05)
    with closing(sqlite3.connect(live, isolation_level=None)) as raw:
        raw.execute("BEGIN EXCLUSIVE")
        for read in (open_database(live).facts, lambda: open_database(live).dump(io.BytesIO())):
            with pytest.raises(LockNotObtained, match="stayed locked"):
                read()


def test_a_run_that_died_between_link_and_unlink_has_named_its_file(live: Path) -> None:
    new = open_database(live).sibling("new.db")
    made = new.unnamed("run")
    Path(made.address.database).write_bytes(dumped(live))
    Path(new.address.database).hardlink_to(made.address.database)
    assert new.end_unnamed("run", made.address.database) == ()
    assert (new.fingerprint(), made.exists()) == (open_database(live).fingerprint(), False)


def test_only_what_the_run_was_making_is_removed(live: Path) -> None:
    new = open_database(live).sibling("new.db")
    assert new.end_unnamed("run", str(live)) == ()
    assert live.exists()


def test_where_there_are_no_links_a_file_gets_its_name_by_renaming(live: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def link(_from: Path, _to: Path) -> None:
        raise PermissionError(errno.EPERM, "no links here")

    monkeypatch.setattr("os.link", link)
    new = open_database(live).sibling("new.db")
    made = new.unnamed("run")
    Path(made.address.database).write_bytes(dumped(live))
    new.name(made)
    assert (new.fingerprint(), made.exists()) == (open_database(live).fingerprint(), False)
    Path(made.address.database).write_bytes(dumped(live))
    with pytest.raises(BackupError, match="is there already"):
        new.name(made)
