"""Config to adapters: the only place where brands are chosen, and where clock, environment and randomness are read."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from handrail import __version__
from handrail.config import Config, FailedCopy, load_config
from handrail.errors import ConfigError, RehearsalFailed, UnsupportedEngine, UsageError

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from handrail.backups.record import BackupRecord
    from handrail.backups.sheet import ByHand
    from handrail.databases.database import Database
    from handrail.facts import DatabaseAddress, TableName
    from handrail.health_check import HealthCheck
    from handrail.lint.settings import LintSettings
    from handrail.migrator.forkserver import ForkServer
    from handrail.migrator.migrator import Limits, Migrator, ProjectFacts
    from handrail.retention.cost import Price
    from handrail.retention.policy import RetentionPolicy
    from handrail.workflows.run import Equipment

_STATE = ".handrail"


@dataclass(frozen=True, slots=True)
class Project:
    """One project in one environment: its configuration and its migrator. Its database is known after `describe`."""

    config: Config
    migrator: Migrator

    def equipment(self, facts: ProjectFacts, identity: Path | None = None) -> Equipment:
        """The adapters for the database that env.py opened; `identity` is a file of private keys for this call."""
        from handrail.guard.plan import Policy
        from handrail.interruptions import shielded
        from handrail.journal.file import FileJournal
        from handrail.wiring_rds import open_hosting
        from handrail.wiring_stores import open_keys, open_stores
        from handrail.wiring_targets import new_database
        from handrail.workflows.run import Equipment

        settings = self.config.settings
        state = state_folder(self.config)
        store, *copies = open_stores(self.config)
        return Equipment(
            environment=self.config.name,
            database=open_database(facts.address, self.config, facts.version_table),
            migrator=self.migrator,
            store=store,
            keys=open_keys(self.config, (store, *copies), identity),
            by_hand=lambda record: restored_by_hand(record, facts.version_table),
            copies=tuple(copies),
            must_copy=settings.failed_copy is FailedCopy.STOP,
            new_database=lambda live, text: new_database(
                live, text, os.environ, lambda address: open_database(address, self.config, facts.version_table)
            ),
            journal=FileJournal(state / "journal" / self.config.name),
            policy=Policy(
                environment=self.config.name,
                backup=settings.backup.value,
                rehearse=settings.rehearse.value,
                restore=settings.restore.value,
                has_health_check=settings.health is not None,
            ),
            limits=self.limits(),
            clock=lambda: datetime.now(UTC),
            new_run_id=new_run_id,
            git_commit=_git_commit(self.config.root),
            handrail_version=__version__,
            compression=settings.compression,
            lint_level=settings.lint.value,
            lint_settings=lint_settings(self.config),
            lock_wait=settings.lock_wait,
            prove_budget=settings.prove_budget,
            maintenance=settings.maintenance,
            health=_health(self.config),
            hosting=open_hosting(self.config),
            shield=shielded,
        )

    def limits(self) -> Limits:
        from handrail.migrator.migrator import Limits

        settings = self.config.settings
        return Limits(settings.lock_timeout, settings.lock_retry, settings.statement_timeout)


def open_project(folder: Path, env: str | None, server: ForkServer | None = None) -> Project:
    """The project that contains `folder`. Raises ConfigError; Alembic's own configuration is read when it is used.
    `server` is one that has begun to import already."""
    from handrail.migrator.alembic import AlembicMigrator

    config = read_config(folder, env)
    migrator = AlembicMigrator(
        config.root,
        ini=config.alembic_ini,
        name=config.section,
        url=config.url(os.environ),
        environment={"ENV": config.name} if config.is_named else {},
        server=server,
    )
    return Project(config, migrator)


def read_config(folder: Path, env: str | None) -> Config:
    """The configuration of the project that contains `folder`; nothing of Alembic is looked at. Raises ConfigError, or
    UsageError where the folder it is called in is gone."""
    try:
        start = folder.absolute()
    except FileNotFoundError as error:
        hint = "cd into the project's folder, or name it: --project FOLDER"
        raise UsageError(
            "the folder that this runs in is gone", why="somebody deleted or moved it", hint=hint
        ) from error
    return load_config(start, env=env, environ=os.environ)


def engines_of(config: Config, sources: Iterable[str]) -> frozenset[str]:
    """The engines on which the project's scripts run: those of the URLs that its environments and alembic.ini name.

    When none of them can be told from here it is PostgreSQL, and SQLite too where a script uses batch mode, which
    nobody needs elsewhere."""
    from handrail.migrator.script_files import configured_url

    urls = [os.environ.get(url.removeprefix("env:"), "") if url.startswith("env:") else url for url in config.urls]
    schemes = {
        url.partition(":")[0].partition("+")[0] for url in (*urls, configured_url(config.alembic_ini, config.section))
    }
    found = {"postgresql" if scheme == "postgres" else scheme for scheme in schemes} & {"postgresql", "sqlite"}
    if found and all(urls):
        return frozenset(found)
    uses_batch = any("batch_alter_table" in source for source in sources)
    return frozenset(found | {"postgresql"} | ({"sqlite"} if uses_batch else set()))


def script_engines(config: Config) -> frozenset[str]:
    """The engines for which new scripts are written: those of the environments; none where no environment names one,
    then the database that is connected decides."""
    return engines_of(config, []) if any(config.urls) else frozenset()


def changed_since(root: Path, commit: str) -> frozenset[Path]:
    """The files that are new or changed since a git commit, or since the branch left it; untracked ones too. Raises
    UsageError when git does not know it."""
    import subprocess

    found: set[Path] = set()
    changed = ["diff", "--name-only", "-z", "--diff-filter=d", "--merge-base", commit]
    asked = (changed, ["ls-files", "-o", "-z", "--exclude-standard"])
    for words in asked:
        done = subprocess.run(["git", "-C", str(root), *words, "--", "."], capture_output=True, check=False)  # noqa: S607
        if done.returncode:
            why = done.stderr.decode(errors="replace").strip().splitlines()
            raise UsageError(f"git cannot tell what changed since {commit}", why=why[0] if why else "")
        top = root if words[0] == "ls-files" else _top(root)
        found |= {(top / os.fsdecode(name)).resolve() for name in done.stdout.split(b"\0") if name}
    return frozenset(found)


def _top(root: Path) -> Path:
    import subprocess

    done = subprocess.run(["git", "-C", str(root), "rev-parse", "--show-toplevel"], capture_output=True, check=True)  # noqa: S607
    return Path(os.fsdecode(done.stdout.strip()))


def lint_settings(config: Config) -> LintSettings:
    """The project's weights of lint rules."""
    from handrail.lint.settings import LintSettings

    lint = config.lint
    rules = {code: level.value for code, level in lint.rules.items()}
    paths = {path: {code: level.value for code, level in levels.items()} for path, levels in lint.paths.items()}
    return LintSettings(rules, paths, lint.since)


