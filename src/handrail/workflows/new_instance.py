"""A new instance made of a snapshot or a moment: asked for, waited for, and given its settings. The live one is never
touched; what was made before a failure stays, and the same call takes it up."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from handrail.databases.hosting import Hosting
from handrail.databases.waiting import settle
from handrail.snapshots.instance import Instance, InstanceSettings
from handrail.snapshots.moments import written
from handrail.snapshots.snapshot import Label
from handrail.snapshots.switching import making
from handrail.workflows.run import Run
from handrail.workflows.waiting import await_instance, await_snapshot, telling


@dataclass(frozen=True, slots=True)
class Wanted:
    """The instance to make: its name, the settings that it gets, and from where these are, in words."""

    name: str
    settings: InstanceSettings
    origin: str


def make_of_snapshot(run: Run, hosting: Hosting, snapshot: str, wanted: Wanted, *, label: Label, step: str) -> Instance:
    """The new instance, available and with all its settings, told as a part of `step`. SnapshotError."""
    await_snapshot(run, hosting, snapshot, step)
    hosting.snapshots.restore(snapshot, wanted.name, wanted.settings, label)
    return _ready(run, hosting, wanted, step)


def restore_snapshot(run: Run, hosting: Hosting, snapshot: str, wanted: Wanted) -> Instance:
    """The same as a step of its own. It is known by this request, so that the same one takes it up."""
    with run.step("restore", f"restoring the snapshot {snapshot} as the instance {wanted.name}") as done:
        label = _label(run, making(f"restore {snapshot}", wanted.name))
        instance = make_of_snapshot(run, hosting, snapshot, wanted, label=label, step="restore")
        done["text"] = _told(instance, wanted)
    return instance


def restore_moment(run: Run, hosting: Hosting, source: Instance, moment: datetime | None, wanted: Wanted) -> Instance:
    """The same as of a moment (None: the newest that RDS has)."""
    # The newest is another one tomorrow, so what an earlier call has made of it is not taken up.
    what = f"pitr {written(moment)}" if moment else f"pitr newest {run.id}"
    when = written(moment) if moment else "the newest moment"
    with run.step("restore", f"restoring {source.id} as of {when} as the instance {wanted.name}") as done:
        label = _label(run, making(what, wanted.name))
        hosting.snapshots.restore_moment(source, moment, wanted.name, wanted.settings, label)
        instance = _ready(run, hosting, wanted, "restore")
        done["text"] = _told(instance, wanted)
    return instance


def _label(run: Run, run_id: str) -> Label:
    return Label(run_id=run_id, environment=run.equipment.environment)


def _ready(run: Run, hosting: Hosting, wanted: Wanted, step: str) -> Instance:
    """Available, and with all settings."""
    await_instance(run, hosting, wanted.name, step)
    settle(hosting.snapshots, wanted.name, wanted.settings, hosting.patience(), heard=telling(run, step))
    return await_instance(run, hosting, wanted.name, step)


def _told(instance: Instance, wanted: Wanted) -> str:
    return f"{instance.id} is available, with the settings of {wanted.origin}"
