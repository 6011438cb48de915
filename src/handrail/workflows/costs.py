"""Costs: ask who hosts the database and read the stores, then reckon."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from handrail.backups.catalog import Catalog
from handrail.databases.snapshots import RightMissing, Snapshots, require_single
from handrail.retention.bill import DAILY_CHANGE, Bill, Region, Shelf, bill_of, shelf_lines, unpriced_text
from handrail.retention.prices import Rates
from handrail.snapshots.export import Export
from handrail.snapshots.instance import Instance
from handrail.stores.store import Store
from handrail.workflows.catalog import read_catalog


@dataclass(frozen=True, slots=True)
class Costing:
    """What a bill is made of: the environment's stores with a GB's price in each by its place (None: not known), and
    the `instance` that `snapshots` knows, where RDS hosts the database."""

    environment: str
    stores: Sequence[Store]
    store_rates: Mapping[str, float | None]
    rates: Rates
    snapshots: Snapshots | None = None
    instance: str = ""
    change: float = DAILY_CHANGE


@dataclass(frozen=True, slots=True)
class Costs:
    """The bill; the `instance` is None where no RDS hosts the database."""

    bill: Bill
    instance: Instance | None = None
    remarks: tuple[str, ...] = field(default=())


def reckon(costing: Costing, now: datetime) -> Costs:
    """SnapshotError when RDS cannot be asked, StoreError when no store can be read."""
    catalog = read_catalog(costing)
    shelves = [_shelf(catalog, store.place, costing.store_rates.get(store.place)) for store in costing.stores]
    stored = shelf_lines(one for one in shelves if one.backups)
    remarks = [f"not counted: {key}: {why}" for key, why in catalog.unreadable]
    instance, bill = None, Bill(())
    if costing.snapshots is not None:
        instance = require_single(costing.snapshots.instance(costing.instance))
        exports, told = _exports(costing.snapshots)
        region = Region(costing.snapshots.region, costing.snapshots.instances(), costing.snapshots.snapshots(), exports)
        bill = bill_of(region, instance, costing.rates, now=now, change=costing.change)
        remarks += [*told, "transaction logs of automated backups are not in it: RDS does not say how large they are"]
    bill = replace(bill, lines=(*bill.lines, *stored))
    missing = unpriced_text(bill.unpriced)
    return Costs(bill, instance, (*remarks, *((missing,) if missing else ())))


def _shelf(catalog: Catalog, place: str, rate: float | None) -> Shelf:
    there = [one for one in catalog.records if place in catalog.places[one.id]]
    return Shelf(place, len(there), sum(one.artifact.size for one in there), rate)


def _exports(snapshots: Snapshots) -> tuple[Sequence[Export], list[str]]:
    try:
        return snapshots.exports(), []
    except RightMissing as error:
        return (), [f"exports are not in it: {error.message}"]
