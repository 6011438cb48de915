"""The enum columns that a project's models declare, read from SQLAlchemy's metadata and SQLModel's fields."""

from __future__ import annotations

import enum
import re
import types
import typing
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from handrail.enums.states import ColumnName, Member, ModelEnum, Strategy
from handrail.facts import TableName
from handrail.migrator.defaults import default_text, sqlmodel_mappers

_LITERAL = re.compile(r"'((?:[^']|'')*)'(?:::.*)?", re.DOTALL)


def model_enums(
    metadata: sa.MetaData | Sequence[sa.MetaData], is_wanted: Callable[[sa.Column[Any]], bool] = lambda _: True
) -> tuple[ModelEnum, ...]:
    """Every enum column of the metadata, also those whose type is a plain string under an enum's annotation."""
    several = [metadata] if isinstance(metadata, sa.MetaData) else list(metadata)
    columns = (column for one in several for table in one.sorted_tables for column in table.columns)
    mappers: dict[Any, Any] = {}
    for mapper in sqlmodel_mappers():
        mappers.setdefault(mapper.local_table, mapper)
    return tuple(found for column in columns if is_wanted(column) for found in _read(column, mappers))


def declared_enums(metadata: Any) -> tuple[ModelEnum, ...]:
    """The enum columns of what env.py names as target_metadata; () for None, or where they cannot be read: models are
    the user's code, and whoever only describes a project can do without."""
    if metadata is None:
        return ()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return model_enums(metadata)
        except Exception:  # noqa: BLE001, RUF100
            return ()


def enum_type(type_: Any) -> tuple[sa.Enum | None, bool]:
    """The enum that a type is, or that its lists hold; and whether it is a list."""
    if isinstance(type_, sa.types.TypeDecorator):
        type_ = type_.impl_instance if hasattr(type_, "impl_instance") else type_.impl
    if isinstance(type_, sa.ARRAY):
        return (type_.item_type if isinstance(type_.item_type, sa.Enum) else None), True
    return (type_ if isinstance(type_, sa.Enum) else None), False


def _read(column: sa.Column[Any], mappers: Mapping[Any, Any]) -> Iterator[ModelEnum]:
    type_, is_array = enum_type(column.type)
    if type_ is not None:
        yield _of_enum(column, type_, is_array=is_array)
    elif isinstance(column.type, sa.String) and (found := _annotated(column, mappers)) is not None:
        yield _of_string(column, found)


def _of_enum(column: sa.Column[Any], type_: sa.Enum, *, is_array: bool) -> ModelEnum:
    names = _names(type_)
    members = tuple(
        Member(name, str(text), _label(type_.enum_class, name), _other_value(type_.enum_class, name, str(text)))
        for name, text in zip(names, type_.enums, strict=False)
    )
    is_bound = bool(type_.create_constraint)
    text_strategy = Strategy.CHECK if is_bound else Strategy.VARCHAR
    default, default_sql = server_default(column)
    return ModelEnum(
        _name(column),
        _class_name(type_.enum_class),
        members,
        Strategy.NATIVE if type_.native_enum else text_strategy,
        type_name=str(type_.name or ""),
        type_schema=type_.schema,
        length=type_.length,
        nullable=bool(column.nullable),
        default=default,
        default_sql=default_sql,
        python_default=default_text(column),
        is_array=is_array,
        is_bound=is_bound,
    )


def _of_string(column: sa.Column[Any], found: type[enum.Enum]) -> ModelEnum:
    members = tuple(Member(one.name, str(one.value), _label(found, one.name)) for one in found)
    default, default_sql = server_default(column)
    return ModelEnum(
        _name(column),
        _class_name(found),
        members,
        Strategy.VARCHAR,
        length=column.type.length if isinstance(column.type, sa.String) else None,
        nullable=bool(column.nullable),
        default=default,
        default_sql=default_sql,
        python_default=default_text(column),
        is_string=True,
        is_bound=False,
    )


def _names(type_: sa.Enum) -> list[str]:
    """The members' names in the order of the type's texts; the texts themselves for a type without a class."""
    if type_.enum_class is None:
        return [str(text) for text in type_.enums]
    return [member.name for member in type_.enum_class]


def _label(enum_class: Any, name: str) -> str:
    if enum_class is None or name not in enum_class.__members__:
        return ""
    label = getattr(enum_class.__members__[name], "label", "")
    return label if isinstance(label, str) and label != name else ""


def _other_value(enum_class: Any, name: str, text: str) -> str:
    value = "" if enum_class is None else str(enum_class.__members__[name].value)
    return value if value != text else ""


def _class_name(enum_class: Any) -> str:
    return "" if enum_class is None else f"{enum_class.__module__}.{enum_class.__qualname__}"


def _name(column: sa.Column[Any]) -> ColumnName:
    return ColumnName(TableName(column.table.name, column.table.schema), column.name)


def server_default(column: sa.Column[Any]) -> tuple[str | None, str | None]:
    """The text of a column's server default, None when it is no plain text; and its SQL."""
    clause = column.server_default
    found = getattr(clause, "arg", None)
    if clause is None or found is None:
        return None, None
    if isinstance(found, enum.Enum):
        found = found.value
    if isinstance(found, str):
        return found, None
    sql = str(found.compile(compile_kwargs={"literal_binds": True}))
    text = literal_text(sql)
    return (text, None) if text is not None else (None, sql)


def literal_text(sql: str | None) -> str | None:
    """The text that a literal of SQL stands for ("'a''b'::status": a'b); None when it is no such literal."""
    found = _LITERAL.fullmatch(sql.strip()) if sql is not None else None
    return found[1].replace("''", "'") if found else None


def _annotated(column: sa.Column[Any], mappers: Mapping[Any, Any]) -> type[enum.Enum] | None:
    """The enum class that a SQLModel's field says, for a column of another type; `mappers` are by table."""
    mapper = mappers.get(column.table)
    if mapper is None:
        return None
    key = mapper.get_property_by_column(column).key
    return _enum_of(getattr(getattr(mapper.class_, "model_fields", {}).get(key), "annotation", None))


def _enum_of(annotation: Any) -> type[enum.Enum] | None:
    if isinstance(annotation, type) and issubclass(annotation, enum.Enum):
        return annotation
    if typing.get_origin(annotation) in (types.UnionType, typing.Union):
        return next((found for one in typing.get_args(annotation) if (found := _enum_of(one)) is not None), None)
    return None
