"""Enum columns for people to look at: each value as the models, the database and the rows have it."""

from __future__ import annotations

from dataclasses import dataclass

from handrail.enums.states import EnumReading, ModelEnum, StoredEnum, Strategy


@dataclass(frozen=True, slots=True)
class EnumValue:
    """A value of an enum column. `member` is null for a text that no member is stored as. `in_database`: whether the
    type or the CHECK allows it, null where nothing checks. `rows` is null where the column is not there."""

    text: str
    member: str | None
    label: str
    in_database: bool | None
    rows: int | None


@dataclass(frozen=True, slots=True)
class EnumColumn:
    """An enum column. `enum` is the class, `strategy` that of the models, `database` the database's, null when the
    column is not there. `holder` is the name of the database's type or CHECK. `default` is the database's."""

    column: str
    enum: str
    strategy: Strategy
    database: Strategy | None
    holder: str
    default: str | None
    values: tuple[EnumValue, ...]


def columns(reading: EnumReading) -> tuple[EnumColumn, ...]:
    """Every enum column of the models, members first in their order, then what only the database has."""
    return tuple(_column(reading, model) for model in reading.models)


def _column(reading: EnumReading, model: ModelEnum) -> EnumColumn:
    stored = reading.stored.get(model.column)
    usage = reading.usages.get(model.column)
    counts = (usage.counts if usage is not None else None) or {}
    members = {member.text: member for member in model.members}
    others = [*(stored.labels if stored is not None else ()), *counts]
    values = tuple(
        EnumValue(
            text,
            members[text].name if text in members else None,
            members[text].label if text in members else "",
            text in stored.labels if stored is not None and stored.labels else None,
            counts.get(text, 0) if stored is not None else None,
        )
        for text in dict.fromkeys([*members, *others])
    )
    strategy = stored.strategy if stored is not None else None
    default = None if stored is None else stored.default or stored.default_sql
    return EnumColumn(str(model.column), model.enum, model.strategy, strategy, _holder(stored), default, values)


def _holder(stored: StoredEnum | None) -> str:
    if stored is None:
        return ""
    return stored.type_name or stored.check_name or ""
