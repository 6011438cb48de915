"""The child's end of the pipes: messages out as JSON lines, the judge's answers in; it ends when the parent is gone."""

from __future__ import annotations

import json
import os
import queue
import threading
import time
from typing import Any

_PARENT_GONE = 70
_SIGN_OF_LIFE = 0.5


class Channel:
    """Sends messages and waits for answers. Only the main thread asks; a thread of its own reads the control pipe."""

    def __init__(self, events: int, control: int) -> None:
        self._events = os.fdopen(events, "wb", buffering=0)
        self._answers: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._last = 0.0
        threading.Thread(target=self._watch, args=(control,), daemon=True, name="handrail-control").start()

    def send(self, kind: str, **data: Any) -> None:
        line = json.dumps({"kind": kind, **data}).encode() + b"\n"
        with self._lock:
            self._write_all(line)
            self._last = time.monotonic()

    def event(self, kind: str, revision: str, text: str = "") -> None:
        self.send("event", event={"kind": kind, "revision": revision, "text": text})

    def progress(self, kind: str, revision: str, text: str = "") -> None:
        """An event that may be left out when another message was sent just now."""
        if time.monotonic() - self._last >= _SIGN_OF_LIFE:
            self.event(kind, revision, text)

    def ask(self, kind: str, **data: Any) -> str:
        """Send a message and wait, however long, for the parent's answer to it."""
        self.send(kind, **data)
        return self._answers.get()

    def _write_all(self, line: bytes) -> None:
        view = memoryview(line)
        while view:
            view = view[self._events.write(view) :]

    def _watch(self, control: int) -> None:
        with os.fdopen(control, "r", encoding="utf-8") as lines:
            for line in lines:
                self._answers.put(line.strip())
        os._exit(_PARENT_GONE)  # the parent closed its end or died: nothing may be committed any more
