"""Enums in an API of FastAPI: what is refused, with which words, and what its OpenAPI document says of the members."""

from __future__ import annotations

import asyncio
import enum
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from pydantic import BaseModel
from sqlmodel import SQLModel

from handrail import LabelledEnum, enum_field


class Status(LabelledEnum):
    """What became of a booking."""

    SCHEDULED = "scheduled", "예정"
    SAME_DAY_CANCEL = "same day", "당일 취소"
    LATE = enum.auto()


class Bare(LabelledEnum):
    A = enum.auto()
    B = "b"


class Plain(enum.StrEnum):
    A = "a"
    B = "b"


class Body(BaseModel):
    status: Status = Status.SCHEDULED
    plain: Plain = Plain.A
    bare: Bare = Bare.A
    history: list[Status] = []
    maybe: Status | None = None


class Row(SQLModel):
    status: Status = enum_field(Status, default=Status.LATE)


def application() -> FastAPI:
    app = FastAPI()

    @app.post("/bodies")
    def post(body: Body) -> Body:
        return body

    @app.get("/rows")
    def rows(status: Status = Status.LATE) -> list[Row]:
        return [Row(status=status)]

    return app


def call(verb: str, path: str, body: Any = None) -> tuple[int, Any]:
    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app=application())
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.request(verb, path, json=body)

    answer = asyncio.run(ask())
    return answer.status_code, answer.json()


STATUS_SCHEMA = {
    "type": "string",
    "title": "Status",
    "enum": ["scheduled", "same day", "late"],
    "x-enum-varnames": ["SCHEDULED", "SAME_DAY_CANCEL", "LATE"],
    "x-enum-descriptions": ["예정", "당일 취소", "LATE"],
    "description": "What became of a booking.\n\n- `scheduled`: 예정\n- `same day`: 당일 취소\n- `late`: LATE",
}


@pytest.mark.parametrize("given", ["scheduled", "same day", "late"])
def test_a_value_is_taken_and_given_back(given: str) -> None:
    body = {"status": given, "plain": "a", "bare": "a", "history": [given, "late"], "maybe": None}
    assert call("POST", "/bodies", body) == (200, body)
    assert call("GET", f"/rows?status={given}") == (200, [{"status": given}])


@pytest.mark.parametrize("given", ["SCHEDULED", "예정", "nosuch", "", None, 1])
def test_anything_else_is_answered_with_the_members(given: object) -> None:
    status, answer = call("POST", "/bodies", {"status": given})
    (error,) = answer["detail"]
    expected = (422, ["body", "status"], "Input should be 'scheduled', 'same day' or 'late'")
    assert (status, error["loc"], error["msg"]) == expected


def test_a_query_parameter_is_refused_likewise() -> None:
    status, answer = call("GET", "/rows?status=gone")
    expected = (422, ["Input should be 'scheduled', 'same day' or 'late'"])
    assert (status, [error["msg"] for error in answer["detail"]]) == expected


def test_the_document_lists_members_and_labels() -> None:
    schemas = application().openapi()["components"]["schemas"]
    assert schemas["Status"] == STATUS_SCHEMA
    assert schemas["Plain"] == {"type": "string", "title": "Plain", "enum": ["a", "b"]}
    assert schemas["Bare"] == {"type": "string", "title": "Bare", "enum": ["a", "b"], "x-enum-varnames": ["A", "B"]}
