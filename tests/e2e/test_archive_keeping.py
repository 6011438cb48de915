"""Long keeping: an archive is proven before it is cold, and before a snapshot gives way to it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from support.children import Child
from support.laboratory import TestLaboratory, until
from support.rds_project import RdsProject, make_bucket, rds_project

pytestmark = pytest.mark.story

BUCKET = "long-keeping"
TAGS = [{"Key": "handrail:managed", "Value": "true"}, {"Key": "handrail:run", "Value": "r1"}]


@pytest.fixture(scope="module")
def shop(laboratory: TestLaboratory, tmp_path_factory: pytest.TempPathFactory) -> RdsProject:
    make_bucket(laboratory, BUCKET)
    return rds_project(laboratory, tmp_path_factory.mktemp("shop"), "keeping")


def objects(shop: RdsProject, prefix: str) -> dict[str, str]:
    """The storage class of each object, by its name without the backup's folder."""
    listed = shop.lab.client("s3").list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", [])
    return {one["Key"].rpartition("/")[2].partition("-")[0]: one["StorageClass"] for one in listed}


def unfinished(shop: RdsProject) -> list[Any]:
    uploads: list[Any] = shop.lab.client("s3").list_multipart_uploads(Bucket=BUCKET).get("Uploads", [])
    return uploads


def test_an_archive_is_proven_and_then_cold(shop: RdsProject) -> None:
    words = ("backup", "archive", "--to", f"s3://{BUCKET}/live", "--storage-class", "DEEP_ARCHIVE")
    made = shop.call(*words, "--milestone", "release", "--json")
    assert made.code == 0, made.err
    found = json.loads(made.out)["result"]
    assert found == {
        "backup": found["backup"],
        "place": f"s3://{BUCKET}/live",
        "size": found["size"],
        "verified_at": found["verified_at"],
        "storage_class": "DEEP_ARCHIVE",
        "snapshot": None,
        "deleted": None,
    }
    assert found["verified_at"] is not None
    assert objects(shop, "live/") == {
        "RECOVERY.txt": "STANDARD",
        "artifact.zst": "DEEP_ARCHIVE",
        "manifest.json": "STANDARD",
        "mark": "STANDARD",
        "verified": "STANDARD",
    }
    file = shop.folder / "handrail.toml"
    before = file.read_text()
    file.write_text(before.replace("[environments.prod]\n", f'[environments.prod]\ncopies = ["s3://{BUCKET}/live"]\n'))
    try:
        listed = json.loads(shop.call("backup", "list", "--json").out)["result"]["backups"]
        assert [(one["id"], one["milestones"]) for one in listed] == [(found["backup"], ["release"])]
        cold = shop.call("backup", "verify", found["backup"])
        refused = shop.call(*words)
    finally:
        file.write_text(before)
    key = f"prod/{found['backup']}/artifact.zst"
    assert (cold.code, cold.error) == (
        5,
        f"HR510 cannot read {key} from the store s3://{BUCKET}/live\n"
        "  why: InvalidObjectState: The operation is not valid for the object's storage class\n"
        "  next: it lies in a cold storage class: ask for it (aws s3api restore-object --restore-request Days=7 with its"
        " bucket and key), wait some hours until aws s3api head-object says so, then run the command again",
    )
    assert (refused.code, refused.error) == (
        2,
        f"HR200 s3://{BUCKET}/live is a store of the environment\n"
        "  why: its policy would prune the archive; long keeping has a place of its own\n"
        "  next: --to another prefix, or handrail backup create",
    )


def test_a_snapshot_gives_way_to_an_archive_that_was_made_of_it(shop: RdsProject) -> None:
    rds = shop.lab.client("rds")
    rds.create_db_snapshot(DBSnapshotIdentifier="yearly-1", DBInstanceIdentifier="keeping", Tags=TAGS)
    assert shop.call("rds", "wait", "yearly-1").code == 0
    shop.sql("INSERT INTO orders (id, topic) VALUES (101, 'later')")
    words = ("backup", "archive", "--to", f"s3://{BUCKET}/snap", "--snapshot", "yearly-1", "--delete-snapshot")
    refused = shop.call(*words)
    assert (refused.code, refused.error) == (
        2,
        "HR596 the snapshot yearly-1 is not deleted\n"
        "  why: it is the newest good snapshot of keeping\n"
        "  next: archive it and keep it: handrail backup archive --snapshot yearly-1 without --delete-snapshot",
    )
    rds.create_db_snapshot(DBSnapshotIdentifier="yearly-2", DBInstanceIdentifier="keeping", Tags=TAGS)
    assert shop.call("rds", "wait", "yearly-2").code == 0
    done = shop.call(*words)
    assert done.code == 0, done.err
    id_ = done.out.split()[0]
    arn = f"arn:aws:rds:{shop.region}:123456789012:snapshot:yearly-1"
    assert done.out.splitlines() == [
        f"{id_} is in s3://{BUCKET}/snap: {done.out.split(': ')[1].split(',')[0]}, archive of the snapshot {arn}",
        "  proven by a restore: read back whole, its digest right, loaded, and equal to the source in every row",
        f"  no policy prunes it there; to see it, name s3://{BUCKET}/snap in `copies` or `store`",
    ]
    left = {one["DBSnapshotIdentifier"] for one in rds.describe_db_snapshots(SnapshotType="manual")["DBSnapshots"]}
    assert "yearly-2" in left and "yearly-1" not in left
    s3 = shop.lab.client("s3")
    manifest = s3.get_object(Bucket=BUCKET, Key=f"snap/prod/{id_}/manifest.json")["Body"].read()
    assert b'"rows": 100' in manifest
    until(lambda: {"keeping"} == {one["DBInstanceIdentifier"] for one in _instances(shop)}, "no temporary instance")


