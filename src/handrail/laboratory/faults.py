"""Faults on demand, and the log of calls."""

from __future__ import annotations

import fnmatch
import threading
from collections import deque
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from handrail.laboratory.clock import now

#: code → status and message of the errors that are not in RDS's own model.
KNOWN: dict[str, tuple[int, str]] = {
    "Throttling": (400, "Rate exceeded"),
    "RequestLimitExceeded": (503, "Request limit exceeded."),
    "InternalFailure": (500, "The request processing has failed because of an unknown error, exception or failure."),
    "ServiceUnavailable": (503, "The request has failed due to a temporary failure of the server."),
    "AccessDenied": (403, "User: arn:aws:iam::123456789012:user/laboratory is not authorized to perform: {action}"),
    "ExpiredToken": (403, "The security token included in the request is expired"),
    "InvalidClientTokenId": (403, "The security token included in the request is invalid."),
}
KINDS = ("error", "drop-before", "drop-after")
_SECRET = ("Password", "Secret", "Token", "PreSignedUrl")


@dataclass
class Fault:
    """What calls of an action meet: an error, or a connection that is dropped before or after the server did it.

    `action` may hold `*`; `service` too. `times` 0 is until it is cleared; `skip` calls pass first."""

    kind: str = "error"
    action: str = "*"
    service: str = "rds"
    times: int = 1
    skip: int = 0
    code: str = "Throttling"
    message: str = ""
    status: int = 0
    met: int = 0

    def fits(self, service: str, action: str) -> bool:
        """Whether a call meets it."""
        return fnmatch.fnmatch(service, self.service) and fnmatch.fnmatch(action, self.action)

    def text(self, service: str, action: str) -> str:
        """The message of the error."""
        return self.message or KNOWN.get(self.code, (0, f"The laboratory was asked to answer {self.code}."))[1].format(
            action=f"{service}:{action}"
        )

    @property
    def http_status(self) -> int:
        return self.status or KNOWN.get(self.code, (0, ""))[0]


@dataclass(frozen=True)
class Call:
    """One call: what was asked when, and how it ended. No password is in it."""

    time: datetime
    service: str
    action: str
    parameters: dict[str, str] = field(default_factory=dict)
    status: int = 0
    error: str = ""

    def plain(self) -> dict[str, Any]:
        """As JSON's types."""
        return {**asdict(self), "time": self.time.isoformat()}


class Faults:
    """The faults that are set, oldest first."""

    def __init__(self) -> None:
        self._set: list[Fault] = []
        self._lock = threading.Lock()

    def add(self, values: dict[str, Any]) -> None:
        """Set one. ValueError says what is wrong with it."""
        try:
            fault = Fault(**values)
        except TypeError as error:
            raise ValueError(str(error).partition("() ")[2] or str(error)) from None
        if fault.kind not in KINDS:
            raise ValueError(f"kind is one of {', '.join(KINDS)}, not {fault.kind!r}")
        with self._lock:
            self._set.append(fault)

    def clear(self) -> None:
        """Take all back."""
        with self._lock:
            self._set.clear()

    def plain(self) -> list[dict[str, Any]]:
        """What is set."""
        with self._lock:
            return [asdict(one) for one in self._set]

    def meet(self, service: str, action: str) -> Fault | None:
        """The fault that this call meets, which is then used up by one."""
        with self._lock:
            for fault in self._set:
                if not fault.fits(service, action):
                    continue
                if fault.skip:
                    fault.skip -= 1
                    continue
                fault.met += 1
                if fault.times and fault.met >= fault.times:
                    self._set.remove(fault)
                return fault
        return None


class Calls:
    """The newest calls."""

    def __init__(self, most: int = 10_000) -> None:
        self._calls: deque[Call] = deque(maxlen=most)
        self._lock = threading.Lock()

    def add(self, call: Call) -> None:
        """Note one."""
        with self._lock:
            self._calls.append(call)

    def clear(self) -> None:
        """Forget them."""
        with self._lock:
            self._calls.clear()

    def plain(self) -> list[dict[str, Any]]:
        """All of them, oldest first."""
        with self._lock:
            return [one.plain() for one in self._calls]


def call(service: str, action: str, parameters: dict[str, str]) -> Call:
    """A call that has just come, without what is secret in it."""
    shown = {name: "***" if _is_secret(name) else value for name, value in parameters.items()}
    return Call(now(), service, action, shown)


def _is_secret(name: str) -> bool:
    return any(part in name for part in _SECRET)
