"""What `handrail cost --json` prints."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from handrail.retention.bill import Amount, Line
    from handrail.retention.prices import Rates
    from handrail.workflows.costs import Costs


@dataclass(frozen=True, slots=True)
class AmountDocument:
    """So many GB, to the byte; `usd` is for a month, null when no price is known."""

    gb: float
    usd: float | None

    @classmethod
    def of(cls, amount: Amount) -> AmountDocument:
        return cls(round(amount.gb, 9), None if amount.usd is None else round(amount.usd, 4))


@dataclass(frozen=True, slots=True)
class LineDocument:
    """`number` things in a place. `most` counts every snapshot whole, `likely` what it adds, less the allowance."""

    what: str
    place: str
    number: int
    most: AmountDocument
    likely: AmountDocument

    @classmethod
    def of(cls, line: Line) -> LineDocument:
        return cls(line.what, line.place, line.number, AmountDocument.of(line.most), AmountDocument.of(line.likely))


@dataclass(frozen=True, slots=True)
class PricesDocument:
    """US dollars for a GB and a month, by what is kept; `export` is once. `dated` is a day, or "". A `dollar` is so
    many of `currency`, null when none is configured."""

    region: str
    dated: str
    source: str
    snapshot: float | None
    export: float | None
    classes: Mapping[str, float]
    dollar: float | None
    currency: str


@dataclass(frozen=True, slots=True)
class Costed:
    """What an environment's backups cost a month in US dollars: `most` by the upper bound, `likely` by the estimate.

    `elsewhere` is what the region holds that belongs to no living instance, in neither sum. `allowance` is the GB that
    the region's running instances bring. `kept_in` says what the manual snapshots' data would cost as dumps in each
    class of S3, `exporting` what exporting them would cost once (null: not known). `instance` is "" without RDS."""

    environment: str
    instance: str
    lines: tuple[LineDocument, ...]
    elsewhere: tuple[LineDocument, ...]
    most: float
    likely: float
    allowance: float
    daily_change: float
    kept_in: Mapping[str, float]
    exporting: float | None
    prices: PricesDocument
    remarks: tuple[str, ...]

    @classmethod
    def of(cls, environment: str, costs: Costs, prices: PricesDocument, daily_change: float) -> Costed:
        bill = costs.bill
        return cls(
            environment=environment,
            instance=costs.instance.id if costs.instance else "",
            lines=tuple(LineDocument.of(one) for one in bill.lines),
            elsewhere=tuple(LineDocument.of(one) for one in bill.elsewhere),
            most=round(bill.most, 4),
            likely=round(bill.likely, 4),
            allowance=bill.allowance,
            daily_change=daily_change,
            kept_in={name.value: round(usd, 4) for name, usd in bill.kept_in.items()},
            exporting=None if bill.exporting is None else round(bill.exporting, 4),
            prices=prices,
            remarks=costs.remarks,
        )


def prices_document(region: str, rates: Rates, exchange: tuple[float, str] | None) -> PricesDocument:
    """The prices that were taken."""
    dollar, currency = exchange or (None, "")
    classes = {name.value: price for name, price in rates.classes.items()}
    return PricesDocument(region, rates.dated, rates.source, rates.snapshot, rates.export, classes, dollar, currency)
