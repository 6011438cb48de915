"""Whether a store has room is asked before anything is written, where the size is known by then."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from handrail.amounts import size
from handrail.backups.methods import WHOLE, DumpRequest, Format
from handrail.facts import TableName
from handrail.stores.file import FileStore
from handrail.stores.store import StoreError
from handrail.wiring import open_project
from handrail.workflows.backup import make_backup
from handrail.workflows.run import Equipment, locked_run
from support.projects import BOOKINGS, database_at_b2, make_project


class Small(FileStore):
    """A store that says how little it has left, and takes what it is given."""

    def free_bytes(self) -> int:
        return 4096


@pytest.fixture
def kit(tmp_path: Path) -> Equipment:
    """Uncompressed, with a whole backup and room for a page."""
    make_project(tmp_path, revisions=(BOOKINGS,))
    database_at_b2(tmp_path / "local.db")
    project = open_project(tmp_path, None)
    kit = replace(project.equipment(project.migrator.describe()), store=FileStore(tmp_path / "store"))
    made(kit, WHOLE)
    return replace(kit, store=Small(tmp_path / "store"), compression="none")


def made(kit: Equipment, request: DumpRequest) -> str:
    with locked_run(kit, lambda _progress: None, "backup create") as run:
        return make_backup(run, "by hand", request).id


def test_a_whole_one_that_is_too_large_is_not_begun(kit: Equipment) -> None:
    before = kit.store.keys()
    with pytest.raises(StoreError) as refused:
        made(kit, WHOLE)
    error = refused.value
    assert (error.message, error.why, error.hint) == (
        f"the store {kit.store.place} has no room for a backup",
        f"what is backed up has {size(kit.database.size_bytes())}, 4.1 kB are free",
        "make room, or set `store` of the environment to another place",
    )
    assert kit.store.keys() == before


@pytest.mark.parametrize(
    "request_",
    [
        DumpRequest(Format.SQLITE_INCREMENT),
        DumpRequest(Format.SQLITE_SQL, tables=(TableName("bookings"),)),
        DumpRequest(Format.SQLITE_SQL, schema_only=True),
    ],
    ids=["increment", "some tables", "no rows"],
)
def test_one_that_holds_less_is_not_refused_for_what_it_leaves_out(kit: Equipment, request_: DumpRequest) -> None:
    made(kit, request_)
