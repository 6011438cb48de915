"""Config to continuous archives: which tool keeps an environment's, and what restoring a moment needs."""

from __future__ import annotations

import getpass
import os
import re
import sys
import tempfile
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from handrail.config_archive import ArchiveSettings, ArchiveTool
from handrail.errors import ConfigError, DatabaseUnavailable, UsageError
from handrail.pages import page
from handrail.wiring import open_database, state_folder
from handrail.wiring_targets import unreachable_address

if TYPE_CHECKING:
    from handrail.archives.archive import Archive
    from handrail.config import Config
    from handrail.facts import DatabaseAddress
    from handrail.migrator.migrator import ProjectFacts
    from handrail.wiring import Project
    from handrail.workflows.moment import MomentKit

_SECRET_IN_URL = re.compile(r"://[^/@]*:[^/@]*@")


def settings_of(config: Config) -> ArchiveSettings:
    """The environment's [archive] table. UsageError with how to write one where there is none."""
    settings = config.settings.archive
    if settings is None:
        table = config.table(f"environments.{config.name}.archive")
        raise UsageError(
            f"no archive of {config.name} is configured",
            why="an archive keeps every change as it happens, so that a moment can be restored",
            hint=f'write {table} with tool = "litestream" and place = "/mnt/archive" for SQLite, or tool = "barman" and'
            f" the name of Barman's server as place for PostgreSQL, see {page('archives')}",
            code="HR565",
        )
    return settings


def open_archive(config: Config, address: DatabaseAddress) -> Archive:
    """The archive of the environment's database. UsageError where none is configured, or its tool is not for the
    engine."""
    settings = settings_of(config)
    if address.engine == "sqlite" and settings.tool is ArchiveTool.LITESTREAM:
        return _litestream(config, settings, address)
    if address.engine == "postgresql" and settings.tool is ArchiveTool.BARMAN:
        return _barman(config, settings, address)
    raise UsageError(
        f"{settings.tool} keeps no archive of {address.engine}",
        why="`archive.tool` of the environment names it",
        hint=f"{page('archives')} says which tool is for which engine",
        code="HR565",
    )


def _litestream(config: Config, settings: ArchiveSettings, address: DatabaseAddress) -> Archive:
    from handrail.archives.litestream import LitestreamArchive, LitestreamSettings

    state = state_folder(config)
    program = Path(sys.executable).with_name("handrail")
    return LitestreamArchive(
        LitestreamSettings(
            environment=config.name,
            database=Path(os.path.realpath(address.database)),
            place=place_of(config, settings),
            folder=state / "archive" / config.name,
            work_dir=state / "work",
            project=config.root,
            program=str(program) if program.is_file() else f"{sys.executable} -m handrail.cli.main",
            user=getpass.getuser(),
            keep=settings.keep or timedelta(days=7),
            fine=settings.fine or timedelta(hours=24),
            sync=settings.sync or 1.0,
        ),
        os.environ,
        lambda: datetime.now(UTC),
    )


def _barman(config: Config, settings: ArchiveSettings, address: DatabaseAddress) -> Archive:
    from handrail.archives.barman import BarmanArchive
    from handrail.archives.barman_program import BarmanProgram

    file = str(config.root / Path(settings.config).expanduser()) if settings.config else ""
    program = BarmanProgram(settings.program or "barman", file, settings.place or "", os.environ)
    return BarmanArchive(program, address, config.name, lambda: datetime.now(UTC))


def place_of(config: Config, settings: ArchiveSettings) -> str:
    """Where the archive lies: a URL as it is written, or an absolute folder; relative ones are below the project.
    ConfigError for a URL with a password in it."""
    place = settings.place or ""
    if _SECRET_IN_URL.search(place):
        raise ConfigError(
            f"`archive.place` of the environment {config.name} holds a password",
            why="a configuration file is no place for it (it is not shown here)",
            hint=f"leave it out, and export what the archive's tool reads, see {page('archives')}",
        )
    folder = place.removeprefix("file://")
    return folder if "://" in folder else os.path.abspath(config.root / Path(folder).expanduser())  # noqa: PTH100 - ".." is resolved, links are not


def archived_address(project: Project) -> DatabaseAddress:
    """The database of the environment's archive, also while nobody can reach it. DatabaseUnavailable where nothing
    tells it."""
    try:
        return project.migrator.describe(None).address
    except DatabaseUnavailable as error:
        address = unreachable_address(project.config, os.environ, error)
        if address is None:
            error.hint = f"{error.hint or ''} {NAME_IT}".strip()
            raise
        return address


NAME_IT = (
    "So that the archive can be read without the database, name its URL in the configuration: `url` of the environment."
)


def archive_warnings(config: Config, address: DatabaseAddress, max_lag: float | None = None) -> tuple[str, ...]:
    """What somebody has to look at about the environment's archive, in words; nothing where none is configured. It may
    be `max_lag` seconds behind, else as far as the configuration says."""
    settings = config.settings.archive
    if settings is None:
        return ()
    try:
        state = open_archive(config, address).state()
    except UsageError as error:
        return (f"archive: {error.message}: {error.hint}",)
    return tuple(f"archive: {fault}" for fault in state.faults(settings.max_lag if max_lag is None else max_lag))


def moment_kit(config: Config, facts: ProjectFacts) -> MomentKit:
    """What restoring a moment needs beside a run's equipment."""
    from handrail.workflows.moment import MomentKit

    def spool() -> AbstractContextManager[BinaryIO]:
        work = state_folder(config) / "work"
        work.mkdir(mode=0o700, exist_ok=True)
        # Without a name from the start, so that a killed run leaves nothing.
        return cast(AbstractContextManager[BinaryIO], tempfile.TemporaryFile(dir=work))

    return MomentKit(
        open_archive(config, facts.address), lambda address: open_database(address, config, facts.version_table), spool
    )
