"""Ways to a database that pass SQLAlchemy by. On a copy they are refused: they cannot be led there, and what they would
change is real."""

from __future__ import annotations

import functools
import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from handrail.errors import DatabaseUnavailable, ProjectError

#: PostgreSQL's drivers, and where each keeps the functions that connect.
_DRIVERS = {
    "psycopg": ("psycopg", "psycopg.Connection", "psycopg.AsyncConnection"),
    "psycopg2": ("psycopg2",),
    "asyncpg": ("asyncpg", "asyncpg.connection"),
}
#: Audit events of a program that is started; the first argument names it.
_PROGRAMS = frozenset({"subprocess.Popen", "os.system", "os.posix_spawn", "os.exec"})


def refuse_drivers(is_sqlalchemy: Callable[[], bool]) -> None:
    """Refuse every connection that a driver opens while `is_sqlalchemy` says no."""
    for name, places in _DRIVERS.items():
        try:
            module = importlib.import_module(name)
        except ImportError:
            continue
        for place in places:
            owner = functools.reduce(getattr, place.split(".")[1:], module)
            _guard(owner, name, is_sqlalchemy)


def _guard(owner: Any, driver: str, is_sqlalchemy: Callable[[], bool]) -> None:
    def check() -> None:
        if not is_sqlalchemy():
            raise DatabaseUnavailable(
                f"a connection of {driver} was refused",
                why="the code opens it by itself, passing SQLAlchemy by, while it runs on a copy",
                hint="use the connection that Alembic gives (op.get_bind())",
            )

    found = vars(owner)["connect"]
    connect = found.__func__ if isinstance(found, classmethod) else found

    @functools.wraps(connect)
    def guarded(*arguments: Any, **options: Any) -> Any:
        check()
        return connect(*arguments, **options)

    owner.connect = classmethod(guarded) if isinstance(found, classmethod) else guarded


def refuse_programs(is_running: Callable[[], bool]) -> None:
    """Refuse every program that is started while a script runs; there is no way back in this process."""

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        if event in _PROGRAMS and is_running():
            program = arguments[0]
            name = program.decode("utf-8", "replace") if isinstance(program, bytes) else str(program)
            raise ProjectError(
                f"the script starts a program ({Path(name.split()[0]).name})",
                why="on a copy that is refused: what it does cannot be led there and could change something real",
                hint="do it with op.execute(), or before or after the upgrade",
            )

    sys.addaudithook(watch)
