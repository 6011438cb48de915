"""What the child does for each request, around Alembic and the user's env.py."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import alembic
import sqlalchemy
from alembic.config import Config
from alembic.operations import Operations
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext, RevisionStep
from alembic.script import ScriptDirectory
from sqlalchemy.engine import Connection
from sqlalchemy.engine.url import make_url

from handrail.enums.states import EnumReading, ModelEnum
from handrail.errors import HandrailError, LockNotObtained, ProjectError
from handrail.facts import DatabaseAddress, TableName
from handrail.migrator.bypasses import refuse_programs
from handrail.migrator.channel import Channel
from handrail.migrator.environment import (
    GuardedEnvironment,
    LookingEnvironment,
    Stopped,
    WatchedEnvironment,
    never_ran,
)
from handrail.migrator.failures import Secrets, last_line, project_failure, script_failure
from handrail.migrator.migrator import ProjectFacts, WrittenScripts
from handrail.migrator.places import address_of_url
from handrail.migrator.project import (
    load_config,
    load_scripts,
    naming_candidates,
    resolve,
    revisions_of,
    steps_of,
    unknown_to,
)
from handrail.migrator.protocol import Request, encode
from handrail.migrator.recorder import Recorder
from handrail.migrator.redirect import Connections
from handrail.migrator.sent_errors import as_message
from handrail.migrator.sessions import PostgresGuards, Session, SqliteGuards, is_lock_error, make_session

Guards = tuple[SqliteGuards, PostgresGuards]
CANNOT_BE_SHOWN = "-- cannot be shown: "


def serve(request: Request, channel: Channel, guards: Guards) -> None:
    """Do what the request says and send "result" or "error"; for a run whose lock was not obtained, "lock_wait"."""
    server = _Server(request, channel, guards)
    verbs = {
        "describe": server.describe,
        "resolve": server.resolve,
        "run": server.run,
        "sql": server.sql,
        "stamp": server.stamp,
        "differences": server.differences,
        "enums": server.enums,
        "revise": server.revise,
    }
    try:
        verbs[request.verb]()
    except BaseException as error:  # noqa: BLE001, RUF100 - whatever the user's code raises, the parent is told
        failure = project_failure(error, server.connections, server.root)
        channel.send("error", **as_message(failure, server.secrets()))
    finally:
        sys.stdout.flush()
        sys.stderr.flush()


class _Server:
    def __init__(self, request: Request, channel: Channel, guards: Guards) -> None:
        self.request = request
        self.channel = channel
        self.guards = guards
        self.root = Path(request.place.root)
        self.configured: DatabaseAddress | None = None
        self.connections = Connections(
            project=request.project,
            on=request.on,
            looking=request.verb in ("describe", "differences", "enums", "sql", "revise"),
            elsewhere=lambda address: channel.event("statement", "", f"a connection to {address} was opened"),
        )

    def secrets(self) -> Secrets:
        known = (self.request.project, self.request.on, self.configured, self.connections.aimed)
        return Secrets.of(known)

    # verbs

    def describe(self) -> None:
        config, scripts = self._load()
        revisions = revisions_of(scripts, self.root)
        found: dict[str, Any] = {}

        def look(context: MigrationContext) -> None:
            from handrail.migrator.enum_models import declared_enums

            dialect = context.dialect
            found.update(
                dialect=dialect.name,
                driver=dialect.driver,
                is_async=dialect.is_async,
                current=tuple(sorted(context.get_current_heads())),
                version_table=TableName(context.version_table, context.version_table_schema),
                enums=declared_enums(context.opts.get("target_metadata")),
            )

        environment = LookingEnvironment(config, scripts, self.connections, self.configured, look=look)
        self._run_env(environment, scripts)
        path = None
        if self.request.target is not None:
            path = resolve(scripts, found["current"], self.request.target, self.root)
        assert environment.address is not None  # noqa: S101 - _run_env refuses an env.py that never configured
        facts = ProjectFacts(
            address=environment.address,
            heads=tuple(sorted(scripts.get_heads())),
            revisions=revisions,
            unknown=unknown_to(scripts, found["current"]),
            database_missing=self.connections.missing,
            alembic_version=alembic.__version__,
            sqlalchemy_version=sqlalchemy.__version__,
            path=path,
            **found,
        )
        self.channel.send("result", result=encode(facts))

    def resolve(self) -> None:
        _, scripts = self._load()
        path = resolve(scripts, self.request.current, self.request.target or "heads", self.root)
        self.channel.send("result", result=encode(path))

    def run(self) -> None:
        config, scripts = self._load()
        path = self.request.path
        assert path is not None  # noqa: S101 - the adapter always sends one
        recorder = Recorder(self.channel, self.root, observed=self.request.on is not None)
        recorder.install()
        if self.request.on is not None:
            refuse_programs(lambda: recorder.is_running)
        environment = GuardedEnvironment(
            config,
            scripts,
            self.connections,
            self.configured or self.request.project,
            path=path,
            proofs=self.request.proofs or {},
            make_session=self._session,
            channel=self.channel,
            recorder=recorder,
            root=self.root,
            destination_rev=path.target or "base",
        )
        try:
            self._run_env(environment, scripts)
        except BaseException as error:  # noqa: BLE001, RUF100 - whatever the user's code raises, the parent is told
            self._report_failed_run(error, environment, scripts)
            return
        if len(environment.committed) != len(path.revisions):
            raise ProjectError(
                "env.py rolled the run back",
                why=f"it ended without error, but {len(environment.committed)} of {len(path.revisions)} revisions"
                " were committed",
                hint="let env.py commit: with context.begin_transaction(): context.run_migrations()",
            )
        self.channel.send("result", result=None)

    def sql(self) -> None:
        config, scripts = self._load()
        path, texts, buffer = self.request.path, dict[str, str](), io.StringIO()
        assert path is not None  # noqa: S101 - the adapter always sends one

        def steps(*_: Any) -> Iterator[RevisionStep]:
            for step in steps_of(scripts, path):
                step.migration_fn = _rendered(step, buffer, texts)
                yield step

        options: dict[str, Any] = {"fn": steps, "as_sql": True, "starting_rev": path.start or None}
        config.output_buffer = buffer
        try:
            with EnvironmentContext(config, scripts, destination_rev=path.target or "base", **options):
                scripts.run_env()
        except (Exception, SystemExit) as error:
            why = CANNOT_BE_SHOWN + self.secrets().hide(f"env.py in offline mode: {last_line(error)}")
            if not texts and not self._render_without_env(scripts, buffer, options):
                texts.update({revision.id: why for revision in path.revisions})
        self.channel.send("result", result=[texts.get(revision.id, "") for revision in path.revisions])

    def stamp(self) -> None:
        config, scripts = self._load()
        target, purge = self.request.target or "heads", self.request.purge

        def stamp(revision: tuple[str, ...], _: MigrationContext) -> Sequence[Any]:
            with naming_candidates(scripts):
                return scripts._stamp_revs(target, () if purge else revision)

        stamp.__name__ = "do_stamp"
        environment = WatchedEnvironment(
            config, scripts, self.connections, self.configured, fn=stamp, destination_rev=target, purge=purge
        )
        self._run_env(environment, scripts, has_run=True)
        self.channel.send("result", result=None)

    def differences(self) -> None:
        config, scripts = self._load()
        found: list[str] = []

        def look(context: MigrationContext) -> None:
            from handrail.migrator.comparing import differences
            from handrail.migrator.enum_hooks import register

            register()
            found.extend(differences(context))

        self._run_env(LookingEnvironment(config, scripts, self.connections, self.configured, look=look), scripts)
        self.channel.send("result", result=found)

    def enums(self) -> None:
        config, scripts = self._load()
        found: list[EnumReading] = []

        def look(context: MigrationContext) -> None:
            from handrail.migrator.comparing import enums

            found.append(enums(context))

        self._run_env(LookingEnvironment(config, scripts, self.connections, self.configured, look=look), scripts)
        self.channel.send("result", result=encode(found[0]))

    def revise(self) -> None:
        """Alembic's own command, with its templates, hooks and file names; the result are the paths of the scripts."""
        from alembic.command import revision

        from handrail.migrator.defaults import fill, takes_clock
        from handrail.migrator.enum_hooks import register
        from handrail.migrator.enum_models import declared_enums

        config, _ = self._load()
        new, filled, notes, enums = self.request.new, list[str](), list[str](), list[ModelEnum]()
        assert new is not None  # noqa: S101 - the adapter always sends one
        register(lambda: new.enums, notes.append)

        def complete(context: MigrationContext, _: Any, directives: list[Any]) -> None:
            filled.extend(fill(directives, has_clock=takes_clock(context.dialect.name, context.opts)))
            enums.extend(declared_enums(context.opts.get("target_metadata")))

        made = revision(
            config,
            message=new.message or None,
            autogenerate=new.autogenerate,
            head=new.head or "head",
            rev_id=new.id or None,
            process_revision_directives=complete,
        )
        scripts = made if isinstance(made, list) else [made]
        paths = [str(script.path) for script in scripts if script is not None]
        self.channel.send(
            "result", result=encode(WrittenScripts(tuple(paths), tuple(filled), tuple(notes), tuple(enums)))
        )

    # parts

    def _load(self) -> tuple[Config, ScriptDirectory]:
        url = self.request.place.url
        self.connections.install()
        if url is not None:
            self.configured = address_of_url(make_url(url))
        config = load_config(self.request.place)
        return config, load_scripts(config)

    def _run_env(self, environment: WatchedEnvironment, scripts: ScriptDirectory, *, has_run: bool = False) -> None:
        with environment:
            scripts.run_env()
        if not (environment.has_run or has_run):
            raise never_ran()

    def _session(self, connection: Connection, version_table: TableName) -> Session:
        on_copy = self.request.on is not None
        return make_session(connection, self.request.limits, self.channel, self.guards, version_table, on_copy=on_copy)

    def _report_failed_run(
        self, error: BaseException, environment: GuardedEnvironment, scripts: ScriptDirectory
    ) -> None:
        if isinstance(error, Stopped):
            self.channel.send("stopped")
        elif is_lock_error(error) and not environment.broke_open:
            self._report_lock_wait(error, environment)
        elif environment.current and environment.current not in environment.committed:
            script = scripts.get_revision(environment.current)
            failure = script_failure(
                error,
                revision=environment.current,
                script=script.path if script is not None else "",
                root=self.root,
                committed=tuple(environment.committed),
                broke_open=environment.broke_open,
            )
            self.channel.send("error", **as_message(failure, self.secrets()))
        else:
            raise error

    def _report_lock_wait(self, error: BaseException, environment: GuardedEnvironment) -> None:
        statement = " ".join(environment.recorder.statement.split())[:200]
        is_final = isinstance(error, LockNotObtained)
        self.channel.send(
            "lock_wait",
            revision=environment.current,
            statement=statement,
            why=self.secrets().hide(last_line(error)),
            holders=environment.holders,
            error=as_message(error, self.secrets()) if isinstance(error, HandrailError) else None,
            final=is_final,
        )

    def _render_without_env(self, scripts: ScriptDirectory, buffer: io.StringIO, options: dict[str, Any]) -> bool:
        if not self.request.dialect:
            return False
        context = MigrationContext.configure(
            dialect_name=self.request.dialect,
            opts={**options, "output_buffer": buffer, "script": scripts, "literal_binds": True},
        )
        with Operations.context(context):
            context.run_migrations()
        return True


def _rendered(step: RevisionStep, buffer: io.StringIO, texts: dict[str, str]) -> Any:
    run = step.migration_fn

    def rendered(**options: Any) -> None:
        start = buffer.tell()
        try:
            run(**options)
        except Exception as error:  # noqa: BLE001, RUF100 - whatever a script does offline, it can only not be shown
            reason = " ".join(str(error).split()) or type(error).__name__
            texts[step.revision.revision] = CANNOT_BE_SHOWN + reason
        else:
            texts[step.revision.revision] = buffer.getvalue()[start:].strip()

    return rendered
