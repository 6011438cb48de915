"""Whatever is done to SQLite files: increments and remembered digests are what reading all rows says.

A campaign: random schemas, rows and changes. `HANDRAIL_FILES` says how many files (40), `HANDRAIL_SEED` where chance begins;
the figures are in docs/campaigns.md."""

from __future__ import annotations

import filecmp
import io
import os
import random
import sqlite3
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from subprocess import PIPE

import pytest

from handrail.backups.methods import DumpRequest, Format
from handrail.backups.verification import compare_restored
from handrail.databases.sqlite import digest, readers, units
from handrail.databases.sqlite.database import SqliteDatabase
from handrail.databases.sqlite.unchanged import Memory
from handrail.facts import DatabaseAddress, TableFingerprint
from support.children import Child

pytestmark = pytest.mark.long
#: A program of its own that stays connected, so that frames are left in its WAL (and locks of this process its own).
WRITER = """
import sqlite3, sys
raw = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=60)
for line in sys.stdin:
    try:
        raw.execute(line).fetchall()
        word = line.split()[0]
    except sqlite3.Error:
        word = "refused"
    print(word, flush=True)
"""
INCREMENT, SQL = DumpRequest(Format.SQLITE_INCREMENT), DumpRequest(Format.SQLITE_SQL)
FILES = int(os.environ.get("HANDRAIL_FILES", "40"))
SEED = int(os.environ.get("HANDRAIL_SEED", "20261129"))
TYPES = ("INTEGER", "INT", "TEXT", "BLOB", "REAL", "NUMERIC", "", "ANY", "VARCHAR(20)")
STRICT_TYPES = ("INTEGER", "INT", "TEXT", "BLOB", "REAL", "ANY")
DEFAULTS = ("", "", " DEFAULT '12'", " DEFAULT 3", " DEFAULT 2.50", " DEFAULT x'00ff'", " NOT NULL DEFAULT 'none'")
NAMES = ("t", "u", 'a "b" c', "v")
KEYS = (
    "INTEGER PRIMARY KEY",
    "INTEGER PRIMARY KEY DESC",
    "INTEGER PRIMARY KEY AUTOINCREMENT",
    "INT PRIMARY KEY",
    "TEXT UNIQUE",
)


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


