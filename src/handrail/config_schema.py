"""Dataclasses as schemas for pydantic's core, which reads a configuration without pydantic's models."""

from __future__ import annotations

from dataclasses import MISSING, fields, is_dataclass
from enum import StrEnum
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

if TYPE_CHECKING:
    from pydantic_core import CoreSchema
    from pydantic_core.core_schema import WithDefaultSchema


def schema_of(kind: Any) -> CoreSchema:
    """How pydantic's core reads a value of a type that a setting may have."""
    from pydantic_core import core_schema as core

    origin, inner = get_origin(kind), get_args(kind)
    if origin is Annotated:
        read: CoreSchema = inner[1].schema()
        return read
    if origin is Literal:
        return core.literal_schema(list(inner))
    if origin is tuple:
        return core.tuple_variable_schema(schema_of(inner[0]))
    if origin is dict:
        return core.dict_schema(core.str_schema(), schema_of(inner[1]))
    if origin in (Union, UnionType):
        return core.nullable_schema(schema_of(inner[0]))
    if is_dataclass(kind):
        return _table(kind)
    if issubclass(kind, StrEnum):
        return core.enum_schema(kind, list(kind), sub_type="str")
    plain = {bool: core.bool_schema(strict=True), int: core.int_schema(strict=True), str: core.str_schema()}
    return plain[kind]


def _table(kind: Any) -> CoreSchema:
    from pydantic_core import core_schema as core

    hints, settings = get_type_hints(kind, include_extras=True), fields(kind)

    def with_default(name: str, default: object, factory: Any) -> WithDefaultSchema:
        value = schema_of(hints[name])
        if factory is MISSING:
            return core.with_default_schema(value, default=default)
        return core.with_default_schema(value, default_factory=factory)

    read = [
        core.dataclass_field(one.name, with_default(one.name, one.default, one.default_factory), kw_only=True)
        for one in settings
    ]
    arguments = core.dataclass_args_schema(kind.__name__, read, extra_behavior="forbid")
    checks = hasattr(kind, "__post_init__")
    return core.dataclass_schema(kind, arguments, [one.name for one in settings], post_init=checks, slots=True)
