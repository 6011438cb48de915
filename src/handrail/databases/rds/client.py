"""AWS's own library, imported when it is needed: one session, patient clients, every error told as one of ours."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from handrail import __version__
from handrail.databases.rds.failures import Asked, failure
from handrail.errors import MissingLibrary


@dataclass(frozen=True, slots=True)
class Account:
    """Where to ask and as whom: credentials are found as AWS's own programs find them, by `profile` where one is
    named; `endpoint_url` leads to a laboratory instead of AWS."""

    region: str
    profile: str | None = None
    endpoint_url: str | None = None


class Clients:
    """The clients of one account, each made when it is first used.

    A call is tried up to `attempts` times: with ten, throttling that lasts half a minute passes unnoticed."""

    def __init__(self, account: Account, *, attempts: int = 10, read_timeout: float = 60.0) -> None:
        self.account = account
        self._attempts = attempts
        self._read_timeout = read_timeout
        self._session: Any = None
        self._clients: dict[str, Any] = {}

    def call(self, asked: Asked, /, **parameters: Any) -> dict[str, Any]:
        """The answer to one call. SnapshotError."""
        with _told(asked):
            return self._operation(asked)(**parameters)

    def pages(self, asked: Asked, key: str, /, **parameters: Any) -> Iterator[dict[str, Any]]:
        """The items of all pages of RDS's answer, which are below `key`. SnapshotError."""
        with _told(asked):
            for page in (
                self._client(asked.service).get_paginator(self._operation(asked).__name__).paginate(**parameters)
            ):
                yield from page.get(key, ())

    def _operation(self, asked: Asked) -> Callable[..., dict[str, Any]]:
        from botocore import xform_name

        found: Callable[..., dict[str, Any]] = getattr(self._client(asked.service), xform_name(asked.operation))
        return found

    def accepts(self, operation: str) -> frozenset[str]:
        """The parameters of an operation that the installed library knows: older ones refuse new parameters."""
        shape = self._client("rds").meta.service_model.operation_model(operation).input_shape
        return frozenset(shape.members)

    def _client(self, service: str) -> Any:
        if service not in self._clients:
            self._clients[service] = self._opened().client(
                service, endpoint_url=self.account.endpoint_url, config=self._config(service)
            )
        return self._clients[service]

    def _opened(self) -> Any:
        if self._session is None:
            boto3 = _library()
            self._session = boto3.Session(profile_name=self.account.profile, region_name=self.account.region)
        return self._session

    def _config(self, service: str) -> Any:
        from botocore.config import Config

        attempts = self._attempts if service == "rds" else min(3, self._attempts)  # others only tell what helps
        return Config(
            retries={"mode": "standard", "total_max_attempts": attempts},
            connect_timeout=10,
            read_timeout=self._read_timeout,
            user_agent_extra=f"handrail/{__version__}",
        )


@contextmanager
def _told(asked: Asked) -> Iterator[None]:
    """Turn what AWS's library raises into our errors."""
    from botocore.exceptions import BotoCoreError, ClientError
    from botocore.parsers import ResponseParserError

    try:
        yield
    except (BotoCoreError, ClientError, ResponseParserError, ValueError) as error:
        raise failure(error, asked) from error


def _library() -> Any:
    try:
        import boto3
    except ImportError as error:
        raise MissingLibrary(
            "AWS is asked by its own library, boto3, which is not installed",
            why="`rds` of the environment says that the database runs there",
            hint="pip install 'handrail[aws]'",
        ) from error
    return boto3
