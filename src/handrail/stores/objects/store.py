"""The contract of a store over a cloud's objects.

**Create-only.** An object of one part is written by a conditional request (If-None-Match), which the server decides.
No library can make the end of an upload in parts conditional everywhere, so a writer of more first takes a claim: a
small object beside it, written by such a request. Whoever has the claim, and sees no object, ends its upload. Objects
of one part and of several parts never share a key in handrail.

**Servers that ignore the condition** would let a writer destroy another one's backup. The first write of a process
finds out, by asking again for what it has just written: if that is granted, the store is refused.
"""

from __future__ import annotations

import io
import math
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from handrail.amounts import count, size
from handrail.pages import page
from handrail.stores.objects.classes import StorageClass, move
from handrail.stores.objects.client import Client
from handrail.stores.objects.download import PIECE, Download
from handrail.stores.objects.failures import code_of, explained, is_of_the_network
from handrail.stores.objects.upload import MOST_PARTS, PART, Upload
from handrail.stores.store import MissingObject, StoreError, checked_key, is_key

if TYPE_CHECKING:
    from typing_extensions import Buffer

_CLAIMS = ".claims/"
#: After so long the writer that has claimed a key is dead: a copy that is made again may claim it.
_DEAD = timedelta(minutes=15)
#: Only for tidiness.
_CLAIM_AGE = timedelta(days=1)
#: The name of a piece of metadata: letters only, for Azure takes no dash.
_WRITER = "handrailwriter"
#: Seconds before a conditional request is made again that was cut.
_WAITS = (0.2, 0.8, 3.2)


