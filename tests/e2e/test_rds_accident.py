"""The accident of the runbook: rows are deleted, a moment before it is restored, and takes the live one's place."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from support.laboratory import TestLaboratory
from support.rds_project import rds_project

pytestmark = pytest.mark.story


def test_deleted_rows_come_back_by_a_moment_and_a_switch(laboratory: TestLaboratory, tmp_path: Path) -> None:
    shop = rds_project(laboratory, tmp_path, "accident")
    before = laboratory.instance("accident")
    good = shop.passed()
    shop.sql("DELETE FROM orders WHERE id > 10")
    shop.reached(good)

    restored = shop.call("rds", "pitr", "--to", good.isoformat(), "--as", "accident-pitr", "--json")
    assert restored.code == 0, restored.err
    found = json.loads(restored.out)["result"]
    assert (found["instance"], found["source"], found["moment"]) == ("accident-pitr", "accident", good.isoformat())
    assert found["tables"] == [{"table": "orders", "rows": 100, "live_rows": 10}]
    assert (found["revisions"], found["live_revisions"], found["proof"]) == (["b2"], ["b2"], "")
    # The same command takes up what there is: nothing is made twice.
    again = shop.call("rds", "pitr", "--to", good.isoformat(), "--as", "accident-pitr")
    assert again.code == 0, again.err
    assert again.out.splitlines()[1:] == [
        "  settings of accident as it is now",
        "  revision b2, the live database is at b2",
        f"  as of {good:%Y-%m-%d %H:%M:%S} UTC",
        "  orders: 100 rows, live 10 (-90)",
        "  schema: as the live one",
        "the live instance accident was not touched; to put the new one in its place:",
        "  handrail rds switch --to accident-pitr",
        "to do away with it instead: aws rds delete-db-instance --db-instance-identifier accident-pitr"
        " --skip-final-snapshot",
    ]
    assert shop.sql("SELECT count(*) FROM orders") == [(10,)]

    refused = shop.call("rds", "switch", "--to", "accident-pitr")
    assert (refused.code, refused.error) == (
        10,
        "HR1000 nothing was switched\n"
        "  why: there is no terminal to type the name on\n"
        "  next: handrail rds switch --to accident-pitr --confirm accident",
    )
    switched = shop.call("rds", "switch", "--to", "accident-pitr", "--confirm", "accident", "--json")
    assert switched.code == 0, switched.err
    done = json.loads(switched.out)["result"]
    now, old = laboratory.instance("accident"), laboratory.instance(done["aside"])
    assert shop.sql("SELECT count(*) FROM orders") == [(100,)]
    assert (now["Endpoint"], old["DbiResourceId"]) == (before["Endpoint"], before["DbiResourceId"])
    assert done == {
        "live": "accident",
        "resource_id": now["DbiResourceId"],
        "aside": done["aside"],
        "endpoint": f"127.0.0.1:{now['Endpoint']['Port']}",
        "revisions": ["b2"],
        "not_following": [
            f"the resource id: {now['DbiResourceId']} instead of {old['DbiResourceId']}; IAM policies of rds-db:connect"
            " that name the old id do not let anybody in",
            "automated backups: those made so far belong to the old instance; moments before the restore can be had"
            f" only from {done['aside']} while it is there",
            "connections and DNS caches: open ones lead to the old instance until they end; restart the application",
        ],
        "back": [
            "aws rds modify-db-instance --db-instance-identifier accident --new-db-instance-identifier accident-pitr"
            " --apply-immediately",
            f"aws rds modify-db-instance --db-instance-identifier {done['aside']} --new-db-instance-identifier accident"
            " --apply-immediately",
        ],
    }
    # Asked again, it sees that it is done.
    again = shop.call("rds", "switch", "--to", "accident-pitr", "--json")
    assert (again.code, json.loads(again.out)["result"]) == (0, done)
