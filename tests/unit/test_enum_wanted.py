"""What `enum rename` and `enum convert` refuse, in which words; and the lines of models that they show."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from handrail.enums.listing import EnumColumn, EnumValue, columns
from handrail.enums.meaning import meant
from handrail.enums.model_lines import converted, field_line, model_line, type_line
from handrail.enums.states import ColumnName, EnumReading, Member, ModelEnum, Strategy
from handrail.enums.wanted import check_convert, check_rename, find
from handrail.errors import UsageError
from handrail.facts import TableName
from unit.test_enum_drift import CHECK, NATIVE, STATUS, STRING, VARCHAR, held, reading

BEFORE = replace(VARCHAR, column=ColumnName(TableName("bookings", "old"), "status"))
LONG = replace(CHECK, members=(Member("WIDE", "가" * 22),), default=None)
BOTH = frozenset({"postgresql", "sqlite"})
POSTGRES = frozenset({"postgresql"})


def rename(found: EnumReading, old: str, new: str) -> tuple[str, ...]:
    return check_rename(found, found.models[0], old, new)


def convert(found: EnumReading, to: Strategy, engines: frozenset[str] = POSTGRES) -> tuple[str, ...]:
    return check_convert(found, found.models[0], to, engines)


#: A call, and the message, why and hint of its refusal.
REFUSALS: list[tuple[Callable[[], object], str, str, str]] = [
    (
        lambda: find((NATIVE,), "bookings.stauts"),
        "the models have no enum column bookings.stauts",
        "their enum columns are bookings.status",
        "did you mean bookings.status?",
    ),
    (
        lambda: find((), "topic"),
        "the models have no enum column topic",
        "they have none",
        "handrail enum list shows the columns there are",
    ),
    (
        lambda: find((BEFORE, NATIVE), "status"),
        "several tables have an enum column status",
        "old.bookings.status, bookings.status",
        "name one of them: old.bookings.status",
    ),
    (
        lambda: rename(reading(STRING), "late", "no_show"),
        "bookings.status is a plain string column under the annotation Status",
        "its type says nothing of the enum, so no script can be written from it",
        "in the model write status: Status = enum_field(Status, default=Status.SCHEDULED)",
    ),
    (
        lambda: rename(reading(NATIVE), "no_show", "absent"),
        "no member of Status is stored as 'absent'",
        "they are stored as 'scheduled', 'no_show'",
        'first write NO_SHOW = "absent" in Status, in place of "no_show"',
    ),
    (
        lambda: rename(reading(replace(VARCHAR, members=(Member("OPEN", "OPEN"),), default=None)), "OPEN", "BEGUN"),
        "no member of Status is stored as 'BEGUN'",
        "they are stored as 'OPEN'",
        'first write BEGUN in place of OPEN in Status (stored as "BEGUN")',
    ),
    (
        lambda: rename(reading(NATIVE), "late", "NO_SHOW"),
        "no member of Status is stored as 'NO_SHOW'",
        "they are stored as 'scheduled', 'no_show'",
        "NO_SHOW is stored as 'no_show': name that",
    ),
    (
        lambda: rename(reading(NATIVE), "late", "absent"),
        "no member of Status is stored as 'absent'",
        "they are stored as 'scheduled', 'no_show'",
        'first write the member into Status: … = "absent"',
    ),
    (
        lambda: rename(reading(NATIVE), "no_show", "scheduled"),
        "'no_show' and 'scheduled' are both members of Status",
        "a rename is one value under another text",
        "to give up 'no_show', take it out of the class, then: handrail revision --autogenerate --map "
        '"no_show=scheduled"',
    ),
    (
        lambda: rename(reading(NATIVE), "late", "no_show"),
        "the database does not know 'late' in bookings.status",
        "its values are 'scheduled', 'no_show'",
        "handrail enum list shows each value, and the rows that hold it",
    ),
    (
        lambda: rename(held(reading(NATIVE), labels=("scheduled", "late", "no_show")), "late", "no_show"),
        "the database has both 'late' and 'no_show' in bookings.status",
        "rows of both would be one value, and no downgrade could tell them apart again",
        'if that is meant: handrail revision --autogenerate --map "late=no_show"',
    ),
    (
        lambda: rename(replace(reading(NATIVE), stored={}), "late", "no_show"),
        "bookings.status is not in the database",
        "a script is written from what models and database differ in",
        "handrail upgrade; if no script adds it yet: handrail revision --autogenerate",
    ),
    (
        lambda: convert(reading(replace(NATIVE, is_array=True)), Strategy.CHECK),
        "bookings.status holds lists, which only a native type checks",
        "",
        "write the change by hand: handrail revision -m …",
    ),
    (
        lambda: convert(reading(VARCHAR), Strategy.VARCHAR),
        "bookings.status is varchar in the database already",
        "",
        "in the model write varchar_enum(Status)",
    ),
    (
        lambda: convert(reading(CHECK, engine="sqlite"), Strategy.NATIVE, frozenset({"sqlite"})),
        "bookings.status is check in the database already",
        "SQLite has no enum types, and a CHECK stands in for one",
        "in the model write native_enum(Status)",
    ),
    (
        lambda: convert(reading(VARCHAR, late=2, early=1, scheduled=5), Strategy.CHECK),
        "3 rows of bookings.status hold a text that is no member of Status",
        "'late' (2 rows), 'early' (1 row)",
        'give them a text of a member first: handrail revision --autogenerate --map "late=scheduled", and upgrade',
    ),
    (
        lambda: convert(replace(reading(VARCHAR), types={TableName("status"): ("a", "b")}), Strategy.NATIVE),
        "the database has a type status with other values: 'a', 'b'",
        "Status has 'scheduled', 'no_show'",
        'bring that type up to date first (handrail revision --autogenerate), or write another name="…" in the model',
    ),
    (
        lambda: convert(reading(LONG), Strategy.NATIVE),
        f"{'가' * 22!r} has 66 bytes; PostgreSQL takes 63 for a label of an enum type",
        "",
        "handrail enum convert bookings.status --to check",
    ),
]


@pytest.mark.parametrize(("call", "message", "why", "hint"), REFUSALS)
def test_what_is_refused(call: Callable[[], object], message: str, why: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        call()
    error = caught.value
    assert (error.message, error.why, error.hint, error.exit_code) == (message, why, hint, 2)


def test_what_is_done_and_told() -> None:
    assert find((BEFORE, NATIVE), "bookings.status") is NATIVE
    assert find((NATIVE,), "status") is NATIVE
    assert rename(held(reading(NATIVE), labels=("scheduled", "late")), "late", "no_show") == ()
    assert rename(reading(VARCHAR, late=1), "late", "no_show") == ()
    assert rename(reading(VARCHAR), "late", "no_show") == (
        "no row of bookings.status holds 'late' here: the script changes those of other databases",
    )
    assert convert(reading(NATIVE), Strategy.VARCHAR) == ()
    assert convert(reading(VARCHAR, NO_SHOW=2), Strategy.CHECK) == ()
    assert convert(reading(STRING), Strategy.CHECK) == ()
    told = ("SQLite has no enum types: there bookings.status has a CHECK",)
    assert convert(reading(VARCHAR), Strategy.NATIVE, BOTH) == told
    assert convert(reading(CHECK, engine="sqlite"), Strategy.NATIVE, BOTH) == told


LINES: list[tuple[ModelEnum, str, str]] = [
    (NATIVE, "native_enum(Status)", 'status: Status = enum_field(Status, "native", server_default=Status.SCHEDULED)'),
    (
        replace(NATIVE, python_default="scheduled", type_name="state", type_schema="x", length=9),
        'native_enum(Status, name="state", schema="x")',
        'status: Status = enum_field(Status, "native", default=Status.SCHEDULED, name="state", schema="x")',
    ),
    (
        replace(VARCHAR, nullable=True, default=None, length=9),
        "varchar_enum(Status, length=9)",
        "status: Status | None = enum_field(Status, default=None, length=9)",
    ),
    (
        replace(CHECK, default=None, members=(Member("A", "A", value="a"),), type_name="st"),
        'check_enum(Status, store="name", name="st")',
        'status: Status = enum_field(Status, "check", store="name", name="st")',
    ),
]


@pytest.mark.parametrize(("model", "type_", "field"), LINES)
def test_the_lines_of_a_model(model: ModelEnum, type_: str, field: str) -> None:
    assert (type_line(model), field_line(model)) == (type_, field)
    assert model_line(model) == f"{field}, or the type {type_}"


def test_a_type_without_a_class() -> None:
    plain = replace(CHECK, enum="")
    assert model_line(plain) == (
        "the type sa.Enum('scheduled', 'no_show', name=\"status\", native_enum=False, create_constraint=True)"
    )


def test_a_plain_string_becomes_an_enum_column_with_the_right_default() -> None:
    found = converted(replace(STRING, default="SCHEDULED"), Strategy.NATIVE)
    assert found == replace(NATIVE, python_default="scheduled")
    assert converted(replace(STRING, default="late"), Strategy.CHECK).default is None


def test_what_a_text_means() -> None:
    assert [meant(NATIVE, text) for text in ("NO_SHOW", "No-Show", "noshow", "late", "")] == [
        *[NATIVE.members[1]] * 3,
        None,
        None,
    ]
    two = replace(NATIVE, members=(Member("A", "no_show"), Member("B", "NoShow")))
    assert meant(two, "NO SHOW") is None
    assert meant(two, "NoShow") == two.members[1]


def test_what_is_listed() -> None:
    found = held(
        reading(replace(NATIVE, members=(Member("SCHEDULED", "scheduled", "예정"),)), late=2), labels=("late",)
    )
    assert columns(found) == (
        EnumColumn(
            "bookings.status",
            "app.Status",
            Strategy.NATIVE,
            Strategy.NATIVE,
            "status",
            "scheduled",
            (
                EnumValue("scheduled", "SCHEDULED", "예정", False, 0),
                EnumValue("late", None, "", True, 2),
            ),
        ),
    )
    (missing,) = columns(replace(found, stored={}))
    assert missing == EnumColumn(
        "bookings.status",
        "app.Status",
        Strategy.NATIVE,
        None,
        "",
        None,
        (EnumValue("scheduled", "SCHEDULED", "예정", None, None), EnumValue("late", None, "", None, None)),
    )
    assert found.models[0].column == STATUS
