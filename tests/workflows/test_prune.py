"""Prune on every store: it deletes what nothing keeps and no more, whatever interrupts it and whoever else prunes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO

import pytest

from handrail.backups.catalog import deletion_key, manifest_key, mark_key, sheet_key
from handrail.backups.manifest import read_deletion, write_mark
from handrail.backups.record import Deletion, Mark, MarkKind
from handrail.errors import BackupError, LockNotObtained, UsageError
from handrail.facts import TableName
from handrail.journal.file import FileJournal
from handrail.journal.journal import EventKind, JournalEvent
from handrail.migrator.migrator import ProjectFacts
from handrail.retention.policy import RetentionPolicy
from handrail.stores.file import FileStore
from handrail.stores.memory import MemoryStore
from handrail.stores.store import MissingObject, Store, StoreError
from handrail.wiring import Project, open_project
from handrail.workflows import marking
from handrail.workflows.catalog import read_catalog
from handrail.workflows.prune import COMMAND, Pruned, judge, prune
from handrail.workflows.recover import Decision, Settled, recover
from handrail.workflows.run import Equipment, Progress, locked_run, reading_run
from support.calling import at_b2
from support.keeping import NOW, backup, put
from support.runs import left_open

POLICY = RetentionPolicy(last=1)
DAY = timedelta(days=1)


Opened = tuple[Project, ProjectFacts]


def opened(folder: Path) -> Opened:
    """A project at b2, and one look at it."""
    project = open_project(at_b2(folder), None)
    return project, project.migrator.describe()


class Bench:
    """A store and a journal of this test's own, a clock that stands still, and four backups of the project's database."""

    def __init__(self, project: Opened, store: Store, journal: Path) -> None:
        self.facts = project[1]
        kit: Equipment = project[0].equipment(self.facts)
        self.kit = replace(kit, store=store, journal=FileJournal(journal), clock=lambda: NOW)
        self.database = str(self.kit.database.address)
        self.said: list[Progress] = []
        self.ids = [
            backup(store, NOW - days * DAY, self.database, name=f"b{days}", verified=days > 1, revision="b2")
            for days in (1, 2, 3, 4)
        ]

    def prune(self, store: Store | None = None, policy: RetentionPolicy = POLICY) -> Pruned:
        kit = replace(self.kit, store=store or self.kit.store)
        with locked_run(kit, self.said.append, COMMAND) as run:
            return prune(run, policy, {one.candidate.id for one in judge(kit, policy).leaving})

    def told(self, policy: RetentionPolicy = POLICY) -> dict[str, str]:
        decisions = judge(self.kit, policy).decisions
        return {one.candidate.id: f"{'keep' if one.keep else 'delete'}: {one.text}" for one in decisions}


def everything(store: Store) -> tuple[str, ...]:
    return store.keys()


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Opened:
    return opened(tmp_path_factory.mktemp("project"))


@pytest.fixture(params=["file", "memory"])
def bench(request: pytest.FixtureRequest, tmp_path: Path, project: Opened) -> Bench:
    store = FileStore(tmp_path / "store") if request.param == "file" else MemoryStore()
    return Bench(project, store, tmp_path / "journal")


#: b1 is the newest, b2 the last one that was proven.
LEFT = (
    "development/b1/artifact",
    "development/b1/manifest.json",
    "development/b2/artifact",
    "development/b2/manifest.json",
    "development/b2/verified-b2.json",
)


def test_what_nothing_keeps_is_deleted_and_told(bench: Bench) -> None:
    assert bench.told() == {
        "b1": "keep: the newest backup; among the last 1",
        "b2": "keep: the last one that was proven to restore",
        "b3": "delete: not among the last 1",
        "b4": "delete: not among the last 1",
    }
    bytes_before = {key: bench.kit.store.size(key) for key in everything(bench.kit.store)}
    done = bench.prune()
    assert bench.kit.store.keys() == LEFT
    assert (done.deleted, done.removed, done.kept_after_all) == (("b3", "b4"), (), ())
    assert done.freed == sum(size for key, size in bytes_before.items() if key not in LEFT)
    assert [(one.step, one.state) for one in bench.said if one.step == "delete"] == [
        ("delete", "started"),
        ("delete", "done"),
    ] * 2
    (run,) = bench.kit.journal.runs()
    assert [(event.kind.value, event.step, event.data.get("deleting", "")) for event in run.events] == [
        ("run_started", "", ""),
        ("step_started", "delete", "b3"),
        ("step_done", "delete", ""),
        ("step_started", "delete", "b4"),
        ("step_done", "delete", ""),
        ("run_ended", "", ""),
    ]
    assert bench.prune().deleted == ()
    assert bench.kit.store.keys() == LEFT


def test_the_sheet_beside_a_backup_goes_with_it(bench: Bench) -> None:
    for id_ in bench.ids:
        put(bench.kit.store, sheet_key("development", id_), b"how to restore it")
    assert bench.prune().deleted == ("b3", "b4")
    assert bench.kit.store.keys() == tuple(sorted((*LEFT, *(sheet_key("development", id_) for id_ in ("b1", "b2")))))


class PowerCutError(Exception):
    pass


@dataclass
class Counting:
    """A store that does something before its n-th change."""

    inner: Store
    at: int
    then: Callable[[], None]
    changes: int = 0

    @property
    def place(self) -> str:
        return self.inner.place

    def open_write(self, key: str) -> AbstractContextManager[BinaryIO]:
        self._change()
        return self.inner.open_write(key)

    def open_read(self, key: str) -> AbstractContextManager[BinaryIO]:
        return self.inner.open_read(key)

    def size(self, key: str) -> int:
        return self.inner.size(key)

    def written_at(self, key: str) -> datetime:
        return self.inner.written_at(key)

    def keys(self, prefix: str = "") -> tuple[str, ...]:
        return self.inner.keys(prefix)

    def delete(self, key: str) -> None:
        self._change()
        self.inner.delete(key)

    def free_bytes(self) -> int | None:
        return self.inner.free_bytes()

    def _change(self) -> None:
        self.changes += 1
        if self.changes == self.at:
            self.then()


def assert_consistent(kit: Equipment) -> None:
    """Every manifest has its artifact, so that any version of handrail can restore what it lists; and a backup of
    which something is missing is known to be half deleted."""
    keys = kit.store.keys()
    catalog = read_catalog(kit)
    for key in (one for one in keys if one.endswith("manifest.json")):
        assert key.replace("manifest.json", "artifact") in keys
    assert {key.split("/")[1] for key in keys} == {record.id for record in catalog.records} | set(catalog.deleted)
    assert catalog.unreadable == ()


def cut() -> None:
    raise PowerCutError


#: Each of two backups: the announcement, manifest, verification, artifact, and the announcement again.
CHANGES = 10


@pytest.mark.parametrize("at", range(1, CHANGES + 1))
def test_interrupted_before_any_change_the_next_prune_finishes(bench: Bench, at: int) -> None:
    with pytest.raises(PowerCutError):
        bench.prune(Counting(bench.kit.store, at, cut))
    assert_consistent(bench.kit)
    half = read_catalog(bench.kit).deleted
    assert len(half) == (at % 5 != 1)
    done = bench.prune()
    assert (done.removed, bench.kit.store.keys()) == (half, LEFT)


def test_there_are_no_more_changes_than_were_interrupted(bench: Bench) -> None:
    counting = Counting(bench.kit.store, 0, cut)
    bench.prune(counting)
    assert counting.changes == CHANGES


@pytest.mark.parametrize("at", range(1, CHANGES + 1))
def test_two_prunes_at_once(bench: Bench, at: int) -> None:
    """The second one begins and ends between two steps of the first, without the lock: as from another project that
    shares the store."""

    def other() -> None:
        run = left_open(bench.kit, bench.said.append, "another", {})
        prune(run, POLICY, {"b3", "b4"})
        assert bench.kit.store.keys() == LEFT

    done = bench.prune(Counting(bench.kit.store, at, other))
    assert (done.deleted, bench.kit.store.keys()) == (("b3", "b4"), LEFT)
    assert_consistent(bench.kit)


def test_many_prunes_at_the_same_time(tmp_path: Path, project: Opened) -> None:
    """Without the lock, in threads that begin together, each with a store of its own on the same folder."""
    bench = Bench(project, FileStore(tmp_path / "store"), tmp_path / "journal")
    more = {backup(bench.kit.store, NOW - (9 + n) * DAY, bench.database, name=f"c{n:02}") for n in range(20)}
    begin = threading.Barrier(4)

    def one(_: int) -> Pruned:
        kit = replace(bench.kit, store=FileStore(tmp_path / "store"))
        run = left_open(kit, lambda _: None, "another", {})
        begin.wait()
        return prune(run, POLICY, {"b3", "b4", *more})

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(one, range(4)))
    assert bench.kit.store.keys() == LEFT


def test_a_store_that_fails_is_told_and_the_rest_goes_later(bench: Bench) -> None:
    def fail() -> None:
        raise StoreError("cannot delete", why="Permission denied")

    with pytest.raises(StoreError, match="cannot delete"):
        bench.prune(Counting(bench.kit.store, 3, fail))
    with pytest.raises(StoreError, match="cannot delete"):
        bench.prune(Counting(bench.kit.store, 1, fail))
    assert_consistent(bench.kit)
    assert bench.prune().removed == ("b3",)
    assert [event.data.get("error") for run in bench.kit.journal.runs() for event in run.events if event.kind is EventKind.STEP_FAILED] == ["cannot delete"] * 2  # fmt: skip


def test_the_announcement_says_who_when_and_why(bench: Bench) -> None:
    with pytest.raises(PowerCutError):
        bench.prune(Counting(bench.kit.store, 2, cut))
    key = deletion_key("development", "b3")
    with bench.kit.store.open_read(key) as source:
        found = read_deletion(source.read(), name=key)
    assert found == Deletion(bench.kit.journal.runs()[0].run_id, NOW, ("not among the last 1",))


def test_only_what_was_approved_and_is_still_to_be_deleted_goes(bench: Bench) -> None:
    with locked_run(bench.kit, bench.said.append, "backup pin") as run:
        marking.pin(run, "b3", "audit", None)
    with locked_run(bench.kit, bench.said.append, COMMAND) as run:
        done = prune(run, POLICY, {"b3"})
    assert (done.deleted, [(one.candidate.id, one.text) for one in done.kept_after_all]) == (
        (),
        [("b3", "pinned (audit)")],
    )
    assert {record.id for record in read_catalog(bench.kit).records} == set(bench.ids)


def test_what_an_open_run_uses_stays(bench: Bench) -> None:
    run = left_open(bench.kit, bench.said.append, "upgrade", {})
    run.note(EventKind.UNDO_STARTED, "restore", {"backup": "b3"})
    with reading_run(bench.kit, bench.said.append, "backup restore", "b4", "sqlite:////elsewhere.db") as reading:
        assert bench.told() == {
            "b1": "keep: the newest backup; among the last 1",
            "b2": "keep: the last one that was proven to restore",
            "b3": f"keep: in use by the run {run.id} (upgrade)",
            "b4": f"keep: in use by the run {reading.id} (backup restore)",
        }
    run.end("done")
    assert bench.told()["b4"] == "delete: not among the last 1"


def test_a_killed_restore_into_another_database_is_settled(bench: Bench) -> None:
    data = {"backup": "b4", "database": "sqlite:////elsewhere.db", "source": bench.database}
    run = left_open(bench.kit, bench.said.append, "backup restore", data)
    assert recover(bench.kit, bench.facts, Decision(), bench.said.append) == (
        Settled(
            run.id,
            "cleaned",
            "it was restoring backup b4 into sqlite:////elsewhere.db: what is there, and files beside it whose names begin"
            " so, may not be whole",
        ),
    )
    assert bench.kit.journal.open_runs() == ()


@pytest.mark.parametrize("command", ["rds restore", "rds pitr", "rds switch"])
def test_a_killed_command_on_instances_is_settled(bench: Bench, command: str) -> None:
    data = {"backup": "", "database": "RDS shop-new", "source": bench.database}
    run = left_open(bench.kit, bench.said.append, command, data)
    assert recover(bench.kit, bench.facts, Decision(), bench.said.append) == (
        Settled(
            run.id,
            "cleaned",
            f"{command} was interrupted, on the way to RDS shop-new: call it again, and it goes on or says what is there",
        ),
    )


def test_what_is_not_understood_stays(bench: Bench) -> None:
    store = bench.kit.store
    newer = json.loads(write_mark(Mark("m1", NOW, MarkKind.PIN))) | {"version": 2}
    put(store, mark_key("development", "b3", "m1"), json.dumps(newer).encode())
    put(store, "development/b4/hold.json", b"{}")
    whole = store.keys()
    assert [text for id_, text in bench.told().items() if id_ in ("b3", "b4")] == [
        "keep: not understood: mark-m1.json was written by another handrail: its version is 2, this handrail reads 1",
        "keep: not understood: hold.json is nothing that this handrail knows",
    ]
    assert bench.prune().deleted == ()
    assert store.keys() == whole


def test_a_backup_of_a_part_or_of_a_newer_format_takes_no_place_of_a_whole_one(bench: Bench) -> None:
    store, table = bench.kit.store, TableName("bookings")
    for hours in (1, 2):
        made = NOW - timedelta(hours=hours)
        backup(store, made, bench.database, name=f"part{hours}", verified=True, tables=(table,))
        backup(store, made, bench.database, name=f"newer{hours}", verified=True, format_="pages-2")
    before = bench.told()
    assert before == {
        "part1": "keep: the newest backup; the last one that was proven to restore; among the last 1",
        "newer1": "keep: the newest backup; the last one that was proven to restore;"
        " not understood: its format pages-2 is of a newer handrail; among the last 1",
        "part2": "delete: not among the last 1",
        "newer2": "keep: not understood: its format pages-2 is of a newer handrail",
        "b1": "keep: the newest backup; among the last 1",
        "b2": "keep: the last one that was proven to restore",
        "b3": "delete: not among the last 1",
        "b4": "delete: not among the last 1",
    }
    assert bench.prune().deleted == ("part2", "b3", "b4")


def test_manifests_that_cannot_be_read_stay(bench: Bench) -> None:
    store = bench.kit.store
    newer = {"handrail": "backup", "version": 9, "seal": "", "backup": {}}
    put(store, manifest_key("development", "newer"), json.dumps(newer).encode())
    with store.open_read(manifest_key("development", "b4")) as source:
        put(store, manifest_key("development", "copied"), source.read())
    bench.prune()
    assert {key.split("/")[1] for key in everything(store)} == {"b1", "b2", "newer", "copied"}
    assert dict(judge(bench.kit, POLICY).catalog.unreadable) == {
        "development/newer/manifest.json": "development/newer/manifest.json was written by another handrail: its version"
        " is 9, this handrail reads 1, 2, 3 and 4",
        "development/copied/manifest.json": "development/copied/manifest.json lies in the wrong place: it is the manifest"
        " of b4: somebody has copied or renamed a folder or file",
    }


def test_a_damaged_verification_proves_nothing_and_keeps_its_backup(bench: Bench) -> None:
    """The backup itself is as good as before: it can still be restored."""
    store, key = bench.kit.store, "development/b4/verified-b4.json"
    with store.open_read(key) as source:
        data = source.read()
    store.delete(key)
    put(store, key, data.replace(b'"differences": []', b'"differences": 7'))
    catalog = judge(bench.kit, POLICY).catalog
    assert [(one.id, one.is_verified) for one in catalog.records] == [
        ("b1", False),
        ("b2", True),
        ("b3", True),
        ("b4", False),
    ]
    assert catalog.unreadable == ((key, f"{key} was altered: its seal does not match its content"),)
    assert bench.told()["b4"] == (
        "keep: not understood: verified-b4.json was altered: its seal does not match its content"
    )
    assert bench.prune().deleted == ("b3",)


def test_the_verification_of_another_backup_proves_nothing(bench: Bench) -> None:
    store = bench.kit.store
    with store.open_read("development/b2/verified-b2.json") as source:
        put(store, "development/b1/verified-b9.json", source.read())
    catalog = read_catalog(bench.kit)
    assert [one.id for one in catalog.records if one.is_verified] == ["b2", "b3", "b4"]
    assert catalog.unreadable == (
        (
            "development/b1/verified-b9.json",
            "development/b1/verified-b9.json lies in the wrong place: it is of the run b2: somebody has copied or renamed"
            " a folder or file",
        ),
    )


def test_backups_of_another_database_and_another_environment_stay(bench: Bench) -> None:
    store = bench.kit.store
    for days in (7, 8):
        backup(store, NOW - days * DAY, "sqlite:////other.db", name=f"o{days}")
        backup(store, NOW - days * DAY, bench.database, name=f"p{days}", environment="production")
    assert bench.told()["o8"] == "keep: of another database, sqlite:////other.db"
    bench.prune()
    assert {key.split("/")[1] for key in everything(store)} == {"b1", "b2", "o7", "o8", "p7", "p8"}


def test_the_way_back_behind_the_live_revision_stays(bench: Bench) -> None:
    backup(bench.kit.store, NOW - 9 * DAY, bench.database, name="before", revision="a1", reason="upgrade to b2")
    assert bench.told()["before"] == "keep: the way back from b2"


def test_a_prune_that_was_killed_is_ended_by_the_next(bench: Bench) -> None:
    dead = left_open(bench.kit, bench.said.append, COMMAND, {})
    dead.note(EventKind.STEP_STARTED, "delete", {"deleting": "b3"})
    bench.prune()
    assert [run.events[-1].data for run in bench.kit.journal.runs() if run.run_id == dead.id] == [{"result": "cleaned"}]
    assert bench.kit.journal.open_runs() == ()


def test_a_backup_that_was_killed_before_its_manifest_is_removed(bench: Bench) -> None:
    """That of a run of this database, by the journal, which never ended its backup. Of another's nobody here knows
    whether it is under way, and one that has lost its manifest since may still be wanted."""
    dead = left_open(bench.kit, bench.said.append, "backup create", {})
    whole = left_open(bench.kit, bench.said.append, "backup create", {})
    with whole.step("backup", "backing up"):
        pass
    whole.end("ended")
    for id_ in (dead.id, whole.id, "stranger"):
        put(bench.kit.store, f"development/{id_}/artifact", b"rows")
    assert judge(bench.kit, POLICY).leftovers == (dead.id,)
    done = bench.prune()
    kept = tuple(f"development/{id_}/artifact" for id_ in sorted((whole.id, "stranger")))
    assert (done.removed, bench.kit.store.keys()) == ((dead.id,), tuple(sorted((*LEFT, *kept))))


def test_only_one_run_at_a_time(bench: Bench) -> None:
    kit = replace(bench.kit, lock_wait=0.0)
    with (
        locked_run(bench.kit, bench.said.append, "upgrade"),
        pytest.raises(LockNotObtained),
        locked_run(kit, bench.said.append, COMMAND) as run,
    ):
        prune(run, POLICY, {"b3"})
    assert {record.id for record in read_catalog(bench.kit).records} == set(bench.ids)


def test_pins_are_taken_back_by_name_not_by_time(bench: Bench) -> None:
    """A pin whose clock was ahead is taken back all the same."""

    def do(what: Callable[..., object], *words: object, clock: datetime = NOW) -> None:
        kit = replace(bench.kit, clock=lambda: clock)
        with locked_run(kit, bench.said.append, "backup pin") as run:
            what(run, *words)

    do(marking.pin, "b3", "audit", None, clock=NOW + DAY)
    do(marking.pin, "b3", "", NOW + 9 * DAY)
    do(marking.note, "b4", "as sold", "release")
    assert [bench.told()[id_] for id_ in ("b3", "b4")] == [
        "keep: pinned, until 2026-12-07; pinned (audit)",
        "keep: milestone release, for which the policy names no time",
    ]
    do(marking.unpin, "b3")
    assert bench.told()["b3"] == "delete: not among the last 1"
    record = next(one for one in read_catalog(bench.kit).records if one.id == "b4")
    assert [(one.text, one.milestone) for one in record.notes] == [("as sold", "release")]
    assert sorted(record.milestones) == ["release"]
    with pytest.raises(BackupError) as caught:
        do(marking.unpin, "b3")
    assert (caught.value.message, caught.value.hint) == (
        "backup b3 is not pinned",
        "handrail backup list shows which are",
    )
    with pytest.raises(UsageError) as refused:
        do(marking.pin, "b3", "", NOW)
    assert (refused.value.message, refused.value.hint) == (
        "a pin until 2026-11-28 12:00 would have ended already",
        "choose a later --until",
    )
    with pytest.raises(BackupError):
        do(marking.pin, "nosuch", "", None)


def test_a_backup_that_is_pruned_while_the_catalog_is_read_is_left_out(bench: Bench) -> None:
    class Vanishing(Counting):
        def open_read(self, key: str) -> AbstractContextManager[BinaryIO]:
            if key.startswith("development/b3/"):
                raise MissingObject(f"{key} is not in the store")
            return super().open_read(key)

    kit = replace(bench.kit, store=Vanishing(bench.kit.store, 0, cut))
    catalog = read_catalog(kit)
    assert ([record.id for record in catalog.records], catalog.unreadable) == (["b1", "b2", "b4"], ())


def test_journalled_by_another_project_is_not_in_use_here(bench: Bench) -> None:
    bench.kit.journal.append(JournalEvent("b3", NOW, EventKind.RUN_STARTED, data={"command": "backup create"}))
    assert bench.told()["b3"] == "keep: in use by the run b3 (backup create)"


#: Runs handrail, and kills itself by SIGKILL right before the n-th file of the store is linked or removed.
KILLED = """
import os, pathlib, signal, sys
left = int(sys.argv.pop(1))
def watched(real):
    def change(*given, **more):
        global left
        if "store" in str(given[0]):
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return real(*given, **more)
    return change
