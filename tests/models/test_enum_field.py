"""enum_field: what SQLModel makes of it, in types, in Python and on real databases."""

from __future__ import annotations

import enum
import subprocess
import sys
from collections.abc import Iterator
from typing import Annotated, Any, assert_type

import pytest
import sqlalchemy as sa
from pydantic import ValidationError
from sqlalchemy.pool import NullPool
from sqlmodel import Field, Session, SQLModel, select

from handrail import enum_field
from handrail.facts import DatabaseAddress
from support.postgres import PostgresServer


class Status(enum.StrEnum):
    SCHEDULED = enum.auto()
    LATE = "지각"


class Model(SQLModel):
    metadata = sa.MetaData()


class Base(Model):
    status: Status = enum_field(Status, default=Status.SCHEDULED, index=True, title="State", description="what became")


class One(Base, table=True):
    __tablename__ = "one"

    id: int | None = Field(default=None, primary_key=True)
    native: Status = enum_field(Status, "native", default=Status.LATE)
    check: Status = enum_field(Status, "check", store="name", length=20, name="one_check", default=Status.LATE)
    needed: Status = enum_field(Status)
    maybe: Status | None = enum_field(Status, "native", default=None)
    filled: Status | None = enum_field(Status, nullable=True, default=Status.LATE, server_default=Status.SCHEDULED)
    by_python: Status = enum_field(Status, default=Status.LATE, server_default=None, sa_column_kwargs={"comment": "x"})
    made: Status = enum_field(Status, default_factory=lambda: Status.LATE, unique=True)
    annotated: Annotated[Status, enum_field(Status, "check")] = Status.LATE


class Two(Base, table=True):
    __tablename__ = "two"

    id: int | None = Field(default=None, primary_key=True)


def shape(column: sa.Column[Any]) -> Any:
    default: Any = column.server_default
    return str(column.type), column.nullable, column.index, column.unique, default and default.arg


def test_the_columns_that_sqlmodel_makes() -> None:
    assert {column.name: shape(column) for column in Model.metadata.tables["one"].c if column.name != "id"} == {
        "status": ("VARCHAR(50)", False, True, False, "scheduled"),
        "native": ("VARCHAR(50)", False, False, False, "지각"),
        "check": ("VARCHAR(20)", False, False, False, "LATE"),
        "needed": ("VARCHAR(50)", False, False, False, None),
        "maybe": ("VARCHAR(50)", True, False, False, None),
        "filled": ("VARCHAR(50)", True, False, False, "scheduled"),
        "by_python": ("VARCHAR(50)", False, False, False, None),
        "made": ("VARCHAR(50)", False, False, True, None),
        "annotated": ("VARCHAR(50)", False, False, False, None),
    }
    assert shape(Model.metadata.tables["two"].c.status) == ("VARCHAR(50)", False, True, False, "scheduled")
    assert Model.metadata.tables["one"].c.by_python.comment == "x"


class RowSuite:
    def test_rows_of_the_model_and_of_others(self, engine: sa.Engine) -> None:
        Model.metadata.create_all(engine)
        with Session(engine) as session:
            session.add(One(id=1, needed=Status.SCHEDULED))
            session.add(Two(id=1, status=Status.LATE))
            session.commit()
            others = "INSERT INTO one (id, needed, by_python, made, annotated) VALUES (2, '지각', '지각', 'scheduled', 'scheduled')"
            session.connection().execute(sa.text(others))
            session.commit()
            ones = session.exec(select(One).order_by("id")).all()
            assert [one.model_dump() for one in ones] == [
                {
                    "id": 1,
                    "status": Status.SCHEDULED,
                    "native": Status.LATE,
                    "check": Status.LATE,
                    "needed": Status.SCHEDULED,
                    "maybe": None,
                    "filled": Status.LATE,
                    "by_python": Status.LATE,
                    "made": Status.LATE,
                    "annotated": Status.LATE,
                },
                {
                    "id": 2,
                    "status": Status.SCHEDULED,
                    "native": Status.LATE,
                    "check": Status.LATE,
                    "needed": Status.LATE,
                    "maybe": None,
                    "filled": Status.SCHEDULED,
                    "by_python": Status.LATE,
                    "made": Status.SCHEDULED,
                    "annotated": Status.SCHEDULED,
                },
            ]
            assert session.exec(select(Two.status)).all() == [Status.LATE]

    def test_what_is_no_member_is_refused_when_it_is_written(self, engine: sa.Engine) -> None:
        """A model of SQLModel with table=True validates nothing itself (G1, the trap)."""
        Model.metadata.create_all(engine)
        wrong: Any = "nosuch"
        with Session(engine) as session, pytest.raises(sa.exc.StatementError, match="'nosuch' is not among"):
            session.add(Two(id=1, status=wrong))
            session.commit()


class TestOnSQLite(RowSuite):
    @pytest.fixture
    def engine(self) -> Iterator[sa.Engine]:
        engine = sa.create_engine("sqlite://", poolclass=sa.StaticPool)
        yield engine
        engine.dispose()


class TestOnPostgreSQL(RowSuite):
    @pytest.fixture
    def engine(self, postgres_server: PostgresServer) -> Iterator[sa.Engine]:
        address: DatabaseAddress = postgres_server.clone()
        where = f"{address.user}:{address.password}@{address.host}:{address.port or 5432}/{address.database}"
        yield sa.create_engine(f"postgresql+psycopg://{where}", poolclass=NullPool)
        postgres_server.drop(address.database)


def test_a_model_that_is_no_table_validates() -> None:
    assert Base(status="지각").status is Status.LATE  # type: ignore[arg-type]
    with pytest.raises(ValidationError) as caught:
        Base.model_validate({"status": "LATE"})
    assert [error["msg"] for error in caught.value.errors()] == ["Input should be 'scheduled' or '지각'"]
    assert Base.model_json_schema()["properties"]["status"] == {
        "$ref": "#/$defs/Status",
        "default": "scheduled",
        "description": "what became",
        "title": "State",
    }


def test_type_checkers_know_what_a_field_holds() -> None:
    assert_type(enum_field(Status), Status)
    assert_type(enum_field(Status, "check", default=Status.LATE, index=True), Status)
    assert_type(enum_field(Status, default=None), Status | None)


def test_importing_handrail_imports_no_sqlalchemy() -> None:
    """Nor does `handrail --help`; what models import brings only what it needs."""
    heavy = "{'sqlalchemy', 'sqlmodel', 'pydantic', 'alembic'}"
    program = (
        "import sys, handrail, handrail.cli.main\n"
        f"print(sorted({heavy} & set(sys.modules)), handrail.__version__ != '')\n"
        "from handrail import LabelledEnum\n"
        f"print(sorted({heavy} & set(sys.modules)))\n"
        "from handrail import check_enum, enum_field, native_enum, varchar_enum\n"
        f"print(sorted({heavy} & set(sys.modules)), set(handrail.__all__) <= set(dir(handrail)))\n"
        "try: handrail.nosuch\n"
        "except AttributeError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        "[] True",
        "[]",
        "['sqlalchemy'] True",
        "module 'handrail' has no attribute 'nosuch'",
    ]
