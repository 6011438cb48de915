"""Fixtures of the contract suites."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from handrail.facts import DatabaseAddress
from support.postgres import PostgresServer


@pytest.fixture
def address(postgres_server: PostgresServer) -> Iterator[DatabaseAddress]:
    address = postgres_server.clone()
    yield address
    postgres_server.drop(address.database)
