"""Enum columns as lines of a model, for people to copy: with the names that handrail exports."""

from __future__ import annotations

import re
from dataclasses import replace

from handrail.enums.meaning import meant
from handrail.enums.states import ModelEnum, Strategy

#: The length of the columns that handrail's helpers make.
LENGTH = 50


def type_line(model: ModelEnum) -> str:
    """The column's type: `native_enum(Status, name="state")`; a type without a class as plain SQLAlchemy has it."""
    if not model.enum:
        return _plain_type(model)
    return f"{model.strategy.value}_enum({', '.join([model.class_name, *_options(model)])})"


def field_line(model: ModelEnum) -> str:
    """The field of a SQLModel: `status: Status = enum_field(Status, "check", default=Status.OPEN)`."""
    name = model.class_name
    strategy = [] if model.strategy is Strategy.VARCHAR else [f'"{model.strategy.value}"']
    own, filled = (None if text is None else meant(model, text) for text in (model.python_default, model.default))
    value = [f"default={name}.{own.name}"] if own else []
    value += ["default=None"] if own is None and model.nullable else []
    value += [f"server_default={name}.{filled.name}"] if filled and filled is not own else []
    annotation = f"{name} | None" if model.nullable else name
    arguments = ", ".join([name, *strategy, *value, *_options(model)])
    return f"{model.column.name}: {annotation} = enum_field({arguments})"


def model_line(model: ModelEnum) -> str:
    """What the model says of the column, as a SQLModel and as SQLAlchemy alone have it."""
    return f"{field_line(model)}, or the type {type_line(model)}" if model.enum else f"the type {type_line(model)}"


def snake_case(name: str) -> str:
    """What handrail's helpers call the type of a class."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def stores_names(model: ModelEnum) -> bool:
    """Whether the text that is stored is the member's name though its value is another."""
    return any(member.value and member.text == member.name for member in model.members)


def _options(model: ModelEnum) -> list[str]:
    """What differs from the helpers' own choice."""
    is_named = model.type_name and model.type_name != snake_case(model.class_name)
    found = {
        'store="name"': stores_names(model),
        f"length={model.length}": model.length not in {None, LENGTH} and model.strategy is not Strategy.NATIVE,
        f'name="{model.type_name}"': is_named and model.strategy is not Strategy.VARCHAR,
        f'schema="{model.type_schema}"': model.type_schema and model.strategy is Strategy.NATIVE,
    }
    return [option for option, differs in found.items() if differs]


def _plain_type(model: ModelEnum) -> str:
    options = [f'name="{model.type_name}"'] if model.type_name else []
    options += [] if model.strategy is Strategy.NATIVE else ["native_enum=False"]
    options += [] if model.strategy is Strategy.VARCHAR else ["create_constraint=True"]
    return f"sa.Enum({', '.join([*map(repr, model.labels), *options])})"


def converted(model: ModelEnum, strategy: Strategy) -> ModelEnum:
    """The model as it is when its column is held in another way; a plain string becomes an enum column by it, and a
    default that is no member is put right where it is clear which was meant, else left to the database."""
    default = model.default
    if default is not None and default not in model.labels:
        member = meant(model, default)
        default = None if member is None else member.text
    return replace(
        model,
        strategy=strategy,
        type_name=model.type_name or snake_case(model.class_name),
        is_bound=strategy is not Strategy.VARCHAR,
        is_string=False,
        default=default,
    )
