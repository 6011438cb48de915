"""RDS in memory: the contract `Snapshots` without a server, with the moves of states that a test asks for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from handrail.databases.snapshots import NameTaken, NotThere, QuotaReached, SnapshotError, WrongState, require_single
from handrail.snapshots.export import Export, ExportRequest
from handrail.snapshots.identifiers import check_instance_name, check_snapshot_name
from handrail.snapshots.instance import Instance, InstanceSettings, Quota, RecoveryWindow
from handrail.snapshots.snapshot import Label, Snapshot, SnapshotKind, read_label

REGION = "ap-northeast-2"
BEGUN = datetime(2026, 2, 18, 6, 25, 1, tzinfo=UTC)
SETTINGS = InstanceSettings(
    instance_class="db.t4g.medium",
    parameter_group="shop-pg18",
    option_group="default:postgres-18",
    security_groups=("sg-0a1b2c3d",),
    subnet_group="private",
    port=5432,
    storage_gb=100,
    storage_type="gp3",
    max_storage_gb=500,
    is_multi_az=True,
    has_iam_auth=True,
    is_deletion_protected=True,
    copies_tags=True,
    retention_days=7,
    backup_window="03:00-04:00",
    maintenance_window="sun:05:00-sun:06:00",
    tags={"team": "shop"},
)


def arn(kind: str, name: str) -> str:
    return f"arn:aws:rds:{REGION}:123456789012:{kind}:{name}"


def an_instance(name: str = "shop-prod", status: str = "available") -> Instance:
    return Instance(
        id=name,
        arn=arn("db", name),
        region=REGION,
        status=status,
        engine="postgres",
        engine_version="18.1",
        settings=SETTINGS,
        resource_id=f"db-{name.upper()}",
        host=f"{name}.abc.{REGION}.rds.amazonaws.com",
        port=5432,
        user="shop",
        database="shop",
        is_encrypted=True,
        latest_restorable=BEGUN,
        created_at=BEGUN - timedelta(days=30),
    )


@dataclass
class HostedInMemory:
    """Every look at what is being made moves it one state on: `steps` are those of a snapshot, `making` of an instance.
    `broken` raises an error once when its verb is called."""

    region: str = REGION
    steps: tuple[tuple[str, int | None], ...] = (("creating", 0), ("creating", 40), ("available", 100))
    making: tuple[str, ...] = ("creating", "backing-up", "available")
    limit: int = 100
    there: dict[str, Instance] = field(default_factory=lambda: {"shop-prod": an_instance()})
    kept: dict[str, Snapshot] = field(default_factory=dict)
    started: dict[str, Export] = field(default_factory=dict)
    allowed: dict[str, bool | None] = field(default_factory=dict)
    broken: dict[str, SnapshotError] = field(default_factory=dict)
    looks: Counter[str] = field(default_factory=Counter)
    calls: list[str] = field(default_factory=list)

    def _called(self, verb: str, name: str = "") -> None:
        self.calls.append(f"{verb} {name}".strip())
        if verb in self.broken:
            raise self.broken.pop(verb)

    def instance(self, name: str) -> Instance:
        self._called("instance", name)
        found = self.there.get(name.lower())
        if found is None:
            raise not_there("instance", name)
        if found.status in self.making[:-1]:
            self.looks[found.arn] += 1
            status = self.making[min(self.looks[found.arn], len(self.making) - 1)]
            found = self.there[found.id] = replace(found, status=status)
        return found

    def instances(self) -> tuple[Instance, ...]:
        self._called("instances")
        return tuple(self.there.values())

    def snapshot(self, name: str) -> Snapshot:
        self._called("snapshot", name)
        found = self.kept.get(name.lower())
        if found is None:
            raise not_there("snapshot", name)
        if found.status == "creating":
            self.looks[found.arn] += 1
            status, percent = self.steps[min(self.looks[found.arn], len(self.steps) - 1)]
            at = BEGUN if status == "available" else None
            found = self.kept[found.id] = replace(found, status=status, percent=percent, created_at=at)
        return found

    def snapshots(self, instance: str = "") -> tuple[Snapshot, ...]:
        self._called("snapshots", instance)
        return tuple(one for one in self.kept.values() if instance in ("", one.instance))

    def window(self, instance: str) -> RecoveryWindow | None:
        self._called("window", instance)
        found = self.instance(instance)
        if not found.settings.retention_days or found.latest_restorable is None:
            return None
        return RecoveryWindow(found.latest_restorable - timedelta(days=7), found.latest_restorable)

    def retained(self, resource_id: str) -> tuple[Instance, RecoveryWindow | None]:
        self._called("retained", resource_id)
        found = next((one for one in self.there.values() if one.resource_id == resource_id), None)
        if found is None:
            raise not_there("resource id", resource_id)
        return found, self.window(found.id)

    def quota(self) -> Quota:
        self._called("quota")
        return Quota(sum(one.kind is SnapshotKind.MANUAL for one in self.kept.values()), self.limit)

    def rights(self, actions: tuple[str, ...], resources: tuple[str, ...] = ()) -> Mapping[str, bool | None]:
        self._called("rights")
        return {action: self.allowed.get(action) for action in actions}

    def take(self, name: str, instance: str, label: Label) -> Snapshot:
        self._called("take", name)
        name = check_snapshot_name(name)
        if name in self.kept:
            _require_own(name, self.kept[name].tags, label)
            return self.kept[name]
        source = require_single(self.instance(instance))
        if not source.is_available:
            raise WrongState(f"no snapshot of {instance} can be taken now", why=f"its state is {source.status}")
        quota = self.quota()
        if not quota.free:
            raise QuotaReached("the region holds as many manual snapshots as it may", why=f"{quota.used}")
        status, percent = self.steps[0]
        made = Snapshot(
            id=name,
            arn=arn("snapshot", name),
            instance=instance,
            kind=SnapshotKind.MANUAL,
            status=status,
            region=self.region,
            percent=percent,
            created_at=BEGUN if status == "available" else None,
            size_gb=source.settings.storage_gb or 0,
            full_size=3 << 30,
            engine_version=source.engine_version,
            is_encrypted=source.is_encrypted,
            resource_id=source.resource_id,
            tags=label.tags(),
        )
        self.kept[name] = made
        return made

    def relabel(self, snapshot: Snapshot, label: Label) -> None:
        self._called("relabel", snapshot.id)
        foreign = {key: value for key, value in snapshot.tags.items() if not key.startswith("handrail:")}
        self.kept[snapshot.id] = replace(self.kept[snapshot.id], tags=foreign | label.tags())

    def delete(self, name: str) -> None:
        self._called("delete", name)
        found = self.kept.get(name)
        if found is None:
            return
        if found.kind is not SnapshotKind.MANUAL or found.label is None:
            raise SnapshotError(
                f"the snapshot {name} is not deleted", why="its tags do not say that handrail manages it"
            )
        del self.kept[name]

    def restore(self, snapshot: str, name: str, settings: InstanceSettings, label: Label) -> Instance:
        self._called("restore", f"{snapshot} {name}")
        return self._new(name, self.snapshot(snapshot).instance, settings, label)

    def restore_moment(
        self, source: Instance, moment: datetime | None, name: str, settings: InstanceSettings, label: Label
    ) -> Instance:
        self._called("restore_moment", f"{source.id} {name}")
        return self._new(name, source.id, settings, label)

    def _new(self, name: str, source: str, settings: InstanceSettings, label: Label) -> Instance:
        name = check_instance_name(name)
        if name in self.there:
            _require_own(name, self.there[name].settings.tags, label)
            return self.there[name]
        tags = {**settings.tags, **label.tags()}
        made = replace(an_instance(name, self.making[0]), settings=replace(settings, tags=tags))
        self.there[name] = replace(made, database=self.there[source].database if source in self.there else "shop")
        return self.there[name]

    def settle(self, name: str, settings: InstanceSettings) -> tuple[str, ...]:
        self._called("settle", name)
        found = self.instance(name)
        wanted = replace(settings, tags=found.settings.tags)
        self.there[name] = replace(found, settings=wanted)
        return () if found.settings == wanted else ("its settings",)

    def rename(self, name: str, to: str) -> Instance:
        self._called("rename", f"{name} {to}")
        found = self.instance(name)
        if to in self.there:
            raise NameTaken(f"the name {to} is taken")
        del self.there[name]
        self.there[to] = replace(found, id=to, arn=arn("db", to), host=f"{to}.abc.{REGION}.rds.amazonaws.com")
        return self.there[to]

    def set_automated(self, name: str, *, retention_days: int, window: str) -> Instance:
        self._called("set_automated", name)
        found = self.instance(name)
        settings = replace(found.settings, retention_days=retention_days, backup_window=window)
        self.there[name] = replace(found, settings=settings)
        return self.there[name]

    def drop_instance(self, name: str) -> None:
        self._called("drop_instance", name)
        found = self.there.get(name)
        if found is None:
            return
        label = read_label(found.settings.tags)
        if label is None or not label.is_temporary:
            raise SnapshotError(
                f"the instance {name} is not dropped",
                why="its tags do not say that it is a temporary one of handrail's",
                hint=f"if nobody needs it: aws rds delete-db-instance --db-instance-identifier {name}",
            )
        del self.there[name]

    def export(self, request: ExportRequest) -> Export:
        self._called("export", request.id)
        made = Export(request.id, request.snapshot_arn, "STARTING", request.bucket, request.prefix, 0)
        self.started[request.id] = made
        return made

    def exports(self, source_arn: str = "") -> tuple[Export, ...]:
        self._called("exports", source_arn)
        return tuple(one for one in self.started.values() if source_arn in ("", one.snapshot_arn))


def not_there(kind: str, name: str) -> NotThere:
    return NotThere(f"there is no {kind} {name} in {REGION}", hint="handrail rds list")


def _require_own(name: str, tags: Mapping[str, str], label: Label) -> None:
    own = read_label(tags)
    if own is None or own.run_id != label.run_id:
        raise NameTaken(f"the name {name} is taken")


@dataclass
class Time:
    """A clock that only sleeping moves."""

    now: float = 0.0
    slept: list[float] = field(default_factory=list)

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
