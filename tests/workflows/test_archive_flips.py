"""Harmed archives: what Litestream and Barman keep, harmed file by file. Restoring a moment refuses, or the content is
what it was then; nothing is left behind.

HANDRAIL_FLIPS and HANDRAIL_SEED as in test_byte_flips.py."""

from __future__ import annotations

import os
import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count as numbers
from pathlib import Path

import pytest

from handrail.archives.archive import Archive
from handrail.databases.postgres import wal
from handrail.databases.postgres.cluster import ThrowawayCluster
from handrail.errors import HandrailError
from handrail.facts import DatabaseAddress
from handrail.wiring import open_project
from handrail.wiring_archives import moment_kit
from handrail.workflows.moment import Target, restore_moment
from support.archived import a_second_later, archived, arrived, kept, now, read
from support.barman import NAME, Lab, lab
from support.calling import postgres_at_b2
from support.harming import Tally, harmed
from support.postgres import PostgresServer
from workflows.test_byte_flips import (
    MORE,
    MORE_ON_POSTGRES,
    SEED,
    Content,
    add_row_to_sqlite,
    bench,
    in_full,
    postgres_content,
    share,
)

pytestmark = pytest.mark.story

ONLY_NEWEST_SERVER = True
#: A file of the archive is gone, so often of a hundred.
_GONE = 10


@contextmanager
def harmed_file(
    chance: random.Random, path: Path, other: Path, *, may_go: bool, touched: bool = False
) -> Iterator[str]:
    """Harm a file of the archive where it lies, which keeps its time, or is `touched` only; lends how."""
    whole, stat = path.read_bytes(), path.stat()
    times = (stat.st_atime_ns, stat.st_mtime_ns)
    how = "file gone"
    if touched and chance.randrange(100) < _GONE:
        how = "time changed"
        os.utime(path)
    elif may_go and chance.randrange(100) < _GONE:
        path.unlink()
    else:
        harm = harmed(chance, whole, other.read_bytes())
        how = harm.how
        path.write_bytes(harm.data)
        os.utime(path, ns=times)
    yield how
    path.write_bytes(whole)
    os.utime(path, ns=times)
    os.chown(path, stat.st_uid, stat.st_gid)


@dataclass(frozen=True, slots=True)
class Litestreamed:
    """A project with an archive that nobody keeps any more, and what its database held at moments (None: at the end)."""

    folder: Path
    then: dict[datetime | None, list[object]]

    @property
    def files(self) -> list[Path]:
        return sorted(self.folder.glob("archive/ltx/*/*.ltx"))


def litestreamed(folder: Path) -> Litestreamed:
    archived(folder)
    one, then = bench(folder), dict[datetime | None, list[object]]()
    with kept(folder):
        with closing(sqlite3.connect(folder / "local.db")) as raw:
            raw.executescript(MORE)
        for _ in range(3):
            for _ in range(4):
                add_row_to_sqlite(one)
                arrived(folder)
            a_second_later()
            then[now()] = in_full(folder / "local.db")
            a_second_later()
        add_row_to_sqlite(one)
        arrived(folder)
    then[None] = in_full(folder / "local.db")
    assert len(read(folder / "local.db")) == 2
    return Litestreamed(folder, then)


@share(0.1, 12)
def test_litestream(tmp_path: Path, count: int) -> None:
    """Through the whole restore into a new file, which looks at the copy as well. The newest file is never gone: an
    archive that has not got everything yet looks the same."""
    made, one = litestreamed(tmp_path), bench(tmp_path)
    project = open_project(tmp_path, None)
    kit = moment_kit(project.config, project.migrator.describe())
    chance, tally, new = random.Random(SEED), Tally(), tmp_path / "new.db"
    moments, newest = list(made.then), max(path.stem.partition("-")[2] for path in made.files)
    live = (tmp_path / "local.db").read_bytes()
    for number in range(count):
        moment, path = moments[number % len(moments)], chance.choice(made.files)
        is_newest = path.stem.endswith(newest)
        what = f"Litestream, {'the newest' if moment is None else 'an earlier moment'}, level {path.parent.name}"
        with harmed_file(chance, path, chance.choice(made.files), may_go=not is_newest, touched=True) as how:
            try:
                restore_moment(one.run(), kit, moment, Target(into=str(new)), lambda _: None)
            except HandrailError as error:
                tally.add(what, how, f"refused, {error.code}")
            else:
                assert in_full(new) == made.then[moment], f"{path.relative_to(tmp_path)}: {how} was not found"
                tally.add(what, how, "same content")
                new.unlink()
        assert list(tmp_path.glob("new.db*")) == []
        assert list((tmp_path / ".handrail" / "work").iterdir()) == []
    assert (tmp_path / "local.db").read_bytes() == live
    print(f"seed {SEED}", *tally.lines(), sep="\n")


