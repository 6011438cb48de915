"""A laboratory for the tests: the real program in a process of its own, fast, on a port that was free."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import boto3
import psycopg
from botocore.config import Config

from handrail.laboratory.client import LaboratoryClient
from handrail.laboratory.process import environ, require
from support.children import Child
from support.warm import call

USER, PASSWORD, DATABASE = "app", "secret-of-nobody", "shop"
SPEED = 20
Found = TypeVar("Found")
_WATCH = """read -r _; kill -TERM "$1"; while kill -0 "$1" 2>/dev/null; do sleep 0.1; done; rm -rf "$2" """


@dataclass
class TestLaboratory:
    """`environ` is what a user would export; `client` a client of boto3 for it; `faults` breaks things and looks at calls."""

    __test__ = False
    folder: Path
    endpoint: str
    faults: LaboratoryClient = field(init=False)
    _clients: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.faults = LaboratoryClient(self.endpoint)

    @property
    def environ(self) -> dict[str, str]:
        nowhere = {name: str(self.folder / "none") for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE")}
        return {**environ(self.endpoint), **nowhere}

    def client(self, service: str, attempts: int = 1) -> Any:
        """boto3's, by default without any retry: a fault that is set is met by the test."""
        key = f"{service} {attempts}"
        if key not in self._clients:
            values = environ(self.endpoint)
            self._clients[key] = boto3.client(
                service,
                endpoint_url=self.endpoint,
                region_name=values["AWS_REGION"],
                aws_access_key_id=values["AWS_ACCESS_KEY_ID"],
                aws_secret_access_key=values["AWS_SECRET_ACCESS_KEY"],
                config=Config(retries={"total_max_attempts": attempts, "mode": "standard"}, read_timeout=30),
            )
        return self._clients[key]

    def aws(self, *words: str) -> subprocess.CompletedProcess[str]:
        """AWS's own command line."""
        program = str(Path(sys.executable).parent / "aws")
        environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        return subprocess.run(
            [program, *words, "--output", "json"],
            env={**environment, **self.environ, "AWS_PAGER": "", "AWS_MAX_ATTEMPTS": "1"},
            capture_output=True,
            text=True,
            check=False,
        )

    def create(self, name: str, **words: Any) -> dict[str, Any]:
        """An instance that is available, with a database DATABASE that USER owns."""
        wanted = {
            "Engine": "postgres",
            "DBInstanceClass": "db.t4g.medium",
            "AllocatedStorage": 20,
            "MasterUsername": USER,
            "MasterUserPassword": PASSWORD,
            "DBName": DATABASE,
            **words,
        }
        self.client("rds").create_db_instance(DBInstanceIdentifier=name, **wanted)
        return self.instance(name, "available")

    def instance(self, name: str, *states: str) -> dict[str, Any]:
        """The instance, once it is in one of the states."""

        def look() -> dict[str, Any] | None:
            listed = self.client("rds").describe_db_instances()["DBInstances"]
            found: dict[str, Any] | None = next((one for one in listed if one["DBInstanceIdentifier"] == name), None)
            if found and found["DBInstanceStatus"] == "failed" and "failed" not in states:
                raise AssertionError(self.events(name))
            return found if found and (not states or found["DBInstanceStatus"] in states) else None

        return until(look, f"{name} to be {' or '.join(states)}")

    def gone(self, name: str) -> None:
        """Wait until there is no such instance."""
        rds = self.client("rds")
        until(
            lambda: name not in {one["DBInstanceIdentifier"] for one in rds.describe_db_instances()["DBInstances"]},
            f"{name} to be gone",
        )

    def snapshot(self, name: str, *states: str) -> dict[str, Any]:
        """The snapshot, once it is in one of the states."""

        def look() -> dict[str, Any] | None:
            found: dict[str, Any] = self.client("rds").describe_db_snapshots(DBSnapshotIdentifier=name)["DBSnapshots"][
                0
            ]
            return found if not states or found["Status"] in states else None

        return until(look, f"{name} to be {' or '.join(states)}")

    def events(self, name: str) -> list[str]:
        """The messages of an instance's or a snapshot's events."""
        pages = self.client("rds").get_paginator("describe_events").paginate()
        return [one["Message"] for page in pages for one in page["Events"] if one["SourceIdentifier"] == name]

    @contextmanager
    def connect(self, instance: dict[str, Any], database: str = DATABASE, **words: Any) -> Iterator[Any]:
        """A connection as the master user, in autocommit mode."""
        endpoint = instance["Endpoint"]
        given = {"user": USER, "password": PASSWORD, "dbname": database, "autocommit": True, **words}
        connection = psycopg.connect(host=endpoint["Address"], port=endpoint["Port"], connect_timeout=5, **given)
        try:
            yield connection
        finally:
            connection.close()


def until(look: Callable[[], Found | None], what: str, seconds: float = 60) -> Found:
    """What `look` finds, as soon as it finds something."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = look()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"waited {seconds} seconds for {what}")


def handrail(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """The program itself."""
    return call(*words, env={**os.environ, **variables})


@contextmanager
def running_laboratory(folder: Path, *words: str) -> Iterator[TestLaboratory]:
    """A laboratory in this folder; ended at exit, if the test has not killed it."""
    from support.postgres import obtain_server_binaries

    obtain_server_binaries()
    started = handrail(
        "lab", "start", "--detach", "--port", "0", "--speed", str(SPEED), "--folder", str(folder), *words
    )
    assert started.returncode == 0, started.stderr
    running = require(folder)
    # When the tests are killed, the pipe closes, and nothing of the laboratory stays: it would be memory.
    shell = ["/bin/sh", "-c", _WATCH, "handrail-watch", str(running.pid), str(folder)]
    watch = Child(shell, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, start_new_session=True)
    try:
        yield TestLaboratory(folder, running.endpoint)
    finally:
        watch.kill()
        watch.communicate()
        handrail("lab", "stop", "--folder", str(folder))


@contextmanager
def lab_folder() -> Iterator[Path]:
    """A folder that root's servers reach (pytest's own are closed to others), in memory where there is plenty: a cluster
    has a thousand files, and each instance and each backup is one."""
    memory = Path("/dev/shm")  # noqa: S108 - the folder in it is ours
    is_roomy = memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > 8 * 2**30
    place = memory if is_roomy else None
    with tempfile.TemporaryDirectory(prefix="hr-lab-", dir=place, ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o711)
        yield Path(name) / "lab"
