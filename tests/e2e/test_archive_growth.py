"""A large archive streams into a bucket: memory does not grow with it, and it is beside what the library alone does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.children import Child
from support.objects import Server, environment
from support.postgres import PostgresServer
from support.projects import make_project

PLAIN = """
import os, sys, time
import obstore
from obstore.store import S3Store
store = S3Store(sys.argv[1], client_options={"allow_http": True})
piece, size = os.urandom(1 << 20), int(sys.argv[2]) >> 20
begun = time.monotonic()
obstore.put(store, "plain/object", iter([piece] * size), chunk_size=16 << 20, max_concurrency=4)
print(time.monotonic() - begun)
"""


def peaks(process: Child[str], err: Path) -> tuple[int, int]:
    """The most memory that this process itself had, in MiB: until the dump was stored, and until its end."""
    dumping = most = 0
    while process.poll() is None:
        with suppress(OSError, StopIteration):
            lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
            most = max(most, int(next(line for line in lines if line.startswith("VmHWM")).split()[1]))
        if "✓ backup" not in err.read_text():
            dumping = most
        time.sleep(0.02)
    return dumping // 1024, most // 1024


@dataclass(frozen=True)
class Archived:
    """Stored bytes, the seconds that the dump took, and the most memory of the process in MiB: `dumping` until the dump
    was stored, `most` until it was read back and proven."""

    size: int
    seconds: float
    dumping: int
    most: int


def archived(folder: Path, seaweed: Server, bucket: str, prefix: str) -> Archived:
    variables = {**os.environ, **environment(seaweed.endpoint, folder), "NO_COLOR": "1"}
    place = f"s3://{bucket}/{prefix}"
    words = [sys.executable, "-m", "handrail.cli.main", "backup", "archive", "--to", place, "--json"]
    with (folder / "out").open("w") as out, (folder / "err").open("w") as err:
        process = Child(words, cwd=folder, env=variables, stdout=out, stderr=err, text=True)
        dumping, most = peaks(process, folder / "err")
    assert process.returncode == 0, (folder / "err").read_text()
    client = seaweed.client()
    listed = client.list_objects_v2(Bucket=bucket, Prefix=prefix)["Contents"]
    key = next(one["Key"] for one in listed if one["Key"].endswith("manifest.json"))
    manifest = json.loads(client.get_object(Bucket=bucket, Key=key)["Body"].read())
    size = json.loads((folder / "out").read_text())["result"]["size"]
    return Archived(size, float(manifest["backup"]["seconds"]), dumping, most)


@pytest.mark.long
def test_memory_is_flat_while_a_dump_of_a_gigabyte_is_archived(
    postgres_server: PostgresServer, seaweed: Server, tmp_path: Path
) -> None:
    """Also while it is read back: what the writer had is given back before."""
    address, bucket = postgres_server.clone(), seaweed.new_bucket()
    where = f"{address.user}:{address.password}@{address.host}:{address.port}/{address.database}"
    make_project(tmp_path, revisions=(), url=f"postgresql+psycopg://{where}")
    small = archived(tmp_path, seaweed, bucket, "small")
    value = "||".join(["decode(md5(random()::text), 'hex')"] * 64)
    filled = f"CREATE TABLE large AS SELECT n AS id, {value} AS content FROM generate_series(1, 500000) n"
    postgres_server.execute(address, [filled])
    large = archived(tmp_path, seaweed, bucket, "large")
    variables = {**os.environ, **environment(seaweed.endpoint, tmp_path)}
    words = [sys.executable, "-c", PLAIN, bucket, str(large.size)]
    alone = float(subprocess.run(words, env=variables, capture_output=True, text=True, check=True).stdout)
    print(
        f"archived {large.size / 1e6:.0f} MB (a dump of 1 GB) in {large.seconds:.1f} s,"
        f" {large.size / 1e6 / large.seconds:.0f} MB/s stored; plain put of as many bytes"
        f" {large.size / 1e6 / alone:.0f} MB/s; memory at most {large.dumping} MiB while it streams, {large.most} MiB"
        f" until it is proven, {small.most} MiB with an empty database; load {os.getloadavg()[0]:.1f}"
    )
    assert (large.dumping < 220, large.most < 220) == (True, True)