def without_sequences(content: Content) -> Content:
    """A server that recovers has sequences ahead by what it had logged for them beforehand."""
    return lambda address: [line for line in content(address) if "pg_catalog.setval(" not in str(line)]


@dataclass(frozen=True, slots=True)
class Barmaned:
    """An archive of a server, and what its database held at a moment in the middle of it and at the end."""

    lab: Lab
    address: DatabaseAddress
    then: dict[datetime | None, list[object]]

    @property
    def archive(self) -> Archive:
        return self.lab.archive(self.address)

    @property
    def segments(self) -> list[Path]:
        return sorted(path for path in self.lab.home.rglob("wals/*/*") if wal.is_segment(path.name))

    @property
    def base(self) -> list[Path]:
        """The files of the base backup; the empty ones cannot be harmed by a byte."""
        return sorted(
            path for path in self.lab.home.rglob("base/*/data/**/*") if path.is_file() and path.stat().st_size
        )


@pytest.fixture
def barmaned(postgres_server: PostgresServer, tmp_path: Path) -> Iterator[Barmaned]:
    settings = ("wal_level=replica", "max_wal_senders=4", "full_page_writes=on", "synchronous_commit=on")
    with ThrowawayCluster(postgres_server.cluster.binaries, settings=settings) as cluster:
        server = PostgresServer(cluster)
        (tmp_path / "project").mkdir()
        (tmp_path / "barman").mkdir()
        address = postgres_at_b2(tmp_path / "project", server)
        content = without_sequences(postgres_content(server))
        with lab(server, tmp_path / "barman") as made:
            made.set_up(address)
            server.execute(address, MORE_ON_POSTGRES)
            made.first_backup(address)
            insert = "INSERT INTO notes (text) SELECT 'later ' || n FROM generate_series(1, 2000) n"
            server.execute(address, [insert, "SELECT pg_switch_wal()"])
            a_second_later()
            moment, then = datetime.now(UTC), content(address)
            a_second_later()
            server.execute(address, [insert, "SELECT pg_switch_wal()", insert])
            made.arrived(address)
            made.barman("archive-wal", NAME)
            yield Barmaned(made, address, {moment: then, None: content(address)})


@share(0.003)
def test_barman(barmaned: Barmaned, postgres_server: PostgresServer, count: int) -> None:
    """Base backup and WAL in turn; each harm has a server recover. What the newest moment lacks must be told."""
    chance, tally, content = random.Random(SEED), Tally(), without_sequences(postgres_content(postgres_server))
    moments, run = list(barmaned.then), numbers()
    with barmaned.archive.copy(None, "whole") as copy:
        assert content(copy.address) == barmaned.then[None]
    for number in range(count):
        moment = moments[number // 2 % 2]
        part = "the base" if number % 2 else "WAL"
        files = barmaned.base if number % 2 else barmaned.segments
        path = chance.choices(files, [one.stat().st_size for one in files])[0]
        what = f"Barman, {part}, {'the newest' if moment is None else 'a moment in between'}"
        with harmed_file(chance, path, chance.choice(files), may_go=True) as how:
            try:
                with barmaned.archive.copy(moment, f"flip{next(run)}") as copy:
                    is_same = content(copy.address) == barmaned.then[moment]
            except HandrailError as error:
                tally.add(what, how, f"refused, {error.code}")
            else:
                state = barmaned.archive.state()
                is_told = moment is None and (state.behind != 0.0 or bool(state.problems))
                assert is_same or is_told, f"{path.relative_to(barmaned.lab.home)}: {how} was not found"
                tally.add(what, how, "same content" if is_same else "older, and told")
    print(f"seed {SEED}", *tally.lines(), sep="\n")
