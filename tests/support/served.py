"""The sample application served by uvicorn, and clients that keep it busy and remember every answer."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from support.children import Child
from support.story import Story

_SECONDS = 60.0
#: Between two requests of a client: a small load, so that the machine is not what makes anybody wait.
_PAUSE = 0.02


@dataclass(frozen=True, slots=True)
class Answer:
    """One request: when it began and ended (seconds since the epoch), and what came. Status 0: no answer came."""

    request: str
    began: float
    ended: float
    status: int
    body: Any

    @property
    def failed(self) -> bool:
        return not 200 <= self.status < 300


@contextmanager
def served(story: Story) -> Iterator[int]:
    """Serve the story's copy of the application; its port. Requests wait in the socket until uvicorn has started."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listening:
        words = ["--factory", "appserver.app:create_app", "--fd", str(listening.fileno()), "--no-access-log"]
        with (
            (story.folder / "uvicorn.log").open("wb") as log,
            Child(
                [sys.executable, "-m", "uvicorn", *words],
                cwd=story.folder,
                env={**os.environ, **story.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(listening.fileno(),),
            ) as process,
        ):
            try:
                yield listening.getsockname()[1]
            finally:
                process.terminate()
                process.wait(_SECONDS)


class Load:
    """Two clients that create, list and patch bookings, and one that asks for health, faster.

    A context manager that lasts from the first round of every client to one more round after the block. `kept` is what
    the application has acknowledged: bookings by id; `starting` are the first rounds' answers, which waited for uvicorn.
    """

    def __init__(self, port: int) -> None:
        self.answers: list[Answer] = []
        self.starting: list[Answer] = []
        self.kept: dict[int, tuple[str, str]] = {}
        self._port = port
        self._ending = threading.Event()
        clients = {"one": self._book, "two": self._book, "health": self._health}
        self._begun = threading.Barrier(len(clients) + 1)
        self._threads = [threading.Thread(target=self._client, args=client) for client in clients.items()]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        self._begun.wait(_SECONDS)
        self.starting = self.answers[:]
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        for thread in self._threads:
            thread.join()

    def failures(self) -> list[Answer]:
        return [answer for answer in self.answers if answer.failed]

    def slowest(self) -> Answer:
        rest = (answer for answer in self.answers if answer not in self.starting)
        return max(rest, key=lambda answer: answer.ended - answer.began)

    def during(self, began: float, ended: float) -> int:
        """How many requests were under way in that time."""
        return sum(answer.began <= ended and answer.ended >= began for answer in self.answers)

    def _client(self, name: str, one_round: Callable[[http.client.HTTPConnection, str], None]) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=_SECONDS)
        try:
            one_round(connection, f"{name}, first round")
            self._begun.wait(_SECONDS)
            rounds = 1
            while not self._ending.is_set():
                rounds += 1
                one_round(connection, f"{name}, round {rounds}")
            one_round(connection, f"{name}, last round")
        finally:
            connection.close()

    def _book(self, connection: http.client.HTTPConnection, topic: str) -> None:
        created = self._ask(connection, "POST", "/bookings", {"topic": topic, "description": "", "when": "2024-01-10"})
        self._ending.wait(_PAUSE)
        self._ask(connection, "GET", "/bookings?attendance_status=LATE")
        self._ending.wait(_PAUSE)
        if not created.failed:
            place = created.body["id"]
            self.kept[place] = (topic, "")
            if not self._ask(connection, "PATCH", f"/bookings/{place}", {"description": "바뀜"}).failed:
                self.kept[place] = (topic, "바뀜")
        self._ending.wait(_PAUSE)

    def _health(self, connection: http.client.HTTPConnection, _: str) -> None:
        self._ask(connection, "GET", "/health")
        self._ending.wait(_PAUSE / 10)

    def _ask(self, connection: http.client.HTTPConnection, verb: str, path: str, body: object = None) -> Answer:
        began = time.time()
        try:
            sent = None if body is None else json.dumps(body)
            connection.request(verb, path, sent, {"Content-Type": "application/json"})
            with connection.getresponse() as response:
                status, read = response.status, response.read()
            answer = Answer(f"{verb} {path}", began, time.time(), status, json.loads(read) if status < 500 else read)
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            answer = Answer(f"{verb} {path}", began, time.time(), 0, repr(error))
        self.answers.append(answer)
        return answer