def _instances(shop: RdsProject) -> list[dict[str, Any]]:
    listed = shop.lab.client("rds").describe_db_instances()["DBInstances"]
    return [one for one in listed if one["DBInstanceIdentifier"].startswith("keeping")]


@pytest.mark.parametrize("victim", ["pg_dump", "handrail"])
def test_what_is_cut_in_the_middle_leaves_no_backup(shop: RdsProject, victim: str) -> None:
    shop.sql("CREATE TABLE IF NOT EXISTS noise AS SELECT n, md5(n::text) FROM generate_series(1, 400000) n")
    file = shop.folder / "handrail.toml"
    before = file.read_text()
    file.write_text(before.replace("[environments.prod]\n", '[environments.prod]\nbandwidth = "2MB/s"\n'))
    place = f"s3://{BUCKET}/cut-{victim.replace('_', '-')}"
    environment = {**os.environ, **shop.lab.environ, "NO_COLOR": "1"}
    words = [sys.executable, "-m", "handrail.cli.main", "backup", "archive", "--to", place]
    with Child(
        words, cwd=shop.folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as archive:
        try:
            dump = until(lambda: _child(archive.pid, "pg_dump"), "pg_dump")
            os.kill(dump if victim == "pg_dump" else archive.pid, signal.SIGKILL)
            _, err = archive.communicate(timeout=60)
        finally:
            file.write_text(before)
    prefix = place.removeprefix(f"s3://{BUCKET}/")
    assert objects(shop, prefix) == {}
    if victim == "pg_dump":
        assert archive.returncode == 5
        port = shop.lab.instance("keeping")["Endpoint"]["Port"]
        assert err[err.index("HR") :] == (
            f"HR500 pg_dump of postgresql://app@127.0.0.1:{port}/shop failed.\n"
            "  why: It ended with status -9.\n"
            "  next: Run `handrail doctor`.\n"
        )
        assert unfinished(shop) == []
    else:
        assert archive.returncode == -signal.SIGKILL
        recovered = shop.call("recover")
        run = recovered.out.split()[1].rstrip(":")
        assert (recovered.code, recovered.out) == (
            0,
            f"run {run}: cleaned: backup archive was interrupted: it changes nothing in the database, and only a whole"
            " backup counts\n",
        )


def test_recover_drops_what_a_killed_archive_had_made_for_a_while(shop: RdsProject) -> None:
    """And leaves it to one that is at work, which holds no lock of the live database."""
    created = shop.lab.client("rds").create_db_snapshot
    created(DBSnapshotIdentifier="to-be-cut", DBInstanceIdentifier="keeping", Tags=TAGS)
    assert shop.call("rds", "wait", "to-be-cut").code == 0
    words = ["backup", "archive", "--to", f"s3://{BUCKET}/cut", "--snapshot", "to-be-cut"]
    shop.configure(settings='bandwidth = "1 kB/s"')
    with Child(
        [sys.executable, "-m", "handrail.cli.main", *words],
        cwd=shop.folder, env={**os.environ, **shop.lab.environ, "NO_COLOR": "1"}, stderr=subprocess.DEVNULL,
    ) as archive:  # fmt: skip
        until(lambda: shop.temporary, "the temporary instance")
        (name,) = shop.temporary
        recovered = shop.call("recover")
        run = next(line.split()[2] for line in recovered.err.splitlines() if "is still at work: left alone" in line)
        assert (recovered.code, recovered.out) == (0, "no run is open: nothing to recover\n")
        assert (shop.temporary, name.endswith(run.replace("_", "-"))) == ([name], True)
        archive.kill()
    shop.configure()
    recovered = shop.call("recover", "--json")
    assert recovered.code == 0, recovered.err
    assert f"temporary instance {name}" in recovered.err
    what = f"it was archiving a snapshot into s3://{BUCKET}/cut: only a whole backup counts there"
    settled = {"run_id": run, "result": "cleaned", "detail": what, "to_type": []}
    assert json.loads(recovered.out)["result"] == {"settled": [settled]}
    assert shop.temporary == []


def _child(parent: int, name: str) -> int | None:
    """The process of this name among the children of a process, and theirs."""
    for folder in Path("/proc").iterdir():
        with suppress(OSError, ValueError, IndexError):
            stat = (folder / "stat").read_text()
            command = stat.partition("(")[2].rpartition(")")[0]
            if command == name and int(stat.rpartition(")")[2].split()[1]) == parent:
                return int(folder.name)
    return None
