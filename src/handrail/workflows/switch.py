"""Give a restored instance the name of the live one: two renames, undone or told when the second one fails."""

from __future__ import annotations

from dataclasses import dataclass, replace

from handrail.databases.hosting import Hosting
from handrail.databases.snapshots import SnapshotError, require_single
from handrail.databases.waiting import NotReadyYet, wait_for_instance, wait_until_gone
from handrail.errors import DatabaseUnavailable, HandrailError, LockNotObtained, PartlyDone
from handrail.snapshots.instance import Instance
from handrail.snapshots.switching import NoSwitch, Stage, Switch, rename_command
from handrail.workflows.hosted import OpenAt
from handrail.workflows.run import Run
from handrail.workflows.waiting import telling

_STEP = "switch"


@dataclass(frozen=True, slots=True)
class Switched:
    """What is there now: who has the live name, who had it, and the revision that the endpoint answers with (None:
    nothing answered within the deadline of the configuration)."""

    switch: Switch
    live: Instance
    aside: Instance
    revisions: tuple[str, ...]


def require_answer(run: Run, open_at: OpenAt, hosting: Hosting, switch: Switch) -> tuple[str, ...]:
    """The revisions of the instance that is to become the live one. NoSwitch when nobody answers there: that is found
    out before anything is renamed."""
    instance = require_single(hosting.snapshots.instance(switch.new))
    try:
        return open_at(instance).revisions()
    except DatabaseUnavailable as error:
        raise NoSwitch(
            f"the instance {switch.new} does not let us in",
            why=f"{error.message}: {error.why}" if error.why else error.message,
            hint="its security groups and its password have to be those of the live one: handrail rds settings",
        ) from error


def do_switch(run: Run, hosting: Hosting, switch: Switch, open_at: OpenAt) -> Switched:
    """Rename what is left to rename, wait for both, ask the endpoint. PartlyDone when a rename failed and could not be
    taken back: its hint has the commands."""
    if switch.stage is Stage.NOT_BEGUN:
        _require_quiet(run)
        _rename(run, hosting, switch.live, switch.aside)
        switch = replace(switch, stage=Stage.HALF)
        try:
            _rename(run, hosting, switch.new, switch.live)
        except NotReadyYet as error:
            raise PartlyDone(
                f"{switch.new} is still being renamed to {switch.live}, and {switch.live} is {switch.aside}",
                why=error.why,
                hint=f"see whether it has come to an end: handrail rds switch --to {switch.new}",
            ) from error
        except SnapshotError as error:
            _undo(run, hosting, switch, error)
    elif switch.stage is Stage.HALF:
        _rename(run, hosting, switch.new, switch.live)
    live, aside = (_seen(run, hosting, name) for name in (switch.live, switch.aside))
    with run.step("check", f"asking {live.host}:{live.port}") as done:
        revisions = open_at(live).revisions()
        done["text"] = f"{live.id} answers at {live.host}:{live.port}"
    return Switched(replace(switch, stage=Stage.DONE), live, aside, revisions)


def _require_quiet(run: Run) -> None:
    """No guarded run may be on the live database. That it cannot be reached may be why somebody switches."""
    try:
        with run.lock():
            pass
    except LockNotObtained:
        raise
    except DatabaseUnavailable as error:
        run.warn(_STEP, f"the live database cannot be asked whether a run is under way: {error.message}")


def _rename(run: Run, hosting: Hosting, name: str, to: str) -> None:
    with run.step(_STEP, f"renaming {name} to {to}") as done:
        renamed = hosting.snapshots.rename(name, to)
        found = _seen(run, hosting, to)
        if renamed.resource_id and found.resource_id != renamed.resource_id:
            raise SnapshotError(
                f"the instance that is called {to} is another one than {name} was",
                why=f"its resource id is {found.resource_id}",
                hint="somebody else is renaming instances: handrail rds list",
            )
        # Until the old name is gone it cannot be given to another one.
        wait_until_gone(hosting.snapshots, name, hosting.patience(), heard=telling(run, _STEP))
        done["text"] = f"{name} is {to} now"


def _seen(run: Run, hosting: Hosting, name: str) -> Instance:
    """An instance under its new name, which may take as long as the deadline to be seen."""
    patience = hosting.patience()
    patience = replace(patience, grace=patience.deadline)
    return wait_for_instance(hosting.snapshots, name, patience, heard=telling(run, _STEP))


def _undo(run: Run, hosting: Hosting, switch: Switch, error: SnapshotError) -> None:
    """Give the live name back, and raise."""
    run.say(_STEP, f"{switch.new} was not renamed ({error.message}): giving {switch.live} its name back", "started")
    try:
        _rename(run, hosting, switch.aside, switch.live)
    except HandrailError as second:
        raise PartlyDone(
            f"no instance is called {switch.live} now: {switch.aside} was, and {switch.new} was to be",
            why=f"{error.message}: {error.why}; and it was not taken back: {second.message}: {second.why}",
            hint=f"go on: handrail rds switch --to {switch.new}, or {'; '.join(switch.commands)}"
            f" -- or back: {rename_command(switch.aside, switch.live)}",
        ) from error
    raise SnapshotError(
        f"nothing was switched: {switch.new} could not be renamed, and {switch.live} has its name again",
        why=f"{error.message}: {error.why}",
        hint=f"remove the reason, then: handrail rds switch --to {switch.new}",
    ) from error
