"""What every implementation of `Snapshots` promises: RDS over the laboratory, and the one in memory for other tests."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest

from handrail.databases.rds.client import Account, Clients
from handrail.databases.rds.snapshots import RdsSnapshots
from handrail.databases.snapshots import NameTaken, NotThere, OfACluster, SnapshotError, Snapshots
from handrail.databases.waiting import Patience, settle, wait_for_instance, wait_for_snapshot, wait_until_gone
from handrail.errors import UsageError
from handrail.snapshots.instance import InstanceSettings
from handrail.snapshots.snapshot import Label, SnapshotKind, Tier
from support.hosted import HostedInMemory, Time, an_instance
from support.laboratory import TestLaboratory

LABEL = Label("20260218_062501_9f3a2c", "production", ("a1b2",), ("c3d4",), "0f3e9a", Tier.PRE_MIGRATION)
ONLY_NEWEST_SERVER = True


@dataclass
class Host:
    """An implementation, with the instance `live`, which is available."""

    snapshots: Snapshots
    live: str
    patience: Patience
    prefix: str
    memory: HostedInMemory | None = None
    laboratory: TestLaboratory | None = None

    def name(self, what: str) -> str:
        return f"{self.prefix}-{what}"

    def taken(self, what: str, label: Label = LABEL) -> str:
        name = self.name(what)
        self.snapshots.take(name, self.live, label)
        wait_for_snapshot(self.snapshots, name, self.patience)
        return name

    def member_of_a_cluster(self) -> str:
        name = self.name("member")
        if self.memory is not None:
            self.memory.there[name] = replace(an_instance(name), cluster="aurora-1", engine="aurora-postgresql")
        if self.laboratory is not None:
            settings = {"Engine": "aurora-postgresql", "DBClusterIdentifier": "aurora-1"}
            self.laboratory.faults.seed(instances=[{"identifier": name}])
            self.laboratory.faults.change_instance(name, settings=settings)
        return name


def adapter(laboratory: TestLaboratory, monkeypatch: pytest.MonkeyPatch, attempts: int = 10) -> RdsSnapshots:
    for name, value in laboratory.environ.items():
        monkeypatch.setenv(name, value)
    return RdsSnapshots(Clients(Account(laboratory.environ["AWS_REGION"]), attempts=attempts))


@pytest.fixture(scope="module")
def live(laboratory: TestLaboratory) -> str:
    laboratory.create("suite", AllocatedStorage=30, BackupRetentionPeriod=7, Tags=[{"Key": "team", "Value": "shop"}])
    return "suite"


@pytest.fixture(params=["memory", "rds"])
def host(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    prefix = f"t{abs(hash(request.node.name)) % 10**8}"
    if request.param == "memory":
        hosted, clock = HostedInMemory(), Time()
        yield Host(hosted, "shop-prod", Patience(clock.clock, clock.sleep, 600.0), prefix, memory=hosted)
        return
    laboratory: TestLaboratory = request.getfixturevalue("laboratory")
    live = request.getfixturevalue("live")
    patience = Patience(time.monotonic, lambda seconds: time.sleep(min(seconds, 0.1)), 60.0, grace=2.0)
    yield Host(adapter(laboratory, monkeypatch), live, patience, prefix, laboratory=laboratory)
    laboratory.faults.clear()


def test_an_instance_is_described(host: Host) -> None:
    found = host.snapshots.instance(host.live)
    assert (found.id, found.region, found.is_available) == (host.live, host.snapshots.region, True)
    assert found.host
    assert found.port
    assert found.settings.retention_days == 7
    assert found.settings.tags == {"team": "shop"}
    assert found.id in {one.id for one in host.snapshots.instances()}


def test_what_is_not_there(host: Host) -> None:
    with pytest.raises(NotThere):
        host.snapshots.instance("nobody-has-it")
    with pytest.raises(NotThere):
        host.snapshots.snapshot("nobody-has-it")
    with pytest.raises(NotThere):
        host.snapshots.take(host.name("s"), "nobody-has-it", LABEL)
    with pytest.raises(NotThere):
        host.snapshots.restore("nobody-has-it", host.name("new"), InstanceSettings(), LABEL)
    host.snapshots.delete("nobody-has-it")
    host.snapshots.drop_instance("nobody-has-it")


def test_a_snapshot_is_taken_with_its_label(host: Host) -> None:
    first = host.snapshots.take(host.name("Labelled"), host.live, LABEL)
    assert (first.id, first.kind, first.instance) == (host.name("labelled"), SnapshotKind.MANUAL, host.live)
    found = wait_for_snapshot(host.snapshots, first.id, host.patience)
    assert found.label == LABEL
    assert found.tier is Tier.PRE_MIGRATION
    assert found.created_at is not None
    assert found.created_at.tzinfo is not None
    assert found.resource_id == host.snapshots.instance(host.live).resource_id
    assert found.id in {one.id for one in host.snapshots.snapshots(host.live)}
    assert found.id in {one.id for one in host.snapshots.snapshots()}
    assert found.id not in {one.id for one in host.snapshots.snapshots("nobody-has-it")}


def test_what_this_run_took_already_is_adopted(host: Host) -> None:
    name = host.taken("twice")
    assert host.snapshots.take(name, host.live, LABEL).id == name
    with pytest.raises(NameTaken):
        host.snapshots.take(name, host.live, replace(LABEL, run_id="another"))


def test_a_name_that_aws_would_refuse(host: Host) -> None:
    with pytest.raises(UsageError):
        host.snapshots.take("two--hyphens", host.live, LABEL)


def test_a_label_is_replaced(host: Host) -> None:
    name = host.taken("label")
    host.snapshots.relabel(host.snapshots.snapshot(name), Label("r9", tier=Tier.YEARLY, is_pinned=True))
    assert host.snapshots.snapshot(name).label == Label("r9", tier=Tier.YEARLY, is_pinned=True)


def test_only_what_handrail_manages_is_deleted(host: Host) -> None:
    name = host.taken("own")
    host.snapshots.delete(name)
    host.snapshots.delete(name)
    assert name not in {one.id for one in host.snapshots.snapshots() if one.status != "deleting"}
    foreign = host.name("foreign")
    if host.memory is not None:
        host.memory.kept[foreign] = replace(host.memory.take(foreign, host.live, LABEL), tags={})
    if host.laboratory is not None:
        host.laboratory.client("rds").create_db_snapshot(DBSnapshotIdentifier=foreign, DBInstanceIdentifier=host.live)
    wait_for_snapshot(host.snapshots, foreign, host.patience)
    with pytest.raises(SnapshotError) as caught:
        host.snapshots.delete(foreign)
    assert caught.value.message == f"the snapshot {foreign} is not deleted"
    assert caught.value.why == "its tags do not say that handrail manages it"
    assert host.snapshots.snapshot(foreign).is_available


def test_a_temporary_instance_comes_and_goes(host: Host) -> None:
    name, snapshot = host.name("temp"), host.taken("source")
    label = replace(LABEL, is_temporary=True)
    settings = replace(
        host.snapshots.instance(host.live).settings, retention_days=0, is_multi_az=False, is_deletion_protected=False
    )
    assert host.snapshots.restore(snapshot, name, settings, label).id == name
    assert host.snapshots.restore(snapshot, name, settings, label).id == name
    with pytest.raises(NameTaken):
        host.snapshots.restore(snapshot, name, settings, replace(label, run_id="another"))
    found = wait_for_instance(host.snapshots, name, host.patience)
    assert found.settings.tags == {"team": "shop", **label.tags()}
    assert found.settings.retention_days == 0
    host.snapshots.drop_instance(name)
    wait_until_gone(host.snapshots, name, host.patience)


def test_an_instance_that_is_not_temporary_is_not_dropped(host: Host) -> None:
    with pytest.raises(SnapshotError) as caught:
        host.snapshots.drop_instance(host.live)
    assert caught.value.message == f"the instance {host.live} is not dropped"
    assert caught.value.why == "its tags do not say that it is a temporary one of handrail's"
    assert caught.value.hint == f"if nobody needs it: aws rds delete-db-instance --db-instance-identifier {host.live}"
    assert host.snapshots.instance(host.live).is_available


def test_a_restored_instance_gets_its_settings_and_its_name(host: Host) -> None:
    name, snapshot = host.name("new"), host.taken("settings")
    wanted = replace(
        host.snapshots.instance(host.live).settings,
        max_storage_gb=100,
        maintenance_window="tue:05:00-tue:06:00",
        is_deletion_protected=True,
        has_iam_auth=True,
        retention_days=3,
        backup_window="01:00-02:00",
    )
    host.snapshots.restore(snapshot, name, wanted, LABEL)
    wait_for_instance(host.snapshots, name, host.patience)
    settle(host.snapshots, name, wanted, host.patience)
    found = host.snapshots.instance(name)
    assert replace(found.settings, tags={}, port=None) == replace(wanted, tags={}, port=None)
    renamed = host.snapshots.rename(name, host.name("other"))
    assert renamed.resource_id == found.resource_id
    found = wait_for_instance(host.snapshots, host.name("other"), host.patience)
    assert (found.id, found.resource_id) == (host.name("other"), renamed.resource_id)


def test_automated_backups_are_changed(host: Host) -> None:
    host.snapshots.set_automated(host.live, retention_days=7, window="02:00-03:00")
    end = time.monotonic() + 30
    while host.snapshots.instance(host.live).settings.backup_window != "02:00-03:00" and time.monotonic() < end:
        time.sleep(0.05)
    found = wait_for_instance(host.snapshots, host.live, host.patience)
    assert (found.settings.retention_days, found.settings.backup_window) == (7, "02:00-03:00")


def test_a_member_of_a_cluster_is_refused(host: Host) -> None:
    name = host.member_of_a_cluster()
    with pytest.raises(OfACluster) as caught:
        host.snapshots.take(host.name("s"), name, LABEL)
    assert caught.value.message == f"the instance {name} is of the cluster aurora-1, which handrail does not handle"
    assert caught.value.hint == (
        "remove `rds` from the environment: dumps and base backups need no RDS; or name an instance of RDS for PostgreSQL"
    )


def test_the_window_and_the_quota(host: Host) -> None:
    window = host.snapshots.window(host.live)
    assert window is not None
    assert window.earliest <= window.latest <= datetime.now(UTC) + timedelta(days=1)
    before = host.snapshots.quota()
    host.taken("counted")
    assert host.snapshots.quota() == replace(before, used=before.used + 1)


def test_rights_that_cannot_be_told(host: Host) -> None:
    assert host.snapshots.rights(("rds:CreateDBSnapshot",)) == {"rds:CreateDBSnapshot": None}
