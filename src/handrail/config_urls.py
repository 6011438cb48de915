"""URLs of databases in the configuration: looked up and checked before anything shows them."""

from __future__ import annotations

from collections.abc import Mapping

from handrail.errors import ConfigError

_VARIABLE = "env:"


def variable_of(value: str) -> str | None:
    """The environment variable that `env:NAME` names; None for a value that stands for itself."""
    return value.removeprefix(_VARIABLE) if value.startswith(_VARIABLE) else None


def looked_up(value: str | None, environ: Mapping[str, str], key: str, environment: str) -> str | None:
    """The URL that a setting says, with `env:NAME` looked up. ConfigError when the variable is not set, or when what is
    found is no URL."""
    if value is None:
        return None
    if variable_of(value) is None:
        return checked_url(value, f"`{key}` of the environment {environment}")
    return from_variable(
        value,
        environ,
        why=f'`{key} = "{value}"` of the environment {environment} takes the database URL from it',
        hint="postgresql://user@host/database, or choose another environment with --env",
    )


def from_variable(value: str, environ: Mapping[str, str], *, why: str, hint: str) -> str:
    """The URL that the variable of `env:NAME` holds. ConfigError when it is not set (`why` says who takes it, `hint`
    what to export), or when it holds no URL."""
    name = variable_of(value) or ""
    found = environ.get(name)
    if not found:
        raise ConfigError(f"the environment variable {name} is not set", why=why, hint=f"export {name}={hint}")
    return checked_url(found, f"the environment variable {name}")


def checked_url(url: str, where: str) -> str:
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
