"""What whoever watches a guarded run is told of its amounts: bytes of the dump and of the artifact, revisions."""

from __future__ import annotations

from pathlib import Path

from handrail.wiring import open_project
from handrail.workflows.run import Amount, Progress
from handrail.workflows.upgrade import Request, guarded_run
from support.projects import BOOKINGS, STATUS, Script, database_at_b2, make_project

NEXT = tuple(
    Script(new, old, f'op.create_table("{new}", sa.Column("id", sa.Integer))', f'op.drop_table("{new}")')
    for old, new in (("b2", "c3"), ("c3", "d4"))
)


def test_amounts_are_told_as_data(tmp_path: Path) -> None:
    folder = make_project(tmp_path, revisions=(BOOKINGS, STATUS, *NEXT))
    size = database_at_b2(folder / "local.db").stat().st_size
    project = open_project(folder, None)
    facts = project.migrator.describe("head")
    assert facts.path is not None
    told: list[Progress] = []
    outcome = guarded_run(project.equipment(facts), Request("upgrade", facts.path, facts), told.append)
    assert outcome.backup is not None
    stored = outcome.backup.artifact.size

    def amounts(step: str) -> list[Amount | None]:
        return [event.amount for event in told if event.step == step and event.amount]

    assert amounts("backup")[-1] == Amount(size, size, "bytes")
    assert amounts("restore copy")[-1] == Amount(stored, stored, "bytes")
    assert amounts("rehearse") == [Amount(0, 2, "revisions"), Amount(1, 2, "revisions")]
    assert amounts("apply") == [Amount(0, 2, "revisions"), Amount(1, 2, "revisions")]
    assert [event.state for event in told if event.step == "lock"] == ["waiting", "waited"]
