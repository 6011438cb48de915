"""Real S3 servers for the tests, one of each kind for a session: moto in this process, SeaweedFS and rclone beside it."""

from __future__ import annotations

import json
import logging
import os
import random
import socket
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from handrail.stores.objects.address import ObjectsAddress
from handrail.stores.objects.client import Patience, open_client
from handrail.stores.objects.store import CloudStore
from support.children import Child

KEY, SECRET = "AKIAHANDRAIL", "not-a-secret-of-anybody"
HASTY = Patience(connect=2.0, small=5.0, data=20.0, repeats=2, repeat_for=5.0)
_BIN = Path(sys.executable).parent


@dataclass(frozen=True)
class Server:
    """An S3 server with an endpoint of its own."""

    name: str
    port: int

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def client(self) -> Any:
        """AWS's own library, for what handrail never does: making buckets, locks, looking behind the store."""
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id=KEY,
            aws_secret_access_key=SECRET,
            config=Config(retries={"total_max_attempts": 2}, connect_timeout=2, read_timeout=20),
        )

    def bucket(self) -> str:
        """A bucket that tests share, each below a prefix of its own: SeaweedFS keeps files of its own for every bucket."""
        return "shared"

    def new_bucket(self, **settings: object) -> str:
        name = f"b{uuid.uuid4().hex[:12]}"
        self.client().create_bucket(Bucket=name, **settings)
        return name


def environment(endpoint: str, folder: Path) -> dict[str, str]:
    """What a user would export; nothing of the machine's own settings is read."""
    return {
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_CONFIG_FILE": str(folder / "no-config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(folder / "no-credentials"),
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def cloud_store(bucket: str, prefix: str = "pre/fix", patience: Patience = HASTY) -> CloudStore:
    return CloudStore(open_client(ObjectsAddress("s3", bucket, prefix), os.environ, patience))


@contextmanager
def moto_server() -> Iterator[Server]:
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        yield _answering(Server("moto", server.get_host_and_port()[1]))
    finally:
        server.stop()


@contextmanager
def seaweed_server(folder: Path) -> Iterator[Server]:
    identity = {
        "name": "handrail",
        "credentials": [{"accessKey": KEY, "secretKey": SECRET}],
        "actions": ["Admin", "Read", "List", "Tagging", "Write"],
    }
    (folder / "s3.json").write_text(json.dumps({"identities": [identity]}))
    s3, *others = free_ports(5)
    names = ("-s3.port.grpc", "-master.port", "-volume.port", "-filer.port")
    with _process(
        folder,
        [
            *(str(_BIN / "weed"), "server", f"-dir={folder}", "-ip=127.0.0.1", "-s3", f"-s3.port={s3}"),
            *(f"{name}={port}" for name, port in zip(names, others, strict=True)),
            *("-s3.port.lance=0", "-s3.port.iceberg=0", f"-s3.config={folder / 's3.json'}"),
            *("-master.volumeSizeLimitMB=64", "-volume.max=40"),
        ],
    ):
        yield _answering(Server("seaweed", s3))


@contextmanager
def rclone_server(folder: Path) -> Iterator[Server]:
    (port,) = free_ports(1)
    (folder / "data").mkdir()
    words = [str(_BIN / "rclone"), "serve", "s3", str(folder / "data"), "--addr", f"127.0.0.1:{port}"]
    with _process(folder, [*words, "--auth-key", f"{KEY},{SECRET}", "--config", ""]):
        yield _answering(Server("rclone", port))


@contextmanager
def _process(folder: Path, words: list[str]) -> Iterator[None]:
    with (folder / "log").open("wb") as log:
        process = Child(words, stdout=log, stderr=log, cwd=folder)
        try:
            yield
        finally:
            process.kill()  # nothing of it is kept, and SeaweedFS takes half a minute to end by itself
            process.wait()


def _answering(server: Server) -> Server:
    end = time.monotonic() + 60
    while True:
        try:
            server.client().create_bucket(Bucket="shared")
        except (BotoCoreError, ClientError):
            if time.monotonic() > end:
                raise
            time.sleep(0.3)
        else:
            return server


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on, nor on the ones 10,000 above, which SeaweedFS takes for itself."""
    found: list[int] = []
    while len(found) < count:
        port = random.randrange(11_000, 21_000)
        if port not in found and _is_free(port) and _is_free(port + 10_000):
            found.append(port)
    return found


def _is_free(port: int) -> bool:
    with socket.socket() as one:
        try:
            one.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
