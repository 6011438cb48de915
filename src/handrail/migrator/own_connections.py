"""Connections that a script opens by itself: they may read and never write, on a copy as on the live database.

What is written there is outside the revision's transaction, which alone is proven and can be rolled back."""

from __future__ import annotations

import sqlite3
from contextlib import closing

from sqlalchemy.engine import Connection

from handrail.errors import HandrailError
from handrail.migrator.sessions import chain, sqlstate

#: Seconds for a lock: the script may wait for what Alembic's connection holds, which would last for ever.
_PATIENCE = 2
_READ_ONLY = {
    "sqlite": "PRAGMA query_only=ON",
    # For the transaction that is open already (if any), and for those to come.
    "postgresql": "SELECT pg_catalog.set_config('transaction_read_only', 'on', true),"
    " pg_catalog.set_config('default_transaction_read_only', 'on', false),"
    f" pg_catalog.set_config('lock_timeout', '{_PATIENCE}s', false)",
}


class OwnConnectionRefused(HandrailError):
    """A script used a connection of its own for more than reading."""


def keep_from_writing(connection: Connection) -> None:
    """Called before each statement: a rollback of the script's takes the settings away."""
    with closing(connection.connection.cursor()) as cursor:
        cursor.execute(_READ_ONLY[connection.dialect.name])
        if cursor.description:
            cursor.fetchall()


def refusal(error: BaseException) -> OwnConnectionRefused | None:
    """The error of such a connection in words for the script's author; None when it is about something else."""
    states = {sqlstate(link) for link in chain(error)}
    if "25006" in states or any(_is_read_only(link) for link in chain(error)):
        return OwnConnectionRefused(
            "the script writes through a connection of its own",
            why="what it writes there is outside the revision's transaction and could be neither proven nor undone",
            hint="write through op.get_bind(); a connection of its own may only read",
        )
    if "55P03" in states:
        return OwnConnectionRefused(
            f"a connection of the script's own waited {_PATIENCE} s for a lock",
            why="Alembic's connection holds it, which goes on only when the script does, or another session",
            hint="use op.get_bind() for tables that the script changes",
        )
    return None


def _is_read_only(error: BaseException) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_READONLY