def retention_policy(config: Config) -> RetentionPolicy:
    """The environment's policy. Raises ConfigError when its time zone is not known."""
    from handrail.retention.policy import RetentionPolicy

    keep = config.retention
    zone = time_zone(config, "retention", keep.timezone)
    return RetentionPolicy(
        last=keep.last,
        hourly=keep.hourly,
        daily=keep.daily,
        weekly=keep.weekly,
        monthly=keep.monthly,
        yearly=keep.yearly,
        within=keep.within or timedelta(),
        pre_migration=keep.pre_migration or timedelta(),
        milestones=tuple(keep.milestones.items()),
        minimum_verified=keep.minimum_verified,
        zone=zone,
    )


def time_zone(config: Config, table: str, name: str) -> ZoneInfo:
    """The time zone that a table of the configuration names. Raises ConfigError when it is not known."""
    from zoneinfo import ZoneInfo

    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:  # not found, not a name, a folder
        raise ConfigError(
            f"the time zone {name!r} is not known",
            why=f"`{table}.timezone` in {config.source} names it",
            hint='write it like "Europe/Berlin"; where the system has no time zones: pip install tzdata',
        ) from error


def store_price(config: Config) -> Price | None:
    """What the environment's store costs, when the configuration says it."""
    from handrail.config_retention import parse_price
    from handrail.retention.cost import Price

    written = config.settings.store_price
    return None if written is None else Price(*parse_price(written))


def state_folder(config: Config) -> Path:
    """Where journal, work files and (by default) backups lie: .handrail in the project, ignored by git."""
    folder = config.root / _STATE
    if not folder.is_dir():
        try:
            folder.mkdir(mode=0o700)
            (folder / ".gitignore").write_text("*\n", encoding="utf-8")
        except OSError as error:
            raise UsageError(
                f"the folder {folder} cannot be made",
                why=error.strerror or str(error),
                hint="handrail keeps its journal there: give the project folder write rights",
            ) from error
    return folder


