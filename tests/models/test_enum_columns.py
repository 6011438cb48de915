"""Columns of varchar_enum, native_enum and check_enum, made and filled on real databases by every driver."""

from __future__ import annotations

import asyncio
import copy
import enum
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from sqlalchemy.pool import NullPool

from handrail import check_enum, native_enum, varchar_enum
from handrail.facts import DatabaseAddress
from support.postgres import PostgresServer

Factory = Callable[..., sa.Enum]
STRATEGIES = pytest.mark.parametrize("make", [varchar_enum, native_enum, check_enum])


class Status(enum.StrEnum):
    SCHEDULED = enum.auto()
    NO_SHOW = "no show"


class Odd(enum.Enum):
    """What SQL, its placeholders, arrays and encodings could take for something else."""

    QUOTE = "it's"
    DOUBLE = '"two"'
    COLON = "a:b :c ::d"
    PERCENT = "100% %s %(x)s"
    DOLLAR = "$1 ?"
    KOREAN = "당일 취소"
    LONGEST = "가" * 21
    BACKSLASH = "a\\b"
    BRACES = "{a,b}"
    EMPTY = ""
    NULL = "NULL"


class OddName(enum.StrEnum):
    """By name, and a class whose name is two words."""

    A = "a"
    지각 = "late"  # noqa: PLC2401


ALL = list(Odd)


def url_of(address: DatabaseAddress, driver: str) -> str:
    where = f"{address.user}:{address.password}@{address.host}:{address.port or 5432}/{address.database}"
    return f"postgresql+{driver}://{where}"


@pytest.fixture
def address(postgres_server: PostgresServer) -> Iterator[DatabaseAddress]:
    address = postgres_server.clone()
    yield address
    postgres_server.drop(address.database)


def one_table(column_type: Any, **more: Any) -> sa.Table:
    key = sa.Column("id", sa.Integer, primary_key=True)
    return sa.Table("t", sa.MetaData(), key, sa.Column("status", column_type, **more))


def fill_and_read(connection: sa.Connection, table: sa.Table, values: list[Any]) -> list[Any]:
    """Make the table, insert each value, read them all, and find each by a condition."""
    table.metadata.create_all(connection)
    for number, value in enumerate(values):
        connection.execute(table.insert().values(id=number, status=value))
    found = [
        connection.execute(sa.select(table.c.status).where(table.c.status == value)).scalar_one() for value in values
    ]
    assert found == values
    return list(connection.execute(sa.select(table.c.status).order_by(table.c.id)).scalars())


def run_on(url: str, work: Callable[[sa.Connection], Any]) -> Any:
    """Do it in one transaction, by the driver of the URL."""
    if "asyncpg" in url or "aiosqlite" in url:
        return asyncio.run(run_async(url, work))
    engine = sa.create_engine(url, poolclass=NullPool)
    with engine.begin() as connection:
        return work(connection)


async def run_async(url: str, work: Callable[[sa.Connection], Any]) -> Any:
    engine = create_async_engine(url, poolclass=NullPool)
    async with engine.begin() as connection:
        done = await connection.run_sync(work)
    await engine.dispose()
    return done


# --- what is stored and read


class RoundTrips:
    """On each driver, of which `url` is one."""

    @STRATEGIES
    @pytest.mark.parametrize("default", [Odd.QUOTE, Odd.PERCENT, Odd.COLON, Odd.LONGEST])
    def test_every_text_comes_back_as_its_member(self, url: str, make: Factory, default: Odd) -> None:
        table = one_table(make(Odd), nullable=False, server_default=default.value)

        def work(connection: sa.Connection) -> Any:
            members = fill_and_read(connection, table, ALL)
            connection.execute(sa.text("INSERT INTO t (id) VALUES (99)"))
            filled = connection.execute(sa.select(table.c.status).where(table.c.id == 99)).scalar_one()
            texts = connection.execute(sa.select(sa.cast(table.c.status, sa.String)).order_by(table.c.id)).scalars()
            return members, filled, list(texts)

        assert run_on(url, work) == (ALL, default, [*(one.value for one in ALL), default.value])

    @STRATEGIES
    def test_names_are_stored_where_asked_for(self, url: str, make: Factory) -> None:
        def work(connection: sa.Connection) -> Any:
            members = fill_and_read(connection, one_table(make(OddName, store="name")), list(OddName))
            return members, list(connection.execute(sa.text("SELECT CAST(status AS VARCHAR) FROM t")).scalars())

        assert run_on(url, work) == (list(OddName), ["A", "지각"])

    @STRATEGIES
    def test_a_text_of_no_member_is_not_written(self, url: str, make: Factory) -> None:
        table = one_table(make(Status))
        with pytest.raises(sa.exc.StatementError) as caught:
            run_on(url, lambda connection: fill_and_read(connection, table, ["attended"]))
        assert str(caught.value.orig) == (
            "'attended' is not among the defined enum values. Enum name: status. Possible values: scheduled, no show"
        )

    @pytest.mark.parametrize(("make", "is_kept"), [(varchar_enum, True), (native_enum, False), (check_enum, False)])
    def test_the_database_refuses_it_from_others_unless_it_is_varchar(
        self, url: str, make: Factory, is_kept: bool
    ) -> None:
        def work(connection: sa.Connection) -> None:
            one_table(make(Status)).metadata.create_all(connection)
            connection.execute(sa.text("INSERT INTO t (id, status) VALUES (1, 'attended')"))

        if is_kept:
            run_on(url, work)
        else:
            with pytest.raises(sa.exc.DBAPIError):
                run_on(url, work)


