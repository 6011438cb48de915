"""Clean snapshots up: ask, decide, do one thing after the other. One that fails does not stop the others, and a run
that ends half way is continued by the next one: everything that is remembered stands in the tags."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from handrail.databases.snapshots import NotThere, RightMissing, Snapshots
from handrail.errors import HandrailError
from handrail.retention.cleaning import Action, Cleaning, Deed, Scope, plan_cleaning
from handrail.retention.policy import RetentionPolicy
from handrail.snapshots.export import Export


@dataclass(frozen=True, slots=True)
class Cleaned:
    """What a run did: `done`, `failed` (with why), and `left` for the next run by the cap or for want of time; of a dry
    run all three are empty. `remarks` are for people."""

    plan: Cleaning
    done: tuple[Action, ...] = ()
    failed: tuple[tuple[Action, str], ...] = ()
    left: tuple[Action, ...] = ()
    remarks: tuple[str, ...] = ()


def plan_clean(snapshots: Snapshots, policy: RetentionPolicy, scope: Scope, now: datetime) -> Cleaned:
    """What would be done; nothing is touched. Raises SnapshotError when snapshots cannot be listed."""
    exports, remarks = _exports(snapshots)
    return Cleaned(plan_cleaning(snapshots.snapshots(), exports, policy, scope, now), remarks=remarks)


def clean(snapshots: Snapshots, planned: Cleaned, *, may_go_on: Callable[[], bool] = lambda: True) -> Cleaned:
    """Do it, asking before each deed whether there is time for it. What fails takes no place under the cap: ten that
    can never be deleted do not keep the eleventh for ever."""
    done: list[Action] = []
    failed: list[tuple[Action, str]] = []
    plan = planned.plan
    wanted = (*plan.actions, *plan.waiting)
    for action in wanted:
        if len(done) == len(plan.actions) or not may_go_on():
            break
        try:
            _do(snapshots, action)
        except HandrailError as error:
            failed.append((action, f"{error.message}: {error.why}" if error.why else error.message))
        else:
            done.append(action)
    return replace(planned, done=tuple(done), failed=tuple(failed), left=wanted[len(done) + len(failed) :])


def _do(snapshots: Snapshots, action: Action) -> None:
    try:
        if action.deed is Deed.DELETE:
            snapshots.delete(action.snapshot.id)
        elif action.label is not None:
            snapshots.relabel(action.snapshot, action.label)
    except NotThere:  # another run was quicker
        return


def _exports(snapshots: Snapshots) -> tuple[tuple[Export, ...], tuple[str, ...]]:
    """Without the right to see exports, none is taken for running; AWS itself refuses to delete what one reads."""
    try:
        return snapshots.exports(), ()
    except RightMissing as error:
        return (), (f"exports are not looked at: {error.message}",)
