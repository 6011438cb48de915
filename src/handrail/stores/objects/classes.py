"""Storage classes of S3: an object that has been proven is moved to a colder one.

It is a copy onto itself by AWS's own library, done by the server: what lies in GLACIER or DEEP_ARCHIVE cannot be read
back at once, so an object is written and read in the usual class first.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Final

from handrail.stores.store import StoreError


class StorageClass(StrEnum):
    """Those of S3 that are colder than the usual one; the last two have to be asked for before they can be read."""

    STANDARD_IA = "STANDARD_IA"
    GLACIER_IR = "GLACIER_IR"
    GLACIER = "GLACIER"
    DEEP_ARCHIVE = "DEEP_ARCHIVE"

    @property
    def has_to_be_asked_for(self) -> bool:
        return self in (StorageClass.GLACIER, StorageClass.DEEP_ARCHIVE)


#: The server copies at most so much in one request, and one request may take long.
_ONE_COPY: Final = 4 << 30
_PART: Final = 512 << 20


def move(client: Any, bucket: str, key: str, to: StorageClass) -> None:
    """Return when the object lies in the class. StoreError when the server took the request and did something else;
    the library's own errors pass."""
    from boto3.s3.transfer import TransferConfig

    before = client.head_object(Bucket=bucket, Key=key)
    ways = TransferConfig(multipart_threshold=_ONE_COPY, multipart_chunksize=_PART)
    words = {"StorageClass": to.value, "Metadata": before.get("Metadata", {}), "MetadataDirective": "REPLACE"}
    client.copy({"Bucket": bucket, "Key": key}, bucket, key, ExtraArgs=words, Config=ways)
    after = client.head_object(Bucket=bucket, Key=key)
    found = after.get("StorageClass", "STANDARD")
    if found != to.value or after["ContentLength"] != before["ContentLength"]:
        raise StoreError(
            f"{key} was not moved to {to.value}",
            why=f"the server says that it is in {found}, with {after['ContentLength']:,} bytes",
            hint="the archive is whole and proven where it is; this server may know no storage classes",
        )
