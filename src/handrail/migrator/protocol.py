"""What parent and child say to each other: one request, then messages as JSON lines; dataclasses to JSON and back."""

from __future__ import annotations

import functools
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from enum import Enum
from typing import Any, TypeVar

from handrail.facts import DatabaseAddress
from handrail.migrations.revision import RevisionPath
from handrail.migrator.migrator import Limits, NewRevision, ProofRequest

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class ProjectPlace:
    """Where the Alembic project is and how env.py is to be started. `ini` and `toml` are absolute paths or None."""

    root: str
    ini: str | None
    toml: str | None
    section: str = "alembic"
    url: str | None = None
    x_args: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Request:
    """What the child is to do: "describe", "resolve", "run", "sql", "stamp", "differences", "enums" or "revise".

    It may hold passwords, so it travels through a pipe only. `current` is used by "resolve", `target` by "describe",
    "resolve" and "stamp", `new` by "revise", the rest by "run" and "sql". `project` is the project's own database as
    far as it is known.
    """

    verb: str
    place: ProjectPlace
    target: str | None = None
    current: tuple[str, ...] = ()
    path: RevisionPath | None = None
    project: DatabaseAddress | None = None
    on: DatabaseAddress | None = None
    limits: Limits = Limits()  # noqa: RUF009 - a frozen value
    proofs: Mapping[str, ProofRequest] | None = None
    run_id: str = ""
    purge: bool = False
    dialect: str = ""
    new: NewRevision | None = None


def encode(value: Any) -> Any:
    """A value of our dataclasses as plain JSON data. Mappings become lists of pairs, since keys may be dataclasses."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: encode(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return [[encode(key), encode(item)] for key, item in value.items()]
    if isinstance(value, frozenset):
        return [encode(item) for item in sorted(value, key=str)]
    if isinstance(value, tuple | list):
        return [encode(item) for item in value]
    return value.value if isinstance(value, Enum) else value


def decode(kind: type[_T], data: Any) -> _T:
    """The value of type `kind` that `encode` made `data` from."""
    decoded: _T = _decode(kind, data)
    return decoded


def _decode(kind: Any, data: Any) -> Any:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        inner = next(argument for argument in arguments if argument is not types.NoneType)
        return None if data is None else _decode(inner, data)
    if origin is tuple:
        if arguments[-1] is Ellipsis:
            return tuple(_decode(arguments[0], item) for item in data)
        return tuple(_decode(argument, item) for argument, item in zip(arguments, data, strict=True))
    if origin is frozenset:
        return frozenset(_decode(arguments[0], item) for item in data)
    if origin is not None:  # a Mapping
        return {_decode(arguments[0], key): _decode(arguments[1], item) for key, item in data}
    if isinstance(kind, type) and is_dataclass(kind):
        return kind(**{name: _decode(hint, data[name]) for name, hint in _hints(kind).items()})
    return kind(data) if isinstance(kind, type) and issubclass(kind, Enum) else data


@functools.cache
def _hints(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind)
