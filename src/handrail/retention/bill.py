"""What the backups of an environment cost a month: RDS's by two models, those in stores, and exports.

*At most* is the practice guide's model: every snapshot is billed whole, automated backups beyond the size of the
database. The *estimate* is nearer to the bill: snapshots of one instance share what did not change between them, and
the region's running instances bring an allowance as large as their storage, which all its backups share.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from handrail.amounts import count
from handrail.retention.prices import Rates, StorageClass
from handrail.snapshots.export import Export
from handrail.snapshots.instance import Instance
from handrail.snapshots.snapshot import Snapshot, SnapshotKind

#: Which share of the blocks is written anew in a day, where nobody knows better.
DAILY_CHANGE: Final = 0.05
_GIB: Final = 2**30
_DAY: Final = timedelta(days=1)
#: Nothing is kept, so nothing is billed.
_LOST: Final = ("failed", "deleting", "deleted")
_IDLE: Final = ("stopped", "stopping", "deleting", "failed", "creating")
_OURS: Final = {
    SnapshotKind.AUTOMATED: "automated backups",
    SnapshotKind.MANUAL: "manual snapshots",
    SnapshotKind.AWS_BACKUP: "snapshots of AWS Backup",
}


@dataclass(frozen=True, slots=True)
class Amount:
    """So many GB, and what they cost a month in US dollars; None: no price is known."""

    gb: float
    usd: float | None


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a bill: `number` things of one kind, where they lie, and both models' answers."""

    what: str
    place: str
    number: int
    most: Amount
    likely: Amount


@dataclass(frozen=True, slots=True)
class Bill:
    """`lines` are the environment's; `elsewhere` what the region holds that belongs to no living instance. `allowance`
    is in GB, for the whole region. `kept_in` says what the manual snapshots' data would cost in each class of S3."""

    lines: tuple[Line, ...]
    elsewhere: tuple[Line, ...] = ()
    allowance: float = 0.0
    exporting: float | None = None
    kept_in: Mapping[StorageClass, float] = field(default_factory=dict)

    @property
    def most(self) -> float:
        return sum(line.most.usd or 0.0 for line in self.lines)

    @property
    def likely(self) -> float:
        return sum(line.likely.usd or 0.0 for line in self.lines)

    @property
    def unpriced(self) -> tuple[Line, ...]:
        return tuple(line for line in (*self.lines, *self.elsewhere) if line.most.usd is None)


@dataclass(frozen=True, slots=True)
class Region:
    """What one account has in one region."""

    name: str
    instances: Sequence[Instance]
    snapshots: Sequence[Snapshot]
    exports: Sequence[Export] = ()


def bill_of(region: Region, instance: Instance, rates: Rates, *, now: datetime, change: float = DAILY_CHANGE) -> Bill:
    """What RDS bills for the backups of an instance, and for what nobody owns any more."""
    snapshots = sorted(region.snapshots, key=lambda one: one.arn)
    kept = [one for one in snapshots if one.kind in _OURS and one.status not in _LOST]
    held = held_by(kept, now=now, change=change)
    own = [one for one in kept if _is_of(one, instance)]
    gone = [one for one in kept if not any(_is_of(one, living) for living in region.instances)]
    billed = _billed_share(instance, region.instances, kept, held)
    lines = [_line(kind, own, instance, rates, held, billed) for kind in _OURS if any(one.kind is kind for one in own)]
    manual = sum(size_of(one) for one in own if one.kind is SnapshotKind.MANUAL)
    ours, orphans = _exports(region, own)
    return Bill(
        lines=(*lines, *_export_lines(ours, region.name, rates, "exports (Parquet)")),
        elsewhere=(
            *_gone(gone, rates, held, region.name),
            *_export_lines(orphans, region.name, rates, "exports of snapshots that are gone"),
        ),
        allowance=sum(map(allowance_of, region.instances)),
        exporting=None if rates.export is None or not manual else manual * rates.export,
        kept_in={one: manual * price for one, price in rates.classes.items()} if manual else {},
    )


def held_by(snapshots: Iterable[Snapshot], *, now: datetime, change: float = DAILY_CHANGE) -> dict[str, float]:
    """How many GB each snapshot adds, by ARN: the oldest of an instance is whole, a later one holds what was written
    since the one before it. A block that is written again and again counts once: in d days 1 - (1 - change)^d."""
    chains: dict[str, list[Snapshot]] = defaultdict(list)
    for one in snapshots:
        chains[one.resource_id or one.instance].append(one)
    held = {}
    for chain in chains.values():
        before: datetime | None = None
        for one in sorted(chain, key=lambda one: (one.created_at or now, one.arn)):
            at = one.created_at or now
            share = 1.0 if before is None else 1.0 - (1.0 - change) ** ((at - before) / _DAY)
            held[one.arn] = size_of(one) * share
            before = at
    return held


