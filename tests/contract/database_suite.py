"""What every database adapter must do, written once; an engine's test class inherits it and fills in three hooks."""

from __future__ import annotations

import io
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import BinaryIO

import pytest

from handrail.backups.methods import WAYS, Method, Way, request_of
from handrail.backups.verification import compare_restored
from handrail.databases.database import Database, SideTable
from handrail.errors import BackupError, LockNotObtained, UsageError
from handrail.facts import ColumnCompleteness, Fingerprint, ObjectKind, Question, TableFingerprint, TableName

MakeDatabase = Callable[[], Database]

CUSTOMERS = TableName("customers")
ORDERS = TableName("orders")
EMPTY = TableName("empty_one")
STRANGE = TableName('주문 "Big" Table')
NO_KEY = TableName("no_key")

SCHEMA = (
    "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)",
    "INSERT INTO alembic_version VALUES ('a1b2c3')",
    "CREATE TABLE customers (id INTEGER NOT NULL PRIMARY KEY, name VARCHAR(80) NOT NULL, note TEXT,"
    " weight DOUBLE PRECISION)",
    "INSERT INTO customers VALUES (1, '푸딩', '', 1.5), (2, 'camp 🍮', NULL, -0.5), (3, 'x', 'NULL', NULL)",
    "CREATE TABLE orders (id INTEGER NOT NULL PRIMARY KEY, customer_id INTEGER NOT NULL, amount INTEGER DEFAULT 7,"
    " CONSTRAINT fk_customer FOREIGN KEY (customer_id) REFERENCES customers (id),"
    " CONSTRAINT positive CHECK (amount > 0))",
    "INSERT INTO orders VALUES (1, 1, 10), (2, 1, 10), (3, 2, 30)",
    "CREATE INDEX ix_orders_amount ON orders (amount)",
    "CREATE TABLE empty_one (id INTEGER NOT NULL PRIMARY KEY, note TEXT)",
    'CREATE TABLE "주문 ""Big"" Table" ("열 1" INTEGER, "Upper" TEXT)',
    'INSERT INTO "주문 ""Big"" Table" VALUES (1, \'a\'), (2, NULL)',
    "CREATE TABLE no_key (a INTEGER, b TEXT)",
    "INSERT INTO no_key VALUES (1, 'same'), (1, 'same'), (2, 'other')",
    "CREATE VIEW rich_orders AS SELECT id FROM orders WHERE amount > 20",
)


def ways_of(database: Database) -> list[Way]:
    """Those that every server lets its databases be backed up by; the files of a whole one, increments and snapshots
    have tests of their own."""
    return [
        way
        for way in WAYS[database.address.engine]
        if way.method not in (Method.BASE, Method.SNAPSHOT) and not way.is_increment
    ]


class FullDisk(io.RawIOBase):
    """A writer that fails as a full disk does after `room` bytes."""

    def __init__(self, room: int = 0) -> None:
        super().__init__()
        self.room = room

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        size = len(data)  # type: ignore[arg-type]  # any buffer; typeshed has no Sized buffer
        if size > self.room:
            raise OSError(28, "No space left on device")
        self.room -= size
        return size


