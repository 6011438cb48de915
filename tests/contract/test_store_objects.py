"""What only a store of objects can break: networks, servers, keys, locks, and two who write at once."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from handrail.errors import ConfigError, ExitCode, HandrailError
from handrail.stores.objects import store as cloud
from handrail.stores.objects.abandoned import Uploads
from handrail.stores.objects.address import ObjectsAddress, read_address
from handrail.stores.objects.client import open_client
from handrail.stores.objects.failures import explained
from handrail.stores.objects.store import CloudStore
from handrail.stores.objects.upload import PART
from handrail.stores.store import StoreError
from support.children import Child
from support.faults import Fault, FaultyProxy, faulty_proxy
from support.objects import HASTY, KEY, SECRET, Server, cloud_store, environment

pytestmark = pytest.mark.story

BIG = os.urandom(1 << 20) * 40
NETWORK = "check the network, and the endpoint in the environment (AWS_ENDPOINT_URL); then run the command again"
BUSY = "the server is busy or broken: wait, then run the command again"
CREDENTIALS = "check the keys or the profile in the environment: https://github.com/puddingcamp/handrail/blob/main/docs/stores.md says which variables are read"


def answer(code: str, message: str) -> str:
    return f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{message}</Message></Error>"


SLOW_DOWN = answer("SlowDown", "Please reduce your request rate.")


@pytest.fixture
def proxy(moto: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyProxy]:
    with faulty_proxy(moto.port) as proxy:
        exported(monkeypatch, proxy.endpoint, tmp_path)
        yield proxy


def exported(monkeypatch: pytest.MonkeyPatch, endpoint: str, folder: Path) -> None:
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment(endpoint, folder).items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def store(proxy: FaultyProxy, tmp_path: Path) -> CloudStore:
    return cloud_store("shared", prefix=tmp_path.name)


def put(store: CloudStore, key: str, data: bytes) -> None:
    with store.open_write(key) as out:
        out.write(data)


def get(store: CloudStore, key: str) -> bytes:
    with store.open_read(key) as source:
        return source.read()


def told(verb: Callable[[], object]) -> tuple[str, str, str]:
    """The three parts of the StoreError that it raises."""
    with pytest.raises(StoreError) as caught:
        verb()
    assert caught.value.exit_code is ExitCode.BACKUP_NOT_VERIFIED
    return caught.value.message, caught.value.why, caught.value.hint


def uploads(server: Server, bucket: str = "shared", prefix: str = "") -> list[str]:
    found = server.client().list_multipart_uploads(Bucket=bucket, Prefix=prefix).get("Uploads", [])
    return [one["Key"] for one in found]


def is_put(method: str, _path: str) -> bool:
    return method == "PUT"


def is_second_part(_method: str, path: str) -> bool:
    return "partNumber=2" in path


def is_completion(method: str, path: str) -> bool:
    return method == "POST" and "uploadId=" in path


def is_claim(method: str, path: str) -> bool:
    return method == "PUT" and ".claims" in path


# --- faults that are overcome -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault",
    [
        Fault(is_put, times=2, status="503 Slow Down", body=SLOW_DOWN),
        Fault(is_put, times=2, status="500 Internal Server Error"),
        Fault(is_put, times=1, status="429 Too Many Requests"),
        Fault(is_put, times=1, cut_request=0),
        Fault(is_put, times=1, cut_answer=0),
    ],
    ids=["throttled", "broken", "too many", "request cut", "answer lost"],
)
@pytest.mark.parametrize("data", [b"small", BIG], ids=["small", "large"])
def test_a_write_outlives_a_moment_of_trouble(
    proxy: FaultyProxy, store: CloudStore, moto: Server, data: bytes, fault: Fault
) -> None:
    proxy.faults = [Fault(**vars(fault))]
    put(store, "a/b", data)
    assert proxy.faults[0].times == 0
    assert get(store, "a/b") == data
    assert (store.keys(), uploads(moto)) == (("a/b",), [])


@pytest.mark.parametrize(
    "fault",
    [
        Fault(is_second_part, times=1, cut_request=1 << 20),
        Fault(is_completion, times=1, cut_answer=0),
        Fault(is_completion, cut_answer=0),
        Fault(is_claim, times=1, cut_answer=0),
    ],
    ids=["part cut", "answer to the end lost", "and again", "answer to the claim lost"],
)
def test_a_large_write_outlives_a_cut_at_every_step(
    proxy: FaultyProxy, store: CloudStore, moto: Server, fault: Fault
) -> None:
    proxy.faults = [Fault(**vars(fault))]
    put(store, "a/b", BIG)
    proxy.faults = []
    assert get(store, "a/b") == BIG
    assert (store.keys(), uploads(moto)) == (("a/b",), [])


def test_a_read_that_is_cut_goes_on_where_it_was(proxy: FaultyProxy, store: CloudStore) -> None:
    put(store, "a/b", BIG)
    proxy.faults = [Fault(lambda method, path: method == "GET" and path.endswith("/a/b"), times=4, cut_answer=3 << 20)]
    assert get(store, "a/b") == BIG
    assert proxy.faults[0].times == 0


# --- faults that are told ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "why", "hint"),
    [
        (Fault(is_put, status="503 Slow Down", body=SLOW_DOWN), "SlowDown: Please reduce your request rate.", BUSY),
        (Fault(is_put, status="500 Internal Server Error"), "the server answered 500 Internal Server Error", BUSY),
        (Fault(is_second_part, cut_request=1 << 20), "{host}: the connection was cut half-way", NETWORK),
        (
            Fault(is_second_part, status="400 Bad Request", body=answer("ExpiredToken", "The token has expired.")),
            "ExpiredToken: The token has expired.",
            "renew the credentials (aws sso login, or a new session token), then run the command again",
        ),
        (
            Fault(is_put, status="403 Forbidden", body=answer("AccessDenied", "Access Denied")),
            "AccessDenied: Access Denied",
            "give these credentials the rights that https://github.com/puddingcamp/handrail/blob/main/docs/stores.md lists, or use other ones",
        ),
        (
            Fault(status="403 Forbidden", body=answer("RequestTimeTooSkewed", "The difference is too large.")),
            "RequestTimeTooSkewed: The difference is too large.",
            "set this machine's clock: the server refuses requests that are over 15 minutes off",
        ),
    ],
    ids=["throttled", "broken", "cut half-way", "expired", "denied", "skewed"],
)
def test_a_write_that_fails_says_why_and_leaves_nothing(
    proxy: FaultyProxy, store: CloudStore, moto: Server, fault: Fault, why: str, hint: str
) -> None:
    proxy.faults = [Fault(**vars(fault))]
    message = f"cannot write a/b to the store {store.place}"
    assert told(lambda: put(store, "a/b", BIG)) == (message, why.format(host=proxy.endpoint[7:]), hint)
    proxy.faults = []
    assert (store.keys(), uploads(moto)) == ((), [])
    put(store, "a/b", b"whole")
    assert get(store, "a/b") == b"whole"


def test_a_read_that_is_cut_again_and_again_says_so(proxy: FaultyProxy, store: CloudStore) -> None:
    """Also to whoever reads on, to see whether the object is damaged: then the server may answer again."""
    put(store, "a/b", BIG)
    fault = Fault(lambda method, path: method == "GET" and path.endswith("/a/b"), cut_answer=1000)
    expected = (f"cannot read a/b from the store {store.place}", "the connection was cut half-way", NETWORK)
    proxy.faults = [fault]
    with store.open_read("a/b") as source:
        assert told(source.read) == expected
        proxy.faults = []
        assert told(source.read) == expected


def test_a_server_that_is_too_slow_is_given_up(proxy: FaultyProxy, tmp_path: Path) -> None:
    proxy.faults = [Fault(delay=60)]
    patience = type(HASTY)(connect=1, small=0.5, data=0.5, repeats=1, repeat_for=1)
    store = cloud_store("shared", tmp_path.name, patience)
    begun = time.monotonic()
    assert told(store.keys) == (
        f"cannot list the store {store.place}",
        f"{proxy.endpoint[7:]}: no answer in time",
        NETWORK,
    )
    assert time.monotonic() - begun < 30


@pytest.mark.parametrize(
    ("endpoint", "why"),
    [
        ("http://127.0.0.1:9", "127.0.0.1:9: nobody listens there"),
        ("http://no-such-host.invalid", "no-such-host.invalid: there is no such host"),
    ],
)
def test_a_server_that_cannot_be_reached(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, endpoint: str, why: str
) -> None:
    exported(monkeypatch, endpoint, tmp_path)
    store = cloud_store("shared")
    for verb, words in (
        (lambda: put(store, "a/b", b"-"), "cannot write a/b to the store s3://shared/pre/fix"),
        (lambda: get(store, "a/b"), "cannot read a/b from the store s3://shared/pre/fix"),
        (store.keys, "cannot list the store s3://shared/pre/fix"),
    ):
        assert told(verb) == (words, why, NETWORK)


def test_a_server_without_tls_is_told(moto: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    exported(monkeypatch, moto.endpoint.replace("http", "https"), tmp_path)
    why = f"127.0.0.1:{moto.port}: the server speaks no TLS: its address may have to begin with http://"
    assert told(lambda: cloud_store("shared").keys()) == (
        "cannot list the store s3://shared/pre/fix",
        why,
        NETWORK,
    )


@pytest.mark.parametrize("name", ["moto", "seaweed"])
def test_a_missing_bucket_is_not_a_missing_object(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    exported(monkeypatch, request.getfixturevalue(name).endpoint, tmp_path)
    why = "NoSuchBucket: The specified bucket does not exist"
    hint = "make the bucket, or correct `store` or `copies` of the environment"
    place = "s3://not-there/pre/fix"
    for verb, words in (
        (lambda s: put(s, "a/b", b"-"), f"cannot write a/b to the store {place}"),
        (lambda s: get(s, "a/b"), f"cannot read a/b from the store {place}"),
        (lambda s: s.delete("a/b"), f"cannot read a/b from the store {place}"),
        (lambda s: s.keys(), f"cannot list the store {place}"),
    ):
        assert told(lambda verb=verb: verb(cloud_store("not-there"))) == (words, why, hint)  # type: ignore[misc]


@pytest.mark.parametrize(
    ("variable", "value", "why"),
    [
        (
            "AWS_SECRET_ACCESS_KEY",
            "wrong",
            "SignatureDoesNotMatch: The request signature we calculated does not match the signature you provided. "
            "Check your key and signing method.",
        ),
        (
            "AWS_ACCESS_KEY_ID",
            "AKIAWRONG",
            "InvalidAccessKeyId: The access key ID you provided does not exist in our records.",
        ),
    ],
)
def test_wrong_keys_are_told_and_never_shown(
    seaweed: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variable: str, value: str, why: str
) -> None:
    exported(monkeypatch, seaweed.endpoint, tmp_path)
    monkeypatch.setenv(variable, value)
    store = cloud_store("shared")
    for verb in (lambda: put(store, "a/b", b"-"), lambda: get(store, "a/b"), store.keys):
        words = told(verb)
        assert words[1:] == (why, CREDENTIALS)
        assert SECRET not in "".join(words)


# --- servers ----------------------------------------------------------------------------------------------------


def test_a_server_that_ignores_conditions_is_refused(
    rclone: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """rclone 1.75 does: found out by the first write, of a small object and of a large one, and nothing stays."""
    exported(monkeypatch, rclone.endpoint, tmp_path)
    expected = (
        "the store s3://shared/pre/fix cannot be trusted with backups",
        "its server ignores If-None-Match: one writer could destroy what another one has written",
        "use a server that honours conditional writes (https://github.com/puddingcamp/handrail/blob/main/docs/stores.md names some), or a folder",
    )
    for data in (b"small", BIG):
        store = cloud_store("shared")
        assert told(lambda store=store, data=data: put(store, "a/b", data)) == expected  # type: ignore[misc]
        assert store.keys() == ()


def test_an_object_under_lock_is_not_deleted_and_the_reason_is_told(
    seaweed: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    exported(monkeypatch, seaweed.endpoint, tmp_path)
    bucket = seaweed.new_bucket(ObjectLockEnabledForBucket=True)
    rule = {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": 3}}
    seaweed.client().put_object_lock_configuration(
        Bucket=bucket, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", "Rule": rule}
    )
    store = cloud_store(bucket, prefix="")
    for key, data in (("a/small", b"-"), ("a/large", BIG)):
        put(store, key, data)
        assert get(store, key) == data
    # A bucket with a lock keeps versions: deleting hides, and what is hidden is still there.
    store.delete("a/small")
    assert store.keys() == ("a/large",)
    versions = seaweed.client().list_object_versions(Bucket=bucket, Prefix="a/small")
    assert len(versions["Versions"]) == 1


def test_a_refused_delete_is_told(proxy: FaultyProxy, store: CloudStore) -> None:
    put(store, "a/b", b"-")
    denied = answer("AccessDenied", "Access Denied because object protected by object lock.")
    proxy.faults = [
        Fault(lambda method, path: method == "POST" and path.endswith("?delete"), status="403 Forbidden", body=denied)
    ]
    assert told(lambda: store.delete("a/b")) == (
        f"cannot delete a/b from the store {store.place}",
        "AccessDenied: Access Denied because object protected by object lock.",
        "a lock or a retention of the bucket may hold it: wait until that ends, or give the right to delete; "
        "until then the backup stays and is paid for",
    )
    proxy.faults = []
    assert store.keys() == ("a/b",)


def test_an_object_with_more_parts_than_a_bucket_takes_is_refused(
    store: CloudStore, moto: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cloud, "MOST_PARTS", 3)
    assert told(lambda: put(store, "a/b", bytes(2 * PART + 1))) == (
        f"cannot write a/b to the store {store.place}",
        "it is larger than 50.3 MB, and a bucket takes 3 parts of 16 MiB",
        "make backups into a folder (`store` of the environment)",
    )
    assert (store.keys(), uploads(moto)) == ((), [])


def test_what_the_library_says_is_put_into_words() -> None:
    """Google answers in JSON, Azure goes on with ids; an answer with no reason, and words of the library itself."""
    said = "Server returned non-2xx status code: {}"
    azure = answer("AuthorizationFailure", "Not you.\nRequestId:1\nTime:2")
    busy, what = (
        BUSY,
        "handrail doctor tries the store; https://github.com/puddingcamp/handrail/blob/main/docs/stores.md says what a store must be able to do",
    )
    rights = "give these credentials the rights that https://github.com/puddingcamp/handrail/blob/main/docs/stores.md lists, or use other ones"
    for text, why, hint in (
        (
            said.format('400 Bad Request: {"error":{"code":400,"message":"no type"}}'),
            "the server answered 400: no type",
            what,
        ),
        (said.format("403 Forbidden: ") + azure, "AuthorizationFailure: Not you.", CREDENTIALS),
        (said.format("403 Forbidden"), "the server answered 403 Forbidden", rights),
        (said.format("429 Too Many Requests"), "the server answered 429 Too Many Requests", busy),
        (said.format("507 "), "the server answered 507", busy),
        ("HTTP error: something new", "something new", NETWORK),
        ("Generic S3 error: no credential\n\nDebug source:\nX", "Generic S3 error: no credential", CREDENTIALS),
    ):
        error = explained(Exception(text), "cannot")
        assert (error.message, error.why, error.hint) == ("cannot", why, hint)


WRITER = """
import os, sys
sys.path.insert(0, "tests")
from support.objects import cloud_store
from handrail.errors import HandrailError
store = cloud_store("shared", sys.argv[1])
data = sys.argv[2].encode() * int(sys.argv[3])
try:
    with store.open_write("a/b") as out:
        out.write(data)
        print("ready", flush=True)
        sys.stdin.readline()
