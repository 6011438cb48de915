"""Alembic projects whose models have enum columns, in a folder of their own, called through the command line."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from support.calling import Said, handrail
from support.postgres import PostgresServer
from support.projects import SYNC_ENV, make_project

HEAD = """
import enum

import sqlalchemy as sa
from handrail import check_enum, enum_field, native_enum, varchar_enum
from sqlalchemy import String
from sqlmodel import Field, SQLModel
"""
ENV = SYNC_ENV.replace("target_metadata = None", "import models\n\ntarget_metadata = models.SQLModel.metadata").replace(
    "target_metadata=target_metadata)",
    "target_metadata=target_metadata, render_as_batch=True, compare_server_default=True)",
)
#: The guide's own model: members by auto(), text that nobody checks, and a default that is no value.
GUIDE = """
class AttendanceStatus(enum.StrEnum):
    SCHEDULED = enum.auto()
    ATTENDED = enum.auto()
    NO_SHOW = enum.auto()


class Booking(SQLModel, table=True):
    __tablename__ = "bookings"

    id: int | None = Field(default=None, primary_key=True)
    topic: str = Field(sa_type=String(100))
    attendance_status: AttendanceStatus = Field(
        default=AttendanceStatus.SCHEDULED, sa_type=String(50), sa_column_kwargs={"server_default": "SCHEDULED"}
    )
"""


def model(column: str, members: str = 'SCHEDULED = "scheduled"; ATTENDED = "attended"', more: str = "") -> str:
    """A model of bookings with a status."""
    return (
        f"\nclass Status(enum.StrEnum):\n    {members}\n\n\n"
        "class Booking(SQLModel, table=True):\n"
        '    __tablename__ = "bookings"\n\n'
        "    id: int | None = Field(default=None, primary_key=True)\n"
        f"    status: Status = {column}\n{more}"
    )


def field(strategy: str, options: str = "") -> str:
    """The column by handrail's own helper."""
    return f'enum_field(Status, "{strategy}", default=Status.SCHEDULED{options})'


@dataclass(frozen=True)
class EnumProject:
    """The project in `folder`, on SQLite or on a `database` of a server."""

    folder: Path
    url: str
    database: str = ""

    def models(self, text: str) -> None:
        """Write the models anew; no bytecode of older ones may be found."""
        (self.folder / "models.py").write_text(HEAD + text, "utf-8")

    def call(self, *words: str) -> Said:
        return handrail(self.folder, *words, PYTHONDONTWRITEBYTECODE="1")

    def done(self, *words: str) -> str:
        """The result of a call that must succeed."""
        said = self.call(*words)
        assert said.code == 0, said
        return said.out

    def apply(self, text: str) -> None:
        """Bring the database to these models."""
        self.models(text)
        self.done("revision", "--autogenerate", "-m", "as the models are")
        self._python("-m", "alembic", "upgrade", "head")

    def python(self, code: str) -> str:
        """What a piece of Python prints that works with the models and an `engine`."""
        ini = "import re; url = re.search(r'sqlalchemy.url = (.*)', open('alembic.ini').read())[1].replace('%%', '%')"
        head = f"{ini}\nimport sqlalchemy as sa\nfrom sqlmodel import Session, select\nimport models\nengine = sa.create_engine(url)\n"
        return self._python("-c", head + code)

    def _python(self, *words: str) -> str:
        done = subprocess.run(
            [sys.executable, "-B", *words],
            cwd=self.folder,
            env=dict(os.environ),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def execute(self, *statements: str) -> None:
        """SQL past the models."""
        with self._connected() as connection:
            for sql in statements:
                connection.execute(sa.text(sql))

    def texts(self, column: str = "status") -> list[str]:
        """The stored texts in the order of the ids."""
        query = f"SELECT CAST({column} AS VARCHAR) FROM bookings ORDER BY id"
        with self._connected() as connection:
            return " ".join(map(str, connection.execute(sa.text(query)).scalars())).split()

    @contextmanager
    def _connected(self) -> Iterator[sa.Connection]:
        engine = sa.create_engine(self.url)
        with engine.begin() as connection:
            yield connection
        engine.dispose()

    def script(self) -> str:
        """The newest script."""
        files = sorted((self.folder / "migrations" / "versions").glob("*.py"), key=lambda file: file.stat().st_mtime_ns)
        return files[-1].read_text("utf-8")


def enum_project(folder: Path, server: PostgresServer | None = None) -> EnumProject:
    """A project without scripts and tables, on SQLite unless a server is given."""
    if server is None:
        make_project(folder, revisions=(), env=ENV)
        return EnumProject(folder, f"sqlite:///{folder / 'local.db'}")
    address = server.clone()
    where = f"{address.user}:{address.password}@{address.host}:{address.port}/{address.database}"
    url = f"postgresql+psycopg://{where}"
    make_project(folder, revisions=(), env=ENV, url=url)
    return EnumProject(folder, url, address.database)
