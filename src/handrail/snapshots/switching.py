"""How a restored instance takes the place of the live one: two renames, and where a switch stands that was cut.

Everything is read from the names that are there, so that the same command goes on with what another one has begun.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from handrail.errors import UsageError
from handrail.snapshots.identifiers import LONGEST_INSTANCE, check_instance_name
from handrail.snapshots.instance import Instance
from handrail.snapshots.snapshot import read_label

_OLD: Final = "-old-"
_END: Final = len(f"{_OLD}20260218-152501")


class NoSwitch(UsageError):
    """These instances cannot be switched. Nothing was renamed."""

    code = "HR593"


class Stage(StrEnum):
    """Where a switch stands: nothing renamed, the live one set aside only, or both renamed."""

    NOT_BEGUN = "not begun"
    HALF = "half"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Switch:
    """`live` is the name that the application knows, `new` that of the instance to take it, `aside` what the old one
    is called then."""

    live: str
    new: str
    aside: str
    stage: Stage

    @property
    def commands(self) -> tuple[str, ...]:
        """What is left to do, as AWS's own program does it."""
        steps = {
            Stage.NOT_BEGUN: ((self.live, self.aside), (self.new, self.live)),
            Stage.HALF: ((self.new, self.live),),
            Stage.DONE: (),
        }
        return tuple(rename_command(*step) for step in steps[self.stage])

    @property
    def back(self) -> tuple[str, ...]:
        """What undoes it once it is done, as AWS's own program does it."""
        return rename_command(self.live, self.new), rename_command(self.aside, self.live)


def rename_command(name: str, to: str) -> str:
    """What a person types to rename an instance."""
    return (
        f"aws rds modify-db-instance --db-instance-identifier {name} --new-db-instance-identifier {to}"
        " --apply-immediately"
    )


def aside_name(live: str, at: datetime) -> str:
    """What the live instance is called once it is set aside: "shop-prod-old-20260218-152501"."""
    return live[: LONGEST_INSTANCE - _END].rstrip("-") + f"{_OLD}{at:%Y%m%d-%H%M%S}"


def plan_switch(instances: Sequence[Instance], live: str, new: str, at: datetime) -> Switch:
    """What is to be done so that `new` is called `live`. NoSwitch for instances that are not there, not available, or
    not alike in what cannot be told by names."""
    new = check_instance_name(new)
    there = {one.id: one for one in instances}
    if new == live:
        raise NoSwitch(f"{new} is the live instance", hint="name the restored one: handrail rds list")
    if new not in there:
        return _done(there, live, new)
    if live not in there:
        return _half(there, live, new)
    for one in (there[live], there[new]):
        if not one.is_available:
            raise NoSwitch(
                f"the instance {one.id} is {one.status}",
                why="only instances that are available can be renamed",
                hint=f"handrail rds wait {one.id}",
            )
    _require_alike(there[live], there[new])
    return Switch(live, new, aside_name(live, at), Stage.NOT_BEGUN)


def _require_alike(live: Instance, new: Instance) -> None:
    if live.engine != new.engine:
        raise NoSwitch(
            f"{new.id} cannot take the place of {live.id}",
            why=f"one is {new.engine}, the other {live.engine}",
            hint="name the instance that was restored: handrail rds list",
        )


def _half(there: Mapping[str, Instance], live: str, new: str) -> Switch:
    """The live name is free: a switch was cut between its renames, if what was set aside is there."""
    aside = max(_set_aside(there, live), default="")
    if not aside:
        raise NoSwitch(
            f"there is no instance {live}",
            why="and none that a switch has set aside, so nothing tells that the name is to be taken",
            hint="`rds.instance` of the environment names it; handrail rds list",
        )
    return Switch(live, new, aside, Stage.HALF)


def _done(there: Mapping[str, Instance], live: str, new: str) -> Switch:
    """The new name is gone: the switch is done, if the instance of the live name was restored under it and an old one
    was set aside."""
    aside = max(_set_aside(there, live), default="")
    if not aside or live not in there or not was_made_as(there[live], new):
        raise NoSwitch(
            f"there is no instance {new}",
            hint="restored ones are in handrail rds list; one is made by handrail rds pitr or handrail rds restore",
        )
    return Switch(live, new, aside, Stage.DONE)


def _set_aside(there: Mapping[str, Instance], live: str) -> list[str]:
    """Only their time differs."""
    begin = live[: LONGEST_INSTANCE - _END].rstrip("-") + _OLD
    return [name for name in there if name.startswith(begin)]


def making(what: str, name: str) -> str:
    """The run id of an instance that is made of `what`: the same command takes up what a lost answer or a kill has
    left, and a switch knows under which name it was made."""
    return f"{what} as {name}"


def was_made_as(instance: Instance, name: str) -> bool:
    """Whether handrail restored it under this name."""
    label = read_label(instance.settings.tags)
    return label is not None and label.run_id.endswith(making("", name))


def not_following(old: Instance, new: Instance) -> tuple[str, ...]:
    """What stays behind when the names are switched, in words."""
    lines = [
        f"the resource id: {new.resource_id or 'another one'} instead of {old.resource_id or 'the old one'};"
        " IAM policies of rds-db:connect that name the old id do not let anybody in",
        "automated backups: those made so far belong to the old instance; moments before the restore can be had only"
        f" from {old.id} while it is there",
    ]
    if old.settings.has_iam_auth != new.settings.has_iam_auth:
        lines.append("IAM authentication: it is not set as on the old instance; handrail rds settings")
    lines.append(
        "connections and DNS caches: open ones lead to the old instance until they end; restart the application"
    )
    return tuple(lines)
