"""The PostgreSQL adapter: the contract suite, on every server that can be had."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from contract.database_suite import DatabaseSuite, MakeDatabase
from handrail.databases.database import Database
from handrail.databases.postgres.database import PostgresDatabase
from support.postgres import PostgresServer

ONLY_NEWEST_SERVER = True


class TestPostgres(DatabaseSuite):
    engine = "postgresql"

    @pytest.fixture
    def make_database(self, postgres_server: PostgresServer) -> Iterator[MakeDatabase]:
        self.server = postgres_server
        made: list[str] = []

        def make() -> Database:
            address = postgres_server.clone(f'한 "글" %s {len(made)}')
            made.append(address.database)
            return PostgresDatabase(address)

        yield make
        for name in made:
            postgres_server.drop(name)

    def execute(self, database: Database, statements: Sequence[str]) -> None:
        self.server.execute(database.address, statements)

    def drop(self, database: Database) -> None:
        self.server.drop(database.address.database)
