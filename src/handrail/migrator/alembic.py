"""Alembic as a Migrator: every call runs the user's env.py in a child process; nothing of Alembic is imported here."""

from __future__ import annotations

import dataclasses
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from handrail.enums.states import EnumReading
from handrail.errors import HandrailError, LockNotObtained, ProjectError
from handrail.facts import DatabaseAddress
from handrail.migrations.operations import RevisionRun
from handrail.migrations.revision import Revision, RevisionPath
from handrail.migrator.forkserver import ForkServer
from handrail.migrator.linear import linear_path
from handrail.migrator.migrator import (
    InTransactionProof,
    Judge,
    Limits,
    MigrationEvent,
    MigrationFailed,
    MigrationOutcome,
    ModelDifference,
    NewRevision,
    OnEvent,
    ProjectFacts,
    ProofRequest,
    WrittenScripts,
)
from handrail.migrator.process import STARTING_SILENCE, Child, Silence
from handrail.migrator.protocol import ProjectPlace, Request, decode
from handrail.migrator.script_files import toml_options
from handrail.migrator.sent_errors import error_of

#: The server gets the first chance to end a statement, since it says more about it.
_SERVER_FIRST = 1.0


class AlembicMigrator:
    """The Alembic project in `root` (the folder of alembic.ini, or of a pyproject.toml with [tool.alembic]).

    `ini` is another configuration file, `name` its section (`alembic -n`). `url` is set as sqlalchemy.url, and
    env.py must then really open that database. `environment` is added to the child's environment (ENV=staging),
    `x_args` are what `alembic -x` gives. `server` forks the children; without one it is started when needed.
    """

    def __init__(
        self,
        root: Path,
        *,
        ini: Path | None = None,
        name: str = "alembic",
        url: str | None = None,
        environment: Mapping[str, str] | None = None,
        python: str = sys.executable,
        x_args: tuple[str, ...] = (),
        server: ForkServer | None = None,
    ) -> None:
        self._root = root.resolve()
        self._ini = ini
        self._name = name
        self._url = url
        self._environment = dict(environment or {})
        self._python = python
        self._x_args = x_args
        self._facts: ProjectFacts | None = None
        self._server = server
        self._paths: dict[tuple[tuple[str, ...], str], RevisionPath] = {}

    def describe(self, target: str | None = None) -> ProjectFacts:
        request = Request("describe", self._place(), target=target)
        result, output = self._look(request)
        facts = dataclasses.replace(decode(ProjectFacts, result), env_output=output)
        self._facts = facts
        if target is not None and facts.path is not None:
            self._paths[facts.current, target] = facts.path
        return facts

    def path(self, facts: ProjectFacts, target: str) -> RevisionPath:
        known = self._paths.get((facts.current, target)) or linear_path(facts, target)
        if known is None:
            request = Request("resolve", self._place(), target=target, current=facts.current)
            known = self._paths[facts.current, target] = decode(RevisionPath, self._look(request)[0])
        return known

    def sql(self, path: RevisionPath) -> Mapping[str, str]:
        if path.is_empty:
            return {}
        dialect = self._facts.dialect if self._facts is not None else ""
        texts, _ = self._look(Request("sql", self._place(), path=without_sources(path), dialect=dialect))
        return {revision.id: str(text) for revision, text in zip(path.revisions, texts, strict=True)}

    def run(
        self,
        path: RevisionPath,
        *,
        on: DatabaseAddress | None = None,
        run_id: str = "",
        limits: Limits | None = None,
        proofs: Mapping[str, ProofRequest] | None = None,
        judge: Judge | None = None,
        on_event: OnEvent | None = None,
    ) -> MigrationOutcome:
        limits = limits or Limits()
        request = Request(
            "run",
            self._place(),
            path=without_sources(path),
            project=self._facts.address if self._facts is not None else None,
            on=on,
            limits=limits,
            proofs=proofs,
            run_id=run_id,
        )
        progress = _Progress(path, judge, on_event)
        if not path.is_empty:
            self._run_until_done(request, limits, progress)
        return progress.outcome()

    def stamp(self, target: str, *, purge: bool = False) -> None:
        self._look(Request("stamp", self._place(), target=target, purge=purge))

    def revise(self, new: NewRevision) -> WrittenScripts:
        made, _ = self._look(Request("revise", self._place(), new=new))
        return decode(WrittenScripts, made)

    def differences(self, on: DatabaseAddress | None = None) -> tuple[ModelDifference, ...]:
        project = self._facts.address if on is not None and self._facts is not None else None
        lines, _ = self._look(Request("differences", self._place(), project=project, on=on))
        return tuple(ModelDifference(str(line)) for line in lines)

    def enums(self) -> EnumReading:
        return decode(EnumReading, self._look(Request("enums", self._place()))[0])

    def _place(self) -> ProjectPlace:
        ini, toml = self._root / "alembic.ini" if self._ini is None else self._ini, self._root / "pyproject.toml"
        ini = self._root / ini
        has_ini, has_toml = ini.is_file(), bool(toml_options(self._root))
        if not has_ini and (self._ini is not None or not has_toml):
            raise ProjectError(
                f"there is no Alembic configuration in {self._root}" if self._ini is None else f"there is no {ini}",
                why="" if self._ini is not None else "neither alembic.ini nor [tool.alembic] in pyproject.toml",
                hint="run handrail in the project's folder, or start one: alembic init alembic",
            )
        return ProjectPlace(
            root=str(self._root),
            ini=str(ini) if has_ini else None,
            toml=str(toml) if has_toml else None,
            section=self._name,
            url=self._url,
            x_args=self._x_args,
        )

    def _fork_server(self, request: Request) -> ForkServer | None:
        """The process that forks our children; None where a child must start afresh: elsewhere than on Linux, and when
        engines made while importing would have to be of another kind (a rehearsal on another engine)."""
        crosses = request.on is not None and request.project is not None and request.on.engine != request.project.engine
        if sys.platform != "linux" or crosses:
            return None
        if self._server is None:
            self._server = ForkServer(self._python)
        return self._server

    def close(self) -> None:
        """End the process that forks children."""
        if self._server is not None:
            self._server.close()
        self._server = None

    def _look(self, request: Request) -> tuple[Any, str]:
        """Serve a request that runs no script; returns its result and what env.py printed."""
        result: list[Any] = []
        failure: dict[str, Any] | None = None
        try:
            server = self._fork_server(request)
            with Child(request, python=self._python, environment=self._environment, server=server) as child:
                for message in child.messages():
                    if message["kind"] == "result":
                        result.append(message["result"])
                    elif message["kind"] == "libraries" and server is not None:
                        server.remember(message["modules"])
                    elif message["kind"] == "error":
                        failure = message
        except Silence:
            raise ProjectError(
                f"env.py did nothing for {STARTING_SILENCE:g} s",
                why="it hangs, or waits for a server that does not answer",
                hint="alembic current must work first",
            ) from None
        if failure is not None:
            raise error_of(failure)
        if not result:
            raise ProjectError(
                "env.py ended the process that runs Alembic",
                why=f"{_ending(child.status)}; {_last_words(child.output)}",
                hint="alembic current must work first",
            )
        return result[0], child.output

    def _run_until_done(self, request: Request, limits: Limits, progress: _Progress) -> None:
        """Run the rest of the path again, after a pause, as long as only locks stand in the way."""
        silence = limits.statement_timeout and limits.statement_timeout + _SERVER_FIRST
        server = self._fork_server(request)
        from tenacity import RetryError, Retrying, retry_if_exception_type, wait_random

        retrying = Retrying(
            retry=retry_if_exception_type(LockWait),
            wait=wait_random(0.25, 0.75),
            stop=lambda _: progress.waited >= limits.lock_retry,
        )
        try:
            for attempt in retrying:
                with attempt:
                    rest = dataclasses.replace(request, path=without_sources(progress.rest()))
                    with Child(
                        rest, python=self._python, environment=self._environment, silence=silence, server=server
                    ) as child:
                        progress.follow(child, limits)
                    progress.end(child)
        except RetryError as error:
            last = error.last_attempt.exception()
            raise LockNotObtained(
                f"no lock for revision {progress.current} within {limits.lock_retry:g} s"
                + (f" (committed before: {', '.join(progress.committed)})" if progress.committed else ""),
                why=str(last),
                hint="try at a quieter time, end the session that holds it, or raise lock_retry",
            ) from None


