"""Work that goes on after an answer was given: one thread each, all ended when the laboratory stops."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

#: Seconds that a state lasts at speed 1. Those of a real RDS are minutes.
SECONDS: Mapping[str, float] = {
    "creating": 3.0,
    "backing-up": 2.0,
    "snapshot": 4.0,
    "restoring": 4.0,
    "modifying": 2.0,
    "renaming": 2.0,
    "rebooting": 2.0,
    "stopping": 2.0,
    "starting": 2.0,
    "deleting": 2.0,
    "export-starting": 2.0,
    "export": 4.0,
}


@dataclass(frozen=True)
class Pace:
    """How long states last at least (what really happens may take longer), and how far the archive may be behind."""

    speed: float = 1.0
    lag: float = 2.0
    #: Manual snapshots of a region at most.
    snapshots: int = 100
    seconds: Mapping[str, float] = field(default_factory=lambda: SECONDS)

    def of(self, state: str) -> float:
        """Seconds that a state lasts."""
        return self.seconds[state] / self.speed

    @property
    def tick(self) -> float:
        """Seconds between two looks at what may have to be done."""
        return max(0.05, min(1.0, 1.0 / self.speed))


class Stopped(Exception):
    """The laboratory stops; what a job was doing is left as it is."""


class Jobs:
    """All jobs of a laboratory."""

    def __init__(self) -> None:
        self._stopping = threading.Event()
        self._threads: set[threading.Thread] = set()
        self._lock = threading.Lock()

    def start(self, work: Callable[[], None], failed: Callable[[Exception], None]) -> None:
        """Do this beside everything else; `failed` is told what it raised."""
        thread = threading.Thread(target=self._run, args=(work, failed), name="laboratory-job", daemon=True)
        with self._lock:
            self._threads.add(thread)
        thread.start()

    def _run(self, work: Callable[[], None], failed: Callable[[Exception], None]) -> None:
        try:
            work()
        except Stopped:
            pass
        except Exception as error:
            if not self._stopping.is_set():
                failed(error)
        finally:
            with self._lock:
                self._threads.discard(threading.current_thread())

    def wait(self, seconds: float) -> None:
        """Let time pass. Stopped when the laboratory stops meanwhile."""
        if self._stopping.wait(max(0.0, seconds)):
            raise Stopped

    def until(self, began: float, seconds: float) -> None:
        """Let time pass until so many seconds after `began` (of the monotonic clock)."""
        self.wait(began + seconds - time.monotonic())

    def stop(self, seconds: float = 20.0) -> None:
        """End all jobs: those that wait at once, others at the end of what they do."""
        self._stopping.set()
        end = time.monotonic() + seconds
        with self._lock:
            threads = list(self._threads)
        for thread in threads:
            thread.join(max(0.0, end - time.monotonic()))
