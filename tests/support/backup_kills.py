"""Kills commands about backups, and checks what must hold after it: nothing half made counts, the next call ends it."""

from __future__ import annotations

import itertools
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import cast

import pyrage
import zstandard

from handrail.backups.catalog import manifest_key
from handrail.backups.manifest import manifest_text
from handrail.backups.methods import WHOLE, Method, request_of, way_to
from handrail.backups.record import BackupRecord
from handrail.databases.sqlite.database import SqliteDatabase
from handrail.errors import HandrailError
from handrail.journal.file import FileJournal
from handrail.migrator.migrator import ProjectFacts
from handrail.retention.decision import Rule
from handrail.retention.due import Time, Timetable
from handrail.retention.policy import RetentionPolicy
from handrail.stores.encoding import check
from handrail.stores.file import FileStore
from handrail.stores.store import Store
from handrail.wiring import open_project
from handrail.workflows.backup import make_backup, restore_new, verified_copy
from handrail.workflows.bring_back import restore_in_place
from handrail.workflows.catalog import find_whole, read_catalog, whole
from handrail.workflows.copies import copy_backup, whole_store
from handrail.workflows.due import run_due
from handrail.workflows.prune import judge, prune
from handrail.workflows.recover import Decision, recover
from handrail.workflows.run import Equipment, Progress, Run, locked_run, reading_run, run_of
from support.archived import TABLE, kept
from support.calling import at_b2, postgres_at_b2
from support.children import Child
from support.faults import Fault, FaultyProxy, faulty_proxy
from support.killing import How, _end, marked, processes, wait_for_children
from support.objects import Server, cloud_store, environment
from support.postgres import PostgresServer
from support.story import Rows, Story

WORKERS = 2
OLD, NEW = [(1, "파이썬 학습"), (2, "API 개발")], [(1, "파이썬 학습"), (2, "changed since")]
CHANGE = "UPDATE bookings SET topic = 'changed since' WHERE id = 2"
LARGE = 18 << 20
_DYING = Path(__file__).with_name("dying.py")
_CONFIG = """[environments.development]
store = "{store}"
{copies}
compression = "{compression}"
[schedule]
daily = "00:00"
prune = true
{method}
[retention]
last = 2
{archive}
"""
_BACKUPS = 4
#: Every so many kills.
_CALLED = 6
POLICY = RetentionPolicy(last=2)
TIMETABLE = Timetable((Time(Rule.DAILY, 0),))


@dataclass(frozen=True, slots=True)
class Operation:
    """A command that is killed, and how many backups there are beforehand."""

    name: str
    words: tuple[str, ...]
    backups: int = 1


CREATE = Operation("create", ("backup", "create"))
COPY = Operation("copy", ("backup", "copy", "latest"))
PRUNE = Operation("prune", ("backup", "prune", "--apply", "--yes"), backups=4)
INTO = Operation("restore into", ("backup", "restore", "latest", "--into", "{into}"))
IN_PLACE = Operation("restore in place", ("backup", "restore", "latest", "--in-place", "--yes"))
RUN_DUE = Operation("run-due", ("backup", "run-due"), backups=3)
INCREMENT = Operation("create an increment", ("backup", "create", "--method", "increment"), backups=4)
INTO_OF_INCREMENT = Operation("restore an increment into", INTO.words, backups=4)
IN_PLACE_OF_INCREMENT = Operation("restore an increment in place", IN_PLACE.words, backups=4)
DUE_INCREMENT = Operation("run-due, increment", RUN_DUE.words, backups=4)
SETUP = Operation("archive setup", ("archive", "setup"))
MOMENT = Operation("restore a moment into", ("backup", "restore", "--to-time", "newest", "--into", "{into}"))
ALL = (CREATE, COPY, PRUNE, INTO, IN_PLACE, RUN_DUE)
#: Those that write to a store.
STORING = (CREATE, COPY, PRUNE, RUN_DUE)
#: Those that work with increments.
OF_INCREMENTS = (INCREMENT, INTO_OF_INCREMENT, IN_PLACE_OF_INCREMENT, DUE_INCREMENT)
#: Those that make a new database, and those that replace the live one.
_INTO, _IN_PLACE = (INTO, INTO_OF_INCREMENT, MOMENT), (IN_PLACE, IN_PLACE_OF_INCREMENT)
_CREATE, _DUE = (CREATE, INCREMENT), (RUN_DUE, DUE_INCREMENT)
#: So old are the backups of a lineage, so that another one is due.
_AGO = timedelta(days=2)


