"""Where databases are that no look can tell of: a new one that is restored into, a live one that nobody can reach."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from handrail.config_urls import checked_url, from_variable, variable_of
from handrail.errors import UsageError

if TYPE_CHECKING:
    from handrail.config import Config
    from handrail.databases.database import Database
    from handrail.errors import DatabaseUnavailable
    from handrail.facts import DatabaseAddress

_EXAMPLES = {"postgresql": "postgresql://user@host:5432/name", "sqlite": "sqlite:////path/of/file.db"}


def new_database(
    live: Database, text: str, environ: Mapping[str, str], open_: Callable[[DatabaseAddress], Database]
) -> Database:
    """What `--into` names: a database beside the live one by its name, one anywhere by its URL, or the URL that a
    variable holds ("env:NAME"). UsageError for a password in the text itself, which every user of the machine can read,
    and for another engine; ConfigError for what is no URL, and when the variable is not set."""
    name = variable_of(text)
    if name is not None:
        example = _EXAMPLES.get(live.address.engine, "")
        url = from_variable(text, environ, why="--into takes the new database's URL from it", hint=example)
    elif "://" in text:
        url = checked_url(text, "--into")
    else:
        return _not_live(live.sibling(text), live)
    address = _address(url, name or "--into")
    if address.password and name is None:
        raise UsageError(
            "--into holds a password",
            why="other users of this machine can read the words of a command (it is not shown)",
            hint="put the URL into a variable and name that one: --into env:NAME",
        )
    if address.engine != live.address.engine:
        raise UsageError(
            f"a backup of {live.address.engine} cannot be restored into {address.engine}",
            hint="name a database of the same engine",
        )
    return _not_live(open_(address), live)


def unreachable_address(
    config: Config, environ: Mapping[str, str], error: DatabaseUnavailable
) -> DatabaseAddress | None:
    """Where the project's database is, which a look could not reach: where env.py aimed; where it did not come so far,
    what `url` of the environment names, or alembic.ini. None where neither does. Nothing is connected to."""
    from handrail.migrator.migrator import NoDatabase
    from handrail.migrator.places import address_of_text
    from handrail.migrator.script_files import configured_url

    if isinstance(error, NoDatabase) and error.address is not None:
        return error.address
    address = address_of_text(config.url(environ) or configured_url(config.alembic_ini, config.section))
    if address is not None and address.engine == "sqlite":
        return replace(address, database=str(config.root / address.database))
    return address


def _not_live(wanted: Database, live: Database) -> Database:
    from handrail.migrator.places import is_same_place

    if is_same_place(wanted.address, live.address):
        raise UsageError(
            f"{wanted.address} is the live database",
            why="--into makes a new one",
            hint="choose another name, or replace the live one, which is kept aside: --in-place",
        )
    return wanted


def _address(url: str, where: str) -> DatabaseAddress:
    from handrail.migrator.places import address_of_text

    address = address_of_text(url)
    if address is None or not address.database:
        raise UsageError(
            f"{where} is no URL of a database",
            why="it cannot be read, or names none (it is not shown, since it may hold a password)",
            hint="write it like postgresql://user@host:5432/name, or sqlite:////path/of/file.db",
        )
    return address
