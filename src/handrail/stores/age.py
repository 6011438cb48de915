"""Encryption with age (https://age-encryption.org/v1), by the library pyrage.

pyrage reads from one file and writes to another until the end. What we write to is therefore read by it in a thread of
its own, and what we read from is written by one; both threads have ended when their block has, however it ends.
"""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from handrail.errors import BackupError, ConfigError, MissingLibrary
from handrail.pages import page
from handrail.stores.handoff import Handoff, HandoffReader, HandoffWriter
from handrail.stores.keys import Identity, KeyUnusable

if TYPE_CHECKING:
    from types import ModuleType

    from typing_extensions import Buffer

_NO_MATCH = "No matching keys found"
_SSH_KINDS = ("ssh-ed25519", "ssh-rsa")
_KINDS = 'recipients begin with "age1", "ssh-ed25519 " or "ssh-rsa "'


def _library() -> ModuleType:
    try:
        import pyrage
    except ImportError as error:
        raise MissingLibrary(
            "encrypted backups need pyrage, which is not installed", hint="pip install 'handrail[age]'"
        ) from error
    return pyrage


def checked_recipient(text: str, *, where: str) -> str:
    """A public key as it is written everywhere: without the comment that an ssh key may have. Raises ConfigError; a
    private key that stands in its place is not shown."""
    words = text.split()
    recipient = " ".join(words[:2]) if words and words[0] in _SSH_KINDS else text.strip()
    if "SECRET-KEY" in text.upper() or "PRIVATE KEY" in text.upper():
        raise ConfigError(
            f"{where} holds a private key",
            why="backups are encrypted to public keys; whoever can read that file can now read them (it is not shown)",
            hint='write its public key there ("age-keygen -y FILE" prints it), and make a new private key',
        )
    try:
        _public_key(recipient)
    except ValueError as error:
        raise ConfigError(
            f"{recipient!r} in {where} is no recipient", why=f"{error}; {_KINDS}", hint=page("encryption")
        ) from error
    return recipient


def _public_key(recipient: str) -> Any:
    """pyrage's form of a recipient. Raises ValueError."""
    pyrage = _library()
    kind = recipient.partition(" ")[0]
    try:
        if kind in _SSH_KINDS:
            return pyrage.ssh.Recipient.from_str(recipient)
        if kind.startswith("age1") and "1" not in kind[4:]:
            return pyrage.x25519.Recipient.from_str(recipient)
    except pyrage.RecipientError as error:
        raise ValueError(str(error)) from error
    raise ValueError("a key of this kind is not known here")


def read_identity(data: bytes, where: str, remarks: tuple[str, ...] = ()) -> Identity:
    """The private keys of a file: lines as age-keygen writes them, or one ssh key. Raises KeyUnusable."""
    pyrage = _library()
    if data.startswith((b"age-encryption.org/", b"-----BEGIN AGE ENCRYPTED FILE-----")):
        raise _unusable(
            where,
            "it is protected by a passphrase, which handrail does not ask for",
            "age --decrypt --output /dev/shm/identity FILE, and name that one; remove it afterwards",
        )
    try:
        if data.lstrip().startswith(b"-----BEGIN "):
            return Identity(where, (pyrage.ssh.Identity.from_buffer(data),), remarks)
        lines = [line.strip() for line in data.decode().splitlines()]
        keys = [pyrage.x25519.Identity.from_str(line) for line in lines if line and not line.startswith("#")]
    except UnicodeDecodeError:
        keys = []
    except pyrage.IdentityError as error:
        raise _unusable_key(where, str(error)) from None
    if not keys:
        raise _unusable(where, "there is no private key in it", 'make one: "age-keygen --output FILE"')
    return Identity(where, tuple(keys), remarks)


def _unusable(where: str, why: str, hint: str) -> KeyUnusable:
    return KeyUnusable(f"the identity of {where} cannot be used", why=why, hint=hint, code="HR542")


def _unusable_key(where: str, said: str) -> KeyUnusable:
    if "decrypted first" in said or "EncryptedPem" in said:
        return _unusable(
            where,
            "the ssh key is protected by a passphrase, which handrail does not ask for",
            'copy it to /dev/shm, take the passphrase off that copy with "ssh-keygen -p -f COPY", name the copy, and'
            " remove it afterwards",
        )
    if "unsupported" in said:
        return _unusable(where, "this kind of ssh key cannot decrypt", "ssh-ed25519 and ssh-rsa keys can")
    return _unusable(
        where,
        "a line of it is no private key of age (they begin with AGE-SECRET-KEY-1), and it is no ssh key",
        'make one: "age-keygen --output FILE"; keys of plugins and hardware are not supported',
    )


def opens(identity: Identity, recipients: Sequence[str]) -> bool:
    """Whether this identity opens what is encrypted to any of the recipients. Tried on nothing, so that it is known
    before a byte of a backup is made or read."""
    pyrage = _library()
    for recipient in recipients:
        with suppress(pyrage.DecryptError, ValueError):
            pyrage.decrypt(pyrage.encrypt(b"", [_public_key(recipient)]), list(identity.keys))
            return True
    return False