class Kind(StrEnum):
    """What the project of a ground has: whole backups, a whole one and increments on it that were proven, these
    encrypted, or an archive by Litestream, too."""

    WHOLE = "whole"
    LINEAGE = "lineage"
    SEALED = "sealed"
    ARCHIVED = "archived"

    @property
    def has_increments(self) -> bool:
        return self in (Kind.LINEAGE, Kind.SEALED)


@dataclass(frozen=True, slots=True)
class Place:
    """Where one kill happens. `kit` has the stores as they really are, past any proxy; `content` reads the rows of a
    database by its name, None when there is none; `databases` are those of this place on its server."""

    story: Story
    kit: Equipment
    live: str
    content: Callable[[str], Rows | None]
    databases: Callable[[], set[str]]
    facts: ProjectFacts
    proxy: FaultyProxy | None = None
    #: Whether what follows the kill is called as users call it; else in this process, which takes a fifth of the time.
    is_called: bool = True
    is_large: bool = False

    def words(self, operation: Operation, into: str = "") -> list[str]:
        return [word.format(into=into or f"{self.live}_into") for word in operation.words]

    def store(self, number: int) -> Equipment:
        """The kit with one of its stores."""
        return replace(self.kit, store=self.kit.stores[number], copies=())


@dataclass(frozen=True, slots=True)
class Kill:
    """One kill: how, and what it left, in words."""

    operation: str
    how: str
    left: tuple[str, ...]
    failure: str = ""


