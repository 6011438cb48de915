"""Chooses the database by the environment variable ENV: a file in development, servers elsewhere."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

DEVELOPMENT_URL = "sqlite:///./local.db"


class MissingSettingError(RuntimeError):
    """An environment variable that this environment cannot do without is not set."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What holds for one process. The URL may carry a password, so `repr` leaves it out."""

    environment: str
    database_url: str = field(repr=False)


def load_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Without ENV this is development; any name but development and staging is production, so a typo never is."""
    variables = os.environ if environ is None else environ
    environment = variables.get("ENV") or "development"
    if environment == "development":
        return Settings(environment, DEVELOPMENT_URL)
    name = "STAGING_DATABASE_URL" if environment == "staging" else "DATABASE_URL"
    url = variables.get(name)
    if not url:
        raise MissingSettingError(
            f"ENV is {environment!r}, so the database URL must be in ${name}, but that is not set. "
            f"Set {name}=postgresql://user:password@host/database, or ENV=development for the file local.db."
        )
    return Settings(environment, url)
