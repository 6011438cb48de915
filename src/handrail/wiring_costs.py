"""Config to what a bill is made of: stores, prices, and who hosts the database."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from handrail.config import Config
from handrail.config_retention import parse_price

if TYPE_CHECKING:
    from handrail.retention.prices import Rates
    from handrail.workflows.costs import Costing


def open_costing(config: Config) -> Costing:
    """Nothing is asked before the reckoning; the database is not needed at all."""
    from handrail.wiring_rds import open_hosting
    from handrail.wiring_stores import open_stores
    from handrail.workflows.costs import Costing

    stores, rates = open_stores(config), configured_rates(config)
    given = {store.place: _by_place(store.place, rates) for store in stores}
    if config.settings.store_price is not None:
        given[stores[0].place] = _store_rate(config.settings.store_price, exchange(config))
    costing = Costing(config.name, stores, given, rates, change=config.prices.daily_change)
    hosting = open_hosting(config)
    return costing if hosting is None else replace(costing, snapshots=hosting.snapshots, instance=hosting.instance)


def how_to_price(config: Config) -> Iterable[str]:
    """A line that says how the environment's store is given a price; none when it has one."""
    from handrail.wiring_stores import open_stores

    written = config.settings.store_price
    if written is None:
        if _by_place(open_stores(config)[0].place, configured_rates(config)) is None:
            yield missing_price(config)
    elif _store_rate(written, exchange(config)) is None:
        currency = parse_price(written)[1]
        yield (
            f'a price: prices are in USD here: `dollar = "… {currency}"` in {config.table("prices")} says what one is'
        )


def missing_price(config: Config) -> str:
    """The line that says how the environment's store is given a price."""
    return f'a price: `store_price = "0.023 USD"` (a GB and a month) in {config.table(f"environments.{config.name}")}'


def price_region(config: Config) -> str:
    """The region whose prices hold: the instance's, else the one that AWS's own programs would take; "" when none."""
    if config.settings.rds is not None:
        return config.settings.rds.region
    return os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or ""


def configured_rates(config: Config) -> Rates:
    """The prices of the region, those of the configuration first."""
    from handrail.retention.prices import Rates, StorageClass, rates_of

    region = price_region(config)
    own = config.prices.regions.get(region)
    if own is None:
        return rates_of(region)
    named = {one: getattr(own, one.value.lower()) for one in StorageClass}
    classes = {one: price for one, price in named.items() if price is not None}
    return rates_of(region, Rates(own.snapshot, own.export, classes, config.prices.dated))


def exchange(config: Config) -> tuple[float, str] | None:
    """What a dollar is in the other currency, when the configuration says it."""
    return None if config.prices.dollar is None else parse_price(config.prices.dollar)


def _by_place(place: str, rates: Rates) -> float | None:
    from handrail.retention.prices import StorageClass

    return rates.classes.get(StorageClass.STANDARD) if place.startswith("s3://") else None


def _store_rate(written: str, other: tuple[float, str] | None) -> float | None:
    """`store_price` in US dollars; None in a currency whose rate is not known."""
    amount, currency = parse_price(written)
    if currency in ("", "USD", "$"):
        return amount
    return amount / other[0] if other is not None and other[1] == currency and other[0] else None
