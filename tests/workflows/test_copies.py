"""Backups in several stores, with real adapters: copied, read back, read from where they are whole; and told."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import pytest

from handrail.backups.catalog import choose, deletion_key, drill_key
from handrail.backups.drill import Drill
from handrail.backups.methods import DumpRequest, Format
from handrail.backups.record import BackupRecord
from handrail.errors import BackupError, ExitCode
from handrail.stores.file import FileStore
from handrail.stores.store import Store, StoreError
from handrail.wiring import open_project
from handrail.workflows.backup import make_backup, restore_new, restored, verified_copy
from handrail.workflows.catalog import read_catalog
from handrail.workflows.copies import copy_backup, copy_to_others, copy_with_parents, whole_store
from handrail.workflows.drill import read_drills, record_drill
from handrail.workflows.marking import pin
from handrail.workflows.prune import _announce, _delete
from handrail.workflows.run import Equipment, Progress, Run, locked_run
from support.projects import BOOKINGS, make_project
from support.runs import left_open


@dataclass
class Full:
    """A store that takes no object whose key ends so: what fails is the real store's write."""

    inner: FileStore
    ending: str

    @property
    def place(self) -> str:
        return self.inner.place

    @contextmanager
    def open_write(self, key: str) -> Iterator[BinaryIO]:
        with self.inner.open_write(key) as out:
            yield out
            if key.endswith(self.ending):
                raise StoreError(f"cannot write {key} to the store {self.place}", why="No space left", hint="make room")

    def __getattr__(self, name: str) -> object:
        return getattr(self.inner, name)


