"""AWS's own library, imported when it is needed: one session, patient clients, every error told as one of ours."""

from __future__ import annotations

from collections.abc import Iterator
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
        from botocore import xform_name
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            answer = getattr(self._client(asked.service), xform_name(asked.operation))(**parameters)
        except (BotoCoreError, ClientError) as error:
            raise failure(error, asked) from error
        assert isinstance(answer, dict)  # noqa: S101 - AWS's library answers so
        return answer

    def pages(self, asked: Asked, key: str, /, **parameters: Any) -> Iterator[dict[str, Any]]:
        """The items of all pages of RDS's answer, which are below `key`. SnapshotError."""
        from botocore import xform_name
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            for page in self._client("rds").get_paginator(xform_name(asked.operation)).paginate(**parameters):
                yield from page.get(key, ())
        except (BotoCoreError, ClientError) as error:
            raise failure(error, asked) from error

    def accepts(self, operation: str) -> frozenset[str]:
        """The parameters of an operation that the installed library knows: older ones refuse new parameters."""
        shape = self._client("rds").meta.service_model.operation_model(operation).input_shape
        return frozenset(shape.members)

    def _client(self, service: str) -> Any:
        if service not in self._clients:
            self._clients[service] = self._opened().client(
                service, endpoint_url=self.account.endpoint_url, config=self._config()
            )
        return self._clients[service]

    def _opened(self) -> Any:
        if self._session is None:
            boto3 = _library()
            self._session = boto3.Session(profile_name=self.account.profile, region_name=self.account.region)
        return self._session

    def _config(self) -> Any:
        from botocore.config import Config

        return Config(
            retries={"mode": "standard", "total_max_attempts": self._attempts},
            connect_timeout=10,
            read_timeout=self._read_timeout,
            user_agent_extra=f"handrail/{__version__}",
        )


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
