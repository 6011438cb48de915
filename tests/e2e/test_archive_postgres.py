"""PostgreSQL's archive by a real Barman: rows deleted at a known time are had back as of just before; kills, damage."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from handrail.archives.archive import Archive
from handrail.archives.barman import BarmanArchive
from handrail.archives.barman_program import BarmanProgram
from handrail.backups.moments import ArchiveError, ArchiveState, written
from handrail.databases.postgres import wal
from handrail.databases.postgres.cluster import ThrowawayCluster
from handrail.errors import HandrailError
from handrail.facts import DatabaseAddress
from support.barman import NAME, PASSWORD, Lab, lab, obtain_barman
from support.calling import Said, handrail, postgres_at_b2
from support.postgres import PostgresServer

ONLY_NEWEST_SERVER = True
pytestmark = pytest.mark.story

ROWS: list[tuple[object, ...]] = [(1, "파이썬 학습"), (2, "API 개발"), *((n, f"topic {n}") for n in range(3, 1001))]
LEFT = [*ROWS[:10], (2001, "topic 2001"), (2002, "topic 2002")]
INSERT = "INSERT INTO bookings SELECT n, 'topic ' || n, 'OPEN' FROM generate_series({}, {}) AS n"
NO_BACKUP = f"there is no whole backup yet: barman backup --wait {NAME}"


@dataclass
class Story:
    """A project at b2 with an archive in which rows came, were noted at `before`, and were deleted; then the server was
    killed and started again, and two more rows came. `unborn` is the archive's state before its first backup."""

    lab: Lab
    folder: Path
    address: DatabaseAddress
    server: PostgresServer
    unborn: ArchiveState
    before: datetime
    after: datetime

    @property
    def archive(self) -> Archive:
        return self.lab.archive(self.address)

    def handrail(self, *words: str) -> Said:
        environ = self.lab.environ
        return handrail(self.folder, *words, PATH=environ["PATH"], PGPASSFILE=environ["PGPASSFILE"])

    def segments(self) -> list[Path]:
        """What is archived since the backup, oldest first."""
        return sorted(path for path in self.lab.home.rglob("wals/*/*") if wal.is_segment(path.name))[1:]


def now(server: PostgresServer) -> datetime:
    with server.connect(server.cluster.address) as connection:
        row = connection.execute("SELECT clock_timestamp()").fetchone()
    assert row is not None and isinstance(row[0], datetime)
    return row[0].astimezone(UTC)


def rows(server: PostgresServer, address: DatabaseAddress) -> list[tuple[object, ...]]:
    with server.connect(address) as connection:
        return connection.execute("SELECT id, topic FROM bookings ORDER BY id").fetchall()


@pytest.fixture(scope="module")
def server(postgres_server: PostgresServer) -> Iterator[PostgresServer]:
    """One that keeps what is committed, through a kill."""
    binaries = postgres_server.cluster.binaries
    settings = ["wal_level=replica", "max_wal_senders=4", "full_page_writes=on", "synchronous_commit=on"]
    settings += ["summarize_wal=on"] if binaries.version > 16 else []
    with ThrowawayCluster(binaries, settings=settings) as cluster:
        yield PostgresServer(cluster)


