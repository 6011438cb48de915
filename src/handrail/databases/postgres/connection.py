"""Opening connections to PostgreSQL with psycopg, and turning its complaints into handrail's errors."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from types import ModuleType
from typing import TYPE_CHECKING, Any

from handrail.databases.postgres.quoting import Query
from handrail.databases.postgres.reading import pin
from handrail.errors import DatabaseUnavailable, HandrailError, UsageError
from handrail.facts import DatabaseAddress

if TYPE_CHECKING:
    import psycopg

CONNECT_SECONDS = 10
#: Databases that every server has, from which others are made, renamed and dropped.
_MAINTENANCE = ("postgres", "template1")
#: A wait of a reading for a lock; DDL of others must not hold up a backup for ever, nor the backup them.
LOCK_WAIT_MS = 30_000


def driver() -> ModuleType:
    """psycopg, imported when it is first needed."""
    try:
        import psycopg
    except ImportError as error:
        raise UsageError(
            "psycopg is needed to guard a PostgreSQL database.",
            why=str(error),
            hint="pip install 'handrail[postgres]'",
        ) from None
    return psycopg


def connect(
    address: DatabaseAddress, application: str, *, database: str | None = None
) -> psycopg.Connection[tuple[Any, ...]]:
    """A connection in autocommit mode. Raises DatabaseUnavailable."""
    words: dict[str, Any] = {"connect_timeout": CONNECT_SECONDS, **libpq_words(address, database)}
    if address.password:
        words["password"] = address.password
    with translated(address):
        opened: psycopg.Connection[tuple[Any, ...]] = driver().connect(
            autocommit=True, **{**words, "application_name": application}
        )
        return opened


def require_primary(query: Query) -> None:
    """Raise DatabaseUnavailable on a standby, which nobody can write to."""
    if query("SELECT pg_is_in_recovery()")[0][0]:
        raise DatabaseUnavailable(
            "The server is a standby.", why="It is read-only.", hint="Point the URL at the primary."
        )


def libpq_words(address: DatabaseAddress, database: str | None = None) -> dict[str, str]:
    """libpq keywords of an address, without the password."""
    words = {key: value for key, value in address.options if key != "password"}
    named = {
        "host": address.host,
        "port": str(address.port or ""),
        "user": address.user,
        "dbname": database if database is not None else address.database,
    }
    return words | {key: value for key, value in named.items() if value}


def conninfo(address: DatabaseAddress, database: str | None = None) -> str:
    """The address as libpq reads it from a command line, without the password."""
    words = {"connect_timeout": str(CONNECT_SECONDS), **libpq_words(address, database)}
    return " ".join(f"{key}='" + value.replace("\\", "\\\\").replace("'", "\\'") + "'" for key, value in words.items())


def tool_environment(address: DatabaseAddress, application: str) -> dict[str, str]:
    """The environment for pg_dump and pg_restore: the password goes here, messages come back in English."""
    environment = {key: value for key, value in os.environ.items() if key not in ("PGCLIENTENCODING", "PGDATABASE")}
    environment |= {"PGAPPNAME": application, "LC_MESSAGES": "C"}
    environment.pop("LC_ALL", None)
    if address.password:
        environment["PGPASSWORD"] = address.password
    return environment


def asker(connection: psycopg.Connection[tuple[Any, ...]]) -> Query:
    """A Query on a connection."""

    def query(sql: str, /) -> Sequence[Sequence[Any]]:
        cursor = connection.execute(sql.encode())
        return cursor.fetchall() if cursor.description is not None else ()

    return query


@contextmanager
def opened(address: DatabaseAddress, application: str, *, database: str | None = None) -> Iterator[Query]:
    """A Query in autocommit mode; the connection is closed at exit."""
    with translated(address):
        connection = connect(address, application, database=database)
        try:
            yield asker(connection)
        finally:
            connection.close()


@contextmanager
def maintenance(address: DatabaseAddress, application: str) -> Iterator[Query]:
    """A Query outside the database, on the same server."""
    with translated(address):
        connection = _connect_maintenance(address, application)
        try:
            yield asker(connection)
        finally:
            connection.close()


def _connect_maintenance(address: DatabaseAddress, application: str) -> psycopg.Connection[tuple[Any, ...]]:
    names = [name for name in _MAINTENANCE if name != address.database]
    for name in names[:-1]:
        with suppress(DatabaseUnavailable):
            return connect(address, application, database=name)
    return connect(address, application, database=names[-1])


@contextmanager
def reading(address: DatabaseAddress, application: str) -> Iterator[tuple[Query, str]]:
    """A Query in one read-only snapshot under `reading.SETTINGS`, and the schema that goes without saying."""
    with opened(address, application) as query:
        begin_reading(query)
        yield query, pin(query)


def begin_reading(query: Query) -> None:
    """Begin a read-only transaction whose snapshot lasts, with a bounded wait for locks and none for the client."""
    for name, value in {
        "lock_timeout": LOCK_WAIT_MS,
        "statement_timeout": 0,
        "idle_in_transaction_session_timeout": 0,
    }.items():
        query(f"SET {name} = {value}")
    query("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")


@contextmanager
def translated(address: DatabaseAddress, failure: type[HandrailError] = DatabaseUnavailable) -> Iterator[None]:
    """Turn psycopg's errors into handrail's; `failure` is the class for a session that broke in the middle."""
    errors: type[Exception] = driver().Error
    try:
        yield
    except errors as error:
        raise explain(error, address, failure) from None


def redacted(text: str, address: DatabaseAddress) -> str:
    return text.replace(address.password, "***") if address.password else text


#: A part of the connection error's text → what, hint. Errors before a session exists have no SQLSTATE.
_CONNECTING = (
    ("password authentication failed", "The server refused the password.", "Check the password in the database URL."),
    ("no password supplied", "The server wants a password.", "Put it into the database URL or into ~/.pgpass."),
    ("no pg_hba.conf entry", "The server does not let this user in from here.", "Ask for a line in pg_hba.conf."),
    ("does not exist", "There is no such database or role.", "Check the URL; `createdb` makes a database."),
    ("could not translate host name", "The host name is not known.", "Check the host in the database URL."),
    ("failed to resolve host", "The host name is not known.", "Check the host in the database URL."),
    ("too many clients", "The server has no free connection.", "End idle sessions or raise max_connections."),
    ("starting up", "The server is starting up.", "Try again in a moment."),
)


def explain(error: Exception, address: DatabaseAddress, failure: type[HandrailError]) -> HandrailError:
    """handrail's error for one of psycopg's."""
    text = redacted(" ".join(str(error).split()), address)
    state = getattr(error, "sqlstate", None)
    if state is None:
        return _without_state(text, address, failure)
    if state == "42501" and "row-level security" in text:
        return DatabaseUnavailable(
            f"Row security hides rows of {address} from this role.",
            why=f"PostgreSQL says: {text}. A backup of what one role sees is no backup.",
            hint="Use the tables' owner or a role with BYPASSRLS: ALTER ROLE … BYPASSRLS",
        )
    if state == "42501":
        return DatabaseUnavailable(
            f"A right is missing on {address}.", why=f"PostgreSQL says: {text}.", hint="Run `handrail doctor`."
        )
    if state == "55P03":
        return failure(
            f"A table of {address} stayed locked for {LOCK_WAIT_MS // 1000} seconds.",
            why=f"PostgreSQL says: {text}.",
            hint="Find the holder: SELECT pid, query FROM pg_stat_activity WHERE state = 'idle in transaction'",
        )
    if state == "53200" and "max_locks_per_transaction" in text:
        return failure(
            f"{address} has more tables than its server has room for locks.",
            why=f"A dump locks all of them at once. PostgreSQL says: {text}.",
            hint="Raise max_locks_per_transaction (times max_connections it must exceed the number of tables), and"
            " restart the server.",
        )
    return failure(f"Reading {address} failed.", why=f"PostgreSQL says: {text}.", hint="Run `handrail doctor`.")


def _without_state(text: str, address: DatabaseAddress, failure: type[HandrailError]) -> HandrailError:
    for part, what, hint in _CONNECTING:
        if part in text:
            return DatabaseUnavailable(f"{address} cannot be opened. {what}", why=text, hint=hint)
    if "connection failed" in text or "connection timeout" in text or "connection is bad" in text:
        return DatabaseUnavailable(
            f"{address} cannot be reached.", why=text, hint="Is the server running, and are host and port right?"
        )
    return failure(f"The connection to {address} broke.", why=text, hint="See the server's log, then try again.")


def elsewhere(address: DatabaseAddress, database: str) -> DatabaseAddress:
    """The address of another database on the same server."""
    return replace(address, database=database)
