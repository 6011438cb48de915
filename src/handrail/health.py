"""Asking the application whether it is well: an URL that answers 2xx, or a command that exits 0, within a deadline."""

from __future__ import annotations

import base64
import http.client
import os
import shlex
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO
from urllib.parse import unquote, urlsplit

from handrail.health_check import HealthCheck, HealthResult
from handrail.processes import program

_PAUSE = 0.5
_ATTEMPT = 10.0
_TAIL = 4096


def url_check(url: str, *, timeout: float) -> HealthCheck:
    """GET `url` again and again until it answers 2xx or `timeout` seconds are over (it may be restarting).

    `user:password@` in the URL is sent as basic authentication; neither it nor the query appears in the result."""

    def attempt(left: float) -> HealthResult:
        shown = "the health URL"
        try:
            target, headers, shown = _request_parts(url)
            request = urllib.request.Request(target, headers=dict(headers))  # noqa: S310 - only http(s) gets here
            with urllib.request.urlopen(request, timeout=min(_ATTEMPT, left)) as answer:  # noqa: S310
                return HealthResult(True, f"{shown} answered {answer.status}")
        except urllib.error.HTTPError as error:
            with error:
                return HealthResult(False, f"{shown} answered {error.code}")
        except OSError as error:
            return HealthResult(False, f"{shown} did not answer: {getattr(error, 'reason', error)}")
        except http.client.HTTPException:
            return HealthResult(False, f"{shown} did not answer in HTTP")
        except ValueError:
            return HealthResult(False, f"{shown} is not a usable http(s) URL")

    return lambda: _until_well(attempt, timeout)


def _request_parts(url: str) -> tuple[str, Mapping[str, str], str]:
    """What to request, with which headers, and how to call it. ValueError when it is not an http(s) URL."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("not an http(s) URL")
    place = parts.netloc.rpartition("@")[2]
    headers = {"User-Agent": "handrail"}
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
    return parts._replace(netloc=place, fragment="").geturl(), headers, f"{parts.scheme}://{place}{parts.path}"


def command_check(command: str, *, timeout: float, folder: Path) -> HealthCheck:
    """Run `command` (split as a shell splits words, run without one) in `folder` until it exits 0.

    Each attempt may take all the time that is left; what it started is ended with it when that is over."""

    call = Call(command, timeout, folder)
    return lambda: _until_well(call.run, timeout)


@dataclass(frozen=True, slots=True)
class Call:
    """A command (split as a shell splits words, run without one), the time it has, and where it runs. `variables` are
    added to its environment and kept out of what is said; `secrets` are taken out of it."""

    command: str
    timeout: float
    folder: Path
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)

    def run(self, left: float | None = None) -> HealthResult:
        """Run it once, for `left` seconds at most; what it started is ended with it."""
        command = self.command
        try:
            words = shlex.split(command)
            with tempfile.TemporaryFile() as output:
                code = _exit_code(words, self, self.timeout if left is None else left, output)
                last = _last_line(output)
        except subprocess.TimeoutExpired:
            return HealthResult(False, f"`{command}` did not end within {self.timeout:g} s")
        except OSError as error:
            return HealthResult(False, f"`{command}` cannot be run: {error.strerror}")
        except (ValueError, IndexError):
            return HealthResult(False, f"`{command}` is not a command")
        for secret in filter(None, self.secrets):
            last = last.replace(secret, "***")
        return HealthResult(code == 0, f"`{command}` exited {code} {last}".strip())


def _exit_code(words: list[str], call: Call, left: float, output: IO[bytes]) -> int:
    with program(words, call.folder, call.variables, output) as child:
        return child.wait(timeout=left)


def _last_line(output: IO[bytes]) -> str:
    size = output.seek(0, os.SEEK_END)
    output.seek(max(0, size - _TAIL))
    lines = output.read().decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else ""


def _until_well(attempt: Callable[[float], HealthResult], timeout: float) -> HealthResult:
    deadline = time.monotonic() + timeout
    while True:
        result = attempt(max(0.1, deadline - time.monotonic()))
        if result.is_well or time.monotonic() + _PAUSE >= deadline:
            return result
        time.sleep(_PAUSE)


def watched(check: HealthCheck, *, seconds: float, pause: float = 2.0) -> HealthCheck:
    """Ask `check` again and again for so many seconds; unwell as soon as one answer is. How long the application may be
    away in between is the timeout of `check`."""

    def watch() -> HealthResult:
        begun, times = time.monotonic(), 0
        while True:
            result = check()
            times += 1
            left = seconds - (time.monotonic() - begun)
            if not result.is_well or left <= 0:
                break
            time.sleep(min(pause, left))
        if not result.is_well:
            after = time.monotonic() - begun
            return HealthResult(False, f"{result.detail} ({after:.0f} s after the first of {times} questions)")
        return HealthResult(True, f"well for {seconds:g} s, asked {times} times")

    return watch
