"""A project whose backups lie in a bucket and in a folder, through the command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from handrail.cli.setup import _store_probe
from handrail.stores.memory import MemoryStore
from handrail.stores.store import StoreError
from support.calling import NEXT, ROWS, at_b2, handrail, rows

pytestmark = pytest.mark.story

if TYPE_CHECKING:
    from support.objects import Server

CONFIG = """
[environments.development]
store = "s3://{bucket}/shop"
copies = ["copies"]
bandwidth = "200MB/s"
"""


@pytest.fixture
def bucket(moto: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    from support.objects import environment

    monkeypatch.delenv("AWS_PROFILE", raising=False)
    for name, value in environment(moto.endpoint, tmp_path).items():
        monkeypatch.setenv(name, value)
    return moto.new_bucket()


@pytest.fixture
def project(bucket: str, tmp_path: Path) -> Path:
    folder = at_b2(tmp_path / "project", NEXT)
    (folder / "handrail.toml").write_text(CONFIG.format(bucket=bucket))
    return folder


def listed(folder: Path) -> list[dict[str, object]]:
    said = handrail(folder, "backup", "list", "--json")
    assert said.code == 0, said.error
    backups: list[dict[str, object]] = json.loads(said.out)["result"]["backups"]
    return backups


def test_an_upgrade_is_backed_up_to_the_bucket_and_copied(project: Path, bucket: str) -> None:
    said = handrail(project, "upgrade")
    assert (said.code, rows(project)) == (0, ROWS), said.err
    (backup,) = listed(project)
    places = [f"s3://{bucket}/shop", str(project / "copies")]
    assert (backup["stores"], backup["verified_at"] is None) == (places, False)
    shown = handrail(project, "backup", "show").out
    for place in places:
        assert f"artifact   {place}/development/{backup['id']}/artifact.zst\n" in shown


def test_what_the_bucket_lost_is_read_from_the_copy(project: Path, bucket: str, moto: Server) -> None:
    assert handrail(project, "backup", "create").code == 0
    (backup,) = listed(project)
    client = moto.client()
    key = f"shop/development/{backup['id']}/artifact.zst"
    client.delete_object(Bucket=bucket, Key=key)
    said = handrail(project, "backup", "restore", "latest", "--into", "new.db")
    assert said.code == 0, said.error
    place = f"s3://{bucket}/shop"
    assert (
        f"{place}: development/{backup['id']}/artifact.zst is not in the store {place}; "
        f"{backup['id']} is read from <here>/copies"
    ) in said.err
    said = handrail(project, "backup", "copy", "latest", "--to", place)
    assert (said.code, said.out) == (0, f"{backup['id']} is in {place}: copied to it and read back\n"), said.error
    assert client.head_object(Bucket=bucket, Key=key)["ContentLength"] == backup["size"]
    said = handrail(project, "backup", "copy", "--json")
    assert json.loads(said.out)["result"] == {"backup": backup["id"], "copies": {str(project / "copies"): False}}


def test_a_copy_needs_a_place(project: Path) -> None:
    (project / "handrail.toml").write_text("")
    assert handrail(project, "backup", "create").code == 0
    said = handrail(project, "backup", "copy")
    assert (said.code, said.out, said.error) == (
        2,
        "",
        "HR200 where to copy to is not clear\n"
        "  why: the environment development has one store\n"
        "  next: add --to FOLDER or --to URL, or name other stores in `copies`",
    )
    said = handrail(project, "backup", "copy", "--to", "elsewhere")
    assert said.code == 0, said.error
    assert len(list((project / "elsewhere").rglob("manifest.json"))) == 1


def test_doctor_tries_every_store(project: Path, bucket: str) -> None:
    said = handrail(project, "doctor")
    assert said.code == 0, said.error
    assert (
        f"ok    store            s3://{bucket}/shop can be written, who else may read it its policy says\n" in said.out
    )
    assert f"ok    copy             {project / 'copies'} can be written, " in said.out
    assert listed(project) == []


def test_doctor_says_why_a_store_cannot_be_used(project: Path) -> None:
    text = (project / "handrail.toml").read_text()
    (project / "handrail.toml").write_text(text.replace('"copies"', '"s3://not-there"'))
    said = handrail(project, "doctor")
    assert said.code == 5
    assert (
        "FAIL  copy             cannot write probe/" in said.out
        and "NoSuchBucket: The specified bucket does not exist\n"
        "      next: make the bucket, or correct `store` or `copies` of the environment\n"
        in said.out
    )


@pytest.mark.parametrize(
    ("line", "message", "why"),
    [
        (
            'store = "s3://AKIA:hunter2@bucket/x"',
            "HR210 the URL of a store holds more than a bucket and a prefix",
            "what stands before an @ or behind a ? may be a secret, so the URL is refused and not shown",
        ),
        (
            'store = "ftp://host/x"',
            "HR210 ftp://host/x is not a place for backups that handrail knows",
            "a store is a folder, or a URL that begins with s3://, gs:// or az://",
        ),
        (
            'store = "a"\ncopies = ["./b", "b"]',
            "HR210 `copies` of the environment development names <here>/b twice, or `store` does too",
            "a copy is of use only in another place",
        ),
    ],
)
def test_a_place_that_is_none_is_refused(project: Path, line: str, message: str, why: str) -> None:
    (project / "handrail.toml").write_text(f"[environments.development]\n{line}\n")
    said = handrail(project, "backup", "create")
    assert (said.code, said.out) == (2, "")
    assert said.error.splitlines()[:2] == [message, f"  why: {why}"]
    assert "hunter2" not in said.error


def test_without_the_library_its_installation_is_the_next_step(project: Path, tmp_path: Path, bucket: str) -> None:
    (tmp_path / "empty" / "obstore").mkdir(parents=True)
    (tmp_path / "empty" / "obstore" / "__init__.py").write_text("raise ImportError('not installed')\n")
    said = handrail(project, "backup", "list", PYTHONPATH=str(tmp_path / "empty"))
    assert (said.code, said.out, said.error) == (
        2,
        "",
        f"HR242 the store s3://{bucket}/shop needs a library that is not installed\n"
        "  why: obstore talks to the clouds\n"
        "  next: pip install 'handrail[objects]'",
    )


def test_a_project_with_a_folder_imports_no_library_of_a_cloud(project: Path) -> None:
    (project / "handrail.toml").write_text("")
    words = [sys.executable, "-X", "importtime", "-m", "handrail.cli.main", "backup", "create"]
    said = subprocess.run(words, cwd=project, capture_output=True, text=True, check=True, env={**os.environ, "ENV": ""})
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in said.stderr.splitlines()}
    assert "zstandard" in imported
    assert not imported & {"obstore", "boto3", "botocore"}


def test_doctor_tells_clocks_that_are_apart_and_objects_that_cannot_be_deleted() -> None:
    class Locked(MemoryStore):
        def delete(self, key: str) -> None:
            raise StoreError("cannot delete it", why="AccessDenied: locked", hint="wait")

    now = datetime.now(UTC)
    told = [
        (probe.name, probe.ok, probe.detail, probe.hint)
        for probe in _store_probe(Locked(), "copy", lambda: now + timedelta(minutes=7))
    ]
    assert told == [
        ("copy", True, "memory can be written, who else may read it its policy says", ""),
        ("copy", None, "cannot delete it: AccessDenied: locked", "wait"),
        (
            "copy clock",
            None,
            "its clock and this machine's are 7 minutes apart",
            "set the clock: clouds refuse requests that are 15 minutes off",
        ),
    ]
    store = MemoryStore()
    assert len(_store_probe(store, "store", lambda: now + timedelta(minutes=4))) == 1
    assert store.keys() == ()