class TestSQLite(RoundTrips):
    @pytest.fixture(params=["pysqlite", "aiosqlite"])
    def url(self, request: pytest.FixtureRequest, tmp_path: Path) -> str:
        return f"sqlite+{request.param}:///{tmp_path / 'a.db'}"


class TestPostgreSQL(RoundTrips):
    @pytest.fixture(params=["psycopg", "asyncpg"])
    def url(self, request: pytest.FixtureRequest, address: DatabaseAddress) -> str:
        return url_of(address, request.param)

    def test_an_array_of_a_native_type(self, url: str) -> None:
        table = one_table(sa.ARRAY(native_enum(Odd)))
        texts = [member for member in ALL if member is not Odd.EMPTY]
        assert run_on(url, lambda connection: fill_and_read(connection, table, [ALL, texts, []])) == [ALL, texts, []]

    @pytest.mark.parametrize("table_has", [varchar_enum, native_enum, check_enum])
    @pytest.mark.parametrize("model_has", [varchar_enum, check_enum])
    def test_text_types_work_on_any_column_while_a_strategy_changes(
        self, url: str, table_has: Factory, model_has: Factory
    ) -> None:
        def work(connection: sa.Connection) -> Any:
            one_table(table_has(Status)).metadata.create_all(connection)
            members = fill_and_read(connection, table := one_table(model_has(Status)), list(Status))
            connection.execute(table.update().where(table.c.status == Status.NO_SHOW).values(status=Status.SCHEDULED))
            found = connection.execute(sa.select(table.c.id).where(table.c.status.in_([Status.SCHEDULED])))
            return members, sorted(found.scalars())

        assert run_on(url, work) == (list(Status), [0, 1])

    def test_a_native_type_in_a_schema_of_its_own(self, url: str) -> None:
        def work(connection: sa.Connection) -> Any:
            connection.execute(sa.text("CREATE SCHEMA types"))
            members = fill_and_read(connection, one_table(native_enum(Status, name="st", schema="types")), list(Status))
            found = connection.execute(
                sa.text("SELECT typnamespace::regnamespace::text FROM pg_type WHERE typname = 'st'")
            )
            return members, found.scalar_one()

        assert run_on(url, work) == (list(Status), "types")


# --- what is made and asked


MADE_ON_POSTGRESQL = {
    varchar_enum: ("character varying(50)", [], []),
    native_enum: ("status", ["scheduled", "no show"], []),
    check_enum: ("character varying(50)", [], ["status"]),
}


@STRATEGIES
def test_what_postgresql_is_asked_to_make(address: DatabaseAddress, make: Factory) -> None:
    def work(connection: sa.Connection) -> Any:
        one_table(make(Status)).metadata.create_all(connection)
        formatted = "SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 't'::regclass AND attname = 'status'"
        labels = "SELECT enumlabel::text FROM pg_enum ORDER BY enumsortorder"
        checks = "SELECT conname::text FROM pg_constraint WHERE contype = 'c' AND conrelid = 't'::regclass"
        return (
            connection.execute(sa.text(formatted)).scalar_one(),
            list(connection.execute(sa.text(labels)).scalars()),
            list(connection.execute(sa.text(checks)).scalars()),
        )

    assert run_on(url_of(address, "psycopg"), work) == MADE_ON_POSTGRESQL[make]


CHECK = "CHECK (status IN ('scheduled', 'no show'))"


@pytest.mark.parametrize(
    ("make", "check"),
    [(varchar_enum, ""), (native_enum, f"CONSTRAINT status {CHECK}"), (check_enum, f"CONSTRAINT status {CHECK}")],
)
@pytest.mark.parametrize("copied", ["not", "metadata", "pickled", "deepcopied type", "deepcopied metadata"])
def test_what_sqlite_is_asked_to_make(make: Factory, check: str, copied: str) -> None:
    table = one_table(make(Status))
    if copied == "metadata":
        table = table.to_metadata(sa.MetaData())
    elif copied == "pickled":
        table = pickle.loads(pickle.dumps(table.metadata)).tables["t"]  # noqa: S301 - our own
    elif copied == "deepcopied type":
        table = one_table(copy.deepcopy(make(Status)))
    elif copied == "deepcopied metadata":
        table = copy.deepcopy(table.metadata).tables["t"]
    engine = sa.create_engine("sqlite://", poolclass=NullPool)
    with engine.begin() as connection:
        assert fill_and_read(connection, table, list(Status)) == list(Status)
        (sql,) = connection.execute(sa.text("SELECT sql FROM sqlite_master WHERE name = 't'")).scalars()
    lines = [line.strip().rstrip(",") for line in sql.splitlines()[1:-1]]
    assert lines == ["id INTEGER NOT NULL", "status VARCHAR(50)", "PRIMARY KEY (id)", *([check] if check else [])]