os.link, pathlib.Path.unlink = watched(os.link), watched(pathlib.Path.unlink)
from handrail.cli.main import run
run()
"""


def test_kill_9_at_every_change_of_a_file(tmp_path: Path) -> None:
    store = FileStore(tmp_path / ".handrail" / "store")
    bench = Bench(opened(tmp_path), store, tmp_path / ".handrail" / "journal" / "development")
    store.delete("development/b4/manifest.json")
    store.delete("development/b4/artifact")
    store.delete("development/b4/verified-b4.json")
    (tmp_path / "handrail.toml").write_text("[retention]\nlast = 1\n")
    whole = {key: Path(store.place, key).read_bytes() for key in everything(store)}
    environment = {key: value for key, value in os.environ.items() if key != "ENV"} | {"NO_COLOR": "1"}
    ended: list[int] = []
    for at in range(1, 20):
        command = [sys.executable, "-c", KILLED, str(at), "backup", "prune", "--apply", "--yes"]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, check=False, timeout=60)
        ended.append(done.returncode)
        assert_consistent(bench.kit)
        listed = {record.id for record in read_catalog(bench.kit).records}
        assert listed in ({"b1", "b2"}, {"b1", "b2", "b3"})
        bench.prune()
        assert store.keys() == LEFT
        assert bench.kit.journal.open_runs() == ()
        if done.returncode == 0:
            break
        for key in whole.keys() - set(LEFT):
            put(store, key, whole[key])
    # The announcement linked, its temporary file removed, manifest, verification, artifact, announcement; then the end.
    assert ended == [-signal.SIGKILL] * 6 + [0]
