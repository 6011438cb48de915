"""Server defaults from models: plain values as the database would store them, nothing that is made for each row."""

from __future__ import annotations

import datetime
import enum
import uuid
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.operations import ops
from sqlmodel import Field, SQLModel

from handrail.migrator.defaults import fill, server_default, takes_clock


class Kind(enum.Enum):
    FIRST = "first value"
    SECOND = "둘째"


class Shouted(sa.types.TypeDecorator[str]):
    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: sa.Dialect) -> str | None:
        return None if value is None else value.upper()


class Priced(SQLModel, table=True):
    __tablename__ = "priced_for_defaults"

    id: int | None = Field(default=None, primary_key=True)
    seats: int = 2
    kind: Kind = Field(default=Kind.SECOND, sa_column=sa.Column(sa.Enum(Kind, name="kind"), nullable=False))
    token: str = Field(default_factory=lambda: "x", sa_column=sa.Column(sa.Text, nullable=False))
    extra: dict[str, str] = Field(default_factory=dict, sa_type=sa.JSON)
    tags: list[str] = Field(default_factory=list, sa_column=sa.Column(sa.JSON, nullable=False))
    needed: str = Field(sa_column=sa.Column(sa.Text, nullable=False))


MOMENT = datetime.datetime(2024, 2, 29, 12, 30, 1, 5)  # noqa: DTZ001 - a column without a zone
BY_VALUE = sa.Enum(Kind, values_callable=lambda members: [one.value for one in members])
CASES: list[tuple[Any, str | None]] = [
    (sa.Column("a", sa.Integer, default=3, nullable=False), "3"),
    (sa.Column("a", sa.Text, default="it's 100%", nullable=False), "it's 100%"),
    (sa.Column("a", sa.Boolean, default=False, nullable=False), "0"),
    (sa.Column("a", sa.Enum(Kind), default=Kind.SECOND, nullable=False), "SECOND"),
    (sa.Column("a", BY_VALUE, default=Kind.SECOND, nullable=False), "둘째"),
    (sa.Column("a", sa.Text, default=Kind.FIRST, nullable=False), "first value"),
    (sa.Column("a", sa.Enum(Kind), default="nosuch", nullable=False), None),
    (sa.Column("a", sa.Integer, default=3), None),
    (sa.Column("a", sa.Integer, default=3, server_default="4", nullable=False), None),
    (sa.Column("a", sa.Integer, default=lambda: 3, nullable=False), None),
    (sa.Column("a", sa.JSON, default={}, nullable=False), "{}"),
    (sa.Column("a", sa.JSON, default=list, nullable=False), "[]"),
    (sa.Column("a", sa.JSON, default={"a": "값"}, nullable=False), '{"a": "값"}'),
    (sa.Column("a", sa.JSON, default={"a": object()}, nullable=False), None),
    (sa.Column("a", sa.JSON, default=lambda: {}, nullable=False), None),
    (sa.Column("a", sa.Uuid, default=uuid.uuid4, nullable=False), None),
    (sa.Column("a", sa.Uuid, default=uuid.UUID(int=255), nullable=False), f"{'0' * 30}ff"),
    (sa.Column("a", sa.Numeric(8, 2), default=Decimal("1.50"), nullable=False), "1.50"),
    (sa.Column("a", sa.Float, default=float("inf"), nullable=False), None),
    (sa.Column("a", sa.LargeBinary, default=b"x", nullable=False), None),
    (sa.Column("a", sa.Interval, default=datetime.timedelta(1), nullable=False), None),
    (sa.Column("a", sa.DateTime(timezone=True), default=MOMENT.replace(tzinfo=datetime.UTC), nullable=False), None),
    (sa.Column("a", Shouted, default="small", nullable=False), "SMALL"),
    (sa.Column("a", Shouted, default=3, nullable=False), None),
    (sa.Column("a", sa.Computed("1"), default=3, nullable=False), None),
    (sa.Column("a", sa.DateTime, default=sa.func.now(), nullable=False), None),
    (sa.Column("a", sa.Integer, nullable=False), None),
]


@pytest.mark.parametrize(("column", "text"), CASES)
def test_the_default_of_a_column(column: sa.Column[Any], text: str | None) -> None:
    sa.Table("t", sa.MetaData(), column)
    assert server_default(column, "t") == text


@pytest.mark.parametrize(
    ("name", "text"),
    [("seats", "2"), ("kind", "SECOND"), ("token", None), ("needed", None), ("extra", "{}"), ("tags", "[]")],
)
def test_the_default_of_a_field(name: str, text: str | None) -> None:
    column = SQLModel.metadata.tables["priced_for_defaults"].c[name]
    assert server_default(column, "priced_for_defaults") == text


CLOCKS = [
    (sa.DateTime, sa.func.now()),
    (sa.DateTime(timezone=True), sa.func.current_timestamp()),
    (sa.DateTime, datetime.datetime.now),
    (sa.DateTime, datetime.datetime.utcnow),
]


def filled(column: sa.Column[Any], *, has_clock: bool) -> tuple[tuple[str, ...], object]:
    table = sa.Table("t", sa.MetaData(), column)
    added = ops.AddColumnOp("t", column)
    script = ops.MigrationScript("1", ops.UpgradeOps([ops.ModifyTableOps("t", [added])]), ops.DowngradeOps([]))
    told = fill([script], has_clock=has_clock)
    return told, None if (default := table.c[0].server_default) is None else str(getattr(default, "arg", None))


@pytest.mark.parametrize(("type_", "default"), CLOCKS)
def test_the_clock_only_where_a_column_can_have_it(type_: Any, default: Any) -> None:
    def column() -> sa.Column[Any]:
        return sa.Column("a", type_, default=default, nullable=False)

    assert filled(column(), has_clock=False) == ((), None)
    assert filled(column(), has_clock=True) == (("t.a = (CURRENT_TIMESTAMP)",), "(CURRENT_TIMESTAMP)")


def test_a_day_is_no_time() -> None:
    column = sa.Column("a", sa.Date, default=sa.func.now(), nullable=False)
    assert filled(column, has_clock=True) == ((), None)


def test_sqlite_takes_the_clock_in_batch_mode_only() -> None:
    found = [
        takes_clock(dialect, {"render_as_batch": is_batch})
        for dialect in ("sqlite", "postgresql")
        for is_batch in (False, True)
    ]
    assert found == [False, True, True, True]