class CloudStore:
    """Objects below a prefix of a bucket. Who else can read them, the bucket's policy says, unknown to us.

    `part` is how large the parts of an upload are: it bounds the size of an object."""

    def __init__(self, client: Client, *, part: int = PART) -> None:
        self._client = client
        self.part = part
        self._is_swept = False
        self._is_create_only = False
        self._is_reached = False

    @property
    def place(self) -> str:
        return self._client.place

    @contextmanager
    def open_write(self, key: str) -> Iterator[BinaryIO]:
        checked_key(key)
        self._refuse_existing(key)
        out = _NewObject(self, key)
        try:
            yield cast("BinaryIO", out)
            out.finish()
        finally:
            out.give_up()

    @contextmanager
    def open_read(self, key: str) -> Iterator[BinaryIO]:
        message = f"cannot read {checked_key(key)} from the store {self.place}"
        size, first = self._first_piece(key, message)
        with Download(self._client.data, key, size, message, first=first) as source:
            yield cast("BinaryIO", source)

    def size(self, key: str) -> int:
        return int(self._existing(key)["size"])

    def written_at(self, key: str) -> datetime:
        return cast("datetime", self._existing(key)["last_modified"])

    def keys(self, prefix: str = "") -> tuple[str, ...]:
        # The library lists folders; the contract's prefix may end within a name.
        folder = prefix.rpartition("/")[0]
        if folder and not is_key(folder):
            return ()
        with self.explaining(f"cannot list the store {self.place}"):
            found = [one["path"] for one in self._listed(folder)]
        return tuple(sorted(key for key in found if key.startswith(prefix) and is_key(key)))

    def delete(self, key: str) -> None:
        self._existing(key)
        message = f"cannot delete {key} from the store {self.place}"
        try:
            self._remove(key)
        except Exception as error:
            failed = explained(error, message)
            if code_of(error) in ("AccessDenied", "AuthorizationPermissionMismatch", "BlobImmutableDueToPolicy"):
                failed.hint = (
                    "a lock or a retention of the bucket may hold it: wait until that ends, or give the right "
                    "to delete; until then the backup stays and is paid for"
                )
            raise failed from error

    def free_bytes(self) -> int | None:
        return None

    def move_to(self, key: str, storage_class: StorageClass) -> None:
        """Move an object to a storage class of S3. StoreError, also where there are none."""
        message = f"cannot move {checked_key(key)} to {storage_class.value} in the store {self.place}"
        if self._client.aws is None:
            raise StoreError(message, why="storage classes by these names are of S3", hint="leave --storage-class out")
        with self.explaining(message):
            move(*self._client.aws(key), storage_class)

    # --- for the object that is being written -------------------------------------------------------------------

    def begin(self, key: str, writer: str) -> Upload:
        self._sweep()
        return Upload(self._client.data, key, {_WRITER: writer}, self.part)

    def create(self, key: str, data: bytes, writer: str) -> None:
        """Write a small object that must not be there yet."""
        with self.explaining(f"cannot write {key} to the store {self.place}"):
            if not self._put_new(key, data, writer):
                raise self._already(key)
        self._refuse_careless_server(key)

    def complete(self, key: str, upload: Upload, writer: str) -> None:
        """End an upload in parts, unless the object is there by now."""
        claim = _CLAIMS + key
        with self.explaining(f"cannot write {key} to the store {self.place}"):
            if not self._put_new(claim, writer.encode(), writer):
                self._take_over(key, claim, writer)
        try:
            self._refuse_careless_server(claim)
            self._refuse_existing(key)
            with self.explaining(f"cannot write {key} to the store {self.place}"):
                try:
                    upload.complete()
                except Exception:
                    # The answer may have been lost, not the request.
                    if not self._is_written_by(key, writer):
                        raise
        finally:
            with suppress(Exception):
                self._remove(claim)

    def _take_over(self, key: str, claim: str, writer: str) -> None:
        """Another writer has the claim. One that has had it for long was killed: ending an upload takes seconds."""
        self._refuse_existing(key)
        age = self._age_of(claim, writer)
        if age is not None and age < _DEAD:
            left = max(1, math.ceil((_DEAD - age) / timedelta(minutes=1)))
            raise StoreError(
                f"{key} is already in the store {self.place}",
                why=f"another writer has claimed it {int(age.total_seconds())} s ago, and ends it now or was killed",
                hint=f"if it is not there then, try again in {count(left, 'minute')}",
            )
        with suppress(FileNotFoundError):
            self._remove(claim)
        if not self._put_new(claim, writer.encode(), writer):
            raise self._already(key)

    def _age_of(self, claim: str, writer: str) -> timedelta | None:
        """How old a claim is by the server's clock, which a new object tells; None when it is gone by now."""
        import obstore

        found, probe = self._head(claim), f"{_CLAIMS}{writer}"
        if found is None:
            return None
        obstore.put(self._client.small, probe, b"")
        now = self._head(probe)
        with suppress(FileNotFoundError):
            self._remove(probe)
        return None if now is None else cast("timedelta", now["last_modified"] - found["last_modified"])

    # --- requests -----------------------------------------------------------------------------------------------

    def _put_new(self, path: str, data: bytes, writer: str) -> bool:
        """Whether this writer made the object. A request that was cut may have been done and is repeated, by the
        library and (where it does not dare to) here: so a refusal is believed only when the object is another's."""
        import obstore
        from obstore.exceptions import AlreadyExistsError, GenericError

        for wait in (*_WAITS, None):
            try:
                obstore.put(self._client.data, path, data, mode="create", attributes={_WRITER: writer})
            except AlreadyExistsError:
                return self._is_written_by(path, writer)
            except GenericError as error:
                if wait is None or not is_of_the_network(error):
                    raise
                time.sleep(wait)
            else:
                return True
        return False

    def _refuse_careless_server(self, path: str) -> None:
        """Ask once for what must be refused, and refuse the store when it is not."""
        import obstore
        from obstore.exceptions import AlreadyExistsError

        if self._is_create_only:
            return
        with self.explaining(f"cannot write {path} to the store {self.place}"):
            try:
                obstore.put(self._client.small, path, b"", mode="create")
            except AlreadyExistsError:
                self._is_create_only = True
                return
        with suppress(Exception):
            self._remove(path)
        raise StoreError(
            f"the store {self.place} cannot be trusted with backups",
            why="its server ignores If-None-Match: one writer could destroy what another one has written",
            hint=f"use a server that honours conditional writes ({page('stores')} names some), or a folder",
        )

    def _is_written_by(self, path: str, writer: str) -> bool:
        import obstore

        with suppress(Exception):
            return obstore.get(self._client.small, path, options={"head": True}).attributes.get(_WRITER) == writer
        return False

    def _remove(self, path: str) -> None:
        import obstore

        obstore.delete(self._client.small, path)

    def _listed(self, folder: str) -> Iterator[Any]:
        import obstore

        for several in obstore.list(self._client.small, folder or None):
            yield from several

    def _head(self, key: str) -> Any | None:
        """What is known of an object, None when it is missing."""
        import obstore
        from obstore.exceptions import PermissionDeniedError, UnauthenticatedError

        try:
            return obstore.head(self._client.small, key)
        except FileNotFoundError:
            self._ask_why()
            return None
        except (PermissionDeniedError, UnauthenticatedError):
            self._is_reached = False
            self._ask_why()
            raise

    def _ask_why(self) -> None:
        """HEAD is answered without a reason; listing is answered with one: a missing bucket, wrong keys. Once it was
        answered with a list, what is missing is the object."""
        if not self._is_reached:
            next(self._listed(_CLAIMS), None)
            self._is_reached = True

    def _first_piece(self, key: str, message: str) -> tuple[int, bytes]:
        """An object's size, and its content when it is small: one request for each of many manifests."""
        import obstore
        from obstore.exceptions import GenericError, PermissionDeniedError, UnauthenticatedError

        with self.explaining(message):
            try:
                answer = obstore.get(self._client.data, key)
                size = answer.meta["size"]
                return size, bytes(answer.bytes()) if size <= PIECE else b""
            except (FileNotFoundError, PermissionDeniedError, UnauthenticatedError):
                pass  # the next request tells why
            except GenericError as error:
                if not is_of_the_network(error):
                    raise
        return self.size(key), b""

    def _existing(self, key: str) -> Any:
        with self.explaining(f"cannot read {checked_key(key)} from the store {self.place}"):
            found = self._head(key)
        if found is None:
            raise MissingObject(
                f"{key} is not in the store {self.place}", hint="handrail backup list shows what the store holds"
            )
        return found

    def _refuse_existing(self, key: str) -> None:
        with self.explaining(f"cannot write {key} to the store {self.place}"):
            if self._head(key) is not None:
                raise self._already(key)

    def _already(self, key: str) -> StoreError:
        return StoreError(f"{key} is already in the store {self.place}", why="objects are written once")

    def _sweep(self) -> None:
        """End what killed writers left; once, and only as far as the rights reach."""
        if self._is_swept:
            return
        self._is_swept = True
        with suppress(Exception):
            if self._client.uploads is not None:
                self._client.uploads().end_abandoned()
        with suppress(Exception):
            claims = list(self._listed(_CLAIMS))
            newest = max((one["last_modified"] for one in claims), default=None)
            for one in claims:
                if newest - one["last_modified"] > _CLAIM_AGE:
                    self._remove(one["path"])

    @contextmanager
    def explaining(self, message: str) -> Iterator[None]:
        """Every error of the libraries inside comes out as StoreError."""
        try:
            yield
        except StoreError:
            raise
        except Exception as error:
            raise explained(error, message) from error


