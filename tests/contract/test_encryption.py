"""age through pyrage: what cannot be opened says why, errors of a store pass unchanged, and no thread outlives its block."""

from __future__ import annotations

import io
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

import pyrage
import pytest

from handrail.backups.record import StoredArtifact
from handrail.errors import BackupError, ConfigError, HandrailError
from handrail.stores.age import checked_recipient, opens, read_identity
from handrail.stores.encoding import reading, writing
from handrail.stores.handoff import ROOM
from handrail.stores.keys import Identity, KeyUnusable
from handrail.stores.store import StoreError
from support.children import Child

if TYPE_CHECKING:
    from typing_extensions import Buffer

KEY, OTHER = pyrage.x25519.Identity.generate(), pyrage.x25519.Identity.generate()
PUBLIC = str(KEY.to_public())
IDENTITY, WRONG = Identity("right.key", (KEY,)), Identity("wrong.key", (OTHER,))
LARGE = random.Random(7).randbytes(3 * ROOM)
ANOTHER = "choose another backup (handrail backup list); make a new one with handrail backup create"


def said(error: HandrailError) -> tuple[str, str, str, str]:
    return error.code, error.message, error.why, error.hint


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    yield
    assert [one.name for one in threading.enumerate() if one.name.startswith("handrail-")] == []


def encrypted(
    content: bytes, *recipients: str, key: str = "production/1/artifact.zst.age"
) -> tuple[bytes, StoredArtifact]:
    out = io.BytesIO()
    with writing(out, key, "zstd", recipients or (PUBLIC,)) as writer:
        writer.sink.write(content)
        writer.finish()
        artifact = writer.artifact()
    return out.getvalue(), artifact


def decrypted(data: bytes, artifact: StoredArtifact, identity: Identity | None) -> bytes:
    with reading(io.BytesIO(data), artifact, identity) as content:
        return content.read()


def ssh_key(folder: Path, *options: str) -> Path:
    program = shutil.which("ssh-keygen")
    assert program, "ssh-keygen is missing: apt-get install openssh-client"
    subprocess.run([program, "-q", "-C", "ann@host", "-f", folder / "key", *options], check=True)
    return folder / "key"


def test_each_recipient_alone_opens_it() -> None:
    data, artifact = encrypted(b"rows", PUBLIC, str(OTHER.to_public()))
    assert artifact.recipients == (PUBLIC, str(OTHER.to_public()))
    assert decrypted(data, artifact, IDENTITY) == decrypted(data, artifact, WRONG) == b"rows"


def test_the_same_content_is_never_stored_as_the_same_bytes() -> None:
    assert encrypted(b"rows")[0] != encrypted(b"rows")[0]


@pytest.mark.parametrize("kind", [("ed25519",), ("rsa", "-b", "2048"), ("rsa", "-b", "2048", "-m", "PEM")])
def test_ssh_keys_open_it(tmp_path: Path, kind: tuple[str, ...]) -> None:
    file = ssh_key(tmp_path, "-N", "", "-t", *kind)
    recipient = checked_recipient(file.with_suffix(".pub").read_text(), where="the test")
    assert recipient.split()[0] in ("ssh-ed25519", "ssh-rsa")
    assert "ann@host" not in recipient
    identity = read_identity(file.read_bytes(), "key")
    assert opens(identity, [PUBLIC, recipient])
    assert not opens(identity, [PUBLIC])
    data, artifact = encrypted(b"rows", recipient)
    assert decrypted(data, artifact, identity) == b"rows"


def test_a_wrong_identity_says_whose_it_is() -> None:
    data, artifact = encrypted(LARGE)
    with pytest.raises(KeyUnusable) as caught:
        decrypted(data, artifact, WRONG)
    assert said(caught.value) == (
        "HR541",
        "the identity of wrong.key does not open production/1/artifact.zst.age",
        "it belongs to none of the recipients",
        "name the file with the right private key: --identity FILE",
    )


