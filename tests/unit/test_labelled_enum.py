"""Members with labels are strings of their value in every way, whatever the label."""

from __future__ import annotations

import copy
import enum
import json
import pickle
from typing import Any, assert_type

from hypothesis import given
from hypothesis import strategies as st

from handrail import LabelledEnum


class Status(LabelledEnum):
    SCHEDULED = "SCHEDULED", "예정"
    NO_SHOW = enum.auto(), "결석"
    LATE = enum.auto()
    GONE = "gone"

    @property
    def is_open(self) -> bool:
        return self is Status.SCHEDULED


def test_value_and_label_of_each_member() -> None:
    assert [(one.name, one.value, one.label) for one in Status] == [
        ("SCHEDULED", "SCHEDULED", "예정"),
        ("NO_SHOW", "no_show", "결석"),
        ("LATE", "late", "LATE"),
        ("GONE", "gone", "GONE"),
    ]
    assert Status.SCHEDULED.is_open
    assert_type(Status.LATE.value, str)
    assert_type(Status.LATE.label, str)


def test_a_member_is_the_string_of_its_value() -> None:
    member = Status.SCHEDULED
    assert member == "SCHEDULED"
    assert {"SCHEDULED": 1}[member] == 1
    assert (str(member), f"{member:>10}", json.dumps(member)) == ("SCHEDULED", " SCHEDULED", '"SCHEDULED"')
    assert repr(member) == "<Status.SCHEDULED: 'SCHEDULED'>"
    assert (isinstance(member, enum.StrEnum), type(member.value)) == (True, str)
    assert Status("no_show") is Status.NO_SHOW
    assert Status["NO_SHOW"] is Status.NO_SHOW


def test_a_copied_member_is_the_member() -> None:
    for member in Status:
        copies = (pickle.loads(pickle.dumps(member)), copy.copy(member), copy.deepcopy(member))  # noqa: S301 - our own
        assert [one is member for one in copies] == [True, True, True]


@given(st.lists(st.tuples(st.text(), st.text()), min_size=1, unique_by=lambda pair: pair[0]))
def test_any_texts_may_be_values_and_labels(pairs: list[tuple[str, str]]) -> None:
    make: Any = LabelledEnum
    made = make("Made", {f"M{number}": pair for number, pair in enumerate(pairs)})
    assert [(one.value, one.label) for one in made] == [
        (value, label or f"M{number}") for number, (value, label) in enumerate(pairs)
    ]
    assert [made(value) for value, _ in pairs] == list(made)