class LockWait(Exception):
    """The child could not get a lock in time and rolled back."""


class _Progress:
    """What has happened in a run so far, over all attempts."""

    def __init__(self, path: RevisionPath, judge: Judge | None, on_event: OnEvent | None) -> None:
        self.path = path
        self.committed: list[str] = []
        self.current = ""
        self._judge = judge
        self._on_event = on_event
        self._heads = path.start
        self._runs: dict[str, RevisionRun] = {}
        self._proofs: dict[str, InTransactionProof] = {}
        self._lock_waits = 0
        self._waiting_since: float | None = None
        self._output = ""
        self._final: dict[str, Any] | None = None
        self._judged: BaseException | None = None

    @property
    def waited(self) -> float:
        """Seconds since the first of the lock waits after which nothing was committed."""
        return 0.0 if self._waiting_since is None else time.monotonic() - self._waiting_since

    def rest(self) -> RevisionPath:
        """What is left to run, from where the database stands."""
        return dataclasses.replace(self.path, start=self._heads, revisions=self.path.revisions[len(self.committed) :])

    def outcome(self) -> MigrationOutcome:
        runs = tuple(self._runs[revision.id] for revision in self.path.revisions if revision.id in self._runs)
        return MigrationOutcome(self.path, runs, self._proofs, self._lock_waits, self._output)

    def follow(self, child: Child, limits: Limits) -> None:
        """Read the child's messages to their end, and answer them."""
        self._final = None
        try:
            for message in child.messages():
                self._take(message, child)
        except Silence:
            self._silent(child, limits)

    def end(self, child: Child) -> None:
        """Say what came of an attempt, once its process is gone: LockWait, an error, or nothing when it is done."""
        self._output = (self._output + child.output)[-65_536:]
        if self._judged is not None:
            raise self._judged
        final = self._final
        if final is None:
            self._died(child)
        if final["kind"] == "lock_wait":
            self._waited(final)
        if final["kind"] == "error":
            raise self._complete(error_of(final))

    def _take(self, message: dict[str, Any], child: Child) -> None:
        kind = message["kind"]
        if kind == "event":
            self._event(MigrationEvent(**message["event"]))
        elif kind == "run":
            run = decode(RevisionRun, message["run"])
            self._runs[run.revision] = run
        elif kind == "committed":
            self.committed += message["revisions"]
            self._heads = tuple(message["heads"])
            self._waiting_since = None
        elif kind == "proof":
            child.answer(self._ask_judge(message))
        elif kind != "quiet":
            self._final = message

    def _event(self, event: MigrationEvent) -> None:
        if event.kind == "revision":
            self.current = event.revision
        if event.kind == "lock_wait":
            self._lock_waits += 1
        if self._on_event is not None:
            self._on_event(event)

    def _ask_judge(self, message: dict[str, Any]) -> str:
        revision, proof = message["revision"], decode(InTransactionProof, message["proof"])
        self._proofs[revision] = proof
        try:
            if self._judge is not None:
                self._judge(revision, proof)
        except Exception as error:  # noqa: BLE001, RUF100 - raised again when the child has rolled back
            self._judged = error
            return "stop"
        return "go"

    def _waited(self, final: dict[str, Any]) -> NoReturn:
        if final["final"] and final["error"] is not None:
            raise error_of(final["error"])
        statement = f" at: {final['statement']}" if final["statement"] else ""
        text = final["why"] + statement + (f"; {final['holders']}" if final["holders"] else "")
        self._event(MigrationEvent("lock_wait", final["revision"], text))
        self._waiting_since = self._waiting_since or time.monotonic()
        raise LockWait(text)

    def _complete(self, error: HandrailError) -> HandrailError:
        if isinstance(error, MigrationFailed):
            error.committed = tuple(self.committed)
            error.output = self._output
        return error

    def _silent(self, child: Child, limits: Limits) -> NoReturn:
        seconds = limits.statement_timeout if self.current else STARTING_SILENCE
        raise MigrationFailed(
            f"{self._running()} did nothing for {seconds:g} s",
            why="it was ended, and its transaction rolled back",
            hint="find out what it waits for, or raise statement_timeout",
            revision=self.current,
            committed=tuple(self.committed),
            output=child.output,
        )

    def _running(self) -> str:
        return f"the script of revision {self.current}" if self.current else "env.py"

    def _died(self, child: Child) -> NoReturn:
        raise MigrationFailed(
            f"{self._running()} ended the process that runs Alembic",
            why=f"{_ending(child.status)}; {_last_words(child.output)}",
            hint="a script must not leave by os._exit; if it was killed, look for the out-of-memory killer",
            revision=self.current,
            committed=tuple(self.committed),
            output=self._output,
        )


def without_sources(path: RevisionPath) -> RevisionPath:
    """The path without the texts of its scripts, which the child has on disk."""
    light: tuple[Revision, ...] = tuple(dataclasses.replace(revision, source="") for revision in path.revisions)
    return dataclasses.replace(path, revisions=light)


def _ending(status: int | None) -> str:
    if status is None:
        return "it was ended"
    return f"killed by signal {-status}" if status < 0 else f"exit status {status}"


def _last_words(output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return f"its last words: {lines[-1][:300]}" if lines else "it printed nothing"
