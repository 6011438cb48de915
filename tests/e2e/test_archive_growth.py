"""A large archive streams into a bucket: memory does not grow with it, and it is beside what the library alone does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

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


def peak(process: subprocess.Popen[str]) -> int:
    """The most memory that this process itself had, in MiB, once it has ended."""
    most = 0
    while process.poll() is None:
        with suppress(OSError, StopIteration):
            lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
            most = max(most, int(next(line for line in lines if line.startswith("VmHWM")).split()[1]))
        time.sleep(0.05)
    return most // 1024


@pytest.mark.long
def test_memory_is_flat_while_a_dump_of_a_gigabyte_is_archived(
    postgres_server: PostgresServer, seaweed: Server, tmp_path: Path
) -> None:
    address = postgres_server.clone()
    value = "||".join(["decode(md5(random()::text), 'hex')"] * 64)
    postgres_server.execute(
        address,
        [f"CREATE TABLE large AS SELECT n AS id, {value} AS content FROM generate_series(1, 500000) n"],
    )
    where = f"{address.user}:{address.password}@{address.host}:{address.port}/{address.database}"
    make_project(tmp_path, revisions=(), url=f"postgresql+psycopg://{where}")
    bucket = seaweed.new_bucket()
    variables = {**os.environ, **environment(seaweed.endpoint, tmp_path), "NO_COLOR": "1"}
    words = [sys.executable, "-m", "handrail.cli.main", "backup", "archive", "--to", f"s3://{bucket}/keep", "--json"]
    with (tmp_path / "out").open("w") as out, (tmp_path / "err").open("w") as err:
        process = subprocess.Popen(words, cwd=tmp_path, env=variables, stdout=out, stderr=err, text=True)
        most = peak(process)
    said = (tmp_path / "err").read_text()
    assert process.returncode == 0, said
    size = json.loads((tmp_path / "out").read_text())["result"]["size"]
    manifest = next(
        one["Key"]
        for one in seaweed.client().list_objects_v2(Bucket=bucket)["Contents"]
        if one["Key"].endswith("manifest.json")
    )
    body = seaweed.client().get_object(Bucket=bucket, Key=manifest)["Body"].read()
    seconds = float(json.loads(body)["backup"]["seconds"])
    plain = subprocess.run(
        [sys.executable, "-c", PLAIN, bucket, str(size)], env=variables, capture_output=True, text=True, check=True
    )
    alone = float(plain.stdout)
    print(
        f"archived {size / 1e6:.0f} MB (a dump of 1 GB) in {seconds:.1f} s, {size / 1e6 / seconds:.0f} MB/s stored,"
        f" at most {most} MiB of memory; plain put of as many bytes {alone:.1f} s, {size / 1e6 / alone:.0f} MB/s;"
        f" load {os.getloadavg()[0]:.1f}"
    )
    assert most < 200