@dataclass
class Ground:
    """Copies of one project whose backups hold OLD, and whose database holds NEW by now."""

    folder: Path
    server: PostgresServer | None = None
    bucket: Server | None = None
    is_large: bool = False
    kind: Kind = Kind.WHOLE
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def __post_init__(self) -> None:
        self.base = self.folder / "base"
        if self.server is None:
            at_b2(self.base)
        else:
            self.template = postgres_at_b2(self.base, self.server)
        if self.is_large:
            assert self.server is None
            self._change("CREATE TABLE large AS SELECT randomblob(1048576) AS data FROM"
                         f" generate_series(1, {LARGE >> 20})")  # fmt: skip
        self.key = pyrage.x25519.Identity.generate()
        (self.base / "prod.key").write_text(f"{self.key}\n")
        (self.base / "prod.key").chmod(0o600)
        (self.base / "handrail.toml").write_text(self._config("first"))
        if self.kind.has_increments:
            self._make_lineage()
        for _ in range(0 if self.kind.has_increments else 1 if self.is_large else _BACKUPS):
            call(self.base, "backup", "create", "--no-verify")
        if self.kind is Kind.ARCHIVED:
            self._change("PRAGMA journal_mode=WAL")
            with kept(self.base):
                pass
        project = open_project(self.base, None)
        self.facts = project.migrator.describe()
        self.kit = project.equipment(self.facts)
        catalog = read_catalog(self.kit)
        self.records = [whole(self.kit, one, catalog.places[one.id]) for one in catalog.records]
        self._change(CHANGE)
        shutil.rmtree(self.base / ".handrail")

    def _make_lineage(self) -> None:
        """Of a whole backup that holds another row, and increments."""
        method = Method.COPY if self.server is None else Method.BASE
        self._change(CHANGE.replace("changed since", "as it was first"))
        call(self.base, "backup", "create", "--method", method)
        self._change(CHANGE.replace("changed since", OLD[1][1]))
        for _ in range(_BACKUPS - 1):
            call(self.base, "backup", "create", "--method", "increment")

    def _change(self, sql: str) -> None:
        if self.server is not None:
            self.server.execute(self.template, [sql])
            return
        with closing(sqlite3.connect(self.base / "local.db")) as connection, connection:
            if "generate_series" in sql:
                connection.execute("CREATE TABLE large (data BLOB)")
                rows = [(os.urandom(1 << 20),) for _ in range(LARGE >> 20)]
                connection.executemany("INSERT INTO large VALUES (?)", rows)
            else:
                connection.execute(sql)

    def _config(self, store: str, second: str = "") -> str:
        copies = f'copies = ["{second}"]' if second else ""
        is_sealed, is_archived = self.kind is Kind.SEALED, self.kind is Kind.ARCHIVED
        if is_sealed:
            copies += f'\nrecipients = ["{self.key.to_public()}"]\nidentity = "prod.key"'
        return _CONFIG.format(
            store=store,
            copies=copies,
            compression="none" if self.is_large else "zstd",
            method='method = "increment"' if self.kind.has_increments else "",
            archive=TABLE.format(place="archive") if is_archived else "",
        )

    @contextmanager
    def fresh(self, operation: Operation, proxied: bool = False) -> Iterator[Place]:
        number = next(self.numbers)
        folder = self.folder / f"kill{number:05}"
        shutil.copytree(self.base, folder, ignore=shutil.ignore_patterns("first"))
        with ExitStack() as stack:
            stack.callback(shutil.rmtree, folder)
            place = self._place(folder, stack)
            place = self._with_stores(place, operation, number, stack, proxied)
            ago = _AGO if self.kind.has_increments else timedelta()
            put_backups(self.records[: operation.backups], self.base / "first", place, ago)
            yield place

    def _place(self, folder: Path, stack: ExitStack) -> Place:
        if self.server is None:
            live = str(folder / "local.db")

            def query(sql: str) -> Rows:
                with closing(sqlite3.connect(live)) as connection:
                    return connection.execute(sql).fetchall()

            story = Story(folder, {}, query)
            address = replace(self.kit.database.address, database=live)
            database = SqliteDatabase(address, work_dir=folder / ".handrail" / "work")
            kit = replace(self.kit, database=database)
            return Place(
                story, kit, live, sqlite_rows, lambda: {str(path) for path in folder.glob("*.db*")}, self.facts
            )
        server, name = self.server, f"{self.template.database}_{folder.name}"
        address = server.clone(name, self.template.database)
        stack.callback(server.drop, name)
        ini = folder / "alembic.ini"
        ini.write_text(ini.read_text().replace(f"/{self.template.database}\n", f"/{name}\n"))

        def rows(database: str) -> Rows | None:
            return postgres_rows(server, database)

        def databases() -> set[str]:
            with server.connect(server.cluster.address) as connection:
                return {str(one) for (one,) in connection.execute("SELECT datname FROM pg_database")}

        kit = replace(self.kit, database=self.kit.database.sibling(address.database))
        return Place(Story(folder, {}, lambda _: []), kit, name, rows, databases, self.facts)

    def _with_stores(self, place: Place, operation: Operation, number: int, stack: ExitStack, proxied: bool) -> Place:
        folder = place.story.folder
        first: Store = FileStore(folder / "first")
        names, proxy, variables = ["first", "second"], None, {}
        second: Store = FileStore(folder / "second")
        if self.bucket is not None:
            prefix = f"kills/{os.getpid()}_{number:05}"
            cloud, url = cloud_store(self.bucket.bucket(), prefix), f"s3://{self.bucket.bucket()}/{prefix}"
            endpoint = self.bucket.endpoint
            if proxied:
                proxy = stack.enter_context(faulty_proxy(self.bucket.port))
                endpoint = proxy.endpoint
            variables = environment(endpoint, folder)
            first, second = (first, cloud) if operation is COPY else (cloud, second)
            names = ["first", url] if operation is COPY else [url, "second"]
        is_copying = operation is COPY
        (folder / "handrail.toml").write_text(self._config(names[0], names[1] if is_copying else ""))
        story = marked(replace(place.story, environment=variables), folder.name)
        journal = FileJournal(folder / ".handrail" / "journal" / "development")
        kit = replace(place.kit, store=first, copies=(second,) if is_copying else (), journal=journal)
        return replace(
            place, story=story, kit=kit, proxy=proxy, is_called=number % _CALLED == 0, is_large=self.is_large
        )


def call(folder: Path, *words: str) -> None:
    subprocess.run([sys.executable, "-m", "handrail.cli.main", *words], cwd=folder, check=True, capture_output=True)


def sqlite_rows(database: str) -> Rows | None:
    if not Path(database).exists():
        return None
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        if not connection.execute("SELECT 1 FROM sqlite_schema").fetchall():
            return []
        return connection.execute("SELECT id, topic FROM bookings ORDER BY id").fetchall()


def postgres_rows(server: PostgresServer, database: str) -> Rows | None:
    with server.connect(server.cluster.address) as connection:
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [database]).fetchall():
            return None
    with server.connect(server.address(database)) as connection:
        if connection.execute("SELECT to_regclass('bookings')").fetchall() == [(None,)]:
            return []
        return list(connection.execute("SELECT id, topic FROM bookings ORDER BY id").fetchall())