class _Noting(io.RawIOBase):
    """Passes reads and writes on, and keeps what they raised: pyrage tells of an error only its text, and of one in
    the very last write nothing."""

    def __init__(self, stream: BinaryIO, handoff: Handoff) -> None:
        self._stream = stream
        self._handoff = handoff
        self.failure: BaseException | None = None

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        with self._noted():
            self._handoff.check()  # nobody waits for what would be read
            return self._stream.read(size)

    def write(self, data: Buffer, /) -> int:
        with self._noted():
            return self._stream.write(data)

    @contextmanager
    def _noted(self) -> Iterator[None]:
        try:
            yield
        except BaseException as error:
            self.failure = self.failure or error
            raise


class _AbandonedError(Exception):
    """The other side has stopped; never seen outside of this module."""


class _EncryptingSink(io.RawIOBase):
    """What is written here comes out encrypted at `out`, in another thread. `close` returns when all of it has."""

    def __init__(self, out: BinaryIO, recipients: Sequence[Any]) -> None:
        self._handoff = Handoff()
        self._out = _Noting(out, self._handoff)
        self._recipients = list(recipients)
        self._thread = threading.Thread(target=self._encrypt, name="handrail-encrypt", daemon=True)
        self._thread.start()

    def writable(self) -> bool:
        return True

    def write(self, data: Buffer, /) -> int:
        piece = bytes(data)
        if piece:
            self._handoff.put(piece)
        return len(piece)

    def close(self) -> None:
        if not self.closed:
            self._handoff.end()
            self._thread.join()
            super().close()
            self._handoff.check()

    def abandon(self) -> None:
        self._handoff.fail(_AbandonedError())
        self._thread.join()
        super().close()

    def _encrypt(self) -> None:
        try:
            _library().encrypt_io(HandoffReader(self._handoff), self._out, self._recipients)
        except BaseException as error:
            self._handoff.fail(self._out.failure or error)
        else:
            if self._out.failure:
                self._handoff.fail(self._out.failure)


@contextmanager
def encrypting(out: BinaryIO, recipients: Sequence[str]) -> Iterator[BinaryIO]:
    """A sink; what is written to it goes to `out`, encrypted to the recipients, and is whole when the sink is closed. A
    block that ends by an error leaves in `out` what nobody can take for a whole artifact."""
    sink = _EncryptingSink(out, [_public_key(recipient) for recipient in recipients])
    try:
        yield cast("BinaryIO", sink)
        sink.close()
    except BaseException:
        sink.abandon()
        raise


@contextmanager
def decrypting(source: BinaryIO, identity: Identity, name: str) -> Iterator[BinaryIO]:
    """What `source` holds, decrypted in another thread, which reads no more when the block has ended. Reading raises
    KeyUnusable for a wrong identity, BackupError when the bytes are no longer what was encrypted."""
    handoff = Handoff()

    def decrypt() -> None:
        out = HandoffWriter(handoff)
        stored, plain = _Noting(source, handoff), _Noting(cast("BinaryIO", out), handoff)
        try:
            _library().decrypt_io(stored, plain, list(identity.keys))
            if plain.failure is None:
                out.finish()
        except BaseException as error:
            handoff.fail(stored.failure or plain.failure or _translated(error, identity, name))

    thread = threading.Thread(target=decrypt, name="handrail-decrypt", daemon=True)
    thread.start()
    try:
        yield cast("BinaryIO", HandoffReader(handoff))
    finally:
        handoff.fail(_AbandonedError())
        thread.join()


def encrypt_text(text: bytes, recipients: Sequence[str]) -> str:
    """A short text encrypted, in age's form for letters (`age --decrypt` reads it)."""
    sealed: bytes = _library().encrypt(text, [_public_key(one) for one in recipients], armored=True)
    return sealed.decode("ascii")


def decrypt_text(text: str, identity: Identity, name: str) -> bytes:
    """What `encrypt_text` was given; raises as `decrypting` does."""
    pyrage = _library()
    try:
        plain: bytes = pyrage.decrypt(text.encode("ascii", "replace"), list(identity.keys))
    except pyrage.DecryptError as error:
        raise _translated(error, identity, name) from error
    return plain


def _translated(error: BaseException, identity: Identity, name: str) -> BaseException:
    """`error` came from pyrage itself: of the header it tells a DecryptError, of what follows an OSError."""
    if not isinstance(error, _library().DecryptError | OSError):
        return error
    if str(error) == _NO_MATCH:
        return wrong_identity(identity, name)
    return BackupError(
        f"{name} cannot be decrypted",
        why=f"age: {error}",
        hint="choose another backup (handrail backup list); make a new one with handrail backup create",
        code="HR522",
    )


def wrong_identity(identity: Identity, name: str, recipients: Sequence[str] = ()) -> KeyUnusable:
    which = f": {', '.join(recipients)}" if recipients else ""
    return KeyUnusable(
        f"the identity of {identity.where} does not open {name}",
        why=f"it belongs to none of the recipients{which}",
        hint="name the file with the right private key: --identity FILE",
        code="HR541",
    )
