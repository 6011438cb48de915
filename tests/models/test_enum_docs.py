"""The code of docs/enums.md runs as it stands, and makes what the page says."""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from pydantic import TypeAdapter
from sqlalchemy.pool import NullPool
from sqlmodel import SQLModel

PAGE = Path(__file__).parents[2] / "docs" / "enums.md"


@pytest.fixture(scope="module")
def module(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The page's Python, one block after the other, as a module."""
    folder = tmp_path_factory.mktemp("docs")
    (folder / "code_of_enums_page.py").write_text("\n".join(blocks("python")))
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        yield importlib.import_module("code_of_enums_page")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)


def made(metadata: sa.MetaData, *tables: str) -> dict[str, list[str]]:
    """What SQLite makes of the tables: the lines that mention an enum."""
    engine = sa.create_engine("sqlite://", poolclass=NullPool)
    with engine.begin() as connection:
        metadata.create_all(connection, tables=[metadata.tables[table] for table in tables])
        rows = connection.execute(sa.text("SELECT name, sql FROM sqlite_master WHERE type = 'table'"))
        sql: dict[str, str] = {row.name: row.sql for row in rows}
    return {table: re.findall(r"\w+ VARCHAR.*|CONSTRAINT.*", sql[table].replace(", \n", "\n")) for table in tables}


MEMBERS = "IN ('SCHEDULED', 'ATTENDED', 'NO_SHOW'))"


def test_the_models_of_the_page(module: Any) -> None:
    assert made(SQLModel.metadata, "bookings", "reviews") == {
        "bookings": ["attendance_status VARCHAR(50) DEFAULT 'SCHEDULED' NOT NULL"],
        "reviews": [
            "status VARCHAR(50) DEFAULT 'ATTENDED' NOT NULL",
            "wanted VARCHAR(50)",
            "typed VARCHAR(50) NOT NULL",
            f"CONSTRAINT attendance_status CHECK (status {MEMBERS}",
            f"CONSTRAINT wanted_status CHECK (wanted {MEMBERS}",
        ],
    }
    assert made(module.Base.metadata, "sessions") == {
        "sessions": [
            "status VARCHAR(50) NOT NULL",
            "earlier VARCHAR(50)",
            "at_start VARCHAR(50) DEFAULT 'SCHEDULED' NOT NULL",
            f"CONSTRAINT attendance_status CHECK (status {MEMBERS}",
            f"CONSTRAINT earlier_status CHECK (earlier {MEMBERS}",
        ]
    }


def test_the_document_of_the_page(module: Any) -> None:
    (written,) = blocks("json")
    assert TypeAdapter(module.LessonStatus).json_schema() == json.loads(written)
