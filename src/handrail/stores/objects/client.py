"""Opening a store of objects: which library talks to which cloud, with what patience and whose credentials.

Credentials, region and endpoint come from where the clouds' own tools look: environment variables, then (S3) the
profile in ~/.aws, then what the machine itself is given. Nothing of it is in the configuration.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from handrail.errors import ConfigError, MissingLibrary
from handrail.pages import page
from handrail.stores.objects.abandoned import Uploads
from handrail.stores.objects.address import ObjectsAddress
from handrail.stores.store import StoreError


@dataclass(frozen=True, slots=True)
class Patience:
    """How long is waited, in seconds: for a connection, for a small request, for one with data (16 MiB, four of them
    at once); and how often and how long a request is repeated that was answered with 5xx, throttled, or cut."""

    connect: float = 10.0
    small: float = 60.0
    data: float = 300.0
    repeats: int = 8
    repeat_for: float = 120.0


@dataclass(frozen=True, slots=True)
class Client:
    """Two clients of one place that differ in patience only, and the way to its unfinished uploads where it has one.

    `aws` gives AWS's own client, and the bucket and whole key of what has this key in the store; None beside S3."""

    place: str
    small: Any
    data: Any
    uploads: Callable[[], Uploads] | None
    aws: Callable[[str], tuple[Any, str, str]] | None = None


def open_client(
    address: ObjectsAddress, environ: Mapping[str, str] = os.environ, patience: Patience | None = None
) -> Client:
    """Make the clients; nothing is asked of the server yet. MissingLibrary without the extra `objects`."""
    try:
        import obstore.store  # noqa: F401 - only to see whether it is there
    except ImportError as error:
        raise MissingLibrary(
            f"the store {address} needs a library that is not installed",
            why="obstore talks to the clouds",
            hint="pip install 'handrail[objects]'",
        ) from error
    patience = patience or Patience()
    build = {"s3": _s3, "gs": _gcs, "az": _azure}[address.scheme]
    return build(address, environ, patience)


def _options(patience: Patience, seconds: float, *, allow_http: bool) -> dict[str, Any]:
    retry = {
        "max_retries": patience.repeats,
        "retry_timeout": timedelta(seconds=patience.repeat_for),
        "backoff": {"init_backoff": timedelta(milliseconds=200), "max_backoff": timedelta(seconds=10), "base": 2},
    }
    client = {
        "connect_timeout": timedelta(seconds=patience.connect),
        "timeout": timedelta(seconds=seconds),
        "allow_http": allow_http,
        "user_agent": "handrail",
    }
    return {"retry_config": retry, "client_options": client}


def _s3(address: ObjectsAddress, environ: Mapping[str, str], patience: Patience) -> Client:
    from obstore.store import S3Store

    settings = _s3_settings(address, environ)
    # A bucket that locks its objects takes none without a checksum.
    settings.setdefault("checksum_algorithm", environ.get("AWS_CHECKSUM_ALGORITHM", "SHA256"))
    endpoint = settings.get("endpoint") or environ.get("AWS_ENDPOINT_URL_S3") or environ.get("AWS_ENDPOINT_URL") or ""
    small, data = (
        S3Store(
            address.bucket,
            prefix=address.prefix or None,
            **settings,
            **_options(patience, seconds, allow_http=endpoint.startswith("http://")),
        )
        for seconds in (patience.small, patience.data)
    )
    begin = f"{address.prefix}/" if address.prefix else ""
    return Client(
        str(address),
        small,
        data,
        lambda: Uploads(_aws(patience, patience.small), address.bucket, address.prefix),
        # The server copies whole objects before it answers.
        lambda key: (_aws(patience, 10 * patience.data), address.bucket, begin + key),
    )