@dataclass
class Chance:
    """Statements, drawn by one seed."""

    dice: random.Random
    numbers: Iterator[int] = field(default_factory=count)

    def settings(self) -> list[str]:
        pick = self.dice.choice
        return [
            f"PRAGMA page_size={pick([512, 1024, 4096, 4096, 65536])}",
            f"PRAGMA encoding='{pick(['UTF-8', 'UTF-8', 'UTF-16le'])}'",
            f"PRAGMA auto_vacuum={pick(['NONE', 'NONE', 'NONE', 'FULL', 'INCREMENTAL'])}",
            f"PRAGMA journal_mode={pick(['WAL', 'DELETE', 'TRUNCATE'])}",
        ]

    def table(self, name: str) -> str:
        """How a table is made: with a rowid or without, with a key or not, STRICT or not."""
        dice = self.dice
        is_strict, form = dice.random() < 0.3, dice.choice(["key", "key", "key", "none", "without"])
        types = STRICT_TYPES if is_strict else TYPES
        columns = [f"c{number} {dice.choice(types)}{dice.choice(DEFAULTS)}" for number in range(dice.randrange(1, 5))]
        if form == "key":
            columns.insert(dice.randrange(len(columns) + 1), f"k {dice.choice(KEYS)}")
        elif form == "without":
            columns.insert(dice.randrange(len(columns) + 1), "k INTEGER NOT NULL")
            columns.append(f"PRIMARY KEY ({dice.choice(['k', 'c0, k', 'k DESC, c0', 'c0, k, c0 COLLATE NOCASE'])})")
        elif dice.random() < 0.2:
            columns.append("rowid TEXT, oid TEXT, _rowid_ TEXT")
        if dice.random() < 0.1:
            columns.insert(len(columns) - (form == "without"), "g TEXT AS (upper(c0))")
        options = [*(["WITHOUT ROWID"] if form == "without" else []), *(["STRICT"] if is_strict else [])]
        return f"CREATE TABLE {quoted(name)} ({', '.join(columns)}) {', '.join(options)}"

    def value(self) -> str:
        """An expression over `i`, the number of a row."""
        dice = self.dice
        size = dice.choice([3, 20, 20, 300, 3000, 30000])
        return dice.choice([
            "i", "i", "-i", "NULL", "i / 3.0", "'text ' || i", "'Ä' || i", "CAST(i AS BLOB)", f"zeroblob({size} - i % 3)",
            f"hex(zeroblob({size // 2})) || i", f"printf('%.*c', {size}, 'x')", f"randomblob({size})", "1e300 * i", "x'ff00'", "CAST(x'ff' AS TEXT)",
        ])  # fmt: skip

    def rows(self, raw: sqlite3.Connection, name: str) -> str:
        columns = [str(row[1]) for row in raw.execute(f"PRAGMA table_xinfo({quoted(name)})") if not row[6]]
        first, many = self.dice.choice([0, 0, 5000, -300, 1 << 40]), self.dice.choice([1, 3, 50, 800, 3000])
        values = ", ".join(f"{first} + i" if one == "k" else self.value() for one in columns)
        if many > 100 and ("30000" in values or "15000" in values or "3000" in values):
            many = 40
        return (
            f"INSERT OR IGNORE INTO {quoted(name)} ({', '.join(map(quoted, columns))}) WITH RECURSIVE n(i) AS"
            f" (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {many}) SELECT {values} FROM n"
        )

    def change(self, raw: sqlite3.Connection) -> list[str]:
        """One thing that happens to one table, mostly of its rows."""
        dice, names = self.dice, tables(raw)
        if not names:
            return [self.table(dice.choice(NAMES))]
        name = dice.choice(names)
        columns = [str(row[1]) for row in raw.execute(f"PRAGMA table_info({quoted(name)})")]
        column = quoted(dice.choice(columns))
        some = (
            f"WHERE rowid % {dice.choice([2, 7, 90, 1000])} = 1" if dice.random() < 0.7 else f"WHERE {column} NOTNULL"
        )
        kind = dice.choice(["insert", "update", "end", "delete", "schema", "schema", "file"])
        if kind == "insert":
            return [self.rows(raw, name)]
        if kind == "schema":
            return dice.choice(self.of_schema(name, column))
        if kind == "file":
            return dice.choice(self.of_file(raw, name))
        changes = {
            "update": f"UPDATE OR IGNORE {{}} SET {column} = {self.value().replace('i', '7')} {some}",
            # of a long text this changes the last of its overflow pages, and nothing else
            "end": f"UPDATE OR IGNORE {{}} SET {column} = substr({column}, 1, length({column}) - 1) || {next(self.numbers) % 10}",
            "delete": f"DELETE FROM {{}} {some}",
        }  # fmt: skip
        return [changes[kind].format(quoted(name))]

    def of_schema(self, name: str, column: str) -> list[list[str]]:
        dice, table, other, number = self.dice, quoted(name), self.dice.choice(NAMES), next(self.numbers)
        return [
            [f"ALTER TABLE {table} ADD COLUMN a{number} {dice.choice(STRICT_TYPES)}{dice.choice(DEFAULTS)}"],
            [f"ALTER TABLE {table} DROP COLUMN {column}"],
            [f"ALTER TABLE {table} RENAME COLUMN {column} TO r{number}"],
            [f"ALTER TABLE {table} RENAME TO {quoted(other)}"],
            [f"DROP TABLE {table}", self.table(name), "rows", "rows"],  # another over the pages of the first
            [f"CREATE TABLE {quoted(other)} AS SELECT * FROM {table}"],
            [f"CREATE INDEX i{number} ON {table} ({column})", f"DROP INDEX IF EXISTS i{number - 3}"],
            [self.table(other)],
        ]

    def of_file(self, raw: sqlite3.Connection, name: str) -> list[list[str]]:
        dice, number = self.dice, next(self.numbers)
        return [
            ["VACUUM"],
            ["PRAGMA incremental_vacuum(5)", f"PRAGMA journal_mode={dice.choice(['WAL', 'DELETE'])}"],
            ["BEGIN", self.rows(raw, name), f"DELETE FROM {quoted(name)}", dice.choice(["ROLLBACK", "COMMIT"])],
            [f"CREATE VIRTUAL TABLE f{number} USING fts5(body)", f"INSERT INTO f{number} VALUES ('one two')"],
            ["PRAGMA wal_checkpoint(TRUNCATE)", f"PRAGMA user_version={number}"],
        ]


def tables(raw: sqlite3.Connection) -> list[str]:
    found = raw.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND rootpage > 0 AND name NOT LIKE 'f%'")
    return sorted(str(name) for (name,) in found if not str(name).startswith("sqlite_"))


@dataclass
class Writer:
    """Changes a file; `done` counts the words that statements begin with."""

    path: Path
    chance: Chance
    child: Child[str]
    done: Counter[str] = field(default_factory=Counter)

    def change(self) -> None:
        with closing(sqlite3.connect(self.path)) as raw:
            statements = self.chance.change(raw)
        self.execute(*statements)

    def execute(self, *statements: str) -> None:
        """Do it, or not when it makes no sense just then."""
        assert self.child.stdin and self.child.stdout
        for statement in statements:
            self.child.stdin.write((self._rows() if statement == "rows" else statement) + "\n")
            self.child.stdin.flush()
            self.done[self.child.stdout.readline().strip()] += 1

    def _rows(self) -> str:
        with closing(sqlite3.connect(self.path)) as raw:
            names = tables(raw)
            return self.chance.rows(raw, self.chance.dice.choice(names)) if names else "SELECT 1"


def rows_of(path: Path) -> dict[str, Counter[str]]:
    """All rows, as SQL shows them: what no digest is needed for."""
    with closing(sqlite3.connect(path)) as raw:
        raw.text_factory = bytes
        return {
            name: Counter(map(repr, raw.execute(f"SELECT * FROM {quoted(name)}")))
            for name in (one.decode() for (one,) in raw.execute("SELECT name FROM sqlite_schema WHERE type = 'table'"))
        }


