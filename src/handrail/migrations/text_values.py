"""What methods of known texts, lists and dicts give. None stands for: not known, or more than a script would write."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final

#: No migration script holds longer texts and lists; a crafted one must not take a reader's memory and time.
MOST_TEXT, MOST_ITEMS = 100_000, 10_000
_SIMPLE: Final[Mapping[str, Callable[[str], object]]] = {
    "strip": str.strip,
    "lower": str.lower,
    "upper": str.upper,
    "splitlines": str.splitlines,
}
#: A width in a format, `{:100000}` or `%100000d`.
_WIDE = re.compile(r"[{%][^{}%\s]*\d{5,}")


def is_sensible(value: object) -> bool:
    """Whether a value is of a size that a script would write."""
    if isinstance(value, str):
        return len(value) <= MOST_TEXT
    return not isinstance(value, list) or len(value) <= MOST_ITEMS


def string_method(receiver: str, name: str, values: Sequence[object], named: Mapping[str, object]) -> object | None:
    """`receiver.name(*values, **named)`."""
    if name in _SIMPLE and not values:
        return _SIMPLE[name](receiver)
    match name, list(values):
        case "split", []:
            return receiver.split()
        case "split", [str(separator)] if separator:
            return receiver.split(separator)
        case "replace", [str(old), str(new)] if (len(receiver) + 1) * max(1, len(new)) <= MOST_TEXT:
            return receiver.replace(old, new)
        case "join", [list(parts)] if all(isinstance(part, str) for part in parts):
            return receiver.join(str(part) for part in parts) if len(receiver) * len(parts) <= MOST_TEXT else None
        case "format", _:
            return _filled(receiver, values, named)
    return None


def _filled(receiver: str, values: Sequence[object], named: Mapping[str, object]) -> object | None:
    """`"…{}…".format(value)`, where the values are known."""
    if _WIDE.search(receiver) or not all(isinstance(value, str | int) for value in (*values, *named.values())):
        return None
    try:
        return receiver.format(*values, **named)
    except (IndexError, KeyError, ValueError, AttributeError):
        return None


def formatted(text: str, value: object) -> object | None:
    """`"… %s" % value`, where the value is known."""
    values = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else [value]
    if _WIDE.search(text) or "*" in text or not all(isinstance(one, str | int) for one in values):
        return None
    try:
        return text % (value if isinstance(value, dict) else tuple(values))
    except (TypeError, ValueError, KeyError):
        return None


def rows(name: str, values: Sequence[object]) -> object | None:
    """What enumerate, zip and reversed of known lists go through."""
    lists = [list(value) for value in values if isinstance(value, list | dict)]
    if len(lists) != len(values) or not lists:
        return None
    if name == "reversed":
        return lists[0][::-1]
    return [list(row) for row in (enumerate(lists[0]) if name == "enumerate" else zip(*lists, strict=False))]


def dict_method(receiver: dict[object, object], name: str) -> object | None:
    if name == "items":
        return [[key, value] for key, value in receiver.items()]
    if name == "keys":
        return list(receiver)
    return list(receiver.values()) if name == "values" else None
