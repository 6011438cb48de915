"""Uploads that a killed writer left unfinished: nobody sees them, but they are paid for. S3 can list and end them.

A living writer's is never ended: it must be old, and no part of it may have come lately.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

#: A writer that has sent nothing for so long has lost its connection and its credentials.
ABANDONED_AFTER = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Uploads:
    """The unfinished uploads below a prefix of a bucket, through AWS's own library."""

    client: Any
    bucket: str
    prefix: str
    age: timedelta = ABANDONED_AFTER

    def end_abandoned(self) -> int:
        """End those that nobody works on any more, and say how many. Raises the library's errors: whoever may write
        backups need not have this right."""
        ended = 0
        for key, upload_id, begun, now in self._unfinished():
            if now - begun > self.age and now - self._last_part(key, upload_id, begun) > self.age:
                self.client.abort_multipart_upload(Bucket=self.bucket, Key=key, UploadId=upload_id)
                ended += 1
        return ended

    def _unfinished(self) -> Iterator[tuple[str, str, datetime, datetime]]:
        """Key, id, when it began, and the server's time now: ages are by one clock."""
        pages = self.client.get_paginator("list_multipart_uploads")
        prefix = f"{self.prefix}/" if self.prefix else ""
        for page in pages.paginate(Bucket=self.bucket, Prefix=prefix):
            now = server_time(page)
            for one in page.get("Uploads", ()):
                yield one["Key"], one["UploadId"], one["Initiated"], now

    def _last_part(self, key: str, upload_id: str, begun: datetime) -> datetime:
        pages = self.client.get_paginator("list_parts").paginate(Bucket=self.bucket, Key=key, UploadId=upload_id)
        return max((part["LastModified"] for page in pages for part in page.get("Parts", ())), default=begun)


def server_time(answer: dict[str, Any]) -> datetime:
    """When the server answered, by its own clock."""
    from email.utils import parsedate_to_datetime

    return parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])
