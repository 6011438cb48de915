"""Empty databases for tests that change enum columns."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from support.postgres import PostgresServer


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[sa.Engine]:
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'a.db'}")
    sa.event.listen(engine, "connect", lambda connection, _: connection.execute("PRAGMA synchronous = OFF"))
    yield engine
    engine.dispose()


@pytest.fixture(scope="session")
def one_database(postgres_server: PostgresServer) -> Iterator[sa.Engine]:
    """A database for many tests: making one takes as long as a test."""
    found = postgres_server.clone()
    address = (found.user, found.password, found.host, found.port, found.database)
    engine = sa.create_engine(sa.URL.create("postgresql+psycopg", *address))
    yield engine
    engine.dispose()
    postgres_server.drop(found.database)


@pytest.fixture
def postgres(one_database: sa.Engine) -> Iterator[sa.Engine]:
    """The database, emptied."""
    with one_database.begin() as connection:
        connection.exec_driver_sql("DROP SCHEMA IF EXISTS public, app, kinds CASCADE")
        connection.exec_driver_sql("CREATE SCHEMA public")
    yield one_database
    one_database.dispose()
