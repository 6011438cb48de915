"""Which changes of a column's type leave its rows as they are on PostgreSQL, and which write every row anew."""

from __future__ import annotations

import re
from dataclasses import replace
from enum import Enum, auto
from typing import Final

from handrail.migrations.sql_columns import read_sql_type
from handrail.migrations.sql_words import NotSQL, statements
from handrail.migrations.types import TypeText


class Effect(Enum):
    """What a change of type does to the rows."""

    KEEPS = auto()
    REWRITES = auto()
    #: timestamp and timestamptz are the same bytes, but only where the session's time zone is UTC.
    KEEPS_IN_UTC = auto()
    UNKNOWN = auto()


_TEXTS: Final = frozenset({"varchar", "text"})
_ZONED: Final = frozenset({"timestamp", "timestamptz"})
_TIMES: Final = frozenset({"timestamp", "timestamptz", "time", "timetz", "timewithtimezone", "interval"})
_OTHERS: Final = frozenset(
    {"char", "numeric", "integer", "bigint", "smallint", "real", "double precision", "boolean", "date", "bytea", "json"}
    | {"jsonb", "uuid", "inet", "cidr", "bitvarying", "enum"}
)
_KNOWN: Final = _TEXTS | _TIMES | _OTHERS
#: USING that only says what PostgreSQL would do anyway: the column, or the column cast.
_PLAIN_USING: Final = re.compile(r'\(*\s*"?[\w$]+"?\s*(::\s*[\w" ]+(\([\d, ]+\))?\s*)*\)*')
_MOST_DIGITS: Final = 6
_NUMBERS: Final = frozenset({"smallint", "integer", "bigint", "numeric", "real", "double precision"})
#: Types of which one takes a value of another by itself in an assignment, as ALTER TYPE without USING does.
_ALIKE: Final = (
    _NUMBERS,
    frozenset({"date", "timestamp", "timestamptz"}),
    frozenset({"json", "jsonb"}),
    frozenset({"cidr", "inet"}),
)
#: Types whose values become text, and each other, in the same way whatever a session has set (time zone, date style).
_FIXED: Final = _TEXTS | {
    "char",
    "smallint",
    "integer",
    "bigint",
    "numeric",
    "boolean",
    "uuid",
    "json",
    "jsonb",
    "enum",
}


def catalog_type(text: str) -> TypeText | None:
    """A type as the catalog writes it: "character varying(50)"."""
    try:
        found = statements(text)
    except NotSQL:
        return None
    return read_sql_type(found[0]) if len(found) == 1 else None


def effect(old: TypeText | None, new: TypeText, using: str | None) -> Effect:
    """What changing the type from `old` (None: not known) does to the rows."""
    if using is not None and not _PLAIN_USING.fullmatch(using.strip()):
        return Effect.REWRITES
    if old is None:
        return Effect.UNKNOWN
    old, new = _plain(old), _plain(new)
    if (old.name, old.arguments) == (new.name, new.arguments) and old.enum_name == new.enum_name:
        return Effect.KEEPS
    if "enum" in {old.name, new.name} and {old.name, new.name} & {old.enum_name.lower(), new.enum_name.lower()}:
        return Effect.KEEPS
    if old.name not in _KNOWN or new.name not in _KNOWN:
        return Effect.UNKNOWN
    if _is_only_wider(old, new):
        return Effect.KEEPS_IN_UTC if old.name != new.name and new.name in _ZONED else Effect.KEEPS
    return Effect.REWRITES


def is_assigned(old: TypeText, new: TypeText) -> bool:
    """Whether PostgreSQL converts the type by itself in an assignment, as far as known."""
    old, new = _plain(old), _plain(new)
    if old.name not in _KNOWN or new.name not in _KNOWN:
        return False
    is_text = new.name in _TEXTS or new.name == "char"
    is_same = old.name == new.name != "enum"
    return is_text or is_same or any({old.name, new.name} <= group for group in _ALIKE)


def is_fixed(old: TypeText, new: TypeText) -> bool:
    """Whether an assignment gives every session the same value."""
    names = {_plain(old).name, _plain(new).name}
    return names <= _FIXED or names <= _NUMBERS


def _is_only_wider(old: TypeText, new: TypeText) -> bool:
    """Whether every old value is one of the new type, byte for byte (time zones left out)."""
    if {old.name, new.name} <= _TEXTS or (old.name == new.name == "bitvarying"):
        return _has_room(old.arguments, new.arguments)
    if old.name == new.name == "numeric":
        is_same_scale = old.arguments[1:] == new.arguments[1:]
        return not new.arguments or (is_same_scale and _has_room(old.arguments, new.arguments))
    if {old.name, new.name} <= _ZONED or (old.name == new.name and new.name in _TIMES):
        return _has_room(old.arguments or (_MOST_DIGITS,), new.arguments)
    return (old.name, new.name) == ("cidr", "inet")


def _has_room(old: tuple[int, ...], new: tuple[int, ...]) -> bool:
    return not new or (bool(old) and old[0] <= new[0])


def _plain(found: TypeText) -> TypeText:
    """The type as PostgreSQL has it: sa.Float() is double precision, numeric(5) is numeric(5,0)."""
    match found.name:
        case "float":
            is_single = bool(found.arguments) and found.arguments[0] <= 24
            return replace(found, name="real" if is_single else "double precision", arguments=())
        case "numeric" if len(found.arguments) == 1:
            return replace(found, arguments=(found.arguments[0], 0))
        case "mediumtext" | "longtext" | "tinytext":  # only as a variant of Text for MySQL
            return replace(found, name="text", arguments=())
        case "char" if not found.arguments:
            return replace(found, arguments=(1,))
        case "serial" | "bigserial" | "smallserial":
            names = {"serial": "integer", "bigserial": "bigint", "smallserial": "smallint"}
            return replace(found, name=names[found.name])
        case "enum" if not found.is_native:
            longest = max((len(label) for label in found.labels), default=0)
            return TypeText("varchar", found.arguments or ((longest,) if longest else ()))
    return found
