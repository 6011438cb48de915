"""The door through which handrail starts itself beside the user's env.py: `python -m handrail.child <fd> <fd> <fd>`.

Reads one request from the first pipe, writes JSON lines to the second, takes answers from the third. People do not
call it; what it prints is what env.py and the scripts print.
"""

from __future__ import annotations

import functools
import json
import os
import sqlite3
import sys

from handrail.databases.database import SessionGuard
from handrail.facts import TableName
from handrail.migrator.channel import Channel
from handrail.migrator.forkserver import library_modules, serve_forks
from handrail.migrator.migrator import Limits
from handrail.migrator.protocol import Request, decode
from handrail.migrator.sessions import LockingGuard, Query


def main(arguments: list[str]) -> int:
    """Serve one request; 0 also when its answer is an error."""
    requests, events, control = (int(argument) for argument in arguments)
    for descriptor in (requests, events, control):
        os.set_inheritable(descriptor, False)
    channel = Channel(events, control)
    with os.fdopen(requests, "rb") as source:
        request = decode(Request, json.load(source))
    from handrail.migrator.serving import serve

    serve(request, channel, (_sqlite_guard, functools.partial(_postgres_guard, request.run_id)))
    if request.verb == "describe":
        channel.send("libraries", modules=library_modules())
    return 0


def _sqlite_guard(raw: sqlite3.Connection, limits: Limits, version_table: TableName) -> SessionGuard:
    from handrail.databases.sqlite.session import SqliteSessionGuard

    return SqliteSessionGuard(raw, lock_timeout=limits.lock_timeout, version_table=version_table.name)


def _postgres_guard(run_id: str, query: Query, limits: Limits, version_table: TableName) -> LockingGuard:
    from handrail.databases.postgres.session import PostgresSessionGuard

    return PostgresSessionGuard(
        query,
        lock_timeout=limits.lock_timeout,
        statement_timeout=limits.statement_timeout,
        run_id=run_id,
        version_table=version_table,
    )


if __name__ == "__main__":
    if sys.argv[1] == "--fork-server":
        sys.exit(serve_forks(int(sys.argv[2]), main))
    sys.exit(main(sys.argv[1:]))
