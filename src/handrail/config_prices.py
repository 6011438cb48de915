"""The [prices] table: what a GB costs where you know better than handrail, and what a dollar is to you."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any

from handrail.config_retention import Price

if TYPE_CHECKING:
    from pydantic_core import CoreSchema


@dataclass(frozen=True, slots=True)
class _Number:
    """A number that is not below nothing, and not above `most`."""

    most: float | None = None

    def schema(self) -> CoreSchema:
        from pydantic_core import core_schema as core

        above: dict[str, Any] = {} if self.most is None else {"le": self.most}
        return core.float_schema(ge=0, allow_inf_nan=False, strict=True, **above)


Dollars = Annotated[float, _Number()]
Share = Annotated[float, _Number(1.0)]


@dataclass(frozen=True, slots=True)
class RegionPrices:
    """US dollars for a GB and a month in one region; `export` for a GB of a snapshot, once. What is not given is the
    table's."""

    snapshot: Dollars | None = None
    export: Dollars | None = None
    standard: Dollars | None = None
    standard_ia: Dollars | None = None
    onezone_ia: Dollars | None = None
    glacier_ir: Dollars | None = None
    glacier: Dollars | None = None
    deep_archive: Dollars | None = None


@dataclass(frozen=True, slots=True)
class Prices:
    """`dated` is the day on which the prices were looked up; `dollar` what one is in another currency ("1350 KRW"),
    beside which every amount is then shown; `daily_change` the share of a database's blocks that a day writes anew."""

    dated: str = ""
    dollar: Price | None = None
    daily_change: Share = 0.05
    regions: dict[str, RegionPrices] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.dated:
            try:
                date.fromisoformat(self.dated)
            except ValueError as error:
                raise ValueError('`dated` is a day, written like "2026-11-28"') from error
        if self.dollar is not None and " " not in self.dollar:
            raise ValueError('`dollar` is written like "1350 KRW"')
