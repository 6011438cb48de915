"""An exception of env.py, of a script or of Alembic, as words for people: what, why, where; without any password."""

from __future__ import annotations

import re
import sqlite3
import sys
import traceback
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from alembic.script.revision import RevisionError
from alembic.util import CommandError
from sqlalchemy.exc import DBAPIError, NoSuchModuleError

from handrail.errors import HandrailError, ProjectError, UnsupportedEngine
from handrail.facts import DatabaseAddress
from handrail.migrations.operations import SourcePosition
from handrail.migrator.migrator import MigrationFailed, NoDatabase
from handrail.migrator.places import ENGINES
from handrail.migrator.project import relative
from handrail.migrator.recorder import AlreadyCommitted
from handrail.migrator.redirect import Connections, unsupported
from handrail.migrator.sessions import chain, sqlstate

_LONGEST = 600
_NO_ROOM = "make room on the disk of the database, then run the command again"
_RAW_HINTS = {
    "53100": _NO_ROOM,
    "57014": "raise statement_timeout, or split the work into smaller batches",
    "42501": "grant the right to the role that migrates",
}


@dataclass(frozen=True, slots=True)
class Secrets:
    """Texts that never leave this process."""

    words: tuple[str, ...]

    @classmethod
    def of(cls, addresses: Iterable[DatabaseAddress | None]) -> Secrets:
        return cls(tuple({address.password for address in addresses if address is not None and address.password}))

    def hide(self, text: str) -> str:
        for word in self.words:
            text = text.replace(word, "***")
        return text


def project_failure(error: BaseException, connections: Connections, root: Path) -> HandrailError:
    """Why the project could not be loaded, or its database not be reached."""
    ours = next((link for link in chain(error) if isinstance(link, HandrailError)), None)
    if ours is not None:
        return ours
    refused = _engine_refused(error, connections)
    if refused is not None:
        return refused
    if connections.failure is not None and connections.failure in chain(error):
        return NoDatabase(
            f"no connection to {connections.aimed}",
            why=last_line(connections.failure),
            hint=_connect_hint(error),
            address=connections.aimed,
        )
    if isinstance(error, DBAPIError):
        return NoDatabase(
            f"the database {connections.aimed} cannot be read",
            why=last_line(error),
            hint=_damage_hint(error, connections.aimed),
            address=connections.aimed,
        )
    if isinstance(error, CommandError | RevisionError):
        return ProjectError(" ".join(str(error).split()), hint=_project_hint(error), code=_code_of(error))
    where = where_in(error, root)
    place = f" ({where.path}:{where.line})" if where else ""
    if _is_bad_port(error):
        return ProjectError(
            "the database URL cannot be read",
            why=f"what stands where the port does is no number; it is not shown, since it may be a password{place}",
            hint="check sqlalchemy.url or the place from which env.py takes the URL:"
            " postgresql://user:password@host:5432/name, with an @ or / of the password as %40 or %2F",
        )
    return ProjectError(
        _what_failed(error, where), why=last_line(error) + place, hint=_project_hint(error), code=_code_of(error)
    )


def script_failure(
    error: BaseException, *, revision: str, script: str, root: Path, committed: tuple[str, ...], broke_open: bool
) -> MigrationFailed:
    """Why a script failed."""
    where = where_in(error, root, preferred=Path(script).resolve() if script else None)
    place = f" at {where.path}:{where.line}" if where else ""
    ours = next((link for link in chain(error) if isinstance(link, HandrailError)), None)
    why = f"{ours.message}: {ours.why}" if ours is not None else last_line(error)
    if broke_open:
        why += "; what it did before its autocommit_block is committed already"
    return MigrationFailed(
        f"the script of revision {revision} {_verb(error)}{place}",
        why=why,
        hint=(ours.hint if ours is not None else _script_hint(error)),
        revision=revision,
        position=where,
        committed=committed,
        traceback="".join(traceback.format_exception(error))[-20_000:],
        is_partly_committed=broke_open or isinstance(ours, AlreadyCommitted),
    )


def last_line(error: BaseException) -> str:
    """The exception as one line: its type and what it says, without SQL parameters."""
    if isinstance(error, DBAPIError) and isinstance(error.orig, BaseException):
        error = error.orig
    if isinstance(error, SystemExit):
        return f"sys.exit({error.code!r})"
    name = type(error).__name__
    text = " ".join(str(error).split())
    return f"{name}: {text[:_LONGEST]}" if text else name


