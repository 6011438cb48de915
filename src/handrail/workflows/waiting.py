"""A run waits for a snapshot or an instance, and who watches hears how far it is."""

from __future__ import annotations

from handrail.databases.hosting import Hosting
from handrail.databases.waiting import wait_for_instance, wait_for_snapshot
from handrail.snapshots.instance import Instance
from handrail.snapshots.snapshot import Snapshot
from handrail.snapshots.waiting import OnWait, Wait
from handrail.workflows.run import Amount, Listener, Progress, Run


def telling(run: Run, step: str) -> OnWait:
    """Tells those who watch `step` of a run how far it is."""
    return told_to(run.listener, step)


def told_to(listener: Listener, step: str) -> OnWait:
    """Tells a listener how far it is: each look on a live line, and in a log every new state and tenth."""
    last: tuple[str, int | None] = ("", None)

    def heard(wait: Wait) -> None:
        nonlocal last
        amount = None if wait.percent is None else Amount(wait.percent, 100, "percent")
        tenth = None if wait.percent is None else wait.percent // 10
        now = (wait.text.partition(",")[0], tenth)
        listener(Progress(step, "moving" if now == last else "detail", wait.text, amount))
        last = now

    return heard


def await_snapshot(run: Run, hosting: Hosting, name: str, step: str, *, deadline: float | None = None) -> Snapshot:
    """The snapshot once it is available, told as a part of `step`; errors as of `databases/waiting.py`."""
    return wait_for_snapshot(hosting.snapshots, name, hosting.patience(deadline), heard=telling(run, step))


def await_instance(run: Run, hosting: Hosting, name: str, step: str, *, deadline: float | None = None) -> Instance:
    """The same for an instance."""
    return wait_for_instance(hosting.snapshots, name, hosting.patience(deadline), heard=telling(run, step))
