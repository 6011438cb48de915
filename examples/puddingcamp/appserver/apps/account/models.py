"""The table of users."""

from __future__ import annotations

from sqlalchemy import Column, String
from sqlmodel import Field

from appserver.tables import Model


class User(Model, table=True):
    __tablename__ = "users"

    id: int | None = Field(default=None, primary_key=True)
    username: str = Field(sa_column=Column(String(40), nullable=False, unique=True))
    email: str = Field(sa_column=Column(String(254), nullable=False, unique=True))