def test_no_identity_says_where_it_was_looked_for() -> None:
    data, artifact = encrypted(b"rows")
    with pytest.raises(KeyUnusable) as caught:
        decrypted(data, artifact, None)
    assert said(caught.value) == (
        "HR540",
        "no identity is at hand to open encrypted backups",
        "none is given by --identity, HANDRAIL_IDENTITY or `identity` of the environment",
        "name the file with the private key: --identity FILE",
    )


def test_damage_is_told_as_damage_also_where_the_key_is_wrong() -> None:
    data, artifact = encrypted(b"rows")
    for place in (0, 20, 40, 90, len(data) - 3):
        with pytest.raises(BackupError, match="is damaged") as caught:
            decrypted(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :], artifact, WRONG)
        assert caught.value.code == "HR520"


def test_artifacts_that_were_swapped_are_seen() -> None:
    (one, artifact), (other, _) = encrypted(b"rows one"), encrypted(b"rows two")
    assert one != other
    with pytest.raises(BackupError, match="is damaged"):
        decrypted(other, artifact, IDENTITY)


def test_bytes_that_match_their_digest_and_are_not_of_age_say_so() -> None:
    """A manifest that was written for other bytes: the digest is right, the content is not what it is said to be."""
    data, artifact = encrypted(b"rows")
    cut = data[:-1]
    out = io.BytesIO()
    with writing(out, artifact.key, "none") as writer:
        writer.sink.write(cut)
        writer.finish()
        plain = writer.artifact()
    forged = StoredArtifact(plain.key, plain.size, plain.digest, "zstd", "age", (PUBLIC,))
    with pytest.raises(BackupError) as caught:
        decrypted(cut, forged, IDENTITY)
    assert said(caught.value) == (
        "HR522",
        "production/1/artifact.zst.age cannot be decrypted",
        "age: decryption error",
        ANOTHER,
    )


class _Full(io.RawIOBase):
    """A disk that is full after some bytes."""

    def __init__(self, room: int) -> None:
        self._room = room

    def writable(self) -> bool:
        return True

    def write(self, data: Buffer, /) -> int:
        size = memoryview(data).nbytes
        self._room -= size
        if self._room < 0:
            raise StoreError("cannot write k to the store", why="No space left on device")
        return size


# The head of an encrypted text is of several hundred bytes, and not always as long: age puts a random line into it.
@pytest.mark.parametrize("room", [0, 5_000, 70_000, 2 * ROOM])
@pytest.mark.parametrize("size", [1, 3 * ROOM])
def test_a_full_disk_is_told_as_the_store_told_it(room: int, size: int) -> None:
    """Also in the very last write, of which pyrage says nothing."""

    def write() -> None:
        with writing(cast("BinaryIO", _Full(room)), "k", "none", (PUBLIC,)) as writer:
            writer.sink.write(LARGE[:size])
            writer.finish()

    if size < room:
        write()
        return
    with pytest.raises(StoreError, match="cannot write k to the store") as caught:
        write()
    assert caught.value.why == "No space left on device"


class _Broken(io.RawIOBase):
    """A store that cannot be read on after some bytes."""

    def __init__(self, data: bytes) -> None:
        self._data = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        data = self._data.read(size)
        if not data:
            raise StoreError("cannot read k from the store", why="Input/output error")
        return data


@pytest.mark.parametrize("length", [0, 100, 70_000])
def test_a_store_that_cannot_be_read_is_told_as_the_store_told_it(length: int) -> None:
    data, artifact = encrypted(LARGE)
    with (
        pytest.raises(StoreError, match="cannot read k from the store"),
        reading(cast("BinaryIO", _Broken(data[:length])), artifact, IDENTITY) as content,
    ):
        content.read()


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, ValueError])
def test_a_dump_that_breaks_off_leaves_nothing_that_looks_whole(interruption: type[BaseException]) -> None:
    out = io.BytesIO()

    def write() -> None:
        with writing(out, "k", "none", (PUBLIC,)) as writer:
            writer.sink.write(LARGE[:100_000])
            raise interruption

    with pytest.raises(interruption):
        write()
    with pytest.raises(pyrage.DecryptError):
        pyrage.decrypt(out.getvalue(), [KEY])


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, ValueError])
@pytest.mark.parametrize("amount", [0, 10, ROOM])
def test_a_reader_that_breaks_off_ends_the_other_thread(interruption: type[BaseException], amount: int) -> None:
    data, artifact = encrypted(LARGE)

    def read() -> None:
        with reading(io.BytesIO(data), artifact, IDENTITY) as content:
            assert len(content.read(amount)) <= amount
            raise interruption

    with pytest.raises(interruption):
        read()


