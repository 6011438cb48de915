"""The bill of an environment on RDS: the guide's model, the estimate, and what they never do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handrail.retention.bill import Amount, Bill, Line, Region, Shelf, bill_of, held_by, shelf_lines, unpriced_text
from handrail.retention.prices import GUIDE, TABLES, Rates, StorageClass, rates_of
from handrail.snapshots.export import Export
from handrail.snapshots.instance import Instance
from handrail.snapshots.snapshot import Snapshot, SnapshotKind
from support.hosted import BEGUN, REGION, SETTINGS, an_instance, arn

NOW = BEGUN + timedelta(days=30)
PROD = an_instance()


def snapshot(
    name: str, days: float, size: int = 100, kind: SnapshotKind = SnapshotKind.MANUAL, of: Instance = PROD
) -> Snapshot:
    """One that was taken so many days after the first."""
    return Snapshot(
        id=name,
        arn=arn("snapshot", name),
        instance=of.id,
        kind=kind,
        status="available",
        created_at=BEGUN + timedelta(days=days),
        size_gb=size,
        resource_id=of.resource_id,
    )


def bill(
    snapshots: Iterable[Snapshot],
    instances: tuple[Instance, ...] = (PROD,),
    exports: tuple[Export, ...] = (),
    rates: Rates = GUIDE,
) -> Bill:
    return bill_of(Region(REGION, instances, tuple(snapshots), exports), PROD, rates, now=NOW)


def manual(number: int = 3) -> list[Snapshot]:
    return [snapshot(f"m{day}", day) for day in range(number)]


def test_the_guides_example_is_28_50() -> None:
    found = bill([*manual(), snapshot("a", 3, kind=SnapshotKind.AUTOMATED)])
    assert found.most == 28.5
    assert [(line.what, line.number, line.most) for line in found.lines] == [
        ("automated backups", 1, Amount(100.0, 0.0)),
        ("manual snapshots", 3, Amount(300.0, 28.5)),
    ]
    assert found.kept_in == {StorageClass.STANDARD: 7.5, StorageClass.GLACIER: 1.2}


@pytest.mark.parametrize(
    ("storage", "change", "gb", "usd"),
    [(100, 0.05, 110, 0.95), (100, 1.0, 300, 19.0), (0, 1.0, 300, 28.5), (300, 1.0, 300, 0.0)],
    ids=["shared blocks", "no shared block", "no allowance", "all within the allowance"],
)
def test_the_estimate_counts_changes_less_the_allowance(storage: int, change: float, gb: float, usd: float) -> None:
    """Three snapshots a day apart; the first line is the guide's example as AWS would bill it."""
    prod = replace(PROD, settings=replace(SETTINGS, storage_gb=storage))
    found = bill_of(Region(REGION, (prod,), manual()), prod, GUIDE, now=NOW, change=change)
    (line,) = found.lines
    assert (round(line.likely.gb, 9), round(found.likely, 9)) == (gb, usd)
    assert (found.most, found.allowance) == (28.5, storage)


def test_blocks_that_change_again_count_once_between_two_snapshots() -> None:
    held = held_by([snapshot("b", 30), snapshot("a", 0)], now=NOW)
    assert held == {arn("snapshot", "a"): 100.0, arn("snapshot", "b"): pytest.approx(100 * (1 - 0.95**30))}


def test_an_instance_that_needs_less_leaves_its_allowance_to_the_others() -> None:
    """AWS's own example: 50 GB and 75 GB of backups, 100 GB of storage, 25 GB are billed."""
    small = replace(an_instance("small"), settings=replace(SETTINGS, storage_gb=60))
    prod = replace(PROD, settings=replace(SETTINGS, storage_gb=40))
    region = Region(REGION, (prod, small), (snapshot("p", 0, 75, of=prod), snapshot("s", 0, 50, of=small)))
    found = [bill_of(region, one, GUIDE, now=NOW).likely for one in (prod, small)]
    assert found == [pytest.approx(25 * 0.095), 0.0]


def test_a_stopped_instance_brings_no_allowance() -> None:
    stopped = replace(PROD, status="stopped")
    found = bill_of(
        Region(REGION, (stopped,), [snapshot("a", 0, kind=SnapshotKind.AUTOMATED)]), stopped, GUIDE, now=NOW
    )
    assert (found.most, found.likely, found.allowance) == (9.5, 9.5, 0.0)


