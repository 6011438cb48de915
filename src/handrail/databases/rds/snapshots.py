"""Amazon RDS as the contract `Snapshots`: the instances and snapshots of one account and region."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any, TypeVar

from handrail.databases.rds import reading
from handrail.databases.rds.client import Clients
from handrail.databases.rds.failures import Asked
from handrail.databases.rds.restoring import changes, restore_parameters, tag_list
from handrail.databases.rds.rights import simulated
from handrail.databases.snapshots import NameTaken, NotThere, SnapshotError, WrongState, require_single
from handrail.snapshots.export import Export, ExportRequest
from handrail.snapshots.identifiers import check_instance_name, check_snapshot_name
from handrail.snapshots.instance import Instance, InstanceSettings, Quota, RecoveryWindow
from handrail.snapshots.snapshot import PREFIX, Label, Snapshot, SnapshotKind, read_label

_QUOTA = "ManualSnapshots"
_Found = TypeVar("_Found", Snapshot, Instance)


class RdsSnapshots:
    """Asks AWS, or what stands in for it."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    @property
    def region(self) -> str:
        return self._clients.account.region

    def _asked(self, operation: str, what: str) -> Asked:
        return Asked(what, operation, self.region)

    def instance(self, name: str) -> Instance:
        asked = self._asked("DescribeDBInstances", f"find the instance {name}")
        answer = self._clients.call(asked, DBInstanceIdentifier=name)
        return reading.instance_of(answer["DBInstances"][0], self.region)

    def instances(self) -> tuple[Instance, ...]:
        asked = self._asked("DescribeDBInstances", "list the instances")
        return tuple(reading.instance_of(one, self.region) for one in self._clients.pages(asked, "DBInstances"))

    def snapshot(self, name: str) -> Snapshot:
        asked = self._asked("DescribeDBSnapshots", f"find the snapshot {name}")
        answer = self._clients.call(asked, DBSnapshotIdentifier=name)
        return reading.snapshot_of(answer["DBSnapshots"][0], self.region)

    def snapshots(self, instance: str = "") -> tuple[Snapshot, ...]:
        """AWS Backup's have to be asked for by themselves: unless told, RDS lists its own."""
        of_one = {"DBInstanceIdentifier": instance} if instance else {}
        asked = self._asked("DescribeDBSnapshots", f"list the snapshots{f' of {instance}' if instance else ''}")
        found = {}
        for kind in ({}, {"SnapshotType": SnapshotKind.AWS_BACKUP.value}):
            for one in self._clients.pages(asked, "DBSnapshots", **of_one, **kind):
                snapshot = reading.snapshot_of(one, self.region)
                found[snapshot.arn or snapshot.id] = snapshot
        return tuple(found.values())

    def window(self, instance: str) -> RecoveryWindow | None:
        asked = self._asked("DescribeDBInstanceAutomatedBackups", f"read which moments of {instance} can be restored")
        try:
            found = list(self._clients.pages(asked, "DBInstanceAutomatedBackups", DBInstanceIdentifier=instance))
        except NotThere:
            return None
        return reading.window_of(found)

    def retained(self, resource_id: str) -> tuple[Instance, RecoveryWindow | None]:
        what = f"find the automated backups of the resource id {resource_id}"
        asked = self._asked("DescribeDBInstanceAutomatedBackups", what)
        found = list(self._clients.pages(asked, "DBInstanceAutomatedBackups", DbiResourceId=resource_id))
        if not found:
            raise NotThere(
                f"AWS has no automated backups of the resource id {resource_id} in {self.region}",
                why="they are deleted with the instance, unless they were asked to be kept",
                hint="aws rds describe-db-instance-automated-backups lists those that there are",
            )
        return reading.retained_of(found[0], self.region), reading.window_of(found)

    def quota(self) -> Quota:
        asked = self._asked("DescribeAccountAttributes", "read how many snapshots the account may have")
        for one in self._clients.call(asked).get("AccountQuotas", ()):
            if one.get("AccountQuotaName") == _QUOTA:
                return Quota(one.get("Used", 0), one.get("Max", 0))
        raise SnapshotError(
            "AWS does not say how many manual snapshots there may be", hint="aws rds describe-account-attributes"
        )

    def rights(self, actions: tuple[str, ...], resources: tuple[str, ...] = ()) -> Mapping[str, bool | None]:
        return simulated(self._clients, actions, resources)

    def take(self, name: str, instance: str, label: Label) -> Snapshot:
        name = check_snapshot_name(name)
        require_single(self.instance(instance))
        asked = self._asked("CreateDBSnapshot", f"take the snapshot {name} of the instance {instance}")
        try:
            answer = self._clients.call(
                asked, DBSnapshotIdentifier=name, DBInstanceIdentifier=instance, Tags=tag_list(label.tags())
            )
        except NameTaken as error:
            found = self.snapshot(name)
            return _adopted(found, found.label, label, error)
        return reading.snapshot_of(answer["DBSnapshot"], self.region)

    def relabel(self, snapshot: Snapshot, label: Label) -> None:
        tags = label.tags()
        gone = [key for key in snapshot.tags if key.startswith(PREFIX) and key not in tags]
        asked = self._asked("AddTagsToResource", f"tag the snapshot {snapshot.id}")
        self._clients.call(asked, ResourceName=snapshot.arn, Tags=tag_list(tags))
        if gone:
            asked = self._asked("RemoveTagsFromResource", f"take tags from the snapshot {snapshot.id}")
            self._clients.call(asked, ResourceName=snapshot.arn, TagKeys=gone)

    def delete(self, name: str) -> None:
        with suppress(NotThere):
            found = self.snapshot(name)
            _require_deletable(found)
            asked = self._asked("DeleteDBSnapshot", f"delete the snapshot {name}")
            self._clients.call(asked, DBSnapshotIdentifier=name)

    def restore(self, snapshot: str, name: str, settings: InstanceSettings, label: Label) -> Instance:
        operation = "RestoreDBInstanceFromDBSnapshot"
        asked = self._asked(operation, f"restore the snapshot {snapshot} as the instance {name}")
        parameters = restore_parameters(settings, label, self._clients.accepts(operation))
        return self._made(asked, name, label, "DBInstanceIdentifier", {**parameters, "DBSnapshotIdentifier": snapshot})

    def restore_moment(
        self, source: Instance, moment: datetime | None, name: str, settings: InstanceSettings, label: Label
    ) -> Instance:
        operation = "RestoreDBInstanceToPointInTime"
        when = f"{moment:%Y-%m-%d %H:%M:%S %Z}" if moment else "the newest moment"
        asked = self._asked(operation, f"restore {source.id} as of {when} as the instance {name}")
        require_single(source)
        parameters = restore_parameters(settings, label, self._clients.accepts(operation))
        parameters |= {"RestoreTime": moment} if moment else {"UseLatestRestorableTime": True}
        # The resource id is that of one life of the name, and works when the instance is gone.
        parameters |= (
            {"SourceDbiResourceId": source.resource_id}
            if source.resource_id
            else {"SourceDBInstanceIdentifier": source.id}
        )
        return self._made(asked, name, label, "TargetDBInstanceIdentifier", parameters)

    def _made(self, asked: Asked, name: str, label: Label, key: str, parameters: dict[str, Any]) -> Instance:
        """A new instance, or the one that a lost answer was about."""
        parameters[key] = check_instance_name(name)
        try:
            answer = self._clients.call(asked, **parameters)
        except NameTaken as error:
            found = self.instance(name)
            return _adopted(found, read_label(found.settings.tags), label, error)
        return reading.instance_of(answer["DBInstance"], self.region)

    def settle(self, name: str, settings: InstanceSettings) -> tuple[str, ...]:
        words, parameters = changes(self.instance(name), settings)
        if words:
            self._modify(name, f"set {', '.join(words)} of the instance {name}", parameters)
        return words

    def _modify(self, name: str, what: str, parameters: dict[str, Any]) -> Instance:
        asked = self._asked("ModifyDBInstance", what)
        answer = self._clients.call(asked, DBInstanceIdentifier=name, ApplyImmediately=True, **parameters)
        return reading.instance_of(answer["DBInstance"], self.region)

    def rename(self, name: str, to: str) -> Instance:
        to = check_instance_name(to)
        before = require_single(self.instance(name))
        try:
            return self._modify(name, f"rename the instance {name} to {to}", {"NewDBInstanceIdentifier": to})
        except (NotThere, NameTaken, WrongState):
            for there in (to, name):  # the answer to the first call may have been lost
                with suppress(NotThere):
                    found = self.instance(there)
                    if _is_being_renamed(before, found, to):
                        return found
            raise

    def set_automated(self, name: str, *, retention_days: int, window: str) -> Instance:
        require_single(self.instance(name))
        parameters: dict[str, Any] = {"BackupRetentionPeriod": retention_days}
        if window:
            parameters["PreferredBackupWindow"] = window
        return self._modify(name, f"change the automated backups of {name}", parameters)

    def drop_instance(self, name: str) -> None:
        with suppress(NotThere):
            found = self.instance(name)
            label = read_label(found.settings.tags)
            if label is None or not label.is_temporary:
                raise SnapshotError(
                    f"the instance {name} is not dropped",
                    why="its tags do not say that it is a temporary one of handrail's",
                    hint=f"if nobody needs it: aws rds delete-db-instance --db-instance-identifier {name}",
                )
            if found.status == "deleting":
                return
            asked = self._asked("DeleteDBInstance", f"drop the temporary instance {name}")
            self._clients.call(asked, DBInstanceIdentifier=name, SkipFinalSnapshot=True, DeleteAutomatedBackups=True)

    def export(self, request: ExportRequest) -> Export:
        asked = self._asked("StartExportTask", f"export {request.snapshot_arn} to {request.bucket}")
        only = {"ExportOnly": list(request.only)} if request.only else {}
        prefix = {"S3Prefix": request.prefix} if request.prefix else {}
        try:
            answer = self._clients.call(
                asked,
                ExportTaskIdentifier=request.id,
                SourceArn=request.snapshot_arn,
                S3BucketName=request.bucket,
                IamRoleArn=request.role,
                KmsKeyId=request.key,
                **prefix,
                **only,
            )
        except NameTaken:
            found = next((one for one in self.exports(request.snapshot_arn) if one.id == request.id), None)
            if found is None or (found.bucket, found.prefix) != (request.bucket, request.prefix):
                raise
            return found
        return reading.export_of(answer)

    def exports(self, source_arn: str = "") -> tuple[Export, ...]:
        asked = self._asked("DescribeExportTasks", "list the exports")
        of_one = {"SourceArn": source_arn} if source_arn else {}
        found = (reading.export_of(one) for one in self._clients.pages(asked, "ExportTasks", **of_one))
        return tuple(one for one in found if source_arn in ("", one.snapshot_arn))


