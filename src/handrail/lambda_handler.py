"""The clean-up of RDS snapshots as an AWS Lambda function (G5.5): a door like a command, for a clock instead of people.

It is set by environment variables, deletes nothing unless HANDRAIL_APPLY is "true", and needs boto3 alone, which
Lambda's runtime has. Each run answers with what it did and why, writes what it does as lines of JSON, and ends with an
error when something could not be done, so that alarms are raised. Running it twice is the same as running it once.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from handrail.config_retention import FOREVER as ENDLESS
from handrail.config_retention import parse_age
from handrail.databases.rds.client import Account, Clients
from handrail.databases.rds.snapshots import RdsSnapshots
from handrail.databases.snapshots import SnapshotError
from handrail.errors import ConfigError
from handrail.retention.cleaning import CAP, Action, Scope, snapshot_policy
from handrail.retention.policy import FOREVER, RetentionPolicy
from handrail.workflows.cleaning import Cleaned, clean, plan_clean

#: Milliseconds that a deed may take, with its retries; with less left the rest is for the next run.
_ENOUGH = 45_000
_DONE = {True: "done", False: "planned"}
_KEPT = {"WEEKLY": "weekly", "MONTHLY": "monthly", "YEARLY": "yearly", "PRE_MIGRATION": "pre_migration"}


class Context(Protocol):
    """What Lambda hands over beside the event."""

    def get_remaining_time_in_millis(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Settings:
    """What the environment variables say; `handrail init --aws` writes them all."""

    applies: bool
    scope: Scope
    policy: RetentionPolicy


def read_settings(environ: Mapping[str, str]) -> Settings:
    """ConfigError for a value that means nothing: nothing is deleted by a guess."""
    instances = environ.get("HANDRAIL_INSTANCES", "").replace(",", " ").split()
    if not instances:
        raise ConfigError(
            "HANDRAIL_INSTANCES is not set", why="it names the instances to look after", hint='"*" stands for all'
        )
    kept = {name: _age(environ[f"HANDRAIL_{key}"], key) for key, name in _KEPT.items() if f"HANDRAIL_{key}" in environ}
    return Settings(
        applies=_flag(environ, "APPLY"),
        scope=Scope(
            frozenset() if "*" in instances else frozenset(instances), _cap(environ), _flag(environ, "ADOPT_NAMED")
        ),
        policy=snapshot_policy(**kept),
    )


def _age(text: str, key: str) -> timedelta:
    if text == ENDLESS:
        return FOREVER
    try:
        return parse_age(text)
    except ValueError as error:
        raise ConfigError(f"HANDRAIL_{key} cannot be used: {text!r}", why=f'{error} or "{ENDLESS}"') from error


def _flag(environ: Mapping[str, str], key: str) -> bool:
    text = environ.get(f"HANDRAIL_{key}", "false").lower()
    if text not in ("true", "false"):
        raise ConfigError(f"HANDRAIL_{key} cannot be used: {text!r}", why='it is "true" or "false"')
    return text == "true"


def _cap(environ: Mapping[str, str]) -> int:
    text = environ.get("HANDRAIL_CAP", str(CAP))
    if not text.isascii() or not text.isdigit():
        raise ConfigError(f"HANDRAIL_CAP cannot be used: {text!r}", why="it is a whole number")
    return int(text)


def handler(event: Mapping[str, Any] | None, context: Context | None) -> dict[str, Any]:
    """What Lambda calls. An event may say {"apply": false}, to look only; it cannot allow what the environment forbids.

    Raises SnapshotError when snapshots could not be listed, or a deed failed: after all others were done."""
    settings = read_settings(os.environ)
    applies = settings.applies and (event or {}).get("apply", True) is True
    snapshots = RdsSnapshots(Clients(Account(os.environ["AWS_REGION"]), read_timeout=20.0))
    found = plan_clean(snapshots, settings.policy, settings.scope, datetime.now(UTC))  # noqa: TID251 - a door
    if applies:
        found = clean(snapshots, found, may_go_on=lambda: _has_time(context))
    answer = told(found, applies=applies)
    sys.stdout.write("".join(f"{json.dumps(line, ensure_ascii=False)}\n" for line in lines_of(answer)))
    if found.failed:
        raise SnapshotError(
            f"{len(found.failed)} of {len(found.plan.actions)} could not be done",
            why="; ".join(f"{action.deed} {action.snapshot.id}: {why}" for action, why in found.failed[:5]),
            hint="the next run tries again",
        )
    return answer


def _has_time(context: Context | None) -> bool:
    return context is None or context.get_remaining_time_in_millis() > _ENOUGH


def told(found: Cleaned, *, applies: bool) -> dict[str, Any]:
    """The answer: counts, and every snapshot that was looked at with what is decided and why."""
    plan = found.plan
    failed = {action.snapshot.arn: why for action, why in found.failed}
    left = found.left if applies else plan.waiting
    state = {one.snapshot.arn: "left for the next run" for one in left} | dict.fromkeys(failed, "failed")
    chosen = (*plan.actions, *plan.waiting)
    deeds = {one.snapshot.arn for one in chosen}
    kept = [one for one in plan.decisions if one.candidate.id not in deeds]
    return {
        "applied": applies,
        "done": len(found.done),
        "failed": len(failed),
        "left": len(left),
        "kept": len(kept),
        "outside": len(plan.outside),
        "remarks": list(found.remarks),
        "actions": [_action(one, state.get(one.snapshot.arn, _DONE[applies]), failed) for one in chosen],
        "keeps": [{"arn": one.candidate.id, "reason": one.text} for one in kept],
        "not_judged": [{"arn": one.arn, "reason": why} for one, why in plan.outside],
    }


def _action(one: Action, state: str, failed: Mapping[str, str]) -> dict[str, str]:
    why = failed.get(one.snapshot.arn, "")
    words = {"action": one.deed.value, "snapshot": one.snapshot.id, "arn": one.snapshot.arn, "reason": one.reason}
    return {**words, "state": state, **({"error": why} if why else {})}


def lines_of(answer: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The log: a line for each action, and one with the counts. What is kept is in the answer only."""
    counts = {key: value for key, value in answer.items() if not isinstance(value, list)}
    return [*answer["actions"], *({"remark": one} for one in answer["remarks"]), {"event": "cleaned", **counts}]
