"""Waiting for snapshots and instances: what ends it, what does not, and never past the deadline."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handrail.databases.snapshots import NotThere, RightMissing, TriedTooOften
from handrail.databases.waiting import (
    NeverReady,
    NotReadyYet,
    Patience,
    wait_for_instance,
    wait_for_snapshot,
    wait_until_gone,
)
from handrail.snapshots.snapshot import Label, Snapshot
from handrail.snapshots.waiting import Outlook, Wait
from support.hosted import HostedInMemory, Time, an_instance, not_there

NAME = "before-migration-20260218-062501-c3a1"
Look = str | Exception


@dataclass
class Scripted(HostedInMemory):
    """Answers each look with the next state or error; the last one goes on."""

    script: Sequence[Look] = ()

    def snapshot(self, name: str) -> Snapshot:
        look = self.script[min(len(self.calls), len(self.script) - 1)]
        self.calls.append(name)
        if isinstance(look, Exception):
            raise look
        made = HostedInMemory().take(name, "shop-prod", Label("r1"))
        return replace(made, status=look, percent=None)


def waited(script: Sequence[Look], deadline: float = 600.0) -> tuple[Snapshot, Time, list[Wait]]:
    time, heard = Time(), list[Wait]()
    found = wait_for_snapshot(Scripted(script=script), NAME, patience(time, deadline), heard=heard.append)
    return found, time, heard


def patience(time: Time, deadline: float = 600.0) -> Patience:
    return Patience(time.clock, time.sleep, deadline, grace=30.0)


def test_a_snapshot_is_waited_for_with_its_percent() -> None:
    hosted, time, heard = HostedInMemory(), Time(), list[Wait]()
    hosted.take(NAME, "shop-prod", Label("r1"))
    found = wait_for_snapshot(hosted, NAME, patience(time), heard=heard.append)
    assert found == hosted.kept[NAME]
    assert heard == [Wait(Outlook.WAIT, "creating, 40 %", 40), Wait(Outlook.READY, "available", 100)]
    assert time.slept == [2.0]


def test_what_passes_does_not_end_it() -> None:
    script: list[Look] = [
        not_there("snapshot", NAME),
        "creating",
        TriedTooOften("throttled"),
        "pending",
        "something-new",
        "available",
    ]
    found, _, heard = waited(script)
    assert (found.status, len(heard)) == ("available", 6)


def test_what_fails_ends_it() -> None:
    with pytest.raises(NeverReady) as raised:
        waited(["creating", "failed"])
    assert raised.value.message == f"snapshot {NAME} will not become available"
    assert raised.value.why == "its state is failed"
    assert raised.value.hint == (
        f"AWS says why in its events: aws rds describe-events --source-identifier {NAME}"
        " --source-type db-snapshot --duration 1440"
    )


def test_a_right_that_is_missing_ends_it() -> None:
    with pytest.raises(RightMissing):
        waited([RightMissing("no")])


def test_a_name_that_never_appears_ends_it() -> None:
    time = Time()
    with pytest.raises(NotThere):
        wait_for_snapshot(Scripted(script=[not_there("snapshot", NAME)]), NAME, patience(time))
    assert 30.0 <= time.now < 60.0


def test_a_name_that_disappears_is_looked_for_again_before_it_counts() -> None:
    gone = not_there("snapshot", NAME)
    found, _, _ = waited(["creating", gone, gone, "creating", gone, "available"])
    assert found.is_available


def test_the_deadline() -> None:
    time = Time()
    with pytest.raises(NotReadyYet) as raised:
        wait_for_snapshot(Scripted(script=["creating"]), NAME, patience(time, 600.0))
    assert time.now == 600.0
    assert raised.value.message == f"snapshot {NAME} is not there after 10 min"
    assert raised.value.why == "the last that was heard of it: creating"
    assert raised.value.hint == (
        f"it goes on by itself: handrail rds wait {NAME}; `rds.deadline` of the environment allows more time"
    )


def test_an_instance_without_an_endpoint_is_not_ready() -> None:
    hosted, time = HostedInMemory(), Time()
    hosted.there["new"] = replace(an_instance("new"), host="")
    with pytest.raises(NotReadyYet):
        wait_for_instance(hosted, "new", patience(time, 10.0))


def test_waiting_until_an_instance_is_gone() -> None:
    hosted, time = HostedInMemory(), Time()
    wait_until_gone(hosted, "never", patience(time))
    with pytest.raises(NotReadyYet):
        wait_until_gone(hosted, "shop-prod", patience(time, 10.0))
    assert time.now == 10.0


_LOOKS = st.sampled_from(["creating", "pending", "new", not_there("snapshot", NAME), TriedTooOften("throttled")])


@given(
    st.lists(_LOOKS, min_size=1, max_size=20), st.floats(0, 5000), st.sampled_from(["available", "failed", "creating"])
)
def test_it_ends_by_the_deadline(script: list[Look], deadline: float, end: str) -> None:
    time = Time()
    with contextlib.suppress(NeverReady, NotReadyYet, NotThere):
        wait_for_snapshot(Scripted(script=[*script, end]), NAME, patience(time, deadline))
    assert time.now <= deadline * (1 + 1e-9)
    assert all(pause > 0 for pause in time.slept)
