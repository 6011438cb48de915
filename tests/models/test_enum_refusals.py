"""What the column helpers refuse, and in which words."""

from __future__ import annotations

import enum
import sys
from collections.abc import Callable
from typing import Any

import pytest

from handrail import LabelledEnum, check_enum, enum_field, native_enum, varchar_enum
from handrail.errors import EnumColumnError, EnumTypeError, MissingLibrary, UsageError

#: As it is for somebody whom no type checker helps.
FIELD: Any = enum_field


class Status(enum.StrEnum):
    SCHEDULED = enum.auto()
    NO_SHOW = enum.auto()


class Other(enum.StrEnum):
    SCHEDULED = enum.auto()


class Level(enum.IntEnum):
    LOW = 1


class Empty(enum.StrEnum):
    pass


class Doubled(enum.StrEnum):
    OPEN = "open"
    NEW = "open"


class Long(enum.StrEnum):
    SHORT = "s"
    LONG = "l" * 51


class Korean(enum.StrEnum):
    WIDE = "가" * 22


class AtLimit(enum.StrEnum):
    ASCII = "a" * 50
    KOREAN = "가" * 21


#: What is called, and the message, why and hint of the refusal.
COLUMNS: list[tuple[Callable[[], object], str, str, str]] = [
    (
        lambda: varchar_enum("Status"),  # type: ignore[arg-type]
        "'Status' (str) is no enum class",
        "an enum column takes its texts from the members of a class",
        "write class Status(enum.StrEnum) with its members, and give that class",
    ),
    (
        lambda: check_enum(Status.SCHEDULED),  # type: ignore[arg-type]
        "<Status.SCHEDULED: 'scheduled'> (Status) is no enum class",
        "an enum column takes its texts from the members of a class",
        "write class Status(enum.StrEnum) with its members, and give that class",
    ),
    (
        lambda: native_enum(Empty),
        "Empty has no members",
        "a column of it could hold nothing",
        'write at least one into the class Empty, such as SCHEDULED = "SCHEDULED"',
    ),
    (
        lambda: native_enum(Doubled, store="name"),
        "Doubled.OPEN and Doubled.NEW have one value, 'open'",
        "Python makes NEW a second name of OPEN, so it would never be stored or read",
        "give NEW a value of its own, or take it out of the class",
    ),
    (
        lambda: check_enum(Level),
        "Level.LOW has the value 1 (int), which is no string",
        "the column stores the member's value, as text",
        'write LOW = "LOW" in a class Level(enum.StrEnum), or store="name"',
    ),
    (
        lambda: varchar_enum(Long),
        f"the value of Long.LONG, '{'l' * 51}', has 51 characters; the column takes 50",
        "",
        "write a shorter value, or length=51 (an existing column then needs a migration)",
    ),
    (
        lambda: native_enum(Status, store="name", length=8),
        "the name of Status.SCHEDULED, 'SCHEDULED', has 9 characters; the column takes 8",
        "",
        "write a shorter name, or length=9 (an existing column then needs a migration)",
    ),
    (
        lambda: native_enum(Korean),
        f"the value of Korean.WIDE, '{'가' * 22}', has 66 bytes; PostgreSQL takes 63 for a label of an enum type",
        "",
        "write a shorter value, or use varchar_enum or check_enum",
    ),
    (
        lambda: native_enum(Status, name="n" * 64),
        f"the name '{'n' * 64}' of the type of Status has 64 bytes",
        "PostgreSQL takes names of 1 to 63 bytes",
        'write name="…" with a shorter one',
    ),
    (
        lambda: check_enum(Status, name=""),
        "the name '' of the type of Status has 0 bytes",
        "PostgreSQL takes names of 1 to 63 bytes",
        "leave name out, or write one",
    ),
    (
        lambda: varchar_enum(Status, store="values"),  # type: ignore[arg-type]
        "there is no store 'values'",
        "",
        'write one of "value", "name"',
    ),
]
FIELDS: list[tuple[Callable[[], object], str, str, str]] = [
    (
        lambda: FIELD(Status, "nativ"),
        "there is no strategy 'nativ'",
        "",
        'write one of "varchar", "native", "check"',
    ),
    (
        lambda: FIELD(Status, default="SCHEDULED"),
        "default='SCHEDULED' (str) is no member of Status",
        "a default is a member; the text that the column stores is made from it",
        "write default=Status.SCHEDULED",
    ),
    (
        lambda: FIELD(Status, store="name", default="Scheduled"),
        "default='Scheduled' (str) is no member of Status",
        "a default is a member; the text that the column stores is made from it",
        "write default=Status.SCHEDULED",
    ),
    (
        lambda: FIELD(Status, default="gone"),
        "default='gone' (str) is no member of Status",
        "a default is a member; the text that the column stores is made from it",
        "write one of default=Status.SCHEDULED, default=Status.NO_SHOW",
    ),
    (
        lambda: FIELD(Status, default=Status.NO_SHOW, server_default=Other.SCHEDULED),
        "server_default=<Other.SCHEDULED: 'scheduled'> (Other) is no member of Status",
        "a default is a member; the text that the column stores is made from it",
        "write server_default=Status.SCHEDULED",
    ),
    (
        lambda: FIELD(Status, schema="types"),
        "schema='types' belongs to no varchar column",
        "only a native type stands in a schema of its own; a CHECK stands in that of its table",
        'leave schema out, or use the strategy "native"',
    ),
    (
        lambda: FIELD(Status, sa_type=varchar_enum(Status)),
        "enum_field() makes the column's type itself, so it takes no sa_type",
        "",
        "leave sa_type out, or write sqlmodel.Field(sa_type=…) with varchar_enum(…) in it",
    ),
    (
        lambda: FIELD(Status, sa_column_kwargs={"server_default": "SCHEDULED"}),
        "the server_default is in sa_column_kwargs, where nobody compares it with the members",
        "",
        "write server_default=… with a member, or None for no default in the database",
    ),
    (
        lambda: FIELD(Level, default=Level.LOW),
        "Level.LOW has the value 1 (int), which is no string",
        "the column stores the member's value, as text",
        'write LOW = "LOW" in a class Level(enum.StrEnum), or store="name"',
    ),
]


