"""Connect arguments and URLs as addresses, and the messages between parent and child."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.engine import make_url

from handrail.facts import DatabaseAddress, HeldLock, TableName
from handrail.migrations.operations import SourcePosition, StatementRun
from handrail.migrations.revision import Direction, Revision, RevisionPath
from handrail.migrator.migrator import Limits, ProofRequest
from handrail.migrator.places import address_of_arguments, address_of_url, is_same_place, redirect
from handrail.migrator.protocol import ProjectPlace, Request, decode, encode

PLAIN = DatabaseAddress("postgresql", "app", "db", 5433, "me", "pw")
WITH_SSL = DatabaseAddress(
    "postgresql", "app", "db", 5433, "me", "pw", (("connect_timeout", "3"), ("sslmode", "require"))
)


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("postgresql+psycopg://me:pw@db:5433/app", PLAIN),
        ("postgresql+psycopg://me:pw@db:5433/app?sslmode=require&connect_timeout=3", WITH_SSL),
        ("postgresql+asyncpg://me:pw@db:5433/app?ssl=require&timeout=3&prepared_statement_cache_size=0", WITH_SSL),
        (
            "postgresql://me:pw@/app?host=/run/pg&port=5433",
            DatabaseAddress("postgresql", "app", "/run/pg", None, "me", "pw"),
        ),
    ],
)
def test_addresses_of_postgresql_urls(url: str, address: DatabaseAddress) -> None:
    assert address_of_url(make_url(url)) == address


@pytest.mark.parametrize(
    "parameters",
    [
        {"host": "db", "port": 5433, "dbname": "app", "user": "me", "password": "pw"},
        {
            "host": "db",
            "port": "5433",
            "database": "app",
            "user": "me",
            "password": "pw",
            "server_settings": {"a": "b"},
        },
    ],
)
def test_addresses_of_connect_arguments(parameters: dict[str, Any]) -> None:
    assert address_of_arguments("postgresql", [], parameters) == PLAIN


def test_sqlite_paths_are_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    here = str(tmp_path.resolve() / "x y.db")
    for text in ("x y.db", "file:x%20y.db?mode=ro", f"file://{tmp_path}/x%20y.db", str(tmp_path / "x y.db")):
        assert address_of_arguments("sqlite", [text], {}).database == here
    for text in (":memory:", "", "file::memory:?mode=memory", "file:shared?mode=memory&cache=shared"):
        assert address_of_arguments("sqlite", [text], {}).database == ":memory:"


def test_places_are_compared_not_names() -> None:
    local = DatabaseAddress("postgresql", "app", "localhost", None, "me")
    assert is_same_place(local, DatabaseAddress("postgresql", "app", "127.0.0.1", 5432, "you", "pw"))
    assert not is_same_place(local, DatabaseAddress("postgresql", "other", "localhost"))
    assert not is_same_place(local, DatabaseAddress("sqlite", "app"))


def test_redirection_keeps_what_says_not_where() -> None:
    arguments: list[Any] = []
    parameters: dict[str, Any] = {"host": "live", "dbname": "app", "password": "old", "prepare_threshold": None}
    redirect("postgresql", "psycopg", WITH_SSL, arguments, parameters)
    assert parameters == {
        "host": "db", "port": 5433, "user": "me", "password": "pw", "dbname": "app",
        "prepare_threshold": None, "sslmode": "require", "connect_timeout": "3",
    }  # fmt: skip


def test_redirection_to_another_server_drops_the_certificates_of_the_first() -> None:
    arguments: list[Any] = []
    parameters: dict[str, Any] = {"host": "live", "sslmode": "verify-full", "sslrootcert": "/ca.pem"}
    redirect("postgresql", "psycopg", replace(WITH_SSL, options=()), arguments, parameters)
    assert parameters == {"host": "db", "port": 5433, "user": "me", "password": "pw", "dbname": "app"}
    parameters = {"host": "db", "port": "5433", "ssl": "a context"}
    redirect("postgresql", "asyncpg", WITH_SSL, arguments, parameters)
    assert parameters["ssl"] == "a context"


def test_requests_and_values_travel_unchanged() -> None:
    table = TableName('예약 "표"', "s")
    revision = Revision("a1", (), "첫", "a.py", "text\udcff", is_head=True)
    request = Request(
        "run",
        ProjectPlace("/p", None, "/p/pyproject.toml", x_args=("a=b",)),
        path=RevisionPath(Direction.DOWNGRADE, ("a1",), (), (revision,)),
        on=WITH_SSL,
        limits=Limits(1, 2, 3),
        proofs={"a1": ProofRequest({table: (("id", "이름"),)}, {table: ()}, (HeldLock(table, "Share"),))},
    )
    assert decode(Request, json.loads(json.dumps(encode(request)))) == request
    run = StatementRun("a1", SourcePosition("a.py", 3), "SELECT", 0.5, -1, (HeldLock(table, "Share"),), (table,))
    assert decode(StatementRun, json.loads(json.dumps(encode(run)))) == run


def test_the_rest_of_a_password_is_not_shown_as_the_host() -> None:
    address = address_of_url(make_url("postgresql://app:s3@cret@db:5432/shop"))
    assert (address.host, str(address)) == ("cret@db", "postgresql://app@db:5432/shop")