class Bench:
    """A SQLite project with rows, a store and two copies of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = make_project(folder, revisions=(BOOKINGS,))
        self.said: list[Progress] = []
        project = open_project(folder, None)
        facts = project.migrator.describe("head")
        assert facts.path is not None
        base = project.equipment(facts)
        project.migrator.run(facts.path, run_id="r", limits=base.limits)
        with closing(sqlite3.connect(folder / "local.db")) as connection, connection:
            connection.executemany("INSERT INTO bookings VALUES (?, ?)", [(n, f"topic {n}") for n in range(3, 900)])
        self.stores = [FileStore(folder / name) for name in ("first", "second", "third")]
        self.kit = replace(base, store=self.stores[0], copies=tuple(self.stores[1:]))

    def with_copies(self, *copies: Store, must_copy: bool = True) -> Equipment:
        return replace(self.kit, copies=copies, must_copy=must_copy)

    def make(self, kit: Equipment | None = None) -> tuple[Run, BackupRecord]:
        with locked_run(kit or self.kit, self.said.append, "backup create") as run:
            return run, make_backup(run, "by hand")

    def run(self, kit: Equipment | None = None) -> Run:
        return left_open(kit or self.kit, self.said.append, "backup verify", {})

    def warnings(self) -> list[str]:
        return [one.text for one in self.said if one.state == "warning"]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def content(store: Store) -> dict[str, bytes]:
    found = {}
    keys = store.keys()
    for key in keys:
        with store.open_read(key) as source:
            found[key] = source.read()
    return found


def test_a_backup_is_copied_to_every_store_and_so_is_its_proof(bench: Bench) -> None:
    run, record = bench.make()
    first, second, third = map(content, bench.stores)
    assert sorted(first) == [
        f"development/{record.id}/RECOVERY.txt",
        record.artifact.key,
        f"development/{record.id}/inventory.zst",
        f"development/{record.id}/manifest.json",
    ]
    assert first == second == third
    with verified_copy(run, record):
        pass
    first, second, third = map(content, bench.stores)
    assert f"development/{record.id}/verified-{run.id}.json" in first
    assert first == second == third
    catalog = read_catalog(bench.kit)
    assert choose(catalog.records, "verified").id == record.id
    assert (catalog.places, catalog.unreadable) == ({record.id: tuple(one.place for one in bench.stores)}, ())
    copied = [one.text for one in bench.said if (one.step, one.state) == ("copy", "done")]
    assert [text.partition(" and read back, ")[0] for text in copied] == [
        f"copied to {one.place}" for one in bench.stores[1:]
    ]
    assert bench.warnings() == []


@pytest.mark.parametrize("ending", ["artifact.zst", "manifest.json"])
def test_a_copy_that_fails_stops_the_run_and_says_what_is_whole(bench: Bench, ending: str) -> None:
    full = Full(bench.stores[1], ending)
    with pytest.raises(BackupError) as caught:
        bench.make(bench.with_copies(full))  # type: ignore[arg-type]
    (record,) = read_catalog(bench.with_copies()).records
    error = caught.value
    key = record.artifact.key if ending == "artifact.zst" else f"development/{record.id}/manifest.json"
    assert (error.message, error.why, error.hint, error.code, error.exit_code) == (
        f"backup {record.id} is whole in {bench.stores[0].place}, but is not in {full.place}",
        f"cannot write {key} to the store {full.place}: No space left",
        f'make room; or set `failed_copy = "warn"`, and later: handrail backup copy {record.id}',
        "HR545",
        ExitCode.BACKUP_NOT_VERIFIED,
    )
    assert read_catalog(bench.with_copies(full)).places == {record.id: (bench.stores[0].place,)}  # type: ignore[arg-type]


def test_a_copy_that_may_fail_is_a_warning_and_the_next_store_gets_its_own(bench: Bench) -> None:
    full = Full(bench.stores[1], "artifact.zst")
    _, record = bench.make(bench.with_copies(full, bench.stores[2], must_copy=False))  # type: ignore[arg-type]
    assert bench.warnings() == [
        f"backup {record.id} is not in {full.place}: "
        f"cannot write {record.artifact.key} to the store {full.place} (No space left)"
    ]
    assert read_catalog(bench.kit).places == {record.id: (bench.stores[0].place, bench.stores[2].place)}


def harmed(store: FileStore, record: BackupRecord) -> None:
    path = Path(store.place) / record.artifact.key
    data = path.read_bytes()
    path.write_bytes(data[:50] + bytes([data[50] ^ 1]) + data[51:])


def test_what_is_missing_or_damaged_in_one_store_is_read_from_the_next_and_told(bench: Bench) -> None:
    _, record = bench.make()
    (Path(bench.stores[0].place) / record.artifact.key).unlink()
    harmed(bench.stores[1], record)
    run = bench.run()
    with verified_copy(run, record) as copy:
        assert copy.fingerprint() == record.fingerprint
    size = record.artifact.size
    assert bench.warnings() == [
        f"{bench.stores[0].place}: {record.artifact.key} is not in the store {bench.stores[0].place}; "
        f"{record.id} is read from {bench.stores[2].place}",
        f"{bench.stores[1].place}: the backup file {record.artifact.key} is damaged ({size} bytes were read, "
        f"{size} were written, or some differ); {record.id} is read from {bench.stores[2].place}",
    ]
    with restored(run, record):
        pass
    assert len(bench.warnings()) == 2, "told once a run"


def test_a_backup_that_is_whole_nowhere_is_refused(bench: Bench) -> None:
    _, record = bench.make()
    (Path(bench.stores[0].place) / record.artifact.key).unlink()
    harmed(bench.stores[1], record)
    harmed(bench.stores[2], record)
    with pytest.raises(BackupError) as caught:
        whole_store(bench.run(), record)
    assert (caught.value.code, caught.value.message) == (
        "HR520",
        f"the backup file {record.artifact.key} is damaged",
    )


def test_a_copy_repairs_what_is_damaged_or_half_there_and_leaves_the_rest(bench: Bench) -> None:
    _, record = bench.make(bench.with_copies())
    run, (first, second, third) = bench.run(bench.with_copies()), bench.stores
    manifest = f"development/{record.id}/manifest.json"

    assert copy_backup(run, record, first, second).written
    assert content(second) == content(first)
    assert not copy_backup(run, record, first, second).written
    harmed(second, record)
    assert copy_backup(run, record, first, second).written
    second.delete(manifest)
    assert not copy_backup(run, record, first, second).written
    second.delete(manifest)
    with second.open_write(manifest) as out:
        out.write(b"altered")
    assert not copy_backup(run, record, first, second).written
    second.delete(record.artifact.key)
    assert copy_backup(run, record, first, second).written
    assert content(second) == content(first)
    assert copy_backup(run, record, second, third).written
    assert content(third) == content(first)


def test_a_damaged_source_is_never_copied_on(bench: Bench) -> None:
    _, record = bench.make(bench.with_copies())
    harmed(bench.stores[0], record)
    with pytest.raises(BackupError) as caught:
        copy_backup(bench.run(), record, bench.stores[0], bench.stores[1])
    assert (caught.value.code, caught.value.message, caught.value.why) == (
        "HR520",
        f"the backup file {record.artifact.key} is damaged",
        f"what was copied to {bench.stores[1].place} is not what was made; it was removed there",
    )
    assert content(bench.stores[1]) == {}


class Pruned(Full):
    """A store whose backup is pruned, or begun to be, while its artifact is read."""

    def __init__(self, bench: Bench, record: BackupRecord, *, is_begun_only: bool) -> None:
        super().__init__(bench.stores[0], "")
        self._kit = replace(bench.kit, copies=())
        self._run, self._record, self._is_begun_only = Run("p1", self._kit, bench.said.append), record, is_begun_only

    @contextmanager
    def open_read(self, key: str) -> Iterator[BinaryIO]:
        with self.inner.open_read(key) as source:
            yield source
        if key == self._record.artifact.key and self._is_begun_only:
            _announce(self._run, self.inner, self._record.id, ("not among the last 1",))
        elif key == self._record.artifact.key:
            _delete(self._run, self._record.id, ("not among the last 1",))


@pytest.mark.parametrize("is_begun_only", [True, False])
def test_what_is_pruned_while_it_is_copied_is_not_called_copied(bench: Bench, is_begun_only: bool) -> None:
    """No lock keeps them apart. What the target has by then is taken away again: half a backup, or one whose deletion
    came along, would lie there for good."""
    _, record = bench.make(bench.with_copies())
    source = Pruned(bench, record, is_begun_only=is_begun_only)
    with pytest.raises(BackupError) as caught:
        copy_backup(bench.run(), record, source, bench.stores[1])  # type: ignore[arg-type]
    assert (caught.value.message, caught.value.why, caught.value.hint, caught.value.code) == (
        f"backup {record.id} was not copied",
        f"it is being deleted from {source.place}"
        if is_begun_only
        else f"{source.place} has no manifest of it any more",
        "choose another one: handrail backup list; handrail backup pin keeps one from being pruned",
        "HR546",
    )
    assert bench.stores[1].keys() == ()


def test_what_was_damaged_in_the_first_store_is_not_taken_for_a_failure_of_the_copy(bench: Bench) -> None:
    _, record = bench.make(bench.with_copies())
    harmed(bench.stores[0], record)
    for must_copy in (True, False):
        with pytest.raises(BackupError) as caught:
            copy_to_others(bench.run(bench.with_copies(bench.stores[1], must_copy=must_copy)), record)
        assert (caught.value.code, caught.value.message) == (
            "HR520",
            f"the backup file {record.artifact.key} is damaged",
        )
    assert bench.warnings() == []


class Gone(Full):
    """A store that cannot be reached."""

    def keys(self, prefix: str = "") -> tuple[str, ...]:
        raise StoreError(f"cannot list the store {self.place}", why="nobody listens there")


def test_the_catalog_is_what_can_be_read_and_says_what_cannot(bench: Bench) -> None:
    _, record = bench.make()
    gone = Gone(bench.stores[0], "")
    catalog = read_catalog(replace(bench.kit, store=gone))  # type: ignore[arg-type]
    assert [one.id for one in catalog.records] == [record.id]
    assert catalog.unreadable == ((gone.place, f"cannot list the store {gone.place}: nobody listens there"),)
    assert catalog.places == {record.id: tuple(one.place for one in bench.stores[1:])}
    with pytest.raises(StoreError, match="cannot list the store"):
        read_catalog(replace(bench.kit, store=gone, copies=()))  # type: ignore[arg-type]


def test_a_proof_is_kept_by_the_stores_that_hold_the_backup(bench: Bench) -> None:
    _, record = bench.make(bench.with_copies(bench.stores[2]))
    (Path(bench.stores[0].place) / f"development/{record.id}/manifest.json").unlink()
    run = bench.run()
    with verified_copy(run, record):
        pass
    mark = f"development/{record.id}/verified-{run.id}.json"
    assert [mark in content(store) for store in bench.stores] == [False, False, True]
    assert choose(read_catalog(bench.kit).records, "verified").id == record.id


def test_a_mark_and_a_deletion_reach_every_store(bench: Bench) -> None:
    _, record = bench.make()
    run = bench.run()
    pin(run, record.id, "an audit", None)
    assert content(bench.stores[0]) == content(bench.stores[1]) == content(bench.stores[2])
    assert [mark.text for mark in read_catalog(bench.kit).records[0].pins] == ["an audit"]
    _delete(run, record.id, ("a test",))
    assert [content(store) for store in bench.stores] == [{}, {}, {}]


def test_a_deletion_that_has_begun_in_one_store_is_one_of_the_backup(bench: Bench) -> None:
    _, record = bench.make()
    with bench.stores[1].open_write(deletion_key("development", record.id)) as out:
        out.write(b"{}")
    catalog = read_catalog(bench.kit)
    assert (catalog.records, catalog.deleted, catalog.unfinished) == ((), (record.id,), ())


def test_a_copy_that_is_half_there_is_not_an_unfinished_backup(bench: Bench) -> None:
    _, record = bench.make()
    bench.stores[2].delete(f"development/{record.id}/manifest.json")
    catalog = read_catalog(bench.kit)
    assert (catalog.unfinished, catalog.places[record.id]) == ((), tuple(one.place for one in bench.stores[:2]))


def drilled(run: Run, record: BackupRecord) -> Drill:
    now = run.equipment.clock()
    return record_drill(run, Drill(run.id, now, record.id, record.database, 1.5, 60.0, None, ()))


def test_a_drill_is_in_every_store_and_is_read_from_any(bench: Bench) -> None:
    run, record = bench.make()
    made = drilled(run, record)
    key = drill_key("development", made.id)
    assert [content(store)[key] for store in bench.stores] == [content(bench.stores[0])[key]] * 3
    gone = Gone(bench.stores[0], "")
    assert read_drills(replace(bench.kit, store=gone)) == (  # type: ignore[arg-type]
        (made,),
        (f"{gone.place}: cannot list the store {gone.place}: nobody listens there",),
    )
    path = Path(bench.stores[1].place) / key
    path.write_bytes(path.read_bytes()[:-9])
    found, told = read_drills(bench.kit)
    assert (found, [text.partition(": ")[0] for text in told]) == ((made,), [str(path)])
    with pytest.raises(StoreError, match="cannot list the store"):
        read_drills(replace(bench.kit, store=gone, copies=()))  # type: ignore[arg-type]


def test_a_drill_counts_when_one_store_took_it(bench: Bench) -> None:
    run, record = bench.make()
    full = Full(bench.stores[0], f"{run.id}.json")
    kit = replace(bench.kit, store=full)  # type: ignore[arg-type]
    made = drilled(replace(run, equipment=kit), record)
    assert bench.warnings() == [
        f"{full.place} did not take what came of the drill:"
        f" cannot write development/drills/{run.id}.json to the store {full.place}"
    ]
    assert read_drills(bench.kit) == ((made,), ())
    with pytest.raises(StoreError, match="cannot write development/drills/"):
        drilled(replace(run, equipment=replace(kit, copies=())), record)


def test_a_copy_takes_along_the_drills_that_are_missing(bench: Bench) -> None:
    run, record = bench.make(bench.with_copies())
    made, (first, second, third) = drilled(run, record), bench.stores
    for target in (second, third):
        copy_with_parents(bench.run(), record, first, target)
        assert content(target) == content(first)
    path = Path(third.place) / drill_key("development", made.id)
    path.write_bytes(b"another one's, or damaged")
    copy_with_parents(bench.run(), record, first, third)
    assert path.read_bytes() == b"another one's, or damaged"
    assert read_drills(bench.kit)[0] == (made,)


class Listed(Full):
    """A store that counts how often the whole environment is listed."""

    times = 0

    def keys(self, prefix: str = "") -> tuple[str, ...]:
        self.times += prefix == "development/"
        return self.inner.keys(prefix)


def test_restoring_an_increment_reads_the_catalog_once(bench: Bench) -> None:
    kit = bench.with_copies()
    bench.make(kit)
    with locked_run(kit, bench.said.append, "backup create") as run:
        record = make_backup(run, "by hand", DumpRequest(Format.SQLITE_INCREMENT))
    listed = Listed(bench.stores[0], "")
    run = bench.run(replace(kit, store=listed))  # type: ignore[arg-type]
    new = bench.folder / "new.db"
    assert restore_new(run, record, str(new)) == f"sqlite:///{new}"
    assert listed.times == 1
    with closing(sqlite3.connect(new)) as connection:
        assert connection.execute("SELECT count(*) FROM bookings").fetchall() == [(899,)]