def put_backups(records: Sequence[BackupRecord], source: Path, place: Place, ago: timedelta) -> None:
    """Backups of the base, as if they were of this place's database, and older."""
    for record in records:
        folder = source / "development" / record.id
        for path in sorted(folder.iterdir(), key=lambda path: path.name == "manifest.json"):
            key, data = f"development/{record.id}/{path.name}", path.read_bytes()
            if key == manifest_key("development", record.id):
                address, made = str(place.kit.database.address), record.created_at - ago
                data = manifest_text(replace(record, database=address, created_at=made))
            with place.kit.store.open_write(key) as out:
                out.write(data)


def start(place: Place, operation: Operation, end_at: int | None = None) -> Child[bytes]:
    """The command as users call it, or (with a number) one that ends itself before that change."""
    program = ["-m", "handrail.cli.main"] if end_at is None else [str(_DYING), str(end_at)]
    return Child(
        [sys.executable, *program, *place.words(operation)],
        cwd=place.story.folder,
        env={**os.environ, **place.story.environment, "NO_COLOR": "1", "HANDRAIL_COUNT": str(place.story.folder / "n")},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


#: Waits for the moment of a kill; False when the command had ended before.
Moment = Callable[[Child[bytes]], bool]


def after(seconds: float) -> Moment:
    def wait(process: Child[bytes]) -> bool:
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            return True
        return process.returncode < 0

    return wait


def kill(ground: Ground, operation: Operation, how: How, moment: Moment, end_at: int | None = None) -> Kill | None:
    """Run, kill, check; None when the command ended before its moment."""
    with ground.fresh(operation) as place, start(place, operation, end_at) as process:
        is_due = moment(process)
        end_processes(place, process, how)
        return told(place, operation, how) if is_due else None


def kill_at_request(ground: Ground, operation: Operation, how: How, number: int) -> Kill | None:
    """The same when the store's server is sent its n-th request, which it gets or not."""
    with ground.fresh(operation, proxied=True) as place:
        assert place.proxy is not None
        started: list[Child[bytes]] = []

        def is_it(_: str, __: str) -> bool:
            if len(place.proxy.seen if place.proxy else ()) == number:
                started[0].kill()
            return False

        place.proxy.faults.append(Fault(on=is_it))
        with start(place, operation) as process:
            started.append(process)
            is_due = after(60)(process)
            end_processes(place, process, how)
        place.proxy.faults.clear()
        return told(place, operation, how) if is_due else None


def end_processes(place: Place, process: Child[bytes], how: How) -> None:
    process.kill()
    while how is How.TREE and (living := processes(place.story)):
        for pid in living:
            _end(pid)
    process.wait()
    if how is How.ALONE:
        wait_for_children(place.story)


def told(place: Place, operation: Operation, how: How) -> Kill:
    """What the checks say, printed at once; one that fails is told at the end, with all others."""
    try:
        done = checked(place, operation, how)
    except (AssertionError, HandrailError) as error:
        text = "".join(traceback.format_exception(error))
        done = Kill(operation.name, how.name.lower(), ("FAILED",), f"{place.story.folder.name}: {text}")
    print(f"{done.operation}, {done.how}: {', '.join(done.left)}", flush=True)
    return done


def checked(place: Place, operation: Operation, how: How) -> Kill:
    """What must hold after a kill; then the same command again, `recover` and a prune, and what must hold then."""
    first, *others = map(reopened, place.kit.stores)
    place = replace(place, kit=replace(place.kit, store=first, copies=tuple(others)))
    left = [*check_stores(place), *check_database(place, operation)]
    again(place, operation)
    left += [f"{result} by recover" for result in recovered(place)]
    if operation not in (CREATE, INCREMENT):  # which may have had nothing left to write: the next writer clears away
        place.story.run("backup", "create", "--no-verify")
    go_on(place, PRUNE)
    wait_for_children(place.story)
    assert check_stores(place) == [], (operation, left)
    assert list((place.story.folder / ".handrail" / "work").glob("*")) == []
    assert not list(place.story.folder.rglob(".partial-*"))
    assert not list(place.story.folder.rglob("litestream.yml.*"))
    assert beside(place) == set()
    return Kill(operation.name, how.name.lower(), tuple(sorted(set(left))) or ("nothing",))


def reopened(store: Store) -> Store:
    """As another process would open it: what a killed one has left is looked for again."""
    return FileStore(Path(store.place)) if isinstance(store, FileStore) else store


def check_stores(place: Place) -> list[str]:
    """Every backup that the catalog has is whole, and so is every artifact that can be seen."""
    left = []
    for number, store in enumerate(place.kit.stores):
        kit = place.store(number)
        catalog = read_catalog(kit)
        assert (catalog.unreadable, catalog.not_understood) == ((), ())
        for record in catalog.records:
            with store.open_read(record.artifact.key) as stored:
                check(stored, record.artifact)
        for backup_id in catalog.unfinished:
            check_artifact(place, store, backup_id)
        left += ["a backup without manifest"] * bool(catalog.unfinished) + ["half deleted"] * bool(catalog.deleted)
    if list(place.story.folder.rglob(".partial-*")):
        left.append("a temporary file in the store")
    return left


def check_artifact(place: Place, store: Store, backup_id: str) -> None:
    """An artifact that is seen is written to its end, also before there is a manifest; so is an inventory."""
    for key in store.keys(f"development/{backup_id}/"):
        if ".zst" not in key:
            continue
        with store.open_read(key) as stored:
            data = stored.read()
        if key.endswith(".age"):
            data = pyrage.decrypt(data, cast(list[pyrage.x25519.Identity], list(place.kit.keys.identity().keys)))
        content = zstandard.ZstdDecompressor().decompressobj()
        content.decompress(data)
        assert content.eof, key


def check_database(place: Place, operation: Operation) -> list[str]:
    """The live database is the old or the new one; a new one that is restored is not there, or whole."""
    rows = place.content(place.live)
    assert rows == NEW or (operation in _IN_PLACE and rows == OLD), rows
    left = ["replaced"] if rows == OLD else []
    into = place.content(f"{place.live}_into")
    if into is not None:
        assert len(into) == 2, into
        left.append("the new database, whole")
    return left


def beside(place: Place) -> set[str]:
    """What nobody asked for: databases and files of runs that have ended."""
    asked = {place.live, f"{place.live}_into", f"{place.live}_again"}
    kept = (f"{place.live}_failed_", f"{place.live}.failed_")
    names = {name for name in place.databases() if name.startswith(place.live) or "handrail" in name}
    runs = [path.stem for path in place.story.journals()]
    names = {name for name in names if name.startswith(place.live) or any(run in name for run in runs)}
    return {
        name
        for name in names
        if name not in asked
        and not name.startswith(kept)
        and not name.endswith((".handrail-lock", "-journal", "-wal", "-shm"))
    }


def recovered(place: Place) -> list[str]:
    if place.is_called:
        return [one["result"] for one in place.story.result("recover", "--yes")["result"]["settled"]]
    return [one.result for one in recover(place.kit, place.facts, Decision("", lambda _: True), quiet)]


def quiet(_: Progress) -> None:
    """Nobody watches."""


def go_on(place: Place, operation: Operation, into: str = "") -> None:
    """The command once more, to its end."""
    if (place.is_called and not (operation is COPY and place.is_large)) or operation in (SETUP, MOMENT):
        place.story.run(*place.words(operation, into))
        return
    kit, name = place.kit, operation.name
    record = find_whole(kit, "latest")
    if operation is COPY:
        time.sleep(2 * place.is_large)  # until a dead writer's claim is old enough
        run = run_of(kit, record.run_id, quiet)
        copy_backup(run, record, whole_store(run, record), kit.copies[0])
    elif operation in _INTO:
        into = into or f"{place.live}_into"
        with reading_run(kit, quiet, name, record.id, into) as run:
            restore_new(run, record, into)
    else:
        data = {"backup": record.id} if operation in _IN_PLACE else {}
        with locked_run(kit, quiet, f"backup {name}", data) as run:
            locked(run, operation, record)


def locked(run: Run, operation: Operation, record: BackupRecord) -> None:
    way = way_to(run.equipment.database.address.engine, Method.INCREMENT)
    if operation in _CREATE:
        request = WHOLE if operation is CREATE else request_of(way)
        with verified_copy(run, make_backup(run, "by hand", request)):
            pass
    elif operation is PRUNE:
        prune(run, POLICY, {one.candidate.id for one in judge(run.equipment, POLICY).leaving})
    elif operation in _DUE:
        run_due(run, TIMETABLE if operation is RUN_DUE else replace(TIMETABLE, method=Method.INCREMENT), POLICY)
    else:
        restore_in_place(run, record)


def again(place: Place, operation: Operation) -> None:
    """The same command ends well; into a new database when there is one already."""
    if operation in _INTO:
        name = f"{place.live}_into"
        into = f"{place.live}_again" if place.content(name) is not None else name
        go_on(place, operation, into)
        assert place.content(into) == OLD
        return
    go_on(place, operation)
    records = read_catalog(place.store(0)).records
    if operation in (*_CREATE, *_DUE):
        assert records[0].is_verified
    if operation is INCREMENT:
        assert records[0].parent
    if operation in _IN_PLACE:
        assert place.content(place.live) == OLD
    if operation is PRUNE:
        assert len(records) == 2
    if operation is COPY:
        assert [one.id for one in read_catalog(place.store(1)).records] == [one.id for one in records]


def whole_run(ground: Ground, operation: Operation) -> tuple[float, int]:
    """Seconds and changes of a command that is not killed, while another one runs."""

    def one(_: int) -> tuple[float, int]:
        with ground.fresh(operation) as place:
            began = time.monotonic()
            with start(place, operation, 0) as process:
                assert process.wait() == 0, operation
            return time.monotonic() - began, int((place.story.folder / "n").read_text())

    with ThreadPoolExecutor(WORKERS) as pool:
        return max(pool.map(one, range(WORKERS)))


def requests_of(ground: Ground, operation: Operation) -> int:
    with ground.fresh(operation, proxied=True) as place:
        with start(place, operation) as process:
            assert process.wait() == 0, operation
        assert place.proxy is not None
        return len(place.proxy.seen)


def at_random(ground: Ground, operations: Sequence[Operation], count: int, seed: int) -> list[Kill]:
    """So many kills at moments spread evenly over what follows the imports, operations and ways in turn."""
    chance, ways = random.Random(seed), itertools.cycle(How)
    length = {operation: whole_run(ground, operation)[0] for operation in operations}
    turns = itertools.cycle(operations)
    found: list[Kill] = []
    with ThreadPoolExecutor(WORKERS) as pool:
        while len(found) < count:
            drawn = [(next(turns), next(ways), chance.uniform(0.4, 1.0)) for _ in range(count - len(found))]
            done = pool.map(lambda one: kill(ground, one[0], one[1], after(one[2] * length[one[0]])), drawn)
            found += filter(None, done)
    return found


def at_every_change(ground: Ground, operations: Sequence[Operation], step: int = 1) -> list[Kill]:
    """A kill before each change of a file or folder that the command makes itself."""
    cases = []
    for operation in operations:
        changes = whole_run(ground, operation)[1]
        cases += [(operation, number) for number in range(1, changes + 1, step)]
    drawn = zip(cases, itertools.cycle(How), strict=False)
    with ThreadPoolExecutor(WORKERS) as pool:
        done = pool.map(lambda case: kill(ground, case[0][0], case[1], after(120), case[0][1]), drawn)
        return list(filter(None, done))


def at_every_request(ground: Ground, operations: Sequence[Operation]) -> list[Kill]:
    """A kill at each request to the store's server."""
    cases = [(one, number) for one in operations for number in range(1, requests_of(ground, one) + 1)]
    drawn = zip(cases, itertools.cycle(How), strict=False)
    with ThreadPoolExecutor(WORKERS) as pool:
        done = pool.map(lambda case: kill_at_request(ground, case[0][0], case[1], case[0][1]), drawn)
        return list(filter(None, done))


def assert_all(kills: Sequence[Kill]) -> None:
    print(table(kills))
    failures = [one.failure for one in kills if one.failure]
    assert not failures, "\n\n".join(failures)


def table(kills: Sequence[Kill]) -> str:
    """The counts as Markdown."""
    rows = ["| killed | kills | what was left |", "|---|---|---|"]
    for name in dict.fromkeys(one.operation for one in kills):
        found = [one for one in kills if one.operation == name]
        left = Counter(word for one in found for word in one.left)
        rows.append(f"| {name} | {len(found)} | {', '.join(f'{word} {n}' for word, n in left.most_common())} |")
    ways = Counter(one.how for one in kills)
    return "\n".join([*rows, "", f"{len(kills)} kills: {', '.join(f'{way} {n}' for way, n in ways.items())}"])
