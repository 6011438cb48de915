"""`rds` of an environment to the adapter that asks AWS."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handrail.config import Config
from handrail.config_rds import RdsSettings
from handrail.errors import ConfigError

if TYPE_CHECKING:
    from handrail.databases.snapshots import Snapshots


def require_rds(config: Config) -> RdsSettings:
    """The environment's `rds`. ConfigError where there is none."""
    found = config.settings.rds
    if found is None:
        raise ConfigError(
            f"the environment {config.name} does not say that its database is on RDS",
            why="it has no `rds`",
            hint=f'[environments.{config.name}] rds = {{instance = "shop-prod", region = "eu-central-1"}},'
            " or choose another one with --env",
        )
    return found


def open_snapshots(rds: RdsSettings) -> Snapshots:
    """Nothing is asked, and no credentials are looked for, before the first call."""
    from handrail.databases.rds.client import Account, Clients
    from handrail.databases.rds.snapshots import RdsSnapshots

    return RdsSnapshots(Clients(Account(rds.region, rds.profile, rds.endpoint_url)))
