"""Replacing a database by a dump: loaded under another name, then both renamed in one transaction."""

# ruff: noqa: S608 - every name and value in SQL text goes through `quoting`

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import BinaryIO

from handrail.backups.methods import DumpRequest
from handrail.databases.postgres import lifecycle, sessions
from handrail.databases.postgres.connection import driver, elsewhere, maintenance, require_primary, translated
from handrail.databases.postgres.quoting import Query, identifier, literal
from handrail.databases.postgres.restore import Target, load
from handrail.errors import BackupError, DatabaseUnavailable
from handrail.facts import DatabaseAddress

_SECONDS_BETWEEN = 0.05


def replace(
    target: Target, source: BinaryIO, request: DumpRequest, *, aside: str, check: Callable[[DatabaseAddress], None]
) -> str:
    """Replace the content of the target's database by a dump, with owners, rights and settings; returns what the old
    content is called now. `check` is given the database that was loaded.

    Whatever happens before the last transaction leaves the database as it was; a database that was loaded but not
    put in its place is dropped, after a kill by `end_leftovers`."""
    address, application = target.address, target.application
    live, new = address.database, lifecycle.new_name(address.database, aside)
    with maintenance(address, application) as query:
        _check_rights(query, live)
        kept = lifecycle.traits(query, live)
        lifecycle.drop(query, new)
        try:  # an interruption that comes while it is created finds it made, or not
            lifecycle.create(query, new, locale=kept.locale, owner=kept.owner)
            load(dataclasses.replace(target, address=elsewhere(address, new)), source, request)
            check(elsewhere(address, new))
            lifecycle.give(query, new, kept)
            return _swap(query, address, application, new=new, aside=aside)
        except BaseException:
            lifecycle.drop(query, new)
            raise


def _check_rights(query: Query, live: str) -> None:
    """Refuse before anything is touched."""
    require_primary(query)
    rows = query(
        "SELECT r.rolsuper, r.rolcreatedb, pg_has_role(d.datdba, 'MEMBER'), current_user::text,"
        f" pg_get_userbyid(d.datdba)::text FROM pg_database d, pg_roles r"
        f" WHERE r.rolname = current_user AND d.datname = {literal(live)}"
    )
    if not rows:
        raise DatabaseUnavailable(f"There is no database {live}.", hint="`handrail backup restore` needs it to exist.")
    is_super, may_create, owns, role, owner = rows[0]
    if not (is_super or (may_create and owns)):
        raise DatabaseUnavailable(
            f"The role {role} may not replace the database {live}.",
            why=f"That needs CREATEDB and membership in its owner {owner}. Nothing was touched.",
            hint=f'ALTER ROLE "{role}" CREATEDB; GRANT "{owner}" TO "{role}"',
        )


def name(address: DatabaseAddress, application: str, made: str) -> None:
    """Rename a database that is whole to the one that it is to be. BackupError when that is there by now."""
    with maintenance(address, application) as query, _ending_sessions(address, application, made):
        lifecycle.require_free(query, address.database)
        try:
            query(f"ALTER DATABASE {identifier(made)} RENAME TO {identifier(address.database)}")
        except driver().errors.DuplicateDatabase:
            lifecycle.require_free(query, address.database)
            raise


def _swap(query: Query, address: DatabaseAddress, application: str, *, new: str, aside: str) -> str:
    """Rename live aside and new to live, in one transaction.

    RENAME locks the database's entry, so that new sessions wait, and then waits up to 5 seconds for the others to be
    gone; a second connection ends them meanwhile."""
    live = address.database
    name = lifecycle.aside_name(query, live, aside)
    with _ending_sessions(address, application, live, new), translated(address, BackupError):
        query("BEGIN")
        try:
            query(f"ALTER DATABASE {identifier(live)} RENAME TO {identifier(name)}")
            query(f"ALTER DATABASE {identifier(new)} RENAME TO {identifier(live)}")
            query("COMMIT")
        except BaseException as error:
            query("ROLLBACK")
            left = sessions.sessions_on(query, live)
            if left:
                raise BackupError(
                    f"The database {live} could not be put aside: sessions on it could not be ended.",
                    why=f"{'; '.join(left)}. {error}",
                    hint="Ask their owner to end them, or use a role that may (pg_signal_backend).",
                ) from error
            raise
    return name


@contextmanager
def _ending_sessions(address: DatabaseAddress, application: str, *databases: str) -> Iterator[None]:
    """End sessions on these databases again and again while the block runs."""
    done = threading.Event()

    def end(query: Query) -> None:
        while True:
            for database in databases:
                sessions.end_sessions_on(query, database)
            if done.wait(_SECONDS_BETWEEN):
                return

    with maintenance(address, application) as query:
        thread = threading.Thread(target=end, args=(query,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()