def test_what_is_left_of_deleted_instances_is_beside_the_sum_and_never_free() -> None:
    """Also of one whose name another one has now; a rename changes nothing."""
    old = replace(PROD, resource_id="db-OLD")
    renamed = replace(PROD, id="shop-before")
    gone = [snapshot("x", 0, of=an_instance("lost")), snapshot("y", 0, 40, of=old), snapshot("z", 1, of=renamed)]
    found = bill(gone)
    assert [(line.what, line.number) for line in found.lines] == [("manual snapshots", 1)]
    assert found.elsewhere == (
        Line("snapshots of lost, which is gone", REGION, 1, Amount(100.0, 9.5), Amount(100.0, 9.5)),
        Line("snapshots of shop-prod, which is gone", REGION, 1, Amount(40.0, 3.8), Amount(40.0, 3.8)),
    )
    assert (found.most, found.likely) == (9.5, 0.0)


def test_what_others_pay_and_what_is_lost_is_not_counted() -> None:
    others = [snapshot(kind, 0, kind=kind) for kind in (SnapshotKind.SHARED, SnapshotKind.PUBLIC)]
    lost = [replace(snapshot(status, 0), status=status) for status in ("failed", "deleting", "deleted")]
    assert bill([*others, *lost]) == Bill((), allowance=100.0)


def test_a_snapshot_that_is_still_made_counts_as_taken_now() -> None:
    making = replace(snapshot("n", 0), status="creating", created_at=None)
    held = held_by([making, snapshot("a", 29)], now=NOW)
    assert held == {arn("snapshot", "a"): 100.0, arn("snapshot", "n"): pytest.approx(5.0)}


def test_what_was_written_counts_where_rds_says_it() -> None:
    (line,) = bill([replace(snapshot("a", 0), full_size=30 * 2**30)]).lines
    assert line.most == Amount(30.0, 30 * 0.095)


def test_exports_lie_in_a_bucket_and_cost_once_more() -> None:
    def export(id_: str, of: str, status: str = "COMPLETE") -> Export:
        return Export(id_, arn("snapshot", of), status, bucket="archive", size_gb=40)

    exports = (export("e1", "m0"), export("e2", "m0", "FAILED"), export("e3", "gone"))
    rates = rates_of("us-east-1")
    found = bill(manual(1), exports=exports, rates=rates)
    kept = Amount(40.0, 40 * 0.023)
    assert found.lines[1:] == (Line("exports (Parquet)", "s3://archive", 1, kept, kept),)
    assert found.elsewhere == (Line("exports of snapshots that are gone", "s3://archive", 1, kept, kept),)
    assert found.exporting == 1.0


def test_no_price_is_made_up() -> None:
    found = bill(manual(1), rates=Rates())
    assert [line.most for line in found.lines] == [Amount(100.0, None)]
    assert (found.most, found.kept_in, found.exporting) == (0.0, {}, None)
    assert unpriced_text(found.unpriced) == "no price is known for 1 item in shop-prod"
    assert unpriced_text(()) == ""


def test_stores_are_priced_by_a_thousand_million_bytes() -> None:
    amount = Amount(2.0, 2 * 0.023)
    assert shelf_lines([Shelf("s3://b", 4, 2_000_000_000, 0.023)]) == (
        Line("backups in the store", "s3://b", 4, amount, amount),
    )


def test_configured_prices_go_before_the_table_and_the_table_before_the_guide() -> None:
    own = Rates(0.1, None, {StorageClass.GLACIER: 0.005}, "2026-11-28")
    assert rates_of("eu-west-9") == GUIDE
    assert rates_of("us-east-1") == TABLES["us-east-1"]
    assert rates_of("eu-west-9", own) == Rates(
        0.1,
        None,
        {StorageClass.STANDARD: 0.025, StorageClass.GLACIER: 0.005},
        "2026-11-28",
        "the configuration, else the practice guide of 2026-02-18",
    )


MADE = st.builds(
    snapshot,
    st.uuids().map(lambda one: f"s-{one}"),
    st.floats(0, 400),
    st.integers(0, 2000),
    st.sampled_from(list(SnapshotKind)),
    st.sampled_from([PROD, an_instance("other"), an_instance("lost")]),
)


@given(st.lists(MADE, max_size=12), st.integers(0, 5000), st.floats(0, 1), st.sampled_from(["available", "stopped"]))
def test_the_estimate_is_never_above_the_bound(made: list[Snapshot], other: int, change: float, status: str) -> None:
    prod = replace(PROD, status=status)
    neighbour = replace(an_instance("other"), settings=replace(SETTINGS, storage_gb=other))
    region = Region(REGION, (prod, neighbour), made)
    found = bill_of(region, prod, GUIDE, now=NOW, change=change)
    assert 0 <= found.likely <= found.most + 1e-6
    assert all(line.likely.gb <= line.most.gb + 1e-6 for line in (*found.lines, *found.elsewhere))
    assert found == bill_of(replace(region, snapshots=made[::-1]), prod, GUIDE, now=NOW, change=change)
