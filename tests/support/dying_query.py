"""A handrail that ends by SIGKILL before or after the first statement of a kind that it sends to a PostgreSQL server.

`python dying_query.py before "CREATE DATABASE" backup create` kills a call of `handrail backup create`."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from typing import Any

import psycopg

from handrail.databases.postgres import connection as connections
from handrail.databases.postgres.quoting import Query


def main() -> None:
    when, start, sys.argv[1:] = sys.argv[1], sys.argv[2], sys.argv[3:]
    asker = connections.asker

    def dying(connection: psycopg.Connection[tuple[Any, ...]]) -> Query:
        ask = asker(connection)

        def query(sql: str, /) -> Sequence[Sequence[Any]]:
            is_it = sql.startswith(start)
            if is_it and when == "before":
                os.kill(os.getpid(), signal.SIGKILL)
            rows = ask(sql)
            if is_it:
                os.kill(os.getpid(), signal.SIGKILL)
            return rows

        return query

    connections.asker = dying
    from handrail.cli.main import run

    run()


if __name__ == "__main__":
    main()