except HandrailError as error:
    print(error.message)
else:
    print("written")
"""


# Several uploads in parts at once make moto 5.2 fail inside (KeyError of an upload's id): none is written then.
@pytest.mark.parametrize(("name", "size"), [("moto", 10), ("seaweed", 10), ("seaweed", PART + 1)])
def test_of_two_processes_that_write_one_key_at_once_one_wins(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, size: int
) -> None:
    exported(monkeypatch, request.getfixturevalue(name).endpoint, tmp_path)
    prefix = f"{tmp_path.name}-{size}"
    words = [sys.executable, "-c", WRITER, prefix]
    writers = [
        Child([*words, letter, str(size)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for letter in "xyz"
    ]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("\n")
        writer.stdin.flush()
    said = [writer.communicate()[0].strip() for writer in writers]
    store = cloud_store("shared", prefix)
    winner = "xyz"[said.index("written")]
    assert sorted(said) == [f"a/b is already in the store {store.place}"] * 2 + ["written"]
    assert get(store, "a/b") == winner.encode() * size
    assert store.keys() == ("a/b",)


# --- what killed writers leave ----------------------------------------------------------------------------------


def test_abandoned_uploads_are_ended_and_those_of_living_writers_are_not(
    seaweed: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """moto gives every upload the same age, SeaweedFS the true one."""
    exported(monkeypatch, seaweed.endpoint, tmp_path)
    client, prefix = seaweed.client(), tmp_path.name
    old = client.create_multipart_upload(Bucket="shared", Key=f"{prefix}/old")
    alive = client.create_multipart_upload(Bucket="shared", Key=f"{prefix}/alive")
    elsewhere = client.create_multipart_upload(Bucket="shared", Key=f"{prefix}-other/old")
    time.sleep(3)
    new = client.create_multipart_upload(Bucket="shared", Key=f"{prefix}/new")
    client.upload_part(
        Bucket="shared", Key=f"{prefix}/alive", UploadId=alive["UploadId"], PartNumber=1, Body=bytes(5 << 20)
    )
    assert Uploads(client, "shared", prefix).end_abandoned() == 0
    assert Uploads(client, "shared", prefix, timedelta(seconds=2)).end_abandoned() == 1
    left = client.list_multipart_uploads(Bucket="shared", Prefix=prefix)["Uploads"]
    assert {one["UploadId"] for one in left} == {alive["UploadId"], elsewhere["UploadId"], new["UploadId"]}
    assert old["UploadId"] not in {one["UploadId"] for one in left}


def test_a_large_write_ends_what_was_abandoned(
    seaweed: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    exported(monkeypatch, seaweed.endpoint, tmp_path)
    prefix = tmp_path.name
    seaweed.client().create_multipart_upload(Bucket="shared", Key=f"{prefix}/old")
    address = ObjectsAddress("s3", "shared", prefix)
    client = open_client(address, os.environ, HASTY)
    assert client.uploads is not None
    hasty = Uploads(client.uploads().client, "shared", prefix, timedelta(seconds=1))
    time.sleep(2.1)
    store = CloudStore(type(client)(client.place, client.small, client.data, lambda: hasty))
    put(store, "small", b"-")
    assert uploads(seaweed, prefix=prefix) == [f"{prefix}/old"]
    put(store, "large", BIG)
    assert uploads(seaweed, prefix=prefix) == []


KILLED = """
import os, signal, sys
sys.path.insert(0, "tests")
from support.objects import cloud_store
with cloud_store("shared", sys.argv[1]).open_write("a/b") as out:
    out.write(bytes(60 << 20))
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_writer_leaves_nothing_that_is_seen(
    seaweed: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    exported(monkeypatch, seaweed.endpoint, tmp_path)
    subprocess.run([sys.executable, "-c", KILLED, tmp_path.name], check=False)
    store = cloud_store("shared", tmp_path.name)
    assert store.keys() == ()
    put(store, "a/b", BIG)
    assert get(store, "a/b") == BIG


KILLED_LATE = """
import os, signal, sys
sys.path.insert(0, "tests")
from handrail.stores.objects.upload import Upload
from support.objects import cloud_store
Upload.complete = lambda _: os.kill(os.getpid(), signal.SIGKILL)
with cloud_store("shared", sys.argv[1]).open_write("a/b") as out:
    out.write(bytes(20 << 20))
"""


def test_the_claim_of_a_killed_writer_is_taken_over_when_it_is_old(
    seaweed: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A copy that is made again writes the same key; before, the claim kept it away for ever."""
    exported(monkeypatch, seaweed.endpoint, tmp_path)
    subprocess.run([sys.executable, "-c", KILLED_LATE, tmp_path.name], check=False)
    store = cloud_store("shared", tmp_path.name)
    assert store.keys() == ()
    message, why, hint = told(lambda: put(store, "a/b", BIG))
    assert message == f"a/b is already in the store {store.place}"
    assert re.fullmatch(r"another writer has claimed it \d+ s ago, and ends it now or was killed", why)
    assert hint == "if it is not there then, try again in 15 minutes"
    assert store.keys() == ()
    monkeypatch.setattr(cloud, "_DEAD", timedelta())
    put(store, "a/b", BIG)
    assert get(store, "a/b") == BIG
    assert list(store._listed(".claims/")) == []


MEMORY = """
import os, resource, sys
sys.path.insert(0, "tests")
from support.objects import cloud_store
import obstore, boto3
store, piece, size = cloud_store("shared", sys.argv[1]), os.urandom(1 << 20), int(sys.argv[2])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
with store.open_write("a/b") as out:
    for _ in range(size):
        out.write(piece)
written = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
with store.open_read("a/b") as source:
    assert sum(len(part) for part in iter(lambda: source.read(1 << 20), b"")) == size << 20
read = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print((written - before) // 1024, (read - before) // 1024)
"""


@pytest.mark.parametrize("size", [300, pytest.param(1500, marks=pytest.mark.long)])
def test_memory_does_not_grow_with_the_object(
    seaweed: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, size: int
) -> None:
    exported(monkeypatch, seaweed.endpoint, tmp_path)
    words = [sys.executable, "-c", MEMORY, tmp_path.name, str(size)]
    said = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    written, read = map(int, said.split())
    assert (written < 200, read < 200) == (True, True), said


# --- addresses and credentials ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("s3://bucket", ObjectsAddress("s3", "bucket")),
        ("s3://bucket/", ObjectsAddress("s3", "bucket")),
        ("gs://my-bucket/one/two/", ObjectsAddress("gs", "my-bucket", "one/two")),
        ("az://container/prefix", ObjectsAddress("az", "container", "prefix")),
    ],
)
def test_an_address_is_read(url: str, address: ObjectsAddress) -> None:
    assert read_address(url) == address
    assert read_address(str(address)) == address


@pytest.mark.parametrize(
    "url", ["s3://AKIA:hunter2@bucket/x", "s3://bucket/x?secret=hunter2", "s3://bucket#hunter2", "hunter2://a@b"]
)
def test_a_url_that_may_hold_a_secret_is_refused_and_not_shown(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_address(url)
    assert (caught.value.message, caught.value.why, caught.value.hint) == (
        "the URL of a store holds more than a bucket and a prefix",
        "what stands before an @ or behind a ? may be a secret, so the URL is refused and not shown",
        "write scheme://bucket/prefix alone; https://github.com/puddingcamp/handrail/blob/main/docs/stores.md says which variables hold keys and endpoint",
    )


@pytest.mark.parametrize("url", ["s3://", "s3:///x", "s3://bucket/a//b", "s3://bucket/../x", "az://a b", "gs://b/.x"])
def test_a_url_that_names_no_place_is_refused(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_address(url)
    assert (caught.value.message, caught.value.why) == (
        f"{url} is not a place in a bucket",
        "bucket and prefix are made of letters, digits, dot, dash and underscore",
    )


def test_an_unknown_scheme_is_refused() -> None:
    with pytest.raises(ConfigError) as caught:
        read_address("ftp://host/folder")
    assert (caught.value.message, caught.value.why, caught.value.hint) == (
        "ftp://host/folder is not a place for backups that handrail knows",
        "a store is a folder, or a URL that begins with s3://, gs:// or az://",
        "correct `store` or `copies` of the environment",
    )


def profile(folder: Path, endpoint: str) -> dict[str, str]:
    (folder / "credentials").write_text(f"[backups]\naws_access_key_id = {KEY}\naws_secret_access_key = {SECRET}\n")
    (folder / "config").write_text(f"[profile backups]\nregion = eu-central-1\nendpoint_url = {endpoint}\n")
    return {
        "AWS_PROFILE": "backups",
        "AWS_CONFIG_FILE": str(folder / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(folder / "credentials"),
    }


def without_keys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    exported(monkeypatch, "", tmp_path)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name)


def test_keys_region_and_endpoint_come_from_a_profile(
    seaweed: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    without_keys(monkeypatch, tmp_path)
    for name, value in profile(tmp_path, seaweed.endpoint).items():
        monkeypatch.setenv(name, value)
    store = cloud_store("shared", tmp_path.name)
    put(store, "a/b", BIG)
    assert get(store, "a/b") == BIG


def failure(verb: Callable[[], Any]) -> tuple[type[HandrailError], str, str, str]:
    with pytest.raises(HandrailError) as caught:
        verb()
    return type(caught.value), caught.value.message, caught.value.why, caught.value.hint


def test_no_credentials_at_all_are_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    without_keys(monkeypatch, tmp_path)
    assert failure(lambda: cloud_store("shared")) == (
        StoreError,
        "there are no credentials for the store s3://shared/pre/fix",
        "neither the environment, nor a profile in ~/.aws, nor this machine itself gives any",
        "export AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE; https://github.com/puddingcamp/handrail/blob/main/docs/stores.md lists all ways",
    )


def test_a_profile_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    without_keys(monkeypatch, tmp_path)
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    assert failure(lambda: cloud_store("shared")) == (
        ConfigError,
        "the settings of AWS for the store s3://shared/pre/fix cannot be used",
        "The config profile (nobody) could not be found",
        "correct AWS_PROFILE or the files in ~/.aws; aws sts get-caller-identity tries them",
    )


def test_an_account_of_azure_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AZURE_STORAGE_ACCOUNT", "AZURE_STORAGE_ACCOUNT_NAME"):
        monkeypatch.delenv(name, raising=False)
    assert failure(lambda: open_client(read_address("az://container/x"))) == (
        StoreError,
        "the storage account of az://container/x is not known",
        "the URL names the container only",
        "export AZURE_STORAGE_ACCOUNT, and a key, a token or a login as https://github.com/puddingcamp/handrail/blob/main/docs/stores.md lists them",
    )