def test_a_writer_waits_for_a_slow_store_and_little_is_kept_in_memory() -> None:
    """What is not stored yet is bounded: a dump is not gathered in memory when the disk is slow."""
    written = 0

    class Slow(io.RawIOBase):
        def writable(self) -> bool:
            return True

        def write(self, data: Buffer, /) -> int:
            nonlocal written
            time.sleep(0.002)
            written += memoryview(data).nbytes
            return memoryview(data).nbytes

    most = 0
    with writing(cast("BinaryIO", Slow()), "k", "none", (PUBLIC,)) as writer:
        for sent in range(1, 49):
            writer.sink.write(LARGE[: ROOM // 16])
            most = max(most, sent * (ROOM // 16) - written)
        writer.finish()
    assert most <= ROOM + 4 * (ROOM // 16)


CANCELLED = """
import io, os, sys, time
import pyrage
from handrail.backups.record import StoredArtifact
from handrail.stores.encoding import reading, writing
from handrail.stores.keys import Identity

key = pyrage.x25519.Identity.generate()


class Slow(io.RawIOBase):
    left = 3

    def writable(self):
        return True

    def write(self, data):
        time.sleep(0.05)
        return len(data)

    def readable(self):
        return True

    def read(self, size=-1):
        if self.left:
            self.left -= 1
            return whole.pop(0)
        time.sleep(0.05)
        return b"x"


print("working", flush=True)
if sys.argv[1] == "write":
    with writing(Slow(), "k", "none", (str(key.to_public()),)) as writer:
        while True:
            writer.sink.write(bytes(1 << 16))
data = pyrage.encrypt(bytes(1 << 20), [key.to_public()])
whole = [data[:8192], data[8192:16384], data[16384:24576]]
with reading(Slow(), StoredArtifact("k", 1, "", "none", "age", ("x",)), Identity("x", (key,))) as content:
    while True:
        content.read(100)
"""


@pytest.mark.parametrize("direction", ["write", "read"])
def test_a_cancelled_process_ends_at_once(direction: str) -> None:
    """Ctrl-C reaches who waits for the other thread, and that thread does not keep the process alive."""
    command = [sys.executable, "-c", CANCELLED, direction]
    with Child(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "working\n"
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=20)
    assert process.returncode == -signal.SIGINT
    assert errors.splitlines()[-1] == "KeyboardInterrupt"


@pytest.mark.parametrize(
    ("text", "message", "why"),
    [
        ("age1xyz", "'age1xyz' in it is no recipient", "invalid Bech32 encoding; KINDS"),
        ("", "'' in it is no recipient", "a key of this kind is not known here; KINDS"),
        ("age1yubikey1q2w3e", "'age1yubikey1q2w3e' in it is no recipient", "a key of this kind is not known here; KINDS"),
        ("ssh-ed25519 AAAA ann", "'ssh-ed25519 AAAA' in it is no recipient", 'invalid public key: Invalid("invalid SSH recipient"); KINDS'),
        ("ssh-ed25519", "'ssh-ed25519' in it is no recipient", 'invalid public key: Invalid("invalid SSH recipient"); KINDS'),
        ("ecdsa-sha2-nistp256 AAAA", "'ecdsa-sha2-nistp256 AAAA' in it is no recipient", "a key of this kind is not known here; KINDS"),
    ],
)  # fmt: skip
def test_what_is_no_recipient_says_so(text: str, message: str, why: str) -> None:
    with pytest.raises(ConfigError) as caught:
        checked_recipient(text, where="it")
    kinds = 'recipients begin with "age1", "ssh-ed25519 " or "ssh-rsa "'
    assert said(caught.value) == (
        "HR210",
        message,
        why.replace("KINDS", kinds),
        "https://github.com/puddingcamp/handrail/blob/main/docs/encryption.md",
    )


@pytest.mark.parametrize(
    "private", [str(KEY), "-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl", str(KEY).lower()], ids=range(3)
)
def test_a_private_key_in_place_of_a_public_one_is_refused_and_not_shown(private: str) -> None:
    with pytest.raises(ConfigError) as caught:
        checked_recipient(private, where="`recipients`")
    assert said(caught.value) == (
        "HR210",
        "`recipients` holds a private key",
        "backups are encrypted to public keys; whoever can read that file can now read them (it is not shown)",
        'write its public key there ("age-keygen -y FILE" prints it), and make a new private key',
    )


def test_an_identity_file_may_hold_comments_and_several_keys() -> None:
    data = f"# made today\n\n{OTHER}\n  {KEY}  \n".encode()
    identity = read_identity(data, "file")
    assert opens(identity, [PUBLIC])
    assert opens(identity, [str(OTHER.to_public())])
    assert "SECRET" not in repr(identity)


def refused(data: bytes) -> tuple[str, str, str, str]:
    with pytest.raises(KeyUnusable) as caught:
        read_identity(data, "/keys/mine")
    return said(caught.value)


UNUSABLE = "the identity of /keys/mine cannot be used"
NEW = 'make one: "age-keygen --output FILE"'


@pytest.mark.parametrize("data", [b"", b"# only a comment\n", b"\xff\xfe\x00"])
def test_a_file_without_a_key_says_so(data: bytes) -> None:
    assert refused(data) == ("HR542", UNUSABLE, "there is no private key in it", NEW)


@pytest.mark.parametrize(
    "data", [b"hello\n", str(KEY).encode()[:-1], b"AGE-PLUGIN-YUBIKEY-1QQQ", b"age1abc"], ids=range(4)
)
def test_what_is_no_key_says_so_and_shows_none_of_it(data: bytes) -> None:
    why = "a line of it is no private key of age (they begin with AGE-SECRET-KEY-1), and it is no ssh key"
    assert refused(data) == ("HR542", UNUSABLE, why, f"{NEW}; keys of plugins and hardware are not supported")


@pytest.mark.parametrize("kind", [("ed25519",), ("rsa", "-b", "2048"), ("rsa", "-b", "2048", "-m", "PEM")])
def test_an_ssh_key_with_a_passphrase_says_how_to_take_it_off(tmp_path: Path, kind: tuple[str, ...]) -> None:
    file = ssh_key(tmp_path, "-N", "secret", "-t", *kind)
    assert refused(file.read_bytes()) == (
        "HR542",
        UNUSABLE,
        "the ssh key is protected by a passphrase, which handrail does not ask for",
        'copy it to /dev/shm, take the passphrase off that copy with "ssh-keygen -p -f COPY", name the copy, and remove it'
        " afterwards",
    )


def test_an_ssh_key_of_another_kind_says_which_can(tmp_path: Path) -> None:
    file = ssh_key(tmp_path, "-N", "", "-t", "ecdsa")
    assert refused(file.read_bytes()) == (
        "HR542",
        UNUSABLE,
        "this kind of ssh key cannot decrypt",
        "ssh-ed25519 and ssh-rsa keys can",
    )


@pytest.mark.parametrize("is_armored", [True, False])
def test_an_identity_with_a_passphrase_says_how_to_take_it_off(is_armored: bool) -> None:
    data = pyrage.encrypt(str(KEY).encode(), [KEY.to_public()], armored=is_armored)
    assert refused(data) == (
        "HR542",
        UNUSABLE,
        "it is protected by a passphrase, which handrail does not ask for",
        "age --decrypt --output /dev/shm/identity FILE, and name that one; remove it afterwards",
    )