def read_anew(path: Path) -> tuple[TableFingerprint, ...]:
    with closing(sqlite3.connect(path)) as raw:
        return digest.fingerprint(raw, None, version_table="alembic_version").tables


@pytest.mark.parametrize("number", range(FILES))
def test_random_changes_of_random_files(number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chance, path = Chance(random.Random(f"{SEED} {number}")), tmp_path / "live.db"
    monkeypatch.setattr(units, "_FINE", chance.dice.choice([0, 1 << 18]))
    monkeypatch.setattr(readers, "SMALLEST", chance.dice.choice([0, 96 << 20, 96 << 20, 96 << 20]))
    with Child([sys.executable, "-c", WRITER, str(path)], stdin=PIPE, stdout=PIPE, text=True) as child:
        writer = Writer(path, chance, child)
        writer.execute(*chance.settings(), *map(chance.table, NAMES[:3]), *["rows"] * 8)
        writer.execute(f"PRAGMA wal_autocheckpoint={chance.dice.choice([0, 1000])}")
        compare_while_it_changes(writer, tmp_path / "work")
    print(f"{number}: {sum(writer.done.values())} statements, {dict(writer.done)}, {path.stat().st_size >> 10} KiB")


def compare_while_it_changes(writer: Writer, work: Path) -> None:
    path, address = writer.path, DatabaseAddress("sqlite", str(writer.path))
    live = SqliteDatabase(address, work_dir=work)
    remembering = SqliteDatabase(address, work_dir=work, memory=Memory())
    remembering.fingerprint()
    base, parts = io.BytesIO(), list[bytes]()
    report = live.dump(base)
    for _ in range(6):
        for _ in range(writer.chance.dice.choice([1, 1, 2, 4])):
            writer.change()
        part, whole = io.BytesIO(), io.BytesIO()
        report = live.dump(part, replace(INCREMENT, since=report.inventory))
        parts.append(part.getvalue())
        assert report.fingerprint.tables == remembering.fingerprint().tables == read_anew(path)
        again = live.dump(whole)
        assert (again.fingerprint, again.inventory) == (report.fingerprint, report.inventory)
        with live.scratch("made", INCREMENT) as copy:
            copy.load(io.BytesIO(base.getvalue()), INCREMENT, increments=map(io.BytesIO, parts))
            restored = Path(copy.address.database)
            assert restored.read_bytes() == whole.getvalue()
            assert rows_of(restored) == rows_of(path)
            assert compare_restored(report.fingerprint, copy.fingerprint(), report.facts, copy.facts()) == ()
            assert copy.integrity() == live.integrity()  # which may find values that a constraint would refuse
    if not live.integrity()[0].ok:
        return  # of STRICT tables ALTER TABLE accepts defaults that INSERT does not
    text = io.BytesIO()
    report = live.dump(text, SQL)
    with live.scratch("text", SQL) as copy:
        copy.load(io.BytesIO(text.getvalue()), SQL)
        assert compare_restored(report.fingerprint, copy.fingerprint(), report.facts, copy.facts()) == ()
        assert rows_of(Path(copy.address.database)) == rows_of(path)


def test_a_file_beyond_the_page_that_sqlite_never_writes(tmp_path: Path) -> None:
    """The one at 1 GiB; values of 100 MB, and pieces of a page as in smaller files."""
    path = tmp_path / "live.db"
    live = SqliteDatabase(DatabaseAddress("sqlite", str(path)), work_dir=tmp_path / "work")
    with closing(sqlite3.connect(path, isolation_level=None)) as raw:
        raw.execute("PRAGMA synchronous=OFF")
        raw.execute("CREATE TABLE files (id INTEGER PRIMARY KEY, content BLOB)")
        raw.execute("CREATE TABLE rooms (id INTEGER PRIMARY KEY, name TEXT)")
        raw.execute(
            "INSERT INTO files WITH n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 11) SELECT i, zeroblob(100000000) FROM n"
        )
        raw.execute(
            "INSERT INTO rooms WITH n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 50000) SELECT i, 'room ' || i FROM n"
        )
    base, part = tmp_path / "base", tmp_path / "part"
    with base.open("wb") as out:
        report = live.dump(out)
    with closing(sqlite3.connect(path, isolation_level=None)) as raw:
        raw.execute("UPDATE rooms SET name = 'other' WHERE id % 5000 = 0")
        raw.execute("UPDATE files SET content = zeroblob(99999999) || x'01' WHERE id = 11")
    with part.open("wb") as out:
        report = live.dump(out, replace(INCREMENT, since=report.inventory))
    assert report.fingerprint.tables == read_anew(path)
    assert path.stat().st_size > 1 << 30 and part.stat().st_size < 110_000_000
    with live.scratch("made", INCREMENT) as copy, base.open("rb") as one, part.open("rb") as other:
        copy.load(one, INCREMENT, increments=[other])
        assert compare_restored(report.fingerprint, copy.fingerprint(), report.facts, copy.facts()) == ()
        assert filecmp.cmp(copy.address.database, path, shallow=False)
