"""Every connection that this process opens passes here: it is noted, redirected to the clone, or refused."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy.engine import url as url_module
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.engine.url import URL
from sqlalchemy.exc import ArgumentError

from handrail.errors import DatabaseUnavailable, ProjectError, UnsupportedEngine
from handrail.facts import DatabaseAddress
from handrail.migrator.bypasses import refuse_drivers
from handrail.migrator.places import (
    ENGINES,
    MEMORY,
    address_of_arguments,
    is_same_place,
    redirect,
    sqlite_path,
    url_of_address,
)

#: The one driver that serves sync and async engines alike; used when a project of another engine is redirected.
_CROSS_DRIVER = {"postgresql": "postgresql+psycopg", "sqlite": "sqlite"}


def unsupported(engine: str) -> UnsupportedEngine:
    """The refusal of an engine that handrail does not know."""
    if engine == "postgres":
        hint = "write the URL with postgresql:// or postgresql+psycopg://: SQLAlchemy knows no postgres://"
    else:
        hint = "handrail guards SQLite and PostgreSQL"
    return UnsupportedEngine(f"handrail does not know the engine {engine!r}", hint=hint)


class Connections:
    """The connections of this process.

    With `on`, those aimed at `project` go to `on` and all others are refused. `looking` connects to memory instead of
    making a SQLite file. `elsewhere` is told of connections to other databases than the project's own.
    """

    def __init__(
        self,
        *,
        project: DatabaseAddress | None,
        on: DatabaseAddress | None,
        looking: bool,
        elsewhere: Callable[[DatabaseAddress], None],
    ) -> None:
        self.project = project
        self.on = on
        self.looking = looking
        self.elsewhere = elsewhere
        self.aimed: DatabaseAddress | None = None
        self.failure: BaseException | None = None
        self.missing = False
        self.last_url: URL | None = None
        self._by_dialect: dict[int, DatabaseAddress] = {}
        self._opening = 0

    def install(self) -> None:
        """Stand in the way of every connection from now on; there is no way back in this process."""
        original = DefaultDialect.connect
        connections = self

        def connect(dialect: DefaultDialect, *cargs: Any, **cparams: Any) -> Any:
            return connections.connect(original, dialect, list(cargs), cparams)

        def read_url(*arguments: Any, **options: Any) -> URL:
            return connections.read_url(make_url, *arguments, **options)

        make_url = url_module.make_url
        DefaultDialect.connect = connect  # type: ignore[assignment,method-assign] # all connections pass here
        url_module.make_url = read_url
        if self.on is not None:
            sys.addaudithook(self._watch_sqlite3)
            if self.on.engine == "postgresql":
                refuse_drivers(lambda: self._opening > 0)

    def connect(self, original: Any, dialect: Any, cargs: list[Any], cparams: dict[str, Any]) -> Any:
        """Open a connection for SQLAlchemy, where it is meant to go."""
        if dialect.name not in ENGINES:
            raise unsupported(dialect.name)
        if "async_creator_fn" in cparams and self.on is None:
            raise creator_refused()
        aimed = self.aimed = address_of_arguments(dialect.name, cargs, cparams)
        self._direct(dialect, aimed, cargs, cparams)
        if dialect.name == "sqlite":
            cparams["check_same_thread"] = False  # our own queries run beneath aiosqlite's thread
        self._opening += 1
        try:
            connection = original(dialect, *cargs, **cparams)
        except Exception as error:
            self.failure = error
            raise
        finally:
            self._opening -= 1
        self._by_dialect[id(dialect)] = aimed
        return connection

    def address(self, dialect: Any) -> DatabaseAddress:
        """Where the connections of this engine were aimed at. ProjectError when they did not pass here."""
        found = self._by_dialect.get(id(dialect))
        if found is None:
            raise creator_refused()
        return found

    def read_url(self, make_url: Any, *arguments: Any, **options: Any) -> URL:
        """Stand in for SQLAlchemy's make_url: note the URL, or replace it when the clone is of another engine."""
        try:
            url: URL = make_url(*arguments, **options)
        except ArgumentError as error:
            raise ProjectError(
                "the database URL cannot be read",
                why="SQLAlchemy could not parse it (it is not shown, since it may hold a password)",
                hint="check sqlalchemy.url or the place from which env.py takes the URL",
            ) from error
        self.last_url = url
        on = self.on
        if on is not None and url.get_backend_name() in ENGINES and url.get_backend_name() != on.engine:
            return url_of_address(on, _CROSS_DRIVER[on.engine])
        return url

    def _direct(self, dialect: Any, aimed: DatabaseAddress, cargs: list[Any], cparams: dict[str, Any]) -> None:
        if self.on is not None:
            if self.project is None:
                self.project = aimed
            if not (is_same_place(aimed, self.project) or is_same_place(aimed, self.on)):
                raise DatabaseUnavailable(
                    f"a connection to {aimed} was refused",
                    why=f"on a copy, only connections to the project's own database ({self.project}) are redirected; "
                    "any other could change something real",
                    hint="let env.py and the scripts use the one connection that Alembic gives them (op.get_bind())",
                )
            redirect(dialect.name, dialect.driver, self.on, cargs, cparams)
            if dialect.name == "postgresql" and self.project.engine == "sqlite":
                from handrail.migrator import crossing

                cparams["cursor_factory"] = crossing.AsyncCursor if dialect.is_async else crossing.Cursor
        elif self.looking and aimed.engine == "sqlite":
            self._look(aimed, cargs, cparams)
        elif self.project is not None and not is_same_place(aimed, self.project):
            self.elsewhere(aimed)

    def _look(self, aimed: DatabaseAddress, cargs: list[Any], cparams: dict[str, Any]) -> None:
        if aimed.database == MEMORY or Path(aimed.database).exists():
            return
        if not Path(aimed.database).parent.is_dir():
            raise DatabaseUnavailable(
                f"there is no database at {aimed}",
                why=f"the folder {Path(aimed.database).parent} does not exist",
                hint="make the folder, or correct the URL",
            )
        self.missing = True
        redirect("sqlite", "", DatabaseAddress("sqlite", MEMORY), cargs, cparams)

    def _watch_sqlite3(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event != "sqlite3.connect" or self.project is None or self.project.engine != "sqlite":
            return
        aimed = DatabaseAddress("sqlite", sqlite_path(_text(arguments[0])))
        is_clone = self.on is not None and is_same_place(aimed, self.on)
        if is_same_place(aimed, self.project) and aimed.database != MEMORY and not is_clone:
            raise DatabaseUnavailable(
                f"a connection to {aimed} was refused",
                why="the code opens the live database with sqlite3 by itself while it runs on a copy",
                hint="use the connection that Alembic gives (op.get_bind())",
            )


def creator_refused() -> ProjectError:
    """The refusal of an engine whose connections are made by a function of the project's own."""
    return ProjectError(
        "handrail cannot see where the project's connections go",
        why="the engine is made with `creator=` (or a do_connect listener that connects by itself)",
        hint="give create_engine a URL; credentials can be added in a do_connect listener that changes `cparams`",
    )


def _text(path: Any) -> str:
    return path.decode("utf-8", "surrogateescape") if isinstance(path, bytes) else str(path)