@pytest.fixture(scope="module")
def story(server: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    folder = tmp_path_factory.mktemp("project")
    address = postgres_at_b2(folder, server)
    with lab(server, tmp_path_factory.mktemp("barman")) as made:
        made.set_up(address)
        unborn = made.archive(address).state()
        made.first_backup(address)
        server.execute(address, [INSERT.format(3, 1000), "SELECT pg_switch_wal()"])
        before = now(server)
        server.execute(address, ["DELETE FROM bookings WHERE id > 10", "SELECT pg_switch_wal()"])
        after = now(server)
        made.stop_receiving()
        server.cluster.restart()
        address = server.address(address.database)
        made.configure(address)
        made.receive()
        server.execute(address, [INSERT.format(2001, 2002)])
        made.arrived(address)
        made.barman("archive-wal", NAME)
        where = f"{address.user}:{address.password}@{address.host}:{address.port}/{address.database}"
        ini = folder / "alembic.ini"
        ini.write_text(re.sub("sqlalchemy.url = .*", f"sqlalchemy.url = postgresql+psycopg://{where}", ini.read_text()))
        (folder / "handrail.toml").write_text(
            f'[environments.development.archive]\ntool = "barman"\nplace = "{NAME}"\n'
            f'program = "{obtain_barman()}"\nconfig = "{made.folder}/barman.conf"\n'
        )
        yield Story(made, folder, address, server, unborn, before, after)


def test_the_second_before(story: Story) -> None:
    """The rows of that moment and no others, on a server that can be written to; the live one stays as it is."""
    with story.archive.copy(story.before, "r1") as copy:
        assert rows(story.server, copy.address) == ROWS
        assert copy.reached.moment is not None
        assert story.before - timedelta(seconds=5) < copy.reached.moment <= story.before
        assert copy.reached.remarks == ()
        story.server.execute(copy.address, ["DROP TABLE bookings"])
        folder = next(story.lab.temporary.glob("hr-pg-r1-*"))
    assert not folder.exists()
    assert rows(story.server, story.address) == LEFT


def test_commands(story: Story) -> None:
    """What the archive is; a moment into a new database; moments that are not there; what is refused."""
    said = story.handrail("archive", "status", "--json")
    found = json.loads(said.out)["result"]
    assert (said.code, found["faults"]) == (0, []), said
    state = found["state"]
    oldest, newest = (datetime.fromisoformat(state["window"][name]) for name in ("oldest", "newest"))
    assert oldest < story.before < story.after < newest
    assert state == {
        "tool": "barman",
        "release": state["release"],
        "place": f"Barman's server {NAME}",
        "window": state["window"],
        "behind": 0.0,
        "size": state["size"],
        "problems": [],
        "remarks": ["1 backup; moments are told apart to the microsecond, by the server's clock"],
    }
    assert story.unborn == ArchiveState("barman", state["release"], state["place"], problems=(NO_BACKUP,))

    moment = story.before.isoformat()
    said = story.handrail("backup", "restore", "--to-time", moment, "--into", "then")
    assert (said.code, masked(said.out)) == (
        0,
        [
            "the content of <time>, at revision b2",
            "  the last change in it was read at <time>",
            "  sound: verify_heapam: 2 tables, all sound",
            "  sound: bt_index_check: 2 b-trees, all sound",
            "  no fingerprint of that moment was ever taken, so there is none to compare with; this is what it is now:",
            "    bookings: 1,000 rows, digest <digest>",
            "since then, in the live database:",
            "  rows     bookings: 1,000, now 12 (-988)",
            f"restored the content of <time> into postgresql://handrail@127.0.0.1:{story.address.port}/then",
        ],
    )
    assert rows(story.server, story.server.address("then")) == ROWS

    early = written(story.before - timedelta(hours=1))
    said = story.handrail("backup", "restore", "--to-time", early, "--into", "x")
    first = written(oldest)
    assert (said.code, masked(said.error)) == (
        5,
        [
            "HR561 <time> cannot be restored",
            f"  why: Barman's server {NAME} holds <time> to <time>",
            "  next: the first moment there is: --to-time <time>",
        ],
    )
    assert said.error.startswith(f"HR561 {early} ") and said.error.endswith(f" {first}")
    said = story.handrail("archive", "run")
    assert (said.code, said.error) == (
        2,
        "HR567 Barman keeps this archive by itself\n  why: its `barman cron`, every minute, receives WAL and archives it\n"
        "  next: handrail archive setup",
    )


def masked(text: str) -> list[str]:
    """Lines without times and digests."""
    text = re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z", "<time>", text)
    return re.sub(r"digest [0-9a-f]+", "digest <digest>", text).splitlines()


def test_one_table_in_place_and_a_drill(story: Story) -> None:
    said = story.handrail("backup", "restore", "--to-time", story.before.isoformat(), "--table", "bookings")
    assert (said.code, masked(said.out)[-3:]) == (
        0,
        [
            "bookings_restored holds that moment's 1,000 rows of bookings",
            "bookings has 12 rows: 0 changed since, 2 new, 990 gone",
            "when you are done with it, drop bookings_restored: the models do not know it",
        ],
    ), said
    story.server.execute(story.address, ["DROP TABLE bookings_restored"])
    story.lab.arrived(story.address)
    said = story.handrail("backup", "restore", "--to-time", "newest", "--in-place", "--yes")
    assert said.code == 0, said
    kept = re.sub("failed_.*", "failed_<id>", said.out.splitlines()[-1])
    assert kept == f"restored the newest content; the former database is kept as {story.address.database}_failed_<id>"
    assert rows(story.server, story.address) == LEFT
    story.lab.arrived(story.address)
    said = story.handrail("drill", "--to-time", "newest")
    assert (said.code, said.out.splitlines()[2:6]) == (
        0,
        [
            f"RPO          0 s, how far the archive Barman's server {NAME} was behind",
            "passed       restore: the newest content, 12 rows in 1 table; there is no fingerprint of that moment to compare with",
            "passed       verify_heapam: 2 tables, all sound",
            "passed       bt_index_check: 2 b-trees, all sound",
        ],
    ), said


def test_the_archive_of_another_server(story: Story, postgres_server: PostgresServer) -> None:
    other = postgres_server.clone()
    what = f"Barman's server {NAME} is another server than that of {other}"
    code, message, why, hint = failed(story.lab.archive(other), story.before)
    assert (code, message, hint) == ("HR568", what, "let `archive.place` of the environment name the right one")
    assert re.fullmatch(r"their system identifiers are (\d+) and (?!\1)\d+", why)
    assert story.lab.archive(other).state().problems == (f"{what}: {why}: {hint}",)


def test_cron_that_does_not_run(story: Story) -> None:
    """What waits is restored all the same; after five minutes that it waits is told."""
    story.server.execute(story.address, [INSERT.format(4001, 4002), "SELECT pg_switch_wal()"])
    story.server.execute(
        story.address, [INSERT.format(4003, 4004), "SELECT pg_switch_wal()", INSERT.format(4005, 4006)]
    )
    story.lab.arrived(story.address)
    assert story.archive.state().problems == ()
    late = story.lab.archive(story.address, clock=lambda: datetime.now(UTC) + timedelta(seconds=301))
    assert late.state().problems == ("2 WAL segments wait to be archived: does `barman cron` run every minute?",)
    with story.archive.copy(None, "r7") as copy:
        assert rows(story.server, copy.address) == rows(story.server, story.address)
    story.server.execute(story.address, ["DELETE FROM bookings WHERE id > 4000"])


def test_the_newest_and_a_moment_since_which_nothing_happened(story: Story) -> None:
    with story.archive.copy(None, "r2") as copy:
        assert rows(story.server, copy.address) == rows(story.server, story.address)
    story.lab.arrived(story.address)
    state = story.archive.state()
    assert state.window is not None
    with story.archive.copy(state.window.newest, "r3") as copy:
        assert rows(story.server, copy.address) == rows(story.server, story.address)


@pytest.fixture
def reachable() -> Iterator[Path]:
    """A folder that PostgreSQL's own account gets into; those of pytest are root's."""
    with tempfile.TemporaryDirectory(prefix="handrail-files-") as folder:
        Path(folder).chmod(0o711)
        yield Path(folder)


class Started(ThrowawayCluster):
    """A server on files that were restored, as they are but for the port, the socket and who may come in."""

    files = Path()

    def _fill(self, secret: Path) -> None:
        self.files.rename(self._folder / "d")


def test_files_that_a_server_is_started_on(story: Story, reachable: Path) -> None:
    base = reachable
    target = base / "data"
    reached = story.archive.write_files(story.before, target)
    assert reached.remarks == (
        "the files are recovered and end in a clean shutdown; archive_command is switched off in them",
    )
    assert list(base.iterdir()) == [target]
    assert not {"barman_wal", "recovery.signal", "standby.signal", ".barman-recover.info"} & {
        path.name for path in target.iterdir()
    }
    with pytest.raises(ArchiveError, match=f"{target} is there already"):
        story.archive.write_files(story.before, target)
    started = Started(story.server.cluster.binaries, base / "server")
    started.files = target
    with started:
        there = replace(story.address, port=started.port)
        assert rows(story.server, there) == ROWS
        with story.server.connect(there) as connection:
            assert connection.execute("SHOW restore_command").fetchone() == ("",)
            assert connection.execute("SELECT pg_is_in_recovery()").fetchone() == (False,)


@contextmanager
def damaged(path: Path, at: int | None) -> Iterator[None]:
    """Flip a byte of a file (None: take the file away), and put everything back."""
    content = path.read_bytes()
    if at is None:
        path.unlink()
    else:
        changed = bytearray(content)
        changed[at] ^= 0xFF
        path.write_bytes(changed)
    try:
        yield
    finally:
        path.write_bytes(content)


def failed(archive: Archive, moment: datetime | None) -> list[str]:
    """What a restore that fails says; it leaves nothing behind."""
    with pytest.raises(HandrailError) as error, archive.copy(moment, "bad"):
        pass
    one = error.value
    return [one.code, one.message, one.why, one.hint]


def test_a_segment_that_is_gone(story: Story) -> None:
    first = story.segments()[0]
    with damaged(first, None):
        state = story.archive.state()
        assert state.problems == (
            f"1 WAL segment missing, from {first.name} on: no moment between that and the next backup can be restored",
        )
        assert state.window is not None and state.window.newest < story.before
        assert failed(story.archive, story.before) == [
            "HR568",
            f"the WAL segment {first.name} is missing from the archive",
            "Barman has noted it down, and its file is gone; it then restores nothing",
            f"barman rebuild-xlogdb {NAME}: then moments before it can be had",
        ]
        story.lab.barman("rebuild-xlogdb", NAME)
        assert story.archive.state().problems == state.problems
        assert failed(story.archive, None) == [
            "HR568",
            f"the archive breaks off in the WAL segment {first.name}",
            "it is missing",
            "try an earlier backup",
        ]
    story.lab.barman("rebuild-xlogdb", NAME)
    assert story.archive.state().problems == ()


def test_a_flipped_byte_is_found(story: Story) -> None:
    """In WAL, before and after the moment, and in the files of the backup: never a shorter restore that looks whole."""
    first, second, *_ = story.segments()
    for path, at in ((first, 0x100), (second, 8192 * 3 + 200)):
        with damaged(path, at):
            code, message, why, hint = failed(story.archive, story.before if path == first else None)
            assert (code, message) == ("HR568", f"the archive breaks off in the WAL segment {path.name}")
            assert re.fullmatch(
                r"it cannot be read on there: pg_waldump: error: error in WAL record at 0/[0-9A-F]+: .* at 0/[0-9A-F]+",
                why,
            )
            assert hint == "try an earlier backup" or re.fullmatch("moments before .*Z can be had", hint)
    heap = max(story.lab.home.rglob("base/*/data/base/5/*"), key=lambda path: path.stat().st_size)
    with damaged(heap, 5000):
        assert failed(story.archive, story.before) == [
            "HR568",
            "the backup is damaged",
            f'pg_verifybackup: error: checksum mismatch for file "base/5/{heap.name}"',
            "try a moment before or after it",
        ]


def test_a_server_that_is_gone(story: Story, reachable: Path) -> None:
    """Its archive can be restored from all the same, up to what is known to have arrived."""
    story.lab.configure(replace(story.address, port=1))
    try:
        state = story.archive.state()
        assert state.behind is None
        assert state.problems == (f"PostgreSQL does not answer Barman: barman check {NAME}",)
        assert state.window is not None
        last = state.window.newest
        assert story.after < last
        with story.archive.copy(story.before, "r4") as copy:
            assert rows(story.server, copy.address) == ROWS
        with story.archive.copy(last, "r8") as copy:
            assert len(rows(story.server, copy.address)) >= len(LEFT)
        assert failed(story.archive, last + timedelta(seconds=1)) == [
            "HR561",
            f"{written(last + timedelta(seconds=1))} cannot be restored",
            f"the last transaction in the archive ended at {written(last)}, and the server cannot be asked whether any followed",
            "--to-time newest restores all that is there",
        ]
        _restored_through_the_command_line(story, reachable)
    finally:
        story.lab.configure(story.address)


def _restored_through_the_command_line(story: Story, reachable: Path) -> None:
    ini = story.folder / "alembic.ini"
    text = ini.read_text()
    ini.write_text(text.replace(f":{story.address.port}/", ":1/"))
    moment = story.before.isoformat()
    try:
        said = story.handrail("backup", "restore", "--to-time", moment, "--into", "then")
        assert (said.code, said.error.splitlines()[0].split()[0]) == (2, "HR230")
        assert said.error.endswith("Without the database, the archive gives files: --to-time … --files PATH.")
        target = reachable / "data"
        said = story.handrail("backup", "restore", "--to-time", moment, "--files", str(target))
        assert said.code == 0, said
        assert said.out.splitlines()[:2] == [
            "warning: the live database was not compared: no connection to"
            f" postgresql://handrail@127.0.0.1:1/{story.address.database}",
            f"restored the content of {written(story.before)} into {target}",
        ]
    finally:
        ini.write_text(text)
    started = Started(story.server.cluster.binaries, reachable / "server")
    started.files = target
    with started:
        assert rows(story.server, replace(story.address, port=started.port)) == ROWS


def test_a_tool_that_is_missing_too_old_or_told_of_nothing(story: Story, tmp_path: Path) -> None:
    def problems(program: str, name: str = NAME) -> tuple[str, ...]:
        config = str(story.lab.folder / "barman.conf")
        one = BarmanProgram(program, config, name, story.lab.environ)
        return BarmanArchive(one, story.address, "production", lambda: datetime.now(UTC)).state().problems

    assert problems("no-such-barman") == (
        "no-such-barman was not found: PostgreSQL's archive is kept by Barman, which is not part of handrail:"
        " pip install barman; then https://github.com/puddingcamp/handrail/blob/main/docs/archives-postgresql.md",
    )
    old = tmp_path / "barman"
    old.write_text("#!/bin/sh\necho 3.4.0 Barman by EnterpriseDB\n")
    old.chmod(0o755)
    assert problems(str(old)) == (
        "Barman 3.4.0 is too old: handrail works with 3.19 and newer: pip install --upgrade barman",
    )
    old.write_text('#!/bin/sh\n[ "$1" = --version ] && echo 3.19.1 || echo nonsense\n')
    assert problems(str(old)) == ("`barman show-server` failed: nonsense: barman check shop",)
    assert problems(str(obtain_barman()), "nobody") == (
        "`barman show-server` failed: Unknown server 'nobody': barman check nobody",
    )


def test_an_incremental_backup(story: Story) -> None:
    """From PostgreSQL 17 on; what is restored is put together from both."""
    if story.server.version < 17:
        return
    story.lab.barman("backup", "--wait", "--incremental", "latest", NAME)
    story.server.execute(story.address, [INSERT.format(3001, 3010)])
    story.lab.arrived(story.address)
    with story.archive.copy(None, "r5") as copy:
        assert rows(story.server, copy.address) == rows(story.server, story.address)
    with story.archive.copy(story.before, "r6") as copy:
        assert rows(story.server, copy.address) == ROWS
    story.server.execute(story.address, ["DELETE FROM bookings WHERE id > 3000"])
    story.lab.barman("delete", NAME, "latest")


def test_nobody_can_read_the_passwords(story: Story) -> None:
    words = (PASSWORD, story.address.password)
    for path in (*story.lab.folder.rglob("*"), *(story.folder / ".handrail").rglob("*")):
        if path.is_file() and path.stat().st_mode & 0o077:
            content = path.read_bytes()
            assert not any(word.encode() in content for word in words), path