@pytest.mark.parametrize(
    ("column_type", "expected"),
    [
        (varchar_enum(Status), "Enum('scheduled', 'no show', name='status', native_enum=False, length=50)"),
        (native_enum(Status), "Enum('scheduled', 'no show', name='status', create_constraint=True, length=50)"),
        (
            check_enum(Status, store="name", length=20, name="ck"),
            "Enum('SCHEDULED', 'NO_SHOW', name='ck', native_enum=False, create_constraint=True, length=20)",
        ),
        (varchar_enum(OddName), "Enum('a', 'late', name='odd_name', native_enum=False, length=50)"),
    ],
)
def test_a_type_is_a_stock_one_and_reads_as_one(column_type: sa.Enum, expected: str) -> None:
    assert type(column_type) is sa.Enum
    assert repr(column_type).replace(", native_enum=True", "") == expected


@pytest.mark.parametrize(
    ("class_name", "type_name"),
    [("AttendanceStatus", "attendance_status"), ("HTTPStatus", "http_status"), ("V2Kind", "v2_kind"), ("상태", "상태")],
)
def test_a_type_is_called_like_its_class(class_name: str, type_name: str) -> None:
    make_class: Any = enum.StrEnum
    assert varchar_enum(make_class(class_name, ["A"])).name == type_name


# --- how models use them


class Base(DeclarativeBase):
    pass


shared = native_enum(Status)
Annotation = Annotated[Status, mapped_column(check_enum(Status, name="annotated"), default=Status.NO_SHOW)]


class Tracked:
    status: Mapped[Status] = mapped_column(shared, default=Status.SCHEDULED, server_default=Status.SCHEDULED.value)


class First(Tracked, Base):
    __tablename__ = "first"
    id: Mapped[int] = mapped_column(primary_key=True)
    by_annotation: Mapped[Annotation]


class Second(Tracked, Base):
    __tablename__ = "second"
    id: Mapped[int] = mapped_column(primary_key=True)
    by_annotation: Mapped[Annotation]
    maybe: Mapped[Status | None] = mapped_column(varchar_enum(Status))


def use_models(connection: sa.Connection) -> Any:
    Base.metadata.create_all(connection)
    with Session(bind=connection) as session:
        session.add_all([First(id=1), Second(id=1, status=Status.NO_SHOW, maybe=Status.SCHEDULED), Second(id=2)])
        session.flush()
        session.expire_all()
        first = session.get_one(First, 1)
        seconds = session.scalars(sa.select(Second).order_by(Second.id)).all()
        return first.status, first.by_annotation, [(one.status, one.by_annotation, one.maybe) for one in seconds]


READ_BY_MODELS = (
    Status.SCHEDULED,
    Status.NO_SHOW,
    [(Status.NO_SHOW, Status.NO_SHOW, Status.SCHEDULED), (Status.SCHEDULED, Status.NO_SHOW, None)],
)


def test_models_share_a_type_on_sqlite() -> None:
    assert run_on("sqlite://", use_models) == READ_BY_MODELS


def test_models_share_a_type_on_postgresql(address: DatabaseAddress) -> None:
    def work(connection: sa.Connection) -> Any:
        read = use_models(connection)
        Base.metadata.drop_all(connection)
        return read, list(connection.execute(sa.text("SELECT typname FROM pg_type WHERE typtype = 'e'")))

    assert run_on(url_of(address, "psycopg"), work) == (READ_BY_MODELS, [])


@STRATEGIES
def test_a_pattern_is_asked_of_the_text(make: Factory) -> None:
    table = one_table(make(Status))

    def work(connection: sa.Connection) -> Any:
        fill_and_read(connection, table, list(Status))
        text = sa.cast(table.c.status, sa.String)
        return list(connection.execute(sa.select(table.c.status).where(text.like("no%"))).scalars())

    assert run_on("sqlite://", work) == [Status.NO_SHOW]
    with pytest.raises(sa.exc.StatementError, match="'no%' is not among the defined enum values"):
        run_on("sqlite://", lambda connection: connection.execute(sa.select(table).where(table.c.status.like("no%"))))


@STRATEGIES
def test_a_text_that_no_member_has_fails_the_query_that_reads_it(make: Factory) -> None:
    def work(connection: sa.Connection) -> None:
        one_table(sa.String(50)).metadata.create_all(connection)
        connection.execute(sa.text("INSERT INTO t (id, status) VALUES (1, 'scheduled'), (2, 'gone')"))
        connection.execute(sa.select(one_table(make(Status)))).all()

    with pytest.raises(LookupError, match="'gone' is not among the defined enum values"):
        run_on("sqlite://", work)