def where_in(error: BaseException, root: Path, preferred: Path | None = None) -> SourcePosition | None:
    """The last line of the project's own code that the exception passed."""
    if isinstance(error, SyntaxError) and error.filename:
        return SourcePosition(str(relative(Path(error.filename).resolve(), root)), error.lineno or 0)
    found: SourcePosition | None = None
    for file, line in _frames(error.__traceback__):
        if _is_users(file, root) if preferred is None else file == preferred:
            found = SourcePosition(str(relative(file, root)), line)
    return found


def _frames(link: TracebackType | None) -> Iterable[tuple[Path, int]]:
    while link is not None:
        yield Path(link.tb_frame.f_code.co_filename).resolve(), link.tb_lineno
        link = link.tb_next


def _is_users(file: Path, root: Path) -> bool:
    if "site-packages" in file.parts or file.is_relative_to(Path(sys.prefix).resolve()):
        return False
    return file.is_relative_to(root) and file.suffix == ".py"


def _what_failed(error: BaseException, where: SourcePosition | None) -> str:
    if where is None:
        return "the Alembic project cannot be loaded"
    return f"{where.path} {_verb(error)}"


def _verb(error: BaseException) -> str:
    if isinstance(error, SystemExit):
        return "called sys.exit"
    return "failed" if isinstance(error, Exception) else f"raised {type(error).__name__}"


def _engine_refused(error: BaseException, connections: Connections) -> UnsupportedEngine | None:
    for link in chain(error):
        if isinstance(link, NoSuchModuleError):
            return unsupported(str(link).rpartition(":")[2].partition(".")[0])
    url = connections.last_url
    if url is not None and url.get_backend_name() not in ENGINES and isinstance(error, ImportError):
        return unsupported(url.get_backend_name())
    return None


def _is_bad_port(error: BaseException) -> bool:
    """Whether SQLAlchemy failed to read a URL's port: it lets int() say so, and that shows what stood there."""
    files = [file for file, _ in _frames(error.__traceback__)]
    return isinstance(error, ValueError) and bool(files) and files[-1].parts[-3:] == ("sqlalchemy", "engine", "url.py")


def _connect_hint(error: BaseException) -> str:
    states = {sqlstate(link) for link in chain(error)}
    if states & {"28P01", "28000"}:
        return "check the user and the password in the URL"
    if "3D000" in states:
        return "create the database, or correct its name in the URL"
    if any(isinstance(link, sqlite3.Error) for link in chain(error)):
        return "check that the URL names a file, and that it and its folder can be read and written"
    return "check that the server runs and that the URL is right"


def _damage_hint(error: BaseException, address: DatabaseAddress | None) -> str:
    """A file that SQLite cannot read is moved away by hand: only a person knows that it is not merely another file."""
    if address is None or address.engine != "sqlite" or not re.search("not a database|malformed", str(error)):
        return "handrail doctor shows what is missing"
    file = address.database
    return (
        f"if it is damaged, move it away (with {Path(file).name}-wal, where there is one), and bring the last proven"
        f" backup back: mv {file} {file}.damaged; handrail backup restore verified --in-place"
    )


def _project_hint(error: BaseException) -> str:
    text = str(error)
    if isinstance(error, ModuleNotFoundError):
        if error.name in ("psycopg2", "psycopg", "asyncpg", "aiosqlite"):
            return f"pip install {error.name}, or name another driver in the URL (postgresql+psycopg://…)"
        return "install the missing package, or set prepend_sys_path = . in alembic.ini"
    if "script_location" in text:
        return "correct script_location, or run: alembic init alembic"
    if "Multiple head" in text:
        return "merge them (alembic merge heads), or name the target: heads, or one revision"
    if any(words in text for words in ("Can't locate revision", "No such revision", "didn't produce")):
        return "handrail history shows the revisions there are"
    if "script.py.mako" in text:
        return "new scripts are made from it: take the one that `alembic init` writes into another folder"
    if "not up to date" in text:
        return "handrail upgrade, then the same command again: what is compared is the database"
    return "alembic history and alembic current must work first"


def _code_of(error: BaseException) -> str | None:
    return "HR221" if "Multiple head" in str(error) else None


def _script_hint(error: BaseException) -> str:
    for link in chain(error):
        if sqlstate(link) in _RAW_HINTS:
            return _RAW_HINTS[sqlstate(link)]
    if "database or disk is full" in str(error):
        return _NO_ROOM
    if "readonly database" in str(error):
        return "give the database file, and its folder, write rights"
    if "database is locked" in str(error):
        return "the script opens a connection of its own while Alembic's holds the write lock: use op.get_bind()"
    return "correct the script and run the command again"
