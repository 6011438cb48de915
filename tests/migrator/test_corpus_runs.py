"""The corpus tells the truth about SQLite: its safe scripts run up and down there, and what is said to fail fails."""

from __future__ import annotations

import tomllib
from pathlib import Path
from types import ModuleType

import pytest
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import Connection, create_engine

FOLDER = Path(__file__).parents[1] / "corpus"
EXPECTED = tomllib.loads((FOLDER / "expected.toml").read_text())
#: Rules that speak of scripts that SQLite refuses.
FAILING = {"HR-SQ104", "HR-SQ105", "HR-SQ108", "HR-SQ109", "HR-SQ110", "HR-DD101"}
SCHEMA = (
    "CREATE TABLE shops (id INTEGER NOT NULL PRIMARY KEY)",
    "CREATE TABLE groups (id INTEGER NOT NULL PRIMARY KEY)",
    "CREATE TABLE customers (id INTEGER NOT NULL PRIMARY KEY, name VARCHAR(50))",
    "CREATE TABLE users (id INTEGER NOT NULL PRIMARY KEY, name VARCHAR(50), age INTEGER, state VARCHAR(20))",
    "CREATE TABLE orders (id INTEGER NOT NULL PRIMARY KEY, customer_id INTEGER, code TEXT, number INTEGER, note2 TEXT,"
    " status TEXT, total INTEGER, net INTEGER, tax INTEGER, paid_at DATETIME,"
    " CONSTRAINT ck_orders_total CHECK (total >= 0))",
    "CREATE TABLE jobs (id INTEGER NOT NULL PRIMARY KEY)",
    "CREATE TABLE products (id INTEGER NOT NULL PRIMARY KEY, name TEXT)",
    "CREATE TABLE dag_run (id INTEGER NOT NULL PRIMARY KEY)",
    "CREATE TABLE permissions (name TEXT, view TEXT)",
    "CREATE TABLE roles (name TEXT)",
    "CREATE TABLE job (id INTEGER NOT NULL PRIMARY KEY)",
    "CREATE TABLE help (topic TEXT, body TEXT)",
    "CREATE TABLE settings (key TEXT, value TEXT)",
    "INSERT INTO customers VALUES (1, 'a')",
    "INSERT INTO orders (id, customer_id, total, net, tax) VALUES (1, 1, 10, 8, 2)",
    "INSERT INTO jobs VALUES (1)",
    "INSERT INTO dag_run VALUES (1)",
    "INSERT INTO products VALUES (1, 'x')",
)


def names(kind: str) -> list[str]:
    found = [name for name, entry in EXPECTED.items() if entry["kind"] == kind and "sqlite" in entry["engines"]]
    return [name for name in found if kind == "safe" or (set(EXPECTED[name]["codes"]) <= FAILING)]


def load(name: str) -> ModuleType:
    module = ModuleType(name)
    path = FOLDER / f"{name}.py"
    exec(compile(path.read_text(), str(path), "exec"), module.__dict__)  # noqa: S102 - our own scripts
    return module


def run(connection: Connection, *steps: str, name: str) -> None:
    for statement in SCHEMA:
        connection.exec_driver_sql(statement)
    script = load(name)
    with Operations.context(MigrationContext.configure(connection)):
        for step in steps:
            getattr(script, step)()


@pytest.mark.parametrize("name", names("safe"))
def test_safe_scripts_run_up_and_down(name: str) -> None:
    with create_engine("sqlite://").connect() as connection:
        run(connection, "upgrade", "downgrade", name=name)


@pytest.mark.parametrize("name", names("hazard"))
def test_what_sqlite_refuses_fails(name: str) -> None:
    refused = pytest.raises(Exception, match=r"SQLite|syntax|default|error in|must have a name|generated|NOT NULL")
    with create_engine("sqlite://").connect() as connection, refused:
        run(connection, "upgrade", name=name)
