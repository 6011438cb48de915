"""Each form of a server_default on real rows: a column added with it reads back as the default itself, on both engines."""

from __future__ import annotations

import datetime
import enum
import uuid
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import Engine, NullPool, create_engine

from handrail.lint.rules.not_null_without_default import CANDIDATES, TO_CHOOSE
from handrail.migrator.stored_texts import stored_text
from support.postgres import PostgresServer


class Kind(enum.Enum):
    FIRST = "first value"
    SECOND = "둘째"


MOMENT = datetime.datetime(2024, 2, 29, 12, 30, 1, 5)  # noqa: DTZ001 - a column without a zone
VALUES: list[tuple[Any, Any]] = [
    (sa.Boolean(), True),
    (sa.Boolean(), False),
    (sa.Integer(), -3),
    (sa.BigInteger(), 2**40),
    (sa.Float(), 1.5e-7),
    (sa.Numeric(12, 4), Decimal("-1.5000")),
    (sa.Text(), 'it\'s 100% "{so}" :named\n둘째'),
    (sa.String(20), ""),
    (sa.Enum(Kind, native_enum=False), Kind.SECOND),
    (sa.Enum(Kind, native_enum=False, values_callable=lambda all_: [one.value for one in all_]), Kind.FIRST),
    (sa.JSON(), {}),
    (sa.JSON(), []),
    (sa.JSON(), {"값": [1, None, "it's", "100%"]}),
    (sa.JSON(), "text"),
    (sa.Uuid(), uuid.UUID(int=255)),
    (sa.Uuid(as_uuid=False), str(uuid.UUID(int=2**127))),
    (sa.DateTime(), MOMENT),
    (sa.DateTime(), MOMENT.replace(microsecond=0)),
    (sa.Date(), MOMENT.date()),
    (sa.Time(), MOMENT.time()),
]
#: The types that HR-DD101 writes a default for, as far as both engines have them, and the value that it is.
WRITTEN = {
    "Boolean": (sa.Boolean(), False),
    "Integer": (sa.Integer(), 0),
    "Numeric": (sa.Numeric(8, 2), Decimal(0)),
    "Float": (sa.Float(), 0.0),
    "String": (sa.String(9), ""),
    "DateTime": (sa.DateTime(), datetime.datetime(1970, 1, 1)),  # noqa: DTZ001
    "Date": (sa.Date(), datetime.date(1970, 1, 1)),
    "Time": (sa.Time(), datetime.time()),
    "JSON": (sa.JSON(), {}),
    "Uuid": (sa.Uuid(), uuid.UUID(int=0)),
}


def texts() -> list[tuple[Any, Any, Any]]:
    """Every type with the value and the default that stands for it."""
    found = [(type_, value, stored_text(type_, value)) for type_, value in VALUES]
    written = [(type_, value, CANDIDATES[name].strip("'")) for name, (type_, value) in WRITTEN.items()]
    return [*found, *written]


def read_back(engine: Engine, *, is_batch: bool) -> None:
    metadata = sa.MetaData()
    columns = [sa.Column("id", sa.Integer, primary_key=True)]
    table = sa.Table("t", metadata, *columns)
    metadata.create_all(engine)
    with engine.begin() as connection:
        connection.execute(table.insert(), [{"id": 1}, {"id": 2}])
        operations = Operations(MigrationContext.configure(connection))
        for number, (type_, _, text) in enumerate(texts()):
            assert text is not None
            added = sa.Column(f"c{number}", type_, server_default=text, nullable=False)
            if is_batch:
                with operations.batch_alter_table("t") as batch:
                    batch.add_column(added)
            else:
                operations.add_column("t", added)
            table.append_column(sa.Column(f"c{number}", type_))
    with engine.connect() as connection:
        rows = connection.execute(table.select()).all()
    wanted = [value for _, value, _ in texts()]
    assert [list(row[1:]) for row in rows] == [wanted, wanted]
    assert [type(value) for value in rows[0][1:]] == [type(value) for value in wanted]


def clock(engine: Engine, *, is_batch: bool) -> None:
    """The clock for a default gives the old rows the time of the migration."""
    metadata = sa.MetaData()
    table = sa.Table("t", metadata, sa.Column("id", sa.Integer, primary_key=True))
    metadata.create_all(engine)
    added = sa.Column("at", sa.DateTime(), server_default=sa.text("(CURRENT_TIMESTAMP)"), nullable=False)
    with engine.begin() as connection:
        connection.execute(table.insert(), [{"id": 1}])
        operations = Operations(MigrationContext.configure(connection))
        if is_batch:
            with operations.batch_alter_table("t") as batch:
                batch.add_column(added)
        else:
            operations.add_column("t", added)
        found = connection.scalar(sa.select(sa.column("at", sa.DateTime())).select_from(table))
    assert isinstance(found, datetime.datetime)
    assert found.year >= 2024


@pytest.fixture
def on_sqlite(tmp_path: Path) -> Engine:
    return create_engine(f"sqlite:///{tmp_path / 'local.db'}", poolclass=NullPool)


@pytest.fixture
def on_postgresql(postgres_server: PostgresServer) -> Any:
    address = postgres_server.clone()
    where = f"{address.user}:{address.password}@{address.host}:{address.port}/{address.database}"
    engine = create_engine(f"postgresql+psycopg://{where}", poolclass=NullPool)
    yield engine
    engine.dispose()
    postgres_server.drop(address.database)


@pytest.mark.parametrize("is_batch", [False, True])
def test_values_read_back_on_sqlite(on_sqlite: Engine, is_batch: bool) -> None:
    read_back(on_sqlite, is_batch=is_batch)


@pytest.mark.parametrize("is_batch", [False, True])
def test_values_read_back_on_postgresql(on_postgresql: Engine, is_batch: bool) -> None:
    read_back(on_postgresql, is_batch=is_batch)


def test_the_clock_on_sqlite_is_for_batches(on_sqlite: Engine) -> None:
    clock(on_sqlite, is_batch=True)


def test_the_clock_on_sqlite_is_refused_outside(on_sqlite: Engine) -> None:
    with pytest.raises(sa.exc.OperationalError, match="Cannot add a column with non-constant default"):
        clock(on_sqlite, is_batch=False)


@pytest.mark.parametrize("is_batch", [False, True])
def test_the_clock_on_postgresql(on_postgresql: Engine, is_batch: bool) -> None:
    clock(on_postgresql, is_batch=is_batch)


def test_nothing_is_written_where_no_text_fits_both() -> None:
    assert {name for name in ("Interval", "LargeBinary") if CANDIDATES.get(name, TO_CHOOSE) != TO_CHOOSE} == set()
