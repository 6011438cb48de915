"""Durations of waits and deadlines, and rates, as they are written in the configuration."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from handrail.amounts import parse_rate

if TYPE_CHECKING:
    from pydantic_core import CoreSchema

_DURATIONS = {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0}


def parse_duration(value: object) -> float:
    """Seconds of "100ms", "5s", "2min", "1h", or of a bare number of seconds. ValueError otherwise."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    text = str(value).strip()
    for unit in ("ms", "min", "s", "h"):
        if text.endswith(unit) and re.fullmatch(r"[0-9.]+\s*", text.removesuffix(unit)):
            with suppress(ValueError):
                return float(text.removesuffix(unit)) * _DURATIONS[unit]
    raise ValueError('a duration is written like "100ms", "5s", "2min" or "1h"')


@dataclass(frozen=True, slots=True)
class _Seconds:
    """A duration: read as `parse_duration` does, finite, and not below `least`."""

    least: float = 0.0

    def schema(self) -> CoreSchema:
        from pydantic_core import core_schema as core

        return core.no_info_before_validator_function(
            parse_duration, core.float_schema(ge=self.least, allow_inf_nan=False)
        )


Duration = Annotated[float, _Seconds()]
#: PostgreSQL reads a lock_timeout of 0 ms as "wait for ever": there is no way to ask for that here.
LockTimeout = Annotated[float, _Seconds(0.001)]


@dataclass(frozen=True, slots=True)
class _BytesPerSecond:
    """A rate: read as `parse_rate` does."""

    def schema(self) -> CoreSchema:
        from pydantic_core import core_schema as core

        return core.no_info_before_validator_function(parse_rate, core.float_schema(ge=0, allow_inf_nan=False))


#: Of uploads; 0 is no bound.
Rate = Annotated[float, _BytesPerSecond()]
