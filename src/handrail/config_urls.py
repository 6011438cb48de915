"""URLs of databases in the configuration: looked up and checked before anything shows them."""

from __future__ import annotations

from collections.abc import Mapping

from handrail.errors import ConfigError


def looked_up(value: str | None, environ: Mapping[str, str], key: str, environment: str) -> str | None:
    """The URL that a setting says, with `env:NAME` looked up. ConfigError when the variable is not set, or when what is
    found is no URL."""
    if value is None:
        return None
    if not value.startswith("env:"):
        return _checked_url(value, f"`{key}` of the environment {environment}")
    name = value.removeprefix("env:")
    found = environ.get(name)
    if not found:
        raise ConfigError(
            f"the environment variable {name} is not set",
            why=f'`{key} = "{value}"` of the environment {environment} takes the database URL from it',
            hint=f"export {name}=postgresql://user@host/database, or choose another environment with --env",
        )
    return _checked_url(found, f"the environment variable {name}")


def _checked_url(url: str, where: str) -> str:
    """The URL. ConfigError for what is none, and where a sign of the password is taken for the end of it."""
    start, marked, rest = url.partition("://")
    if not (start and marked):
        raise ConfigError(
            f"{where} is no URL of a database",
            why="it is not shown, since it may hold a password",
            hint="write it like postgresql://user@host:5432/name, or sqlite:///./file.db",
        )
    if rest.partition("/")[0].partition(":")[2].count("@") > 1:
        raise ConfigError(
            f"{where} has more than one @ before the host",
            why="what follows the first one would be read, and shown, as the host",
            hint="write an @ of the password as %40",
        )
    return url
