"""The corpus tells the truth: its safe scripts run up and down on the engines that they are for, and those that are said
to fail fail."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, NullPool, create_engine

from support.postgres import PostgresServer
from support.steps import module_of, run_steps

#: `make test-servers` runs it on the others.
ONLY_NEWEST_SERVER = True

FOLDER = Path(__file__).parents[1] / "corpus"
EXPECTED = tomllib.loads((FOLDER / "expected.toml").read_text())
#: Rules that speak of scripts that the engine refuses, and a part of what it says then.
FAILING = {
    "sqlite": {"HR-SQ104", "HR-SQ105", "HR-SQ108", "HR-SQ109", "HR-SQ110", "HR-DD101", "HR-PR111"},
    "postgresql": {"HR-TX101", "HR-DD101", "HR-PR111"},
}
REFUSED = {
    "sqlite": r"SQLite|syntax|default|error in|must have a name|generated|NOT NULL|not defined",
    "postgresql": r"cannot run inside a transaction block|contains null values|not defined",
}
#: What a script finds done by the revision before it.
BEFORE = {
    "safe_validate_in_its_own_revision": "ALTER TABLE orders ADD CONSTRAINT fk_orders_customer FOREIGN KEY (customer_id)"
    " REFERENCES customers (id) NOT VALID",
    "concurrently_after_the_block": "CREATE TABLE visits (day date)",
    "drop_concurrently_inside_the_transaction": "CREATE INDEX ix_orders_older ON orders (old)",
}
#: Roles belong to the whole server, not to a database of it.
NOT_RUN = {"safe_grants"}


def names(kind: str, engine: str) -> list[str]:
    found = [name for name, entry in EXPECTED.items() if entry["kind"] == kind and engine in entry["engines"]]
    return [name for name in found if name not in NOT_RUN and set(EXPECTED[name].get("codes", [])) <= FAILING[engine]]


def prepare(engine: Engine, name: str) -> None:
    """The tables that the corpus starts from, and what the script of this name finds done."""
    statements = (FOLDER / f"{engine.dialect.name}.sql").read_text().split(";")
    with engine.begin() as connection:
        for statement in [*statements[:-1], *filter(None, [BEFORE.get(name)])]:
            connection.exec_driver_sql(statement)


def run(engine: Engine, name: str, *steps: str) -> None:
    """Run functions of a script on tables made for it."""
    prepare(engine, name)
    path = FOLDER / f"{name}.py"
    run_steps(engine, module_of(str(path), path.read_text()), *steps)


def on_sqlite(folder: Path) -> Engine:
    return create_engine(f"sqlite:///{folder / 'local.db'}", poolclass=NullPool)


@pytest.mark.parametrize("name", names("safe", "sqlite"))
def test_safe_scripts_run_up_and_down_on_sqlite(name: str, tmp_path: Path) -> None:
    run(on_sqlite(tmp_path), name, "upgrade", "downgrade")


@pytest.mark.parametrize("name", names("hazard", "sqlite"))
def test_what_sqlite_is_said_to_refuse_fails(name: str, tmp_path: Path) -> None:
    with pytest.raises(Exception, match=REFUSED["sqlite"]):
        run(on_sqlite(tmp_path), name, "upgrade")


@pytest.fixture
def on_postgresql(postgres_server: PostgresServer) -> Iterator[Engine]:
    address = postgres_server.clone()
    where = f"{address.user}:{address.password}@{address.host}:{address.port}/{address.database}"
    engine = create_engine(f"postgresql+psycopg://{where}")
    yield engine
    engine.dispose()
    postgres_server.drop(address.database)


@pytest.mark.parametrize("name", names("safe", "postgresql"))
def test_safe_scripts_run_up_and_down_on_postgresql(name: str, on_postgresql: Engine) -> None:
    run(on_postgresql, name, "upgrade", "downgrade")


@pytest.mark.parametrize("name", names("hazard", "postgresql"))
def test_what_postgresql_is_said_to_refuse_fails(name: str, on_postgresql: Engine) -> None:
    with pytest.raises(Exception, match=REFUSED["postgresql"]):
        run(on_postgresql, name, "upgrade")
