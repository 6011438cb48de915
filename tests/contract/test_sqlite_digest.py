"""What the SQLite fingerprint tells apart, and what it must not."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from handrail.databases.sqlite import catalog, digest
from handrail.facts import Fingerprint, FingerprintRequest, TableName


@pytest.fixture
def raw() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        yield connection


def taken(raw: sqlite3.Connection, request: FingerprintRequest | None = None) -> Fingerprint:
    return digest.fingerprint(raw, request, version_table="alembic_version")


def digest_of(value: str) -> str:
    """The digest of a table of one row whose only column holds this SQL value."""
    with closing(sqlite3.connect(":memory:")) as raw:
        raw.execute("CREATE TABLE t (v)")
        raw.execute(f"INSERT INTO t VALUES ({value})")
        return taken(raw).tables[0].digests[0].digest


VALUES = [
    "NULL", "''", "x''", "0", "1", "1.0", "'1'", "x'31'", "-1", "9223372036854775807", "-9223372036854775808",
    "9.2233720368547758e18", "9e999", "-9e999", "0.1", "0.10000000000000002", "'a'", "'A'", "'a '", "x'61'", "x'6100'",
    "x'610062'", "CAST(x'610062' AS TEXT)", "CAST(x'61' || x'00' AS TEXT)", "CAST(x'ff' AS TEXT)",
    "CAST(x'fe' AS TEXT)",
    "x'ff'", "CAST(x'c328' AS TEXT)", "'한글'", "'🍮'", "'{\"a\": 1}'", "'{\"a\":1}'", "'None'", "'NULL'",
    "CAST(x'edb3bf' AS TEXT)", "'�'",
]  # fmt: skip


def test_different_values_have_different_digests() -> None:
    digests = {value: digest_of(value) for value in VALUES}
    assert len(set(digests.values())) == len(VALUES)


def test_the_places_of_blobs_count(raw: sqlite3.Connection) -> None:
    raw.execute("CREATE TABLE t (a, b)")
    request = {TableName("t"): (("a", "b"), ("b", "a"), ("a",), ("b",))}
    seen = []
    for values in ("('x', x'79')", "(x'78', 'y')", "(x'78', x'79')", "('x', 'y')", "(x'78', x'79'), ('x', 'y')"):
        raw.execute("DELETE FROM t")
        raw.execute(f"INSERT INTO t VALUES {values}")
        seen.append([group.digest for group in taken(raw, request).tables[0].digests])
    assert len({tuple(digests[:2]) for digests in seen}) == 5
    only_b, only_a, both, none, _ = seen
    assert only_b[2:] == [none[2], both[3]]
    assert only_a[2:] == [both[2], none[3]]


def test_the_digest_is_the_documented_one() -> None:
    """A fingerprint kept in a manifest must still compare equal after an update of handrail or Python."""
    assert digest_of("'푸딩'") == EXPECTED_PUDDING
    assert digest_of("NULL") == EXPECTED_NULL


def test_invalid_text_does_not_change_the_digest_of_other_columns(raw: sqlite3.Connection) -> None:
    raw.execute("CREATE TABLE t (a TEXT, b TEXT)")
    raw.execute("INSERT INTO t VALUES ('한글', CAST(x'ff' AS TEXT))")
    broken = taken(raw, {TableName("t"): (("a",), ("b",))}).tables[0]
    raw.execute("UPDATE t SET b = 'fine'")
    fine = taken(raw, {TableName("t"): (("a",), ("b",))}).tables[0]
    assert broken.digest(("a",)) == fine.digest(("a",))
    assert broken.digest(("b",)) != fine.digest(("b",))


def test_utf16_databases_have_the_same_digests(tmp_path: Path) -> None:
    taken_of = []
    for encoding in ("UTF-8", "UTF-16le", "UTF-16be"):
        with closing(sqlite3.connect(tmp_path / f"{encoding}.db", isolation_level=None)) as raw:
            raw.execute(f"PRAGMA encoding='{encoding}'")
            raw.execute("CREATE TABLE t (a)")
            raw.execute("INSERT INTO t VALUES ('한글 🍮'), ('x'), (NULL)")
            taken_of.append(taken(raw))
    assert taken_of[0] == taken_of[1] == taken_of[2]


TABLES = [
    ("t (a INTEGER PRIMARY KEY, b TEXT) WITHOUT ROWID", "(1, 'x'), (2, NULL)"),
    ("t (a INTEGER, b TEXT, PRIMARY KEY (b, a)) WITHOUT ROWID", "(1, 'x'), (2, 'y')"),
    ("t (a, b)", "(1, 'x'), (1, 'x')"),
    ('t ("a" INTEGER, "b ""c\'한글" TEXT)', "(1, 'x'), (2, 'y')"),
    ("t (a INTEGER PRIMARY KEY AUTOINCREMENT, b TEXT COLLATE NOCASE)", "(1, 'x'), (2, 'X')"),
    ("t (a, b) STRICT".replace("a, b", "a INTEGER, b ANY"), "(1, 'x'), (2, 3.5)"),
    ('t ("index" INTEGER, "select" DATETIME)', "(1, '2026-01-01'), (2, 'not a date')"),
]


@pytest.mark.parametrize(("definition", "rows"), TABLES)
def test_every_kind_of_table_is_counted_and_digested(raw: sqlite3.Connection, definition: str, rows: str) -> None:
    raw.execute(f"CREATE TABLE {definition}")
    raw.execute(f"INSERT INTO t VALUES {rows}")
    before = taken(raw)
    assert before.tables[0].rows == 2
    second = catalog.table_columns(raw, "t")[1]
    raw.execute(f"UPDATE t SET {catalog.quoted(second)} = 'zz' WHERE rowid = 1" if "WITHOUT" not in definition
                else "UPDATE t SET b = 'zz' WHERE a = 1")  # fmt: skip
    assert taken(raw).tables[0].digests != before.tables[0].digests


def test_generated_columns_are_part_of_a_whole_table(raw: sqlite3.Connection) -> None:
    raw.execute("CREATE TABLE t (a INTEGER, v AS (a * 2) VIRTUAL, s AS (a * 3) STORED)")
    raw.execute("INSERT INTO t VALUES (1), (2)")
    assert taken(raw).tables[0].digests[0].columns == ("a", "v", "s")
    assert [(c.name, c.generated) for c in catalog.facts(raw, version_table="x").tables[0].columns] == [
        ("a", False),
        ("v", True),
        ("s", True),
    ]


def test_virtual_tables_and_views_are_left_to_what_holds_their_rows(raw: sqlite3.Connection) -> None:
    raw.execute("CREATE VIRTUAL TABLE words USING fts5(body)")
    raw.execute("CREATE VIEW v AS SELECT * FROM words")
    before = taken(raw)
    raw.execute("INSERT INTO words VALUES ('푸딩 캠프')")
    names = [entry.table.name for entry in before.tables]
    assert names == ["words_config", "words_content", "words_data", "words_docsize", "words_idx"]
    after = taken(raw)
    changed = {was.table.name for was, now in zip(before.tables, after.tables, strict=True) if was != now}
    assert "words_content" in changed


def test_autoincrement_counters_are_sequences(raw: sqlite3.Connection) -> None:
    raw.execute("CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT)")
    raw.execute("INSERT INTO t VALUES (41)")
    raw.execute("DELETE FROM t")
    assert taken(raw).sequences == (("t", 41),)
    assert [entry.table.name for entry in taken(raw).tables] == ["t"]


def test_alembics_temporary_tables_are_seen(raw: sqlite3.Connection) -> None:
    raw.execute("CREATE TABLE _alembic_tmp_users (id)")
    raw.execute("CREATE TABLE Alembic_Version (version_num)")
    assert [entry.table.name for entry in taken(raw).tables] == ["_alembic_tmp_users"]


def test_a_table_without_a_wanted_column_lacks_that_digest(raw: sqlite3.Connection) -> None:
    raw.execute("CREATE TABLE t (a, b)")
    entry = taken(raw, {TableName("t"): (("a",), ("gone",), ("B", "a")), TableName("none"): ()}).tables[0]
    assert [group.columns for group in entry.digests] == [("a",), ("B", "a")]


def test_factories_and_converters_of_the_connection_do_not_matter_and_stay(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    rows: Sequence[tuple[object, ...]] = [(1, "2026-01-01", "한글"), (2, "2026-02-02 10:00:00", None)]
    with closing(sqlite3.connect(path)) as plain, plain:
        plain.execute("CREATE TABLE t (id INTEGER, d DATE, s TEXT)")
        plain.executemany("INSERT INTO t VALUES (?, ?, ?)", rows)
        expected = taken(plain)
    flags = sqlite3.PARSE_DECLTYPES | sqlite3.PARSE_COLNAMES
    with closing(sqlite3.connect(path, detect_types=flags)) as odd:
        odd.row_factory = sqlite3.Row
        odd.text_factory = bytes
        assert taken(odd) == expected
        assert odd.text_factory is bytes
        assert odd.row_factory is sqlite3.Row


EXPECTED_PUDDING = "60f9b48c8cb2fadb30b9754c5bb6152f"
EXPECTED_NULL = "98275c1c72ffcdca7e1acf0f6ff61706"