def allowance_of(instance: Instance) -> float:
    """The GB of backups that an instance brings for nothing: as much as its storage while it runs."""
    return 0.0 if instance.status in _IDLE else float(instance.settings.storage_gb or 0)


def _billed_share(
    instance: Instance, instances: Sequence[Instance], kept: Sequence[Snapshot], held: Mapping[str, float]
) -> float:
    """Which share of what an instance's backups hold is billed. Each has its own allowance first; what one leaves of
    it is shared among those that need more, by how much more."""
    filled = {one.arn: sum(held[snapshot.arn] for snapshot in kept if _is_of(snapshot, one)) for one in instances}
    beyond = {one.arn: max(0.0, filled[one.arn] - allowance_of(one)) for one in instances}
    own = filled.get(instance.arn, 0.0)
    if not own or not sum(beyond.values()):
        return 0.0
    billed = max(0.0, sum(filled.values()) - sum(map(allowance_of, instances)))
    return beyond[instance.arn] / own * billed / sum(beyond.values())


def size_of(snapshot: Snapshot) -> float:
    """Its GB at most: the bytes that were written, where RDS says it, else the storage of the instance."""
    return snapshot.full_size / _GIB if snapshot.full_size is not None else float(snapshot.size_gb)


def priced(gb: float, rate: float | None) -> Amount:
    return Amount(gb, None if rate is None else gb * rate)


def _is_of(snapshot: Snapshot, instance: Instance) -> bool:
    """By the resource id, which a rename leaves; a new instance of an old name is another one."""
    if snapshot.resource_id and instance.resource_id:
        return snapshot.resource_id == instance.resource_id
    return snapshot.instance == instance.id


def _line(
    kind: SnapshotKind,
    own: Iterable[Snapshot],
    instance: Instance,
    rates: Rates,
    held: Mapping[str, float],
    billed: float,
) -> Line:
    those = [one for one in own if one.kind is kind]
    whole = sum(size_of(one) for one in those)
    free = allowance_of(instance) if kind is SnapshotKind.AUTOMATED else 0.0
    likely = sum(held[one.arn] for one in those)
    return Line(
        _OURS[kind],
        instance.id,
        len(those),
        Amount(whole, priced(max(0.0, whole - free), rates.snapshot).usd),
        Amount(likely, priced(likely * billed, rates.snapshot).usd),
    )


def _gone(gone: Sequence[Snapshot], rates: Rates, held: Mapping[str, float], region: str) -> Iterable[Line]:
    """Snapshots of instances that were deleted: nothing of them is free."""
    by_instance: dict[str, list[Snapshot]] = defaultdict(list)
    for one in gone:
        by_instance[one.instance].append(one)
    for name, those in sorted(by_instance.items()):
        yield Line(
            f"snapshots of {name}, which is gone",
            region,
            len(those),
            priced(sum(size_of(one) for one in those), rates.snapshot),
            priced(sum(held[one.arn] for one in those), rates.snapshot),
        )


def _exports(region: Region, own: Iterable[Snapshot]) -> tuple[list[Export], list[Export]]:
    """Those of these snapshots, and those whose snapshot is gone. What failed or was cancelled may have left data, of
    which RDS says nothing."""
    mine, all_of_them = {one.arn for one in own}, {one.arn for one in region.snapshots}
    whole = [one for one in region.exports if one.status == "COMPLETE"]
    return (
        [one for one in whole if one.snapshot_arn in mine],
        [one for one in whole if one.snapshot_arn not in all_of_them],
    )


def _export_lines(exports: Iterable[Export], region: str, rates: Rates, what: str) -> Iterable[Line]:
    buckets: dict[str, list[Export]] = defaultdict(list)
    for one in exports:
        buckets[one.bucket].append(one)
    for bucket, those in sorted(buckets.items()):
        amount = priced(float(sum(one.size_gb or 0 for one in those)), rates.classes.get(StorageClass.STANDARD))
        yield Line(what, f"s3://{bucket}" if bucket else region, len(those), amount, amount)


@dataclass(frozen=True, slots=True)
class Shelf:
    """What one store holds of an environment's backups: how many, their bytes, a GB's price in US dollars."""

    place: str
    backups: int
    size: int
    rate: float | None


def shelf_lines(shelves: Iterable[Shelf]) -> tuple[Line, ...]:
    """A line for each store. A GB is 10^9 bytes, as in `backup cost`."""
    amounts = [(one, priced(one.size / 1e9, one.rate)) for one in shelves]
    return tuple(Line("backups in the store", one.place, one.backups, amount, amount) for one, amount in amounts)


def unpriced_text(lines: Iterable[Line]) -> str:
    """Which lines no price is known for, in words; "" when there is none."""
    names = [f"{count(line.number, 'item')} in {line.place}" for line in lines]
    return f"no price is known for {', '.join(names)}" if names else ""
