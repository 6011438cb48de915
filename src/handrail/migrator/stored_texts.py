"""Writes a plain value as the text of a server_default which SQLite and PostgreSQL both read back as that value.

Each form was read back through SQLAlchemy on both (tests/migrator/test_default_values.py). Where no text does on both
(bytes, intervals, times with a zone), there is none.
"""

from __future__ import annotations

import datetime
import enum
import json
import math
import uuid
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine.default import DefaultDialect

#: What is not given by a value but by a type that makes an empty one each time.
EMPTY: Final[Mapping[Any, object]] = {dict: {}, list: [], str: "", int: 0, float: 0.0, bool: False}


def stored_text(type_: sa.types.TypeEngine[Any], value: object) -> str | None:
    """The text that a column of this type stores for the value; None when there is none for both engines."""
    if isinstance(type_, sa.Enum):
        return _label(type_, value)
    if isinstance(type_, sa.types.TypeDecorator):
        return _decorated(type_, value)
    if isinstance(value, enum.Enum):
        value = value.value
    if value is None:
        return None
    for kind, write in _WRITERS:
        if isinstance(type_, kind):
            return write(value)
    return _plain(value)


def _label(type_: sa.Enum, value: object) -> str | None:
    """A member as the type stores it: by its name, or by its value."""
    process = type_.bind_processor(DefaultDialect())  # type: ignore[no-untyped-call]
    try:
        text = None if value is None or process is None else str(process(value))
    except (LookupError, TypeError, ValueError):
        return None
    return text if text in type_.enums else None


def _decorated(type_: sa.types.TypeDecorator[Any], value: object) -> str | None:
    """A type of the project's own: what it gives to the one below it. Whatever its code raises means none."""
    try:
        inner = type_.process_bind_param(value, DefaultDialect())
    except NotImplementedError:
        inner = value
    except Exception:
        return None
    return stored_text(type_.impl_instance, inner)


def _plain(value: object) -> str | None:
    """Numbers and texts. SQLite gives a text default the column's affinity, so that '0' is a number there too."""
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, float):
        return str(value) if math.isfinite(value) else None
    if isinstance(value, Decimal):
        return format(value, "f") if value.is_finite() else None
    return str(value) if isinstance(value, str | int) else None


def _json(value: object) -> str | None:
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError):
        return None


def _moment(value: object) -> str | None:
    """As SQLite keeps it, which knows no zone; PostgreSQL would take one without it for the session's."""
    is_plain = isinstance(value, datetime.datetime) and value.tzinfo is None
    return value.isoformat(" ") if isinstance(value, datetime.datetime) and is_plain else None


def _day(value: object) -> str | None:
    is_day = isinstance(value, datetime.date) and not isinstance(value, datetime.datetime)
    return value.isoformat() if isinstance(value, datetime.date) and is_day else None


def _hour(value: object) -> str | None:
    return value.isoformat() if isinstance(value, datetime.time) and value.tzinfo is None else None


def _uuid(value: object) -> str | None:
    """32 digits without dashes: SQLite stores those, and PostgreSQL reads them."""
    try:
        return uuid.UUID(str(value)).hex
    except ValueError:
        return None


def _nothing(_value: object) -> str | None:
    return None


def _array(value: object) -> str | None:
    return "{}" if value == [] else None


_WRITERS: Final[tuple[tuple[Any, Callable[[object], str | None]], ...]] = (
    (sa.JSON, _json),
    (sa.DateTime, _moment),
    (sa.Date, _day),
    (sa.Time, _hour),
    (sa.Uuid, _uuid),
    (sa.ARRAY, _array),
    (sa.Interval, _nothing),
    (sa.types._Binary, _nothing),
)
