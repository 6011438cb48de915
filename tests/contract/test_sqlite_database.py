"""The SQLite adapter: the contract suite, and what only SQLite has."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from contract.database_suite import DatabaseSuite, MakeDatabase
from handrail.databases.database import Database
from handrail.databases.sqlite.connection import remove_file
from handrail.databases.sqlite.database import SqliteDatabase
from handrail.facts import DatabaseAddress


def open_database(path: Path) -> SqliteDatabase:
    return SqliteDatabase(DatabaseAddress("sqlite", str(path)), work_dir=path.parent / "work")


class SqliteSuite(DatabaseSuite):
    engine = "sqlite"
    journal_mode = "delete"

    @pytest.fixture
    def make_database(self, tmp_path: Path) -> MakeDatabase:
        made: list[Path] = []

        def make() -> Database:
            path = tmp_path / f"한 글 #{len(made)}?.db"
            made.append(path)
            database = open_database(path)
            database.create()
            with closing(sqlite3.connect(path)) as raw:
                raw.execute(f"PRAGMA journal_mode={self.journal_mode}")
            return database

        return make

    def execute(self, database: Database, statements: Sequence[str]) -> None:
        with closing(sqlite3.connect(database.address.database)) as raw, raw:
            for statement in statements:
                raw.execute(statement)

    def drop(self, database: Database) -> None:
        remove_file(Path(database.address.database))


class TestSqliteInDeleteMode(SqliteSuite):
    pass


class TestSqliteInWalMode(SqliteSuite):
    journal_mode = "wal"
