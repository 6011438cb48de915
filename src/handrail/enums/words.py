"""A drift as a value, and the words that all messages about enum columns share."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from handrail.enums.states import ColumnName, ModelEnum

AUTOGENERATE = "handrail revision --autogenerate"
_MOST = 8


class DriftKind(StrEnum):
    """In what models and database differ, or the models with themselves."""

    MISSING_COLUMN = "missing column"
    PLAIN_STRING = "plain string"
    STRATEGY = "strategy"
    TYPE_NAME = "type name"
    MISSING_VALUE = "missing value"
    UNKNOWN_VALUE = "unknown value"
    UNKNOWN_ROWS = "unknown rows"
    NAMES_AND_VALUES = "names and values"
    ORDER = "order"
    DEFAULT = "default"
    LENGTH = "length"
    NOT_VALIDATED = "not validated"
    UNNAMED_CHECK = "unnamed check"
    SAME_CHECK_NAME = "same check name"
    SHARED_TYPE = "shared type"
    ORPHAN_TYPE = "orphan type"


@dataclass(frozen=True, slots=True)
class Drift:
    """One difference. `column` is None for what belongs to no column; `hint` says what to type next."""

    kind: DriftKind
    column: ColumnName | None
    message: str
    hint: str


def listed(texts: Iterable[str]) -> str:
    """Texts in quotes, the first of them when there are many."""
    found = list(map(repr, texts))
    more = [f"{len(found) - _MOST} more"] if len(found) > _MOST else []
    return ", ".join([*found[:_MOST], *more])


def holder(model: ModelEnum) -> str:
    """The class, or the type where there is none."""
    return model.class_name or f"the type {model.type_name}"
