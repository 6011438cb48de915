"""Talking to a laboratory's own endpoint: what tests and `handrail lab` do with it."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import quote

from handrail.errors import UsageError
from handrail.pages import page

Values = dict[str, Any]
#: Any region exists in the laboratory. This one is exported: in us-east-1, version 1 of AWS's command line goes to the
#: real RDS whatever AWS_ENDPOINT_URL says.
REGION = "eu-central-1"


class LaboratoryClient:
    """Faults, states, seeds and the log of a laboratory. UsageError when it does not answer, or refuses."""

    def __init__(self, endpoint: str, region: str = REGION) -> None:
        self.endpoint = endpoint
        self._region = region

    def status(self) -> Values:
        """What it is and holds."""
        return self._ask("GET", "status")

    def calls(self) -> list[Values]:
        """The calls since the beginning or the last `forget_calls`, oldest first."""
        found: list[Values] = self._ask("GET", "calls")["calls"]
        return found

    def forget_calls(self) -> None:
        """Begin the log anew."""
        self._ask("DELETE", "calls")

    def set(self, action: str, **words: Any) -> None:
        """A fault; see `faults.Fault` for the words."""
        self._ask("POST", "faults", {"action": action, **words})

    def throttle(self, action: str, times: int) -> None:
        """So many calls of an action are throttled."""
        self.set(action, times=times)

    def error(self, action: str, code: str, times: int = 1, message: str = "") -> None:
        """So many calls of an action end with this code."""
        self.set(action, code=code, times=times, message=message)

    def deny(self, action: str) -> None:
        """AccessDenied until it is cleared."""
        self.set(action, code="AccessDenied", times=0)

    def expire_credentials(self) -> None:
        """ExpiredToken for everything, until it is cleared."""
        self.set("*", service="*", code="ExpiredToken", times=0)

    def drop(self, action: str, *, after: bool, times: int = 1) -> None:
        """The connection breaks before, or after, the server has done it."""
        self.set(action, kind="drop-after" if after else "drop-before", times=times)

    def clear(self) -> None:
        """No faults any more; snapshots that are held go on."""
        self._ask("DELETE", "faults")

    def next_snapshot(self, **words: Any) -> None:
        """What happens to the next manual snapshot: `hold_at`, `fail_at` (percents), `hides_time`."""
        self._ask("POST", "next-snapshot", words)

    def change_snapshot(self, name: str, **words: Any) -> None:
        """Of a snapshot that is there: `status`, `percent`, `hold_at`, `fail_at`, `hides_time`; as ISO text when it was
        `taken`, its `original` time, and when its base backup `ended`."""
        self._ask("POST", f"snapshots/{quote(name)}", words)

    def change_instance(self, name: str, **words: Any) -> None:
        """Of an instance: `status`, and `settings` under AWS's names."""
        self._ask("POST", f"instances/{quote(name)}", words)

    def back_up(self, name: str) -> None:
        """Begin an automated backup."""
        self._ask("POST", f"backup/{quote(name)}")

    def archive(self, name: str) -> str:
        """Have everything committed archived now; returns LatestRestorableTime."""
        return str(self._ask("POST", f"archive/{quote(name)}")["latest"])

    def seed(self, *, instances: list[Values] | None = None, snapshots: list[Values] | None = None) -> None:
        """Instances and snapshots without data; see docs/lab.md for the words."""
        self._ask("POST", "seed", {"instances": instances or [], "snapshots": snapshots or []})

    def forget_seeds(self) -> None:
        """Remove everything that was seeded."""
        self._ask("DELETE", "seed")

    def reset(self) -> None:
        """As if the region had just been made: no instances, snapshots, exports, events, faults, calls; nor
        anything that moto keeps (buckets, roles, keys, parameter groups), of whatever region."""
        self._send("POST", "/moto-api/reset")
        self._ask("DELETE", "everything")

    def _ask(self, method: str, path: str, body: Values | None = None) -> Values:
        return self._send(method, f"/_lab/{path}?region={self._region}", body)

    def _send(self, method: str, path: str, body: Values | None = None) -> Values:
        data = json.dumps(body or {}).encode() if method == "POST" else None
        url, words = f"{self.endpoint}{path}", {"Content-Type": "application/json"}
        request = urllib.request.Request(url, data, words, method=method)  # noqa: S310 - http, loopback
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=300) as answer:
                found: Values = json.load(answer)
                return found
        except urllib.error.HTTPError as error:
            raise UsageError(_refusal(error.read()), hint=f"{page('lab')} lists what there is", code="HR252") from None
        except OSError as error:
            raise UsageError(
                f"no laboratory answers at {self.endpoint}", why=str(error), hint="handrail lab start", code="HR253"
            ) from None


def _refusal(body: bytes) -> str:
    try:
        return str(json.loads(body)["error"])
    except (ValueError, KeyError, TypeError):
        return body.decode(errors="replace")[:200]