@pytest.mark.parametrize(("call", "message", "why", "hint"), [*COLUMNS, *FIELDS])
def test_it_is_refused_with_what_to_write(call: Callable[[], object], message: str, why: str, hint: str) -> None:
    with pytest.raises(EnumColumnError) as caught:
        call()
    error = caught.value
    assert (error.message, error.why, error.hint) == (message, why, hint)
    assert isinstance(error, UsageError)
    assert isinstance(error, ValueError)


def test_a_traceback_shows_all_three_parts() -> None:
    with pytest.raises(EnumTypeError) as caught:
        varchar_enum(Level)
    assert isinstance(caught.value, TypeError)
    assert str(caught.value) == (
        "Level.LOW has the value 1 (int), which is no string. The column stores the member's value, as text. "
        'Write LOW = "LOW" in a class Level(enum.StrEnum), or store="name".'
    )


def test_a_label_must_be_text() -> None:
    labelled: Any = LabelledEnum
    with pytest.raises(EnumTypeError) as caught:
        labelled("Bad", {"A": ("a", 3)})
    assert str(caught.value) == (
        "A member of Bad has the label 3 (int), which is no string. "
        'Write it as SCHEDULED = "SCHEDULED", "planned": first the value, then the label.'
    )


def test_sqlmodel_is_asked_for_when_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sqlmodel", None)
    with pytest.raises(MissingLibrary) as caught:
        enum_field(Status)
    assert isinstance(caught.value, ImportError)
    assert str(caught.value) == (
        "enum_field() makes fields of SQLModel, which is not installed: "
        "pip install sqlmodel, or write mapped_column(varchar_enum(…)) in models of SQLAlchemy"
    )
    assert repr(varchar_enum(Status)) == "Enum('scheduled', 'no_show', name='status', native_enum=False, length=50)"


def test_what_is_at_the_limit_is_taken() -> None:
    for helper in (varchar_enum, native_enum, check_enum):
        assert helper(AtLimit, name="n" * 63).enums == ["a" * 50, "가" * 21]
    assert varchar_enum(Level, store="name").enums == ["LOW"]
