"""The lines of models that handrail shows make the columns that they say."""

from __future__ import annotations

import enum

import pytest

import handrail
from handrail.enum_types import _snake_case
from handrail.enums.model_lines import converted, snake_case, type_line
from handrail.enums.states import ColumnName, Member, ModelEnum, Strategy
from handrail.facts import TableName


class AttendanceStatus(enum.StrEnum):
    SCHEDULED = enum.auto()


@pytest.mark.parametrize("name", ["AttendanceStatus", "HTTPStatus", "E", "X1Y", "lower_Case"])
def test_types_have_the_name_that_the_helpers_give(name: str) -> None:
    assert snake_case(name) == _snake_case(name)


@pytest.mark.parametrize("strategy", list(Strategy))
@pytest.mark.parametrize("name", ["", "attendancestatus"])
def test_a_line_makes_the_type_that_is_converted_to(strategy: Strategy, name: str) -> None:
    column = ColumnName(TableName("bookings"), "status")
    members = (Member("SCHEDULED", "scheduled"),)
    enum_name = "models.AttendanceStatus"
    model = converted(ModelEnum(column, enum_name, members, Strategy.VARCHAR, name, length=50), strategy)
    names = {one: getattr(handrail, one) for one in handrail.__all__}
    made = eval(type_line(model), {**names, "AttendanceStatus": AttendanceStatus})  # noqa: S307 - a line of our own
    assert (made.native_enum, made.create_constraint) == (
        strategy is Strategy.NATIVE,
        strategy is not Strategy.VARCHAR,
    )
    assert list(made.enums) == ["scheduled"]
    if strategy is not Strategy.VARCHAR:
        assert made.name == model.type_name
