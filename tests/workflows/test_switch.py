"""A switch is two renames: what fails between them is taken back, or told with the commands that end it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from handrail.databases.hosting import Hosting
from handrail.databases.snapshots import SnapshotError, WrongState
from handrail.databases.waiting import NotReadyYet
from handrail.errors import ExitCode, HandrailError, PartlyDone
from handrail.snapshots.instance import Instance
from handrail.snapshots.switching import NoSwitch, Stage, Switch, plan_switch
from handrail.wiring import open_project
from handrail.workflows.run import Equipment, Progress, Run
from handrail.workflows.switch import do_switch, require_answer
from support.hosted import HostedInMemory, Time, an_instance
from support.projects import BOOKINGS, make_project
from support.runs import left_open

NOW = datetime(2026, 2, 18, 6, 30, tzinfo=UTC)
ASIDE = "shop-prod-old-20260218-063000"
RENAME = "aws rds modify-db-instance --db-instance-identifier {} --new-db-instance-identifier {} --apply-immediately"


@dataclass
class Renaming(HostedInMemory):
    """Refuses these renames ("name to"), each once with its error."""

    refused: dict[str, SnapshotError] = field(default_factory=dict)

    def rename(self, name: str, to: str) -> Instance:
        if f"{name} {to}" in self.refused:
            raise self.refused.pop(f"{name} {to}")
        return super().rename(name, to)


def both(**refused: SnapshotError) -> Renaming:
    there = {"shop-prod": an_instance(), "shop-pitr": an_instance("shop-pitr")}
    names = {"second": "shop-pitr shop-prod", "back": f"{ASIDE} shop-prod", "first": f"shop-prod {ASIDE}"}
    return Renaming(there=there, refused={names[key]: error for key, error in refused.items()})


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Equipment:
    project = open_project(make_project(tmp_path_factory.mktemp("shop"), revisions=(BOOKINGS,)), None)
    facts = project.migrator.describe("head")
    assert facts.path is not None
    kit = project.equipment(facts)
    project.migrator.run(facts.path, run_id="r", limits=kit.limits)
    return kit


def switched(kit: Equipment, hosted: HostedInMemory, plan: Switch) -> tuple[Run, list[str], HandrailError | None]:
    """Do it; who was told what, and the error."""
    told = list[str]()

    def heard(event: Progress) -> None:
        told.append(f"{event.state}: {event.text}")

    time = Time()
    hosting = Hosting(hosted, "shop-prod", time.clock, time.sleep, deadline=600.0)
    run = left_open(kit, heard, "rds switch", {})
    try:
        done = do_switch(run, hosting, plan, lambda _: kit.database)
    except HandrailError as error:
        return run, told, error
    assert done.switch.stage is Stage.DONE
    assert done.revisions == ("a1",)
    assert (done.live.id, done.aside.id) == ("shop-prod", ASIDE)
    return run, told, None


def planned(hosted: HostedInMemory) -> Switch:
    return plan_switch(hosted.instances(), "shop-prod", "shop-pitr", NOW)


def ids(hosted: HostedInMemory) -> dict[str, str]:
    return {name: one.resource_id for name, one in sorted(hosted.there.items())}


def test_two_renames_and_the_endpoint_answers(kit: Equipment) -> None:
    hosted = both()
    assert switched(kit, hosted, planned(hosted))[2] is None
    assert ids(hosted) == {"shop-prod": "db-SHOP-PITR", ASIDE: "db-SHOP-PROD"}


def test_a_switch_that_was_cut_is_gone_on_with(kit: Equipment) -> None:
    hosted = both()
    hosted.rename("shop-prod", ASIDE)
    assert planned(hosted).stage is Stage.HALF
    assert switched(kit, hosted, planned(hosted))[2] is None
    assert ids(hosted) == {"shop-prod": "db-SHOP-PITR", ASIDE: "db-SHOP-PROD"}


def test_the_second_rename_failing_gives_the_live_name_back(kit: Equipment) -> None:
    hosted = both(second=WrongState("AWS did not rename it", why="InvalidDBInstanceState: modifying"))
    error = switched(kit, hosted, planned(hosted))[2]
    assert error is not None
    assert (type(error), error.message, error.why, error.hint) == (
        SnapshotError,
        "nothing was switched: shop-pitr could not be renamed, and shop-prod has its name again",
        "AWS did not rename it: InvalidDBInstanceState: modifying",
        "remove the reason, then: handrail rds switch --to shop-pitr",
    )
    assert ids(hosted) == {"shop-prod": "db-SHOP-PROD", "shop-pitr": "db-SHOP-PITR"}


def test_what_cannot_be_taken_back_is_told_with_the_commands(kit: Equipment) -> None:
    hosted = both(
        second=WrongState("AWS did not rename it", why="it is modifying"),
        back=WrongState("AWS did not rename it either", why="it is modifying too"),
    )
    error = switched(kit, hosted, planned(hosted))[2]
    assert error is not None
    assert (type(error), error.exit_code, error.message, error.why, error.hint) == (
        PartlyDone,
        ExitCode.PARTLY_DONE,
        f"no instance is called shop-prod now: {ASIDE} was, and shop-pitr was to be",
        "AWS did not rename it: it is modifying; and it was not taken back: AWS did not rename it either: it is"
        " modifying too",
        f"go on: handrail rds switch --to shop-pitr, or {RENAME.format('shop-pitr', 'shop-prod')}"
        f" -- or back: {RENAME.format(ASIDE, 'shop-prod')}",
    )
    # The same command goes on.
    assert switched(kit, hosted, planned(hosted))[2] is None


def test_a_rename_that_takes_too_long_is_not_taken_back(kit: Equipment) -> None:
    hosted = both(second=NotReadyYet("instance shop-prod is not there after 10 min", why="renaming"))
    error = switched(kit, hosted, planned(hosted))[2]
    assert error is not None
    assert (type(error), error.message, error.why, error.hint) == (
        PartlyDone,
        f"shop-pitr is still being renamed to shop-prod, and shop-prod is {ASIDE}",
        "renaming",
        "see whether it has come to an end: handrail rds switch --to shop-pitr",
    )
    assert ids(hosted) == {"shop-pitr": "db-SHOP-PITR", ASIDE: "db-SHOP-PROD"}


def test_the_first_rename_failing_changes_nothing(kit: Equipment) -> None:
    hosted = both(first=WrongState("AWS did not rename it", why="it is modifying"))
    error = switched(kit, hosted, planned(hosted))[2]
    assert error is not None and error.message == "AWS did not rename it"
    assert ids(hosted) == {"shop-prod": "db-SHOP-PROD", "shop-pitr": "db-SHOP-PITR"}


def test_nothing_is_renamed_while_the_new_instance_does_not_answer(kit: Equipment, tmp_path: Path) -> None:
    hosted, time = both(), Time()
    hosting = Hosting(hosted, "shop-prod", time.clock, time.sleep)
    gone = kit.database.sibling(str(tmp_path / "no-folder" / "gone.db"))
    run = left_open(kit, lambda _: None, "rds switch", {})
    with pytest.raises(NoSwitch) as raised:
        require_answer(run, lambda _: gone, hosting, replace(planned(hosted)))
    assert raised.value.message == "the instance shop-pitr does not let us in"
    assert raised.value.hint == (
        "its security groups and its password have to be those of the live one: handrail rds settings"
    )
