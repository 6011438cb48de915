"""What each command prints as `result` with --json: `make docs` writes docs/schemas from these types."""

from __future__ import annotations

from collections.abc import Mapping

from handrail.backups.difference import BackupDifference
from handrail.cli.cost_documents import Costed
from handrail.cli.documents import (
    Agreement,
    BackupList,
    BackupSummary,
    BackupWays,
    CopiedBackup,
    Current,
    Diagnosis,
    EnumDrift,
    EnumList,
    History,
    Initialised,
    PlanDocument,
    Recovered,
    Reviewed,
    Revised,
    Stamped,
    Status,
)
from handrail.cli.drill_documents import Drilled, DueDocument, ShownBackup
from handrail.cli.function_documents import CleaningDocument, Packed
from handrail.cli.lab_documents import LabCalls, LabProcess, LabSet, LabStatus, LabVariables
from handrail.cli.rds_documents import RDS_RESULTS
from handrail.cli.restore_documents import ArchiveDocument, ArchiveEnded, Restored, Setup, Sheet
from handrail.cli.retention_documents import Calendar, Cost, Pruning
from handrail.cli.run_documents import Deployment, Moved, Rehearsed

#: The result of each command.
RESULTS: Mapping[str, type] = {
    "init": Initialised,
    "doctor": Diagnosis,
    "status": Status,
    "current": Current,
    "lint": Reviewed,
    "revision": Revised,
    "enum list": EnumList,
    "enum check": EnumDrift,
    "enum rename": Revised,
    "enum convert": Revised,
    "history": History,
    "check": Agreement,
    "plan": PlanDocument,
    "rehearse": Rehearsed,
    "upgrade": Moved,
    "deploy": Deployment,
    "downgrade": Moved,
    "stamp": Stamped,
    "recover": Recovered,
    "drill": Drilled,
    "cost": Costed,
    "archive status": ArchiveDocument,
    "archive setup": Setup,
    "archive run": ArchiveEnded,
    "backup create": BackupSummary,
    "backup explain": BackupWays,
    "backup list": BackupList,
    "backup show": ShownBackup,
    "backup verify": BackupSummary,
    "backup sheet": Sheet,
    "backup copy": CopiedBackup,
    "backup restore": Restored,
    "backup diff": BackupDifference,
    "backup run-due": DueDocument,
    "backup prune": Pruning,
    "backup calendar": Calendar,
    "backup cost": Cost,
    "backup pin": BackupSummary,
    "backup unpin": BackupSummary,
    "backup note": BackupSummary,
    "lab start": LabProcess,
    "lab stop": LabProcess,
    "lab status": LabStatus,
    "lab env": LabVariables,
    "lab log": LabCalls,
    "lambda package": Packed,
    "lambda plan": CleaningDocument,
    **dict.fromkeys(("lab fault", "lab snapshot", "lab instance", "lab backup"), LabSet),
    **RDS_RESULTS,
}
