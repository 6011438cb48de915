"""Server defaults from models: plain values as the database would store them, nothing that is made for each row."""

from __future__ import annotations

import enum
from typing import Any

import pytest
import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from handrail.migrator.defaults import server_default


class Kind(enum.Enum):
    FIRST = "first value"
    SECOND = "둘째"


class Priced(SQLModel, table=True):
    __tablename__ = "priced_for_defaults"

    id: int | None = Field(default=None, primary_key=True)
    seats: int = 2
    kind: Kind = Field(default=Kind.SECOND, sa_column=sa.Column(sa.Enum(Kind, name="kind"), nullable=False))
    token: str = Field(default_factory=lambda: "x", sa_column=sa.Column(sa.Text, nullable=False))
    needed: str = Field(sa_column=sa.Column(sa.Text, nullable=False))


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
    (sa.Column("a", sa.JSON, default={}, nullable=False), None),
    (sa.Column("a", sa.DateTime, default=sa.func.now(), nullable=False), None),
    (sa.Column("a", sa.Integer, nullable=False), None),
]


@pytest.mark.parametrize(("column", "text"), CASES)
def test_the_default_of_a_column(column: sa.Column[Any], text: str | None) -> None:
    sa.Table("t", sa.MetaData(), column)
    assert server_default(column, "t") == text


@pytest.mark.parametrize(("name", "text"), [("seats", "2"), ("kind", "SECOND"), ("token", None), ("needed", None)])
def test_the_default_of_a_field(name: str, text: str | None) -> None:
    column = SQLModel.metadata.tables["priced_for_defaults"].c[name]
    assert server_default(column, "priced_for_defaults") == text
