"""Where a store of objects is, as its URL says it: `s3://bucket/prefix`, `gs://bucket/prefix`, `az://container/prefix`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from handrail.errors import ConfigError
from handrail.pages import page
from handrail.stores.store import is_key

SCHEMES = ("s3", "gs", "az")
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True, slots=True)
class ObjectsAddress:
    """A place in a bucket (Azure says container). It never holds a secret: those come from the environment."""

    scheme: str
    bucket: str
    prefix: str = ""

    def __str__(self) -> str:
        return f"{self.scheme}://{self.bucket}" + (f"/{self.prefix}" if self.prefix else "")


def read_address(url: str) -> ObjectsAddress:
    """The place that a URL names. ConfigError when it cannot be one, or may hold a secret: then it is not shown."""
    scheme, _, rest = url.partition("://")
    if "@" in rest or "?" in rest or "#" in rest:
        raise ConfigError(
            "the URL of a store holds more than a bucket and a prefix",
            why="what stands before an @ or behind a ? may be a secret, so the URL is refused and not shown",
            hint=f"write scheme://bucket/prefix alone; {page('stores')} says which variables hold keys and endpoint",
        )
    if scheme not in SCHEMES:
        raise ConfigError(
            f"{url} is not a place for backups that handrail knows",
            why="a store is a folder, or a URL that begins with s3://, gs:// or az://",
            hint="correct `store` or `copies` of the environment",
        )
    bucket, _, prefix = rest.partition("/")
    prefix = prefix.strip("/")
    if not _BUCKET.fullmatch(bucket) or (prefix and not is_key(prefix)):
        raise ConfigError(
            f"{url} is not a place in a bucket",
            why="bucket and prefix are made of letters, digits, dot, dash and underscore",
            hint=f"write it like {scheme}://bucket/prefix",
        )
    return ObjectsAddress(scheme, bucket, prefix)
