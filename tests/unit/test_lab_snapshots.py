"""How the laboratory's snapshots rise, are held, fail, and are let go by somebody else at any moment."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import cast

import pytest

from handrail.laboratory.desk import Desk
from handrail.laboratory.records import Snapshot
from handrail.laboratory.snapshots import SnapshotFailed, rise


def snapshot(**settings: int) -> Snapshot:
    made = Snapshot("shop-1", "shop-prod", "db-A", "manual", "creating", 1)
    for name, value in settings.items():
        setattr(made, name, value)
    return made


def desk(one: Snapshot, shown: list[int], *, before: Callable[[], None], waiting: Callable[[], None]) -> Desk:
    """Somebody else acts before each change and while it waits."""

    @contextmanager
    def changing() -> Iterator[None]:
        before()
        yield
        shown.append(one.percent)

    jobs = SimpleNamespace(until=lambda *_: None, wait=lambda _: waiting())
    return cast(Desk, SimpleNamespace(world=SimpleNamespace(changing=changing), jobs=jobs))


def nothing() -> None:
    pass


def test_it_rises_to_its_end() -> None:
    one, shown = snapshot(), list[int]()
    rise(desk(one, shown, before=nothing, waiting=nothing), one, 0.0, 1.0)
    assert (shown, one.status) == ([*range(0, 100, 5), 99, 100], "available")


@pytest.mark.parametrize("moment", ["before", "waiting"])
def test_one_that_is_held_is_let_go(moment: str) -> None:
    """Between the look at the hold and the change, too: it once failed then."""
    one, shown = snapshot(hold_at=32), list[int]()

    def let_go() -> None:
        if 30 in shown:
            one.hold_at = None

    acts = {"before": nothing, "waiting": nothing} | {moment: let_go}
    rise(desk(one, shown, before=acts["before"], waiting=acts["waiting"]), one, 0.0, 1.0)
    assert shown == [*range(0, 35, 5), 32, *range(35, 100, 5), 99, 100]
    assert one.status == "available"


def test_one_that_is_made_to_fail_on_the_way() -> None:
    one, shown = snapshot(fail_at=42), list[int]()
    with pytest.raises(SnapshotFailed):
        rise(desk(one, shown, before=nothing, waiting=nothing), one, 0.0, 1.0)
    assert (shown[-1], one.status) == (40, "creating")


def test_one_that_is_made_to_fail_while_it_is_held() -> None:
    one, shown = snapshot(hold_at=32), list[int]()

    def fail() -> None:
        one.fail_at = 32

    with pytest.raises(SnapshotFailed):
        rise(desk(one, shown, before=nothing, waiting=fail), one, 0.0, 1.0)
    assert shown[-1] == 32
