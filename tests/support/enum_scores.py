"""Plays the cells by one tool and prints what passed, a line of JSON for each strategy and database: for the bench."""

from __future__ import annotations

import contextlib
import importlib
import io
import itertools
import json
import logging
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import sqlalchemy as sa

from handrail.databases.postgres.cluster import ThrowawayCluster
from support import enum_lab
from support.enum_cells import CELLS, STRATEGIES
from support.enum_lab import Lab
from support.enum_walks import walk_one
from support.postgres import PostgresServer, obtain_server_binaries

Make = Callable[[], sa.Engine]


def databases() -> Iterator[tuple[str, Make]]:
    """The name of a database, and what makes an empty one of it."""
    with tempfile.TemporaryDirectory() as folder:
        numbers = itertools.count()
        yield "SQLite", lambda: sa.create_engine(f"sqlite:///{folder}/{next(numbers)}.db")
    for binaries in obtain_server_binaries():
        with ThrowawayCluster(binaries) as cluster:
            server = PostgresServer(cluster)

            def make(server: PostgresServer = server) -> sa.Engine:
                one = server.clone()
                return sa.create_engine(
                    f"postgresql+psycopg://{one.user}:{one.password}@{one.host}:{one.port}/{one.database}"
                )

            yield f"PostgreSQL {binaries.version}", make


def passes(name: str, make: Make) -> bool:
    engine = make()
    try:
        with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
            walk_one(Lab(Path(folder) / "alembic", engine), CELLS[name])
    except (Exception, AssertionError):
        return False
    finally:
        engine.dispose()
    return True


def main(tool: str) -> None:
    """Play all cells; `tool` is "handrail", "plain Alembic" or a package to import as env.py would."""
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    if tool != "handrail":
        enum_lab.enum_hooks.register = lambda *_: None  # type: ignore[attr-defined] # nobody calls handrail
        if tool != "plain Alembic":
            importlib.import_module(tool.replace("-", "_"))
    for database, make in databases():
        for strategy in STRATEGIES:
            names = [name for name in CELLS if name.startswith(f"{strategy}: ")]
            failed = [name.partition(": ")[2] for name in names if not passes(name, make)]
            score = {"database": database, "strategy": strategy, "cells": len(names), "failed": failed}
            print(json.dumps(score), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
