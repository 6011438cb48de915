"""Every command by name, as data: a call imports and builds the one that it names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from handrail.pages import page


@dataclass(frozen=True, slots=True)
class Group:
    """Commands under one name; each is given as its module and function in `handrail.cli`."""

    help: str
    commands: Mapping[str, str]
    epilog: str | None = None


COMMANDS: Mapping[str, str | Group] = {
    "init": "setup.init",
    "doctor": "setup.doctor",
    "status": "looking.status",
    "current": "looking.current",
    "history": "looking.history",
    "check": "looking.check",
    "revision": "revision.revision",
    "lint": "lint.lint",
    "plan": "looking.plan",
    "rehearse": "moving.rehearse",
    "upgrade": "moving.upgrade",
    "deploy": "deploying.deploy",
    "downgrade": "moving.downgrade",
    "stamp": "moving.stamp",
    "recover": "moving.recover",
    "drill": "drilling.drill",
    "cost": "costing.cost",
    "enum": Group(
        "Enum columns: what they hold, how they differ from the models, renames, other strategies.",
        {
            "list": "enums.list_enums",
            "check": "enums.check",
            "rename": "enums.rename",
            "convert": "enums.convert",
        },
    ),
    "backup": Group(
        "Make, verify, restore, keep and prune backups.",
        {
            "create": "backup.create",
            "explain": "backup.explain",
            "list": "backup.list_backups",
            "show": "backup.show",
            "sheet": "backup.sheet",
            "verify": "backup.verify",
            "copy": "backup.copy",
            "restore": "restoring.restore",
            "diff": "differing.diff",
            "run-due": "scheduling.run_due",
            "prune": "keeping.prune",
            "calendar": "keeping.calendar",
            "cost": "keeping.cost",
            "archive": "archiving.archive",
            "pin": "marking.pin",
            "unpin": "marking.unpin",
            "note": "marking.note",
        },
    ),
    "archive": Group(
        "Keep every change as it happens, so that a moment can be restored.",
        {"status": "archive.status", "setup": "archive.setup", "run": "archive.run"},
    ),
    "lambda": Group(
        "The function that cleans RDS snapshots up, run by AWS.",
        {"package": "functions.package", "plan": "functions.plan"},
        f"How it is set up and what it needs: {page('lambda')}",
    ),
    "lab": Group(
        "An RDS to practise on, on this machine.",
        {
            "start": "lab.start",
            "stop": "lab.stop",
            "status": "lab.status",
            "env": "lab.env",
            "log": "lab.log",
            "fault": "lab.fault",
            "snapshot": "lab.snapshot",
            "instance": "lab.instance",
            "backup": "lab.backup",
        },
        f"How to practise: {page('lab')}",
    ),
    "rds": Group(
        "Snapshots, restores and automated backups of the RDS instance.",
        {
            "list": "rds.list_snapshots",
            "wait": "rds.wait",
            "settings": "rds.settings",
            "snapshot": "rds_taking.snapshot",
            "restore": "rds_restoring.restore",
            "pitr": "rds_restoring.pitr",
            "switch": "rds_switching.switch",
            "automated": "rds_keeping.automated",
            "export": "rds_keeping.export",
        },
    ),
}

#: Modules whose commands begin with a look at the project, which Alembic's process takes longest for.
_LOOKING = frozenset({"archiving", "backup", "deploying", "differing", "drilling", "keeping", "looking", "marking"}) | {
    *("moving", "restoring", "scheduling"),
}


def looks_at_project(words: Sequence[str]) -> bool:
    """Whether the command that these words name begins with a look at the project; not where they ask for help."""
    if "--help" in words:
        return False
    command = COMMANDS.get(words[0]) if words else None
    if isinstance(command, Group):
        command = command.commands.get(words[1]) if len(words) > 1 else None
    return command is not None and command.partition(".")[0] in _LOOKING
