"""Runs the migration scripts of a real project one at a time, under the Python of that project: lines of JSON in and out.

It is a program of its own, which imports nothing of handrail: the project's environment has SQLAlchemy and Alembic of its
own choice. env.py is ours and plain, so that a script is met as it is and the database is the one that was asked for.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationStep, RevisionStep
from alembic.script import ScriptDirectory

ENV = """
from alembic import context

connection = context.config.attributes["connection"]
metadata = context.config.attributes["metadata"]
context.configure(connection=connection, target_metadata=metadata, transaction_per_migration=True)
with context.begin_transaction():
    context.run_migrations()
"""
ROWS = 3
VERSION_TABLE = "alembic_version"
Answer = dict[str, Any]


class Walker:
    """The scripts below one folder. A call opens the database and closes it again."""

    def __init__(self, versions: Path, metadata: sa.MetaData | None = None) -> None:
        home = versions.parent / "env"
        home.mkdir(exist_ok=True)
        (home / "env.py").write_text(ENV)
        self.config = Config()
        self.config.set_main_option("script_location", str(home).replace("%", "%%"))
        self.config.set_main_option("version_locations", str(versions).replace("%", "%%"))
        self.config.set_main_option("path_separator", "os")
        self.config.attributes["metadata"] = metadata
        self.scripts = ScriptDirectory.from_config(self.config)

    def order(self) -> list[dict[str, Any]]:
        """Every revision, each after those that it follows."""
        found = [script for script in self.scripts.walk_revisions() if script is not None]
        return [
            {"id": one.revision, "file": Path(one.path).name, "down": _names(one.down_revision)}
            for one in reversed(found)
        ]

    def step(self, url: str, revision: str, direction: str) -> None:
        """Run upgrade() or downgrade() of one script, whatever else there is, and note it in the version table."""
        script = self.scripts.get_revision(revision)
        make = MigrationStep.upgrade_from_script if direction == "up" else MigrationStep.downgrade_from_script

        def only(_rev: object, _context: object) -> list[RevisionStep]:
            return [make(self.scripts.revision_map, script)]

        self._run(url, only, revision)

    def head(self, url: str) -> None:
        """The whole path in one call, as `alembic upgrade heads`."""

        def whole(rev: Any, _context: object) -> Any:
            return self.scripts._upgrade_revs("heads", rev)

        self._run(url, whole, "heads")

    def _run(self, url: str, steps: Callable[..., Any], destination: str) -> None:
        with opened(url) as engine, engine.connect() as connection:
            self.config.attributes["connection"] = connection
            self.config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
            with EnvironmentContext(self.config, self.scripts, fn=steps, destination_rev=destination):
                self.scripts.run_env()


def _names(revisions: Any) -> list[str]:
    return [revisions] if isinstance(revisions, str) else list(revisions or ())


@contextmanager
def opened(url: str) -> Iterator[sa.engine.Engine]:
    engine = sa.create_engine(url, poolclass=sa.pool.NullPool)
    if engine.dialect.name == "sqlite":
        sa.event.listen(engine, "connect", lambda raw, _: raw.execute("PRAGMA synchronous = OFF"))
    try:
        yield engine
    finally:
        engine.dispose()


def clear(url: str) -> None:
    """Delete every row; a table that cannot be emptied now is tried again when others are."""
    with opened(url) as engine:
        names = [name for name in sa.inspect(engine).get_table_names() if name != VERSION_TABLE]
        for _ in names:
            left = [name for name in names if not _try(engine, sa.text(f"DELETE FROM {_quoted(engine, name)}"), {})]
            if not left:
                return
            names = left


def fill(url: str) -> int:
    """Put a few rows into each empty table. Their values depend on the names of table and columns alone, so that two
    databases with equal tables get equal rows. Returns the rows that could be made."""
    with opened(url) as engine:
        inspector, made = sa.inspect(engine), 0
        names = sorted(name for name in inspector.get_table_names() if name != VERSION_TABLE)
        with engine.connect() as connection:
            empty = [
                name
                for name in names
                if not connection.execute(sa.text(f"SELECT 1 FROM {_quoted(engine, name)} LIMIT 1")).first()
            ]
        for name in _parents_first(inspector, empty):
            made += sum(_insert(engine, inspector, name, number) for number in range(1, ROWS + 1))
        return made


def _parents_first(inspector: Any, names: list[str]) -> list[str]:
    parents = {name: {key["referred_table"] for key in inspector.get_foreign_keys(name)} - {name} for name in names}
    found: list[str] = []
    while parents:
        ready = [name for name, needed in parents.items() if not needed & parents.keys()] or [min(parents)]
        found += ready
        for name in ready:
            del parents[name]
    return found


def _insert(engine: sa.engine.Engine, inspector: Any, table: str, number: int) -> bool:
    keys = {
        column: (key["referred_table"], other)
        for key in inspector.get_foreign_keys(table)
        for column, other in zip(key["constrained_columns"], key["referred_columns"], strict=True)
        if key["referred_table"] != table
    }
    values: dict[str, str] = {}
    for column in inspector.get_columns(table):
        name = column["name"]
        if name in keys:
            parent, other = (_quoted(engine, one) for one in keys[name])
            values[name] = f"(SELECT {other} FROM {parent} ORDER BY {other} LIMIT 1 OFFSET {number - 1})"
        elif not column.get("computed") and not column.get("identity"):
            values[name] = _literal(engine, column["type"], table, name, number)
    into, select = ", ".join(_quoted(engine, name) for name in values), ", ".join(values.values())
    return _try(
        engine, sa.text(f"INSERT INTO {_quoted(engine, table)} ({into}) SELECT {select}".replace(":", r"\:")), {}
    )


def _literal(engine: sa.engine.Engine, kind: Any, table: str, column: str, number: int) -> str:
    """SQL of a value that such a column takes, another one in each row."""
    name = type(kind).__name__.upper()
    words: list[tuple[tuple[type, ...], str]] = [
        ((sa.Enum,), repr(str((getattr(kind, "enums", None) or ["x"])[0]))),
        ((sa.Boolean,), ("true", "false")[number % 2] if engine.dialect.name == "postgresql" else str(number % 2)),
        ((sa.Integer,), str(number)),
        ((sa.Numeric, sa.Float), f"{number}.5"),
        (
            (sa.DateTime,),
            repr(str(datetime(2024, 1, number, 12, tzinfo=UTC).replace(tzinfo=None)) + ".000000"),
        ),
        ((sa.Date,), repr(str(date(2024, 1, number)))),
        ((sa.Time,), repr(str(time(12, number)))),
        ((sa.JSON,), "'{}'"),
        ((sa.LargeBinary,), f"decode('0{number}', 'hex')" if engine.dialect.name == "postgresql" else f"x'0{number}'"),
        ((sa.ARRAY,), "'{}'"),
    ]
    if "UUID" in name:
        return repr(str(UUID(int=number)))
    found = next((text for kinds, text in words if isinstance(kind, kinds)), None)
    if found is not None:
        return f"CAST({found} AS {kind.name})" if isinstance(kind, sa.Enum) and kind.name else found
    if "JSON" in name:
        return "'{}'"
    if "INTERVAL" in name:
        return "'1 day'"
    length = getattr(kind, "length", None) or 40
    return repr(f"{number} {column} {table}"[: int(length)])


def _quoted(engine: sa.engine.Engine, name: str) -> str:
    return str(engine.dialect.identifier_preparer.quote(name))


def _try(engine: sa.engine.Engine, statement: Any, values: dict[str, Any]) -> bool:
    try:
        with engine.begin() as connection:
            connection.execute(statement, values)
    except sa.exc.SQLAlchemyError:
        return False
    return True


def answer(walker: Walker, words: dict[str, Any]) -> Answer:
    """Do what one line asks for."""
    what, url = words["do"], words.get("url", "")
    if what == "order":
        return {"order": walker.order()}
    if what in {"up", "down"}:
        walker.step(url, words["id"], what)
    elif what == "prepare":
        with opened(url) as engine:
            words["initial"].create_all(engine)
    elif what == "fill":
        return {"rows": fill(url)}
    else:
        {"clear": clear, "head": walker.head}[what](url)
    return {}


def main(versions: str, begin: str) -> None:
    """Answer lines until there are none. What scripts print goes to the standard error. `begin` is Python of the project:
    its `metadata` is what env.py gives to Alembic, its `initial` has the tables that are there before the first script.
    """
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    names: dict[str, Any] = {}
    exec(begin, names)  # noqa: S102 - our own words about the project
    walker = Walker(Path(versions), names.get("metadata"))
    for line in sys.stdin:
        try:
            found = answer(walker, json.loads(line) | {"initial": names.get("initial", sa.MetaData())})
        except BaseException as error:
            found = {"error": f"{type(error).__name__}: {error}"}
        out.write(json.dumps(found) + "\n")
        out.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