class _NewObject(io.RawIOBase):
    """An object that is being written: kept while it is one part, sent in parts from then on."""

    def __init__(self, store: CloudStore, key: str) -> None:
        self._store = store
        self._key = key
        self._writer = uuid.uuid4().hex
        self._first = bytearray()
        self._upload: Upload | None = None
        self._size = 0
        self._is_done = False

    def writable(self) -> bool:
        return True

    def write(self, data: Buffer, /) -> int:
        view = memoryview(data).cast("B")
        if self._upload is None and len(self._first) + len(view) <= PART:
            self._first += view
            return len(view)
        message = f"cannot write {self._key} to the store {self._store.place}"
        self._size += len(view)
        part = self._store.part
        if self._size > part * (MOST_PARTS - 1):
            raise StoreError(
                message,
                why=f"it is larger than {size(part * MOST_PARTS)}, and a bucket takes {MOST_PARTS:,} parts"
                f" of {part >> 20} MiB",
                hint="make backups into a folder (`store` of the environment)",
            )
        with self._store.explaining(message):
            if self._upload is None:
                self._upload = self._store.begin(self._key, self._writer)
                self._upload.write(memoryview(self._first))
                self._first = bytearray()
            self._upload.write(view)
        return len(view)

    def finish(self) -> None:
        if self._upload is None:
            self._store.create(self._key, bytes(self._first), self._writer)
        else:
            self._store.complete(self._key, self._upload, self._writer)
        self._is_done = True

    def give_up(self) -> None:
        if self._upload is not None and not self._is_done:
            self._upload.give_up()