def open_database(address: DatabaseAddress, config: Config, version_table: TableName) -> Database:
    """The adapter of the address's engine. Raises UnsupportedEngine naming an engine it does not know."""
    if address.engine == "sqlite":
        from handrail.databases.sqlite.database import SqliteDatabase

        return SqliteDatabase(address, version_table=version_table.name, work_dir=state_folder(config) / "work")
    if address.engine == "postgresql":
        from handrail.databases.postgres.database import PostgresDatabase
        from handrail.wiring_rds import open_hosting

        hosting, server = open_hosting(config), rehearse_server(config)
        if hosting is None:
            return PostgresDatabase(address, version_table=version_table, scratch_server=server)
        from handrail.databases.rds.database import RdsDatabase

        return RdsDatabase(address, hosting, version_table=version_table, scratch_server=server)
    raise UnsupportedEngine(
        f"{address.engine} is not an engine that handrail can guard",
        why="it knows SQLite and PostgreSQL, and refuses rather than guessing",
        hint="plain alembic upgrade still works",
    )


def restored_by_hand(record: BackupRecord, version_table: TableName) -> ByHand | None:
    """How this backup is restored with its engine's own programs; None for what this handrail does not know."""
    from handrail.backups.methods import Format

    if record.format not in list(Format):
        return None
    if record.engine == "sqlite":
        from handrail.databases.sqlite import by_hand as sqlite

        return sqlite.by_hand(record, version_table.name)
    if record.is_hosted:
        from handrail.databases.rds import by_hand as rds

        return rds.by_hand(record)
    from handrail.databases.postgres import by_hand as postgres

    return postgres.by_hand(record, version_table)


def rehearse_server(config: Config) -> DatabaseAddress | None:
    """The PostgreSQL server on which scratch databases are made, when the environment names one. Raises ConfigError."""
    text = config.rehearse_server(os.environ)
    if text is None:
        return None
    from handrail.migrator.places import address_of_text

    address = address_of_text(text)
    if address is not None and address.engine == "postgresql":
        return replace(address, database=address.database or "postgres")
    unread = "it cannot be read (it is not shown, since it may hold a password)"
    why = unread if address is None else f"it leads to {address.engine}"
    raise ConfigError(
        f"`rehearse_server` of the environment {config.name} is no URL of a PostgreSQL server",
        why=why,
        hint='write it like postgresql://user@host:5432/postgres, or "env:NAME"',
    )


@contextmanager
def empty_postgres(config: Config, run_id: str) -> Iterator[DatabaseAddress]:
    """An empty PostgreSQL database, dropped at exit: on the environment's `rehearse_server`, else on a server of this
    call's own."""
    server = rehearse_server(config)
    if server is None:
        with throwaway_server() as address:
            yield address
        return
    from handrail.databases.postgres.database import PostgresDatabase
    from handrail.databases.postgres.scratch import named

    template = PostgresDatabase(replace(server, database="template1"), run_id=run_id)
    with named(server), template.scratch(run_id) as scratch:
        yield scratch.address


@contextmanager
def throwaway_server() -> Iterator[DatabaseAddress]:
    """A PostgreSQL server of this call's own, empty. Raises RehearsalFailed where no programs are found."""
    from handrail.databases.postgres.binaries import find_server_binaries
    from handrail.databases.postgres.cluster import ThrowawayCluster

    binaries = find_server_binaries()
    if not binaries:
        raise RehearsalFailed(
            "no PostgreSQL server programs were found",
            why="--on postgresql starts a throwaway server of its own",
            hint="install PostgreSQL's server (Debian: apt-get install postgresql), or set HANDRAIL_PG_BIN",
        )
    with ThrowawayCluster(binaries[-1]) as cluster:
        yield cluster.address


def new_run_id() -> str:
    """A name that sorts by time and is usable in file and database names: 20261124_191500_9f3a2c."""
    import secrets

    return f"{datetime.now(UTC):%Y%m%d_%H%M%S}_{secrets.token_hex(3)}"


def _git_commit(root: Path) -> Callable[[], str]:
    def read() -> str:
        import subprocess

        command = ["git", "-C", str(root), "rev-parse", "--short=12", "HEAD"]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
        except (OSError, subprocess.TimeoutExpired):
            return ""
        return done.stdout.strip() if done.returncode == 0 else ""

    return read


def _health(config: Config) -> HealthCheck | None:
    from handrail.health import command_check, url_check

    health = config.settings.health
    if health is None:
        return None
    if health.url:
        return url_check(health.url, timeout=health.timeout)
    if health.command:
        return command_check(health.command, timeout=health.timeout, folder=config.root)
    return None