def _s3_settings(address: ObjectsAddress, environ: Mapping[str, str]) -> dict[str, Any]:
    """What the environment does not say by itself. AWS's own library is asked only then: it takes half a second."""
    has_keys = environ.get("AWS_ACCESS_KEY_ID") and environ.get("AWS_SECRET_ACCESS_KEY")
    has_region = environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION")
    has_endpoint = environ.get("AWS_ENDPOINT_URL_S3") or environ.get("AWS_ENDPOINT_URL")
    profiles = Path(environ.get("AWS_CONFIG_FILE") or "~/.aws/config").expanduser()
    if has_keys and has_region and (has_endpoint or not profiles.is_file()):
        return {}
    import boto3
    from botocore.exceptions import BotoCoreError

    try:
        session = boto3.Session()
        region = environ.get("AWS_REGION") or session.region_name or "us-east-1"
        endpoint = session.client("s3", region_name=region).meta.endpoint_url
        settings: dict[str, Any] = {"region": region}
        if not endpoint.partition("://")[2].endswith((".amazonaws.com", ".amazonaws.com.cn")):
            settings["endpoint"] = endpoint
        if not has_keys:
            settings["credential_provider"] = _boto_credentials(session, address)
    except BotoCoreError as error:
        raise ConfigError(
            f"the settings of AWS for the store {address} cannot be used",
            why=str(error),
            hint="correct AWS_PROFILE or the files in ~/.aws; aws sts get-caller-identity tries them",
        ) from error
    return settings


def _aws(patience: Patience, seconds: float) -> Any:
    """AWS's own client, for what the other library cannot do."""
    import boto3
    from botocore.config import Config

    waits = Config(connect_timeout=patience.connect, read_timeout=seconds, retries={"total_max_attempts": 2})
    session = boto3.Session()
    return session.client("s3", region_name=session.region_name or "us-east-1", config=waits)


def _boto_credentials(session: Any, address: ObjectsAddress) -> Any:
    from obstore.auth.boto3 import Boto3CredentialProvider

    if session.get_credentials() is None:
        raise StoreError(
            f"there are no credentials for the store {address}",
            why="neither the environment, nor a profile in ~/.aws, nor this machine itself gives any",
            hint=f"export AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE; {page('stores')} lists all ways",
        )
    # Short, so that what the session has renewed meanwhile is taken up.
    return Boto3CredentialProvider(session, ttl=timedelta(minutes=5))


def _gcs(address: ObjectsAddress, environ: Mapping[str, str], patience: Patience) -> Client:
    from obstore.store import GCSStore

    is_plain = environ.get("GOOGLE_BASE_URL", "").startswith("http://")
    small, data = (
        GCSStore(address.bucket, prefix=address.prefix or None, **_options(patience, seconds, allow_http=is_plain))
        for seconds in (patience.small, patience.data)
    )
    return Client(str(address), small, data, None)


def _azure(address: ObjectsAddress, environ: Mapping[str, str], patience: Patience) -> Client:
    from obstore.store import AzureStore

    # The names that the cloud's own tool reads, besides those that the library knows.
    names = {
        "account_name": "AZURE_STORAGE_ACCOUNT",
        "account_key": "AZURE_STORAGE_KEY",
        "sas_key": "AZURE_STORAGE_SAS_TOKEN",
    }
    settings: dict[str, Any] = {key: environ[name] for key, name in names.items() if environ.get(name)}
    if not (settings.get("account_name") or environ.get("AZURE_STORAGE_ACCOUNT_NAME")):
        raise StoreError(
            f"the storage account of {address} is not known",
            why="the URL names the container only",
            hint=f"export AZURE_STORAGE_ACCOUNT, and a key, a token or a login as {page('stores')} lists them",
        )
    is_plain = environ.get("AZURE_STORAGE_ENDPOINT", "").startswith("http://")
    small, data = (
        AzureStore(
            address.bucket,
            prefix=address.prefix or None,
            **settings,
            **_options(patience, seconds, allow_http=is_plain),
        )
        for seconds in (patience.small, patience.data)
    )
    return Client(str(address), small, data, None)
