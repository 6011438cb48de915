"""Scratch databases: beside the database they stand for, or on another server, whose differences are said."""

# ruff: noqa: S608 - every name and value in SQL text goes through `quoting`

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from handrail.databases.postgres import catalog, lifecycle
from handrail.databases.postgres.binaries import major
from handrail.databases.postgres.connection import driver, maintenance, opened
from handrail.databases.postgres.quoting import Query, identifier, literal
from handrail.errors import DatabaseUnavailable, UsageError
from handrail.facts import DatabaseAddress

_SETTING = "`rehearse_server` of the environment"
#: Seconds for which a server that has gone is waited for before a scratch database is left on it.
RESTARTING = 15.0


@contextmanager
def beside(source: DatabaseAddress, name: str, application: str) -> Iterator[None]:
    """An empty database on the same server, with the encoding, collation and search_path of `source`; then dropped."""
    made = False
    try:
        with maintenance(source, application) as query:
            locale = lifecycle.locale_of(query, source.database)
            made = True
            lifecycle.create(query, name, locale=locale)
            lifecycle.copy_search_path(query, source.database, name)
        yield
    finally:
        if made:
            _drop(source, name, application)


@contextmanager
def elsewhere(
    source: DatabaseAddress, server: DatabaseAddress, name: str, application: str
) -> Iterator[tuple[str, ...]]:
    """The same on another server; yields what is different there, as readable lines."""
    with opened(source, application) as query:
        release = catalog.server_version(query)
        locale = lifecycle.locale_of(query, source.database)
        path = str(query("SELECT current_setting('search_path')")[0][0])
    made = False
    try:
        with named(server), maintenance(server, application) as query:
            remarks = list(compared(release, query, server))
            made = True
            remarks += _create(query, name, locale)
            query(f"ALTER DATABASE {identifier(name)} SET search_path TO {path}" if path else "SELECT 1")
        yield tuple(remarks)
    finally:
        if made:
            with named(server):
                _drop(server, name, application)


def _drop(server: DatabaseAddress, name: str, application: str) -> None:
    """Drop it also where the server is just restarting. DatabaseUnavailable names one that stays: it holds all rows."""
    from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

    def once() -> None:
        with maintenance(server, application) as query:
            lifecycle.drop(query, name)

    waiting = Retrying(
        retry=retry_if_exception_type(DatabaseUnavailable),
        stop=stop_after_delay(RESTARTING),
        wait=wait_fixed(0.25),
        reraise=True,
    )
    try:
        waiting(once)
    except DatabaseUnavailable as error:
        raise DatabaseUnavailable(
            f"The scratch database {name} could not be dropped.",
            why=f"{error.message} {error.why}".strip(),
            hint=f"When the server is back: DROP DATABASE {identifier(name)} WITH (FORCE)",
            code=error.code,
        ) from error


def compared(release: str, query: Query, server: DatabaseAddress) -> Iterator[str]:
    """How the server's version differs. Raises UsageError for an older one, which may not understand the dump."""
    there = catalog.server_version(query)
    if major(there) < major(release):
        raise UsageError(
            f"The rehearsal server {server} is too old.",
            why=f"It is PostgreSQL {there}, the database's server {release}: an older server cannot load every dump.",
            hint=f"Let {_SETTING} name a server of version {major(release)} or later.",
        )
    if there != release:
        more = "; definitions of views and the like are compared by name only" if major(there) > major(release) else ""
        yield f"the rehearsal server runs PostgreSQL {there}, the database's server {release}{more}"


def locale_remark(source: Query, database: str, server: Query) -> str:
    """Whether another server lacks the database's collation, without making a database there; "" when it has it."""
    collate = str(source(f"SELECT datcollate::text FROM pg_database WHERE datname = {literal(database)}")[0][0])
    known = server(
        f"SELECT 1 FROM pg_collation WHERE collcollate = {literal(collate)}"
        f" UNION ALL SELECT 1 FROM pg_database WHERE datcollate = {literal(collate)}"
    )
    return "" if known else _other_locale(collate)


def _create(query: Query, name: str, locale: str) -> Iterator[str]:
    try:
        lifecycle.create(query, name, locale=locale)
    except driver().Error:
        # Without the operating system's locale, or with another provider of an older version, sorting differs.
        encoding = locale.partition(" LC_COLLATE")[0]
        lifecycle.create(query, name, locale=f"{encoding} LC_COLLATE 'C' LC_CTYPE 'C'")
        yield _other_locale(locale.partition("LC_COLLATE ")[2].partition(" ")[0].strip("'"))


def _other_locale(collate: str) -> str:
    return f"the rehearsal server does not have the locale {collate}: text is sorted by its bytes there (C)"


@contextmanager
def named(server: DatabaseAddress) -> Iterator[None]:
    """Say of errors which setting led to the server that cannot be used."""
    try:
        yield
    except DatabaseUnavailable as error:
        raise DatabaseUnavailable(
            f"The rehearsal server cannot be used: {error.message}",
            why=error.why,
            hint=f"{error.hint} It is {_SETTING}; `handrail doctor` checks it.",
            code=error.code,
        ) from error
