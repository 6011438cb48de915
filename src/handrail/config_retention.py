"""The [retention] table: what is kept, as it is written; read together with the rest of the configuration."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

if TYPE_CHECKING:
    from pydantic_core import CoreSchema

_AGE = re.compile(r"(\d{1,6})\s*([hdwy])")
_HOURS = {"h": 1, "d": 24, "w": 24 * 7, "y": 24 * 365}
_MILESTONE = re.compile(r"[a-z0-9][a-z0-9-]*")
_PRICE = re.compile(r"(\d+(?:\.\d+)?)(?:\s+([A-Z]{3}|[^\w\s]))?")
FOREVER = "forever"


def parse_age(value: object) -> timedelta:
    """The time of "36h", "30d", "12w", "2y" (a year has 365 days). ValueError otherwise."""
    found = _AGE.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        raise ValueError('it is written like "36h", "30d", "12w" or "2y"')
    return timedelta(hours=int(found[1]) * _HOURS[found[2]])


def parse_price(value: object) -> tuple[float, str]:
    """Amount and currency of "0.023 USD"; the currency may be missing. ValueError otherwise."""
    found = _PRICE.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        raise ValueError('a price for a GB and a month is written like "0.023 USD"')
    return float(found[1]), found[2] or ""


@dataclass(frozen=True, slots=True)
class _Age:
    """A time, or also "forever"."""

    may_be_endless: bool = False

    def schema(self) -> CoreSchema:
        from pydantic_core import core_schema as core

        return core.no_info_plain_validator_function(self._read)

    def _read(self, value: object) -> timedelta:
        if self.may_be_endless and value == FOREVER:
            return timedelta.max
        try:
            return parse_age(value)
        except ValueError as error:
            also = f' or "{FOREVER}"' if self.may_be_endless else ""
            raise ValueError(f"{error}{also}") from error


@dataclass(frozen=True, slots=True)
class _Count:
    """A whole number that is not below nothing."""

    def schema(self) -> CoreSchema:
        from pydantic_core import core_schema as core

        return core.int_schema(ge=0, le=100_000, strict=True)


@dataclass(frozen=True, slots=True)
class _Price:
    """A price, kept as it is written."""

    def schema(self) -> CoreSchema:
        from pydantic_core import core_schema as core

        def read(value: object) -> str:
            parse_price(value)
            return str(value).strip()

        return core.no_info_plain_validator_function(read)


Age = Annotated[timedelta, _Age()]
AgeOrForever = Annotated[timedelta, _Age(may_be_endless=True)]
Count = Annotated[int, _Count()]
Price = Annotated[str, _Price()]


@dataclass(frozen=True, slots=True)
class Retention:
    """What is kept of an environment's backups; without any rule, everything."""

    last: Count = 0
    hourly: Count = 0
    daily: Count = 0
    weekly: Count = 0
    monthly: Count = 0
    yearly: Count = 0
    within: Age | None = None
    pre_migration: Age | None = None
    milestones: dict[str, AgeOrForever] = field(default_factory=dict)
    minimum_verified: Count = 1
    timezone: str = "UTC"
    every: Age | None = None

    def __post_init__(self) -> None:
        rules = (self.last, self.hourly, self.daily, self.weekly, self.monthly, self.yearly, self.within)
        if (self.pre_migration or self.milestones) and not any(rules):
            raise ValueError(
                "`pre_migration` and `milestones` only add to what other rules keep: say how many others are kept"
                " (`last`, `daily`, …) or for how long (`within`)"
            )
        for name in self.milestones:
            if not _MILESTONE.fullmatch(name):
                raise ValueError(f"the milestone {name!r} is not written in small letters, digits and dashes")
        if self.every is not None and not self.every:
            raise ValueError("`every` is longer than nothing")
