"""A laboratory as a process: one for each folder, found again by it, ended by a signal."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from handrail.errors import MissingLibrary, UsageError
from handrail.laboratory.client import REGION

if TYPE_CHECKING:
    from handrail.laboratory.jobs import Pace

DEFAULT_PORT = 5801
_START_SECONDS = 60.0


@dataclass(frozen=True)
class Running:
    """A laboratory that runs."""

    pid: int
    endpoint: str


def default_folder(environment: Mapping[str, str]) -> Path:
    """$HANDRAIL_LAB, else one for each user in /var/tmp: root's servers reach it, and it survives a restart."""
    named = environment.get("HANDRAIL_LAB")
    return Path(named) if named else Path(f"/var/tmp/handrail-lab-{os.geteuid()}")  # noqa: S108 - its owner is checked


def environ(endpoint: str) -> dict[str, str]:
    """What AWS's tools and libraries have to find in the environment to come here."""
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "AKIALABORATORY",
        "AWS_SECRET_ACCESS_KEY": "laboratory",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def find(folder: Path) -> Running | None:
    """The laboratory that holds the folder; None when none runs."""
    with suppress(OSError, ValueError, KeyError), (folder / "lock").open() as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            values = json.loads((folder / "lab.json").read_text())
            return Running(int(values["pid"]), str(values["endpoint"]))
    return None


def require(folder: Path) -> Running:
    """The same. UsageError when none runs."""
    found = find(folder)
    if found is None:
        raise UsageError(f"no laboratory runs in {folder}", hint="handrail lab start --detach", code="HR253")
    return found


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """One laboratory in a folder at a time, also after a kill: the lock ends with the process."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            found = find(folder)
            raise UsageError(
                f"a laboratory runs in {folder} already",
                why=f"its process is {found.pid}, it answers at {found.endpoint}" if found else "",
                hint="handrail lab stop, or another --folder",
                code="HR254",
            ) from None
        (folder / "lab.json").unlink(missing_ok=True)  # of one that was killed
        try:
            yield
        finally:
            (folder / "lab.json").unlink(missing_ok=True)


def pace_of(speed: float, quota: int, *, has_real_lag: bool) -> Pace:
    """How quickly states pass, and how far the archives may be behind: five minutes on RDS, here by the speed."""
    from handrail.laboratory.jobs import Pace

    return Pace(speed, 300.0 if has_real_lag else max(1.0, 5.0 / speed), quota)


def serve(folder: Path, port: int, pace: Pace, ready: Callable[[str], None]) -> Running:
    """Run a laboratory in this process until SIGINT or SIGTERM; returns what it was. UsageError."""
    _require_libraries()
    from handrail.laboratory.laboratory import Laboratory, Settings

    folder = folder.absolute()
    ending = threading.Event()
    with _held(folder):
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: ending.set())
        lab = Laboratory(Settings(folder, port, pace))
        with _service(lab, port) as endpoint:
            half = folder / "lab.part"
            half.write_text(json.dumps({"pid": os.getpid(), "endpoint": endpoint}))
            half.rename(folder / "lab.json")
            ready(endpoint)
            ending.wait()
            return Running(os.getpid(), endpoint)


@contextmanager
def _service(lab: object, port: int) -> Iterator[str]:
    from handrail.laboratory.laboratory import Laboratory
    from handrail.laboratory.service import Service

    assert isinstance(lab, Laboratory)  # noqa: S101 - the caller has made it
    try:
        service = Service(lab)
    except (OSError, SystemExit) as error:  # werkzeug ends the process where a port is taken
        raise UsageError(
            f"port {port} of 127.0.0.1 is taken", why=str(error), hint="handrail lab start --port 0", code="HR255"
        ) from None
    with service:
        yield service.endpoint


def _require_libraries() -> None:
    try:
        import moto.server  # noqa: F401
        import psycopg  # noqa: F401
    except ImportError as error:
        raise MissingLibrary(
            "the laboratory needs more libraries", why=str(error), hint="pip install 'handrail[lab]'"
        ) from None


def start_detached(folder: Path, words: Sequence[str]) -> Running:
    """Run `handrail lab start` with these words in a process of its own, and wait until it answers. UsageError."""
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "handrail.cli.main", "lab", "start", "--folder", str(folder), *words],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        found = find(folder)
        if found is not None and found.pid == process.pid:
            return found
        if process.poll() is not None:
            break
        time.sleep(0.05)
    raise UsageError("the laboratory did not start", why=_said(log), hint="handrail lab start shows more", code="HR256")


def _said(log: Path) -> str:
    return " ".join(log.read_text(errors="replace").split())[-500:]


def stop(folder: Path) -> Running:
    """End the laboratory of a folder and wait until it has ended. UsageError."""
    found = require(folder)
    os.kill(found.pid, signal.SIGTERM)
    deadline = time.monotonic() + _START_SECONDS
    while find(folder) is not None:
        if time.monotonic() > deadline:
            raise UsageError(f"process {found.pid} does not end", hint=f"kill -9 {found.pid}", code="HR256")
        time.sleep(0.05)
    return found