class DatabaseSuite(ABC):
    """Inherit, name the class `Test…`, give a `make_database` fixture and `execute`."""

    #: The engine's name in `DatabaseFacts.engine`.
    engine: str

    @pytest.fixture
    @abstractmethod
    def make_database(self) -> MakeDatabase:
        """A function that makes a new, empty, existing database; what it made is dropped after the test."""

    @abstractmethod
    def execute(self, database: Database, statements: Sequence[str]) -> None:
        """Run statements on the database, by another connection than the adapter's, and commit."""

    @pytest.fixture
    def database(self, make_database: MakeDatabase) -> Database:
        return make_database()

    @pytest.fixture
    def filled(self, make_database: MakeDatabase) -> Database:
        database = make_database()
        self.execute(database, SCHEMA)
        return database

    @staticmethod
    def dumped(database: Database) -> BinaryIO:
        out = io.BytesIO()
        database.dump(out)
        out.seek(0)
        return out

    # -- reading ---------------------------------------------------------------------------------------------------

    def test_an_empty_database_exists_and_holds_nothing(self, database: Database) -> None:
        assert database.exists()
        assert database.fingerprint().tables == ()
        assert database.facts().tables == ()
        assert database.revisions() == ()

    def test_facts_name_tables_and_columns_without_the_version_table(self, filled: Database) -> None:
        facts = filled.facts()
        assert filled.size_bytes() > 0
        assert facts.engine == self.engine
        assert {table.name for table in facts.tables} == {CUSTOMERS, ORDERS, EMPTY, STRANGE, NO_KEY}
        customers = facts.table(CUSTOMERS)
        assert customers is not None
        assert [(column.name, column.nullable) for column in customers.columns] == [
            ("id", False),
            ("name", False),
            ("note", True),
            ("weight", True),
        ]
        assert customers.primary_key == ("id",)
        orders = facts.table(ORDERS)
        assert orders is not None
        assert orders.columns[2].default == "7"
        assert facts.capabilities == filled.capabilities
        assert facts.size_bytes > 0

    def test_facts_name_indexes_constraints_and_views(self, filled: Database) -> None:
        found = {(thing.kind, thing.name, thing.table) for thing in filled.facts().objects}
        assert {
            (ObjectKind.INDEX, "ix_orders_amount", ORDERS),
            (ObjectKind.CONSTRAINT, "fk_customer", ORDERS),
            (ObjectKind.CONSTRAINT, "positive", ORDERS),
        } <= found
        assert (ObjectKind.VIEW, "rich_orders") in {(kind, name) for kind, name, _ in found}

    def test_revisions_are_read_and_sorted(self, filled: Database) -> None:
        self.execute(filled, ["INSERT INTO alembic_version VALUES ('0fff')"])
        assert filled.revisions() == ("0fff", "a1b2c3")

    def test_added_columns_are_measured_against_their_default(self, filled: Database) -> None:
        added = (
            "status VARCHAR(50) NOT NULL DEFAULT 'it''s 100% \\n'",
            "seats NUMERIC(6, 2) DEFAULT -1.5",
            "is_open BOOLEAN DEFAULT true",
            "made TIMESTAMP DEFAULT '2024-01-10 00:00:00'",
            "note TEXT",
        )
        self.execute(filled, [f"ALTER TABLE no_key ADD COLUMN {column}" for column in added])
        names = ("status", "seats", "is_open", "made", "note", "gone")
        request = {NO_KEY: names, ORDERS: ("amount",), TableName("nowhere"): ("a",)}
        full = [ColumnCompleteness(NO_KEY, name, 3, 0, 0) for name in names[:4]]
        orders = ColumnCompleteness(ORDERS, "amount", 3, 0, 3)
        nothing = ColumnCompleteness(NO_KEY, "note", 3, 3, None)
        assert filled.completeness(request) == (*full, nothing, orders)
        changes = "status = 'IT''S 100% \\n', seats = NULL, is_open = false, made = '2024-01-11 00:00:00', note = 'x'"
        self.execute(filled, [f"UPDATE no_key SET {changes} WHERE a = 1"])
        assert filled.completeness({NO_KEY: names}) == (
            ColumnCompleteness(NO_KEY, "status", 3, 0, 2),
            ColumnCompleteness(NO_KEY, "seats", 3, 2, 2),
            ColumnCompleteness(NO_KEY, "is_open", 3, 0, 2),
            ColumnCompleteness(NO_KEY, "made", 3, 0, 2),
            ColumnCompleteness(NO_KEY, "note", 3, 1, None),
        )
        assert filled.completeness({}) == ()

    # -- fingerprints ----------------------------------------------------------------------------------------------

    def test_fingerprint_counts_every_table_and_repeats(self, filled: Database) -> None:
        fingerprint = filled.fingerprint()
        assert {entry.table: entry.rows for entry in fingerprint.tables} == {
            CUSTOMERS: 3,
            ORDERS: 3,
            EMPTY: 0,
            STRANGE: 2,
            NO_KEY: 3,
        }
        assert list(fingerprint.tables) == sorted(fingerprint.tables, key=lambda entry: entry.table.name)
        assert filled.fingerprint() == fingerprint

    def test_fingerprint_ignores_the_version_table(self, filled: Database) -> None:
        before = filled.fingerprint()
        self.execute(filled, ["UPDATE alembic_version SET version_num = 'next'"])
        assert filled.fingerprint() == before

    @pytest.mark.parametrize(
        "change",
        [
            "UPDATE customers SET note = NULL WHERE id = 1",
            "UPDATE customers SET note = '' WHERE id = 2",
            "UPDATE customers SET note = NULL WHERE id = 3",
            "UPDATE customers SET name = '푸딩 ' WHERE id = 1",
            "UPDATE customers SET weight = 0.5 WHERE id = 2",
            "UPDATE customers SET name = CASE id WHEN 1 THEN 'x' WHEN 3 THEN '푸딩' ELSE name END",
            "DELETE FROM customers WHERE id = 3",
            "INSERT INTO customers VALUES (4, 'x', NULL, NULL)",
        ],
    )
    def test_fingerprint_sees_every_change_and_where(self, filled: Database, change: str) -> None:
        before = filled.fingerprint()
        self.execute(filled, [change])
        after = filled.fingerprint()
        changed = {was.table for was, now in zip(before.tables, after.tables, strict=True) if was != now}
        assert changed == {CUSTOMERS}

    def test_fingerprint_tells_pairs_of_equal_rows_apart(self, filled: Database) -> None:
        before = filled.fingerprint().table(NO_KEY)
        self.execute(
            filled, ["DELETE FROM no_key", "INSERT INTO no_key VALUES (1, 'same'), (2, 'other'), (2, 'other')"]
        )
        assert filled.fingerprint().table(NO_KEY) != before
        self.execute(filled, ["DELETE FROM no_key", "INSERT INTO no_key VALUES (2, 'other'), (1, 'same'), (1, 'same')"])
        assert filled.fingerprint().table(NO_KEY) == before

    def test_fingerprint_of_groups_equals_that_of_tables_with_those_columns(self, filled: Database) -> None:
        self.execute(
            filled,
            [
                "CREATE TABLE narrow (label VARCHAR(80), id INTEGER)",
                "INSERT INTO narrow SELECT name, id FROM customers",
            ],
        )
        request = {CUSTOMERS: (("name", "id"), ("note",)), ORDERS: ()}
        fingerprint = filled.fingerprint(request)
        customers, narrow = fingerprint.table(CUSTOMERS), fingerprint.table(TableName("narrow"))
        orders = fingerprint.table(ORDERS)
        assert customers is not None
        assert narrow is not None
        assert orders is not None
        assert [group.columns for group in customers.digests] == [("name", "id"), ("note",)]
        assert customers.digest(("name", "id")) == narrow.digest(("label", "id"))
        assert (orders.rows, orders.digests) == (3, ())

    # -- dump, load, replace ---------------------------------------------------------------------------------------

    def test_a_dump_loads_to_the_same_fingerprint_and_facts(self, filled: Database) -> None:
        out = io.BytesIO()
        report = filled.dump(out)
        out.seek(0)
        assert report.fingerprint == filled.fingerprint()
        assert report.revisions == ("a1b2c3",)
        with filled.scratch("run-1") as scratch:
            scratch.load(out)
            assert scratch.fingerprint() == report.fingerprint
            assert scratch.revisions() == report.revisions
            assert scratch.facts().tables == report.facts.tables
            assert scratch.facts().objects == report.facts.objects

    def test_every_way_to_back_up_restores(self, filled: Database) -> None:
        for way in ways_of(filled):
            out, request = io.BytesIO(), request_of(way)
            report = filled.dump(out, request)
            out.seek(0)
            assert (report.format, report.revisions) == (way.format, ("a1b2c3",))
            with filled.scratch("run-1") as scratch:
                scratch.load(out, request)
                facts, restored = scratch.facts(), scratch.fingerprint()
            assert compare_restored(report.fingerprint, restored, report.facts, facts) == ()

    def test_a_dump_of_any_way_that_was_cut_is_a_backup_error(self, filled: Database) -> None:
        for way in ways_of(filled):
            out, request = io.BytesIO(), request_of(way)
            filled.dump(out, request)
            for size in (0, 600, len(out.getvalue()) // 2):
                with filled.scratch("run-1") as scratch, pytest.raises(BackupError):
                    scratch.load(io.BytesIO(out.getvalue()[:size]), request)

    def test_a_full_disk_while_dumping_in_any_way_is_a_backup_error(self, filled: Database) -> None:
        for way in ways_of(filled):
            with pytest.raises(BackupError):
                filled.dump(FullDisk(), request_of(way))  # type: ignore[arg-type]  # see below

    def test_a_table_is_brought_beside_the_live_one_and_compared(self, filled: Database) -> None:
        source = self.dumped(filled)
        big, key = STRANGE.name.replace('"', '""'), "PRIMARY KEY (id)"
        changes = [
            "DELETE FROM orders WHERE id = 1",
            "UPDATE orders SET amount = amount + 1 WHERE id = 2",
            "INSERT INTO orders VALUES (7, 2, 1), (8, 2, 1)",
            "DROP TABLE no_key",
            f'INSERT INTO "{big}" VALUES (3, NULL)',
            f"CREATE TABLE later (id INTEGER NOT NULL, {key})",
        ]
        self.execute(filled, changes)
        with filled.scratch("run-9") as copy:
            copy.load(source)
            assert filled.bring(copy, ORDERS, "orders_restored") == SideTable("orders_restored", 3, 4, 1, 2, 1)
            assert filled.bring(copy, NO_KEY, "no_key_restored") == SideTable("no_key_restored", 3, None)
            assert filled.bring(copy, STRANGE, 'a "b') == SideTable('a "b', 2, 3)
            assert filled.bring(copy, CUSTOMERS, "c") == SideTable("c", 3, 3, 0, 0, 0)
            assert filled.bring(copy, EMPTY, "e") == SideTable("e", 0, 0, 0, 0, 0)
            for table, name, message in (
                (ORDERS, "customers", "the table customers is there already"),
                (TableName("nosuch"), "new_one", "the backup has no table nosuch"),
            ):
                before = filled.fingerprint()
                with pytest.raises(UsageError) as raised:
                    filled.bring(copy, table, name)
                assert raised.value.message == message
                assert filled.fingerprint() == before
            brought, was = filled.fingerprint().table(TableName("orders_restored")), copy.fingerprint().table(ORDERS)
        assert brought is not None
        assert was is not None
        assert brought.digests == was.digests
        facts = filled.facts().table(TableName("orders_restored"))
        assert facts is not None
        assert facts.primary_key == ("id",)

    def test_a_dump_takes_a_fingerprint_request(self, filled: Database) -> None:
        request = {CUSTOMERS: (("id",),)}
        report = filled.dump(io.BytesIO(), fingerprint_request=request)
        assert report.fingerprint == filled.fingerprint(request)

    def test_an_empty_database_dumps_and_loads(self, database: Database) -> None:
        source = self.dumped(database)
        with database.scratch("run-2") as scratch:
            scratch.load(source)
            assert scratch.fingerprint() == database.fingerprint()

    def test_each_digested_table_is_told(self, filled: Database) -> None:
        told: list[TableFingerprint] = []
        found = filled.fingerprint(on_table=told.append)
        assert sorted(told, key=lambda entry: entry.table.name) == list(found.tables)

    def test_questions_about_rows_are_answered(self, filled: Database) -> None:
        self.execute(
            filled,
            [
                "CREATE TABLE asked (id INTEGER, name VARCHAR(20), owner INTEGER)",
                "INSERT INTO asked VALUES (1, 'a%', 1), (2, 'a%', 99), (3, NULL, NULL), (4, '나', 98)",
            ],
        )
        asked = TableName("asked")
        answers = {
            Question(asked, "name IS NULL"): 1,
            Question(asked, "name LIKE '%\\%' ESCAPE '\\'"): 2,
            Question(asked, columns=("name",), duplicates=True): 2,
            Question(asked, columns=("name", "id"), duplicates=True): 0,
            Question(asked, columns=("owner",), parent=asked, parent_columns=("id",)): 2,
            Question(EMPTY, "1 = 1"): 0,
        }
        unanswerable = [
            Question(asked, "nothing IS NULL"),
            Question(TableName("nosuch"), "1 = 1"),
            Question(asked, columns=("nosuch",), duplicates=True),
        ]
        assert filled.count_rows([*unanswerable, *answers], seconds=30) == answers
        assert filled.count_rows([], seconds=30) == {}

    def test_a_question_that_takes_too_long_is_left_out(self, filled: Database) -> None:
        forever = "(WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n) > 0"
        quick = Question(ORDERS, "1 = 1")
        assert filled.count_rows([Question(ORDERS, forever), quick], seconds=0.1) == {quick: 3}

    def test_a_database_that_can_be_written_is_not_refused(self, filled: Database) -> None:
        before = filled.fingerprint()
        filled.require_writable()
        assert filled.fingerprint() == before

    def test_a_full_disk_while_dumping_is_a_backup_error(self, filled: Database) -> None:
        with pytest.raises(BackupError):
            filled.dump(FullDisk())  # type: ignore[arg-type]  # a RawIOBase is a BinaryIO in all but name

    @pytest.mark.parametrize("damage", ["nothing", "garbage", "half"])
    def test_a_damaged_dump_is_a_backup_error(self, filled: Database, damage: str) -> None:
        whole = self.dumped(filled).read()
        broken = {"nothing": b"", "garbage": b"not a dump " * 1000, "half": whole[: len(whole) // 2]}[damage]
        with filled.scratch("run-3") as scratch, pytest.raises(BackupError):
            scratch.load(io.BytesIO(broken))

    def test_replace_brings_content_back_and_keeps_the_old_one_aside(self, filled: Database) -> None:
        source, before = self.dumped(filled), filled.fingerprint()
        self.execute(filled, ["DELETE FROM orders", "CREATE TABLE later (id INTEGER)"])
        failed = filled.fingerprint()
        aside = filled.replace(source, aside="failed_run_4")
        assert filled.fingerprint() == before
        assert filled.sibling(aside).fingerprint() == failed

    def test_replace_shows_the_new_content_before_it_takes_its_place(self, filled: Database) -> None:
        source, then = self.dumped(filled).read(), filled.fingerprint()
        self.execute(filled, ["DELETE FROM orders"])
        now, seen = filled.fingerprint(), []

        def look(new: Database) -> None:
            seen.append((new.fingerprint(), filled.fingerprint()))

        def refuse(new: Database) -> None:
            look(new)
            raise BackupError("other rows")

        with pytest.raises(BackupError, match="^other rows$"):
            filled.replace(io.BytesIO(source), aside="failed_run_12", check=refuse)
        assert (seen, filled.fingerprint()) == ([(then, now)], now)
        assert filled.end_leftovers("run_12") == ()
        aside = filled.replace(io.BytesIO(source), aside="failed_run_12", check=look)
        assert (seen[1:], filled.fingerprint()) == ([(then, now)], then)
        assert filled.sibling(aside).fingerprint() == now

    @pytest.mark.parametrize("damage", ["nothing", "garbage", "half"])
    def test_replace_by_a_damaged_dump_changes_nothing(self, filled: Database, damage: str) -> None:
        whole, before = self.dumped(filled).read(), filled.fingerprint()
        broken = {"nothing": b"", "garbage": b"not a dump " * 1000, "half": whole[: len(whole) // 2]}[damage]
        with pytest.raises(BackupError):
            filled.replace(io.BytesIO(broken), aside="failed_run_5")
        assert filled.fingerprint() == before

    # -- locks, scratch, siblings ----------------------------------------------------------------------------------

    def test_the_lock_is_exclusive_names_its_holder_and_is_released(self, filled: Database) -> None:
        again = filled.sibling(filled.address.database)
        with filled.lock("run-6", wait=0), pytest.raises(LockNotObtained) as caught, again.lock("run-7", wait=0.05):
            pass
        assert "run-6" in caught.value.message + caught.value.why
        with filled.lock("run-8", wait=0):
            pass

    def test_a_scratch_database_is_dropped_also_after_an_error(self, filled: Database) -> None:
        with pytest.raises(RuntimeError), filled.scratch("run-9") as scratch:
            assert scratch.exists()
            assert scratch.fingerprint().tables == ()
            assert scratch.address != filled.address
            raise RuntimeError
        assert not scratch.exists()

    def test_leftovers_of_a_run_are_dropped_and_named(self, filled: Database) -> None:
        abandoned = filled.scratch("run-10")
        scratch = abandoned.__enter__()
        with filled.scratch("run-11") as other:
            ended = filled.end_leftovers("run-10")
            assert len(ended) == 1
            assert scratch.address.database.rpartition("/")[2] in ended[0]
            assert not scratch.exists()
            assert other.exists()
        assert filled.end_leftovers("run-10") == ()
        abandoned.__exit__(None, None, None)

    def test_a_new_database_has_its_name_only_when_it_is_whole(self, filled: Database) -> None:
        new = filled.sibling(filled.address.database + "_new")
        made = new.unnamed("run-12")
        try:
            assert not made.exists()
            made.create()
            made.load(self.dumped(filled))
            assert not new.exists()
            new.name(made)
            assert not made.exists()
            assert new.end_unnamed("run-12", made.address.database) == ()
            assert new.fingerprint() == filled.fingerprint()
            with pytest.raises(BackupError, match="already"):
                new.unnamed("run-13")
        finally:
            made.drop()
            new.drop()

    def test_what_a_dead_run_made_of_a_new_database_is_dropped(self, filled: Database) -> None:
        new = filled.sibling(filled.address.database + "_new")
        made = new.unnamed("run-14")
        made.create()
        made.load(self.dumped(filled))
        name = made.address.database
        assert new.end_unnamed("run-14", name) == (f"database {name}",)
        assert (made.exists(), new.exists(), new.end_unnamed("run-14", name)) == (False, False, ())

    def test_who_took_the_name_meanwhile_keeps_it(self, filled: Database) -> None:
        new = filled.sibling(filled.address.database + "_new")
        made = new.unnamed("run-15")
        made.create()
        try:
            made.load(self.dumped(filled))
            new.create()
            with pytest.raises(BackupError, match="already"):
                new.name(made)
            assert new.fingerprint().tables == ()
        finally:
            made.drop()
            new.drop()

    def test_create_makes_an_empty_database_once(self, filled: Database) -> None:
        sibling = filled.sibling(filled.address.database + "_sibling")
        assert not sibling.exists()
        sibling.create()
        try:
            assert sibling.exists()
            assert sibling.fingerprint() == Fingerprint(sibling.fingerprint().algorithm, ())
            with pytest.raises(BackupError):
                sibling.create()
            sibling.drop()
            assert not sibling.exists()
            sibling.drop()
        finally:
            self.drop(sibling)

    @abstractmethod
    def drop(self, database: Database) -> None:
        """Remove a database that a test made by `create`."""

    def test_probe_speaks_of_the_database(self, filled: Database) -> None:
        probes = filled.probe()
        assert probes
        assert [probe for probe in probes if probe.ok is False] == []
        assert all(probe.name and probe.detail for probe in probes)
