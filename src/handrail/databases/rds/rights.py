"""What the caller may do, as IAM itself judges it: nothing is tried."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from handrail.databases.rds.client import Clients
from handrail.databases.rds.failures import Asked
from handrail.databases.snapshots import SnapshotError


def simulated(clients: Clients, actions: tuple[str, ...], resources: tuple[str, ...]) -> dict[str, bool | None]:
    """Each action: True where one of the resources at least is allowed (none given: all resources), None where IAM does
    not tell: the caller may not ask, is the account's root, or a condition needs what only the call itself brings."""
    unknown: dict[str, bool | None] = dict.fromkeys(actions)
    try:
        caller = clients.call(Asked("say who asks", "GetCallerIdentity", clients.account.region, "sts"))
        principal = principal_of(str(caller.get("Arn", "")))
        if not principal:
            return unknown
        return unknown | dict(_judged(clients, principal, actions, resources))
    except SnapshotError:
        return unknown


def principal_of(arn: str) -> str:
    """The ARN of the user or role behind a caller; "" for what IAM cannot judge."""
    role = re.fullmatch(r"arn:([\w-]+):sts::(\d+):assumed-role/([^/]+)/.+", arn)
    if role:
        return f"arn:{role[1]}:iam::{role[2]}:role/{role[3]}"
    return arn if ":user/" in arn else ""


def _judged(
    clients: Clients, principal: str, actions: tuple[str, ...], resources: tuple[str, ...]
) -> Iterator[tuple[str, bool | None]]:
    asked = Asked("judge the caller's rights", "SimulatePrincipalPolicy", clients.account.region, "iam")
    of_some: dict[str, Any] = {"ResourceArns": list(resources)} if resources else {}
    marker: dict[str, Any] = {}
    while True:
        answer = clients.call(asked, PolicySourceArn=principal, ActionNames=list(actions), **of_some, **marker)
        for one in answer.get("EvaluationResults", ()):
            yield one["EvalActionName"], verdict(one)
        if not answer.get("IsTruncated"):
            return
        marker = {"Marker": answer["Marker"]}


def verdict(result: Mapping[str, Any]) -> bool | None:
    """What one evaluation says."""
    parts = result.get("ResourceSpecificResults") or ()
    decisions = [one.get("EvalResourceDecision") for one in parts] or [result.get("EvalDecision")]
    if "allowed" in decisions:
        return True
    lacking = result.get("MissingContextValues") or [
        key for one in parts for key in one.get("MissingContextValues") or ()
    ]
    return None if lacking else False
