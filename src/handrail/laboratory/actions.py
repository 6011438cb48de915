"""The actions of RDS that the laboratory answers itself, and those that moto answers well."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fnmatch import fnmatch
from typing import Any

from handrail.laboratory import describing, exports, instances, modifying, restores, snapshots
from handrail.laboratory.desk import Desk
from handrail.laboratory.protocol import Parameters

Action = Callable[[Desk, Parameters], dict[str, Any]]

ACTIONS: Mapping[str, Action] = {
    "AddTagsToResource": modifying.add_tags,
    "CancelExportTask": exports.cancel,
    "CopyDBSnapshot": snapshots.copy,
    "CreateDBInstance": instances.create,
    "CreateDBSnapshot": snapshots.create,
    "DeleteDBInstance": instances.delete,
    "DeleteDBInstanceAutomatedBackup": instances.delete_backups,
    "DeleteDBSnapshot": snapshots.delete,
    "DescribeAccountAttributes": describing.quotas,
    "DescribeDBEngineVersions": describing.engine_versions,
    "DescribeDBInstanceAutomatedBackups": describing.automated_backups,
    "DescribeDBInstances": describing.instances,
    "DescribeDBSnapshotAttributes": snapshots.attributes,
    "DescribeDBSnapshots": describing.snapshots,
    "DescribeEvents": describing.events,
    "DescribeExportTasks": describing.exports,
    "ListTagsForResource": describing.tags,
    "ModifyDBInstance": modifying.modify,
    "ModifyDBSnapshotAttribute": snapshots.share,
    "RebootDBInstance": instances.reboot,
    "RemoveTagsFromResource": modifying.remove_tags,
    "RestoreDBInstanceFromDBSnapshot": restores.from_snapshot,
    "RestoreDBInstanceToPointInTime": restores.to_point_in_time,
    "StartDBInstance": instances.start,
    "StartExportTask": exports.start,
    "StopDBInstance": instances.stop,
}
#: What hangs on no instance: groups of parameters, options, subnets.
_OF_MOTO = ("*DBParameterGroup*", "*DBSubnetGroup*", "*OptionGroup*", "DescribeDBParameters", "DescribeOrderable*")


def is_of_moto(action: str) -> bool:
    """Whether moto answers it."""
    return any(fnmatch(action, pattern) for pattern in _OF_MOTO)
