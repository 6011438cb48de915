"""`handrail cost`: what an environment's backups cost a month, on RDS and in stores."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from handrail.amounts import size
from handrail.cli.answering import answering
from handrail.cli.call import HERE, Env, Json, Root

if TYPE_CHECKING:
    from handrail.cli.cost_documents import AmountDocument, Costed, LineDocument, PricesDocument
    from handrail.cli.output import Output

#: What stands where no price is known.
_UNKNOWN = "?"
_HEADINGS = ("what", "where", "number", "at most", "a month", "estimate", "a month")


def cost(env: Env = None, root: Root = HERE, json: Json = False) -> None:
    """Show what an environment's snapshots, exports and stores cost a month: at most, and by an estimate."""
    with answering("cost", json) as output:
        from datetime import UTC, datetime

        from handrail.cli.cost_documents import Costed, prices_document
        from handrail.wiring import read_config
        from handrail.wiring_costs import exchange, how_to_price, open_costing, price_region
        from handrail.workflows.costs import reckon

        config = read_config(root, env)
        costing = open_costing(config)
        costs = reckon(costing, datetime.now(UTC))  # noqa: TID251 - a door
        prices = prices_document(price_region(config), costing.rates, exchange(config))
        found = Costed.of(config.name, costs, prices, costing.change)
        _show(output, found)
        output.warnings(found.remarks)
        if found.lines:
            output.lines(*how_to_price(config))
        output.document(found)


def _show(output: Output, found: Costed) -> None:
    if not (found.lines or found.elsewhere or found.instance):
        output.lines(f"the environment {found.environment} has no backups")
        return
    prices = found.prices
    known = not found.lines or any(line.most.usd is not None for line in found.lines)
    most, likely = (money(usd, prices) if known else _UNKNOWN for usd in (found.most, found.likely))
    total = ("sum", "", "", "", most, "", likely)
    output.table(_HEADINGS, [*_rows(found.lines, prices), total])
    if found.instance:
        output.lines(
            f"estimate: a day writes {found.daily_change:.0%} of the blocks anew, and of all backups in {prices.region}"
            f" {_gb(found.allowance)} are free"
        )
    if found.elsewhere:
        output.lines("", "beside it, not in the sum and never free:")
        output.table(_HEADINGS, list(_rows(found.elsewhere, prices)))
    output.lines(*_kept_otherwise(found))
    if found.instance or any(line.place.startswith("s3://") for line in found.lines):
        output.lines(
            f"prices: {prices.source}, {prices.dated}; [prices] of the configuration puts yours in their place"
        )


def _rows(lines: Iterable[LineDocument], prices: PricesDocument) -> Iterable[tuple[str, ...]]:
    for line in lines:
        shown = (cell for amount in (line.most, line.likely) for cell in _cells(amount, prices))
        yield line.what, line.place, f"{line.number}", *shown


def _cells(amount: AmountDocument, prices: PricesDocument) -> tuple[str, str]:
    return _gb(amount.gb), _UNKNOWN if amount.usd is None else money(amount.usd, prices)


def _gb(amount: float) -> str:
    return size(amount * 1e9)


def _kept_otherwise(found: Costed) -> Iterable[str]:
    """What long keeping would cost elsewhere."""
    if not found.kept_in:
        return
    classes = ", ".join(f"{name} {money(usd, found.prices)}" for name, usd in found.kept_in.items())
    yield f"the manual snapshots' data as dumps in S3 at most: {classes}"
    if found.exporting is not None:
        once = money(found.exporting, found.prices)
        yield f"exporting it to Parquet: {once} once; what is exported can be analysed, not restored"


def money(usd: float, prices: PricesDocument) -> str:
    """ "28.50 USD", and in the other currency where one is configured: "28.50 USD (38,000 KRW)"."""
    text = f"{usd:,.2f} USD"
    if prices.dollar is None:
        return text
    places = 0 if prices.dollar >= 50 else 2
    return f"{text} ({usd * prices.dollar:,.{places}f} {prices.currency})"