def _adopted(found: _Found, own: Label | None, label: Label, error: NameTaken) -> _Found:
    """What is there already, when this run asked for it: the answer to its first call was lost."""
    if own is None or own.run_id != label.run_id:
        raise error
    return found


def _is_being_renamed(before: Instance, found: Instance, to: str) -> bool:
    """Whether it is that instance, with the new name or on the way to it. Who waits for the new name finds out, if
    somebody else began to change it in this very moment."""
    is_it = bool(before.resource_id) and found.resource_id == before.resource_id
    began = before.is_available and found.status in ("renaming", "modifying")
    return is_it and (found.id == to or began)


def _require_deletable(snapshot: Snapshot) -> None:
    if snapshot.label is None:
        raise SnapshotError(
            f"the snapshot {snapshot.id} is not deleted",
            why="its tags do not say that handrail manages it",
            hint=f"if nobody needs it: aws rds delete-db-snapshot --db-snapshot-identifier {snapshot.id}",
        )
    if snapshot.kind is not SnapshotKind.MANUAL:
        raise SnapshotError(
            f"the snapshot {snapshot.id} is not deleted",
            why=f"it is {snapshot.kind.value}: only manual ones can be deleted one by one",
            hint="the retention of automated backups takes it: handrail rds automated",
        )
