"""Config to RDS: who hosts the environment's database, and how one of its instances is opened."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from handrail.config import Config
from handrail.config_rds import RehearseOn
from handrail.errors import ConfigError

if TYPE_CHECKING:
    from handrail.databases.hosting import Hosting
    from handrail.facts import DatabaseAddress
    from handrail.snapshots.instance import Instance

#: Where a connection goes, beside host and port themselves.
_PLACES = ("host", "hostaddr", "port")


def open_hosting(config: Config) -> Hosting | None:
    """Where the environment's database runs; None where the configuration names no instance. Nothing is asked yet."""
    rds = config.settings.rds
    if rds is None:
        return None
    from handrail.databases.hosting import Hosting
    from handrail.databases.rds.client import Account, Clients
    from handrail.databases.rds.snapshots import RdsSnapshots

    endpoint = rds.endpoint_url or os.environ.get("AWS_ENDPOINT_URL_RDS") or os.environ.get("AWS_ENDPOINT_URL")
    return Hosting(
        RdsSnapshots(Clients(Account(rds.region, rds.profile, endpoint or None))),
        rds.instance.lower(),
        time.monotonic,
        time.sleep,
        prefix=rds.snapshot_prefix,
        deadline=rds.deadline,
        rehearse_up_to=rds.rehearse_up_to if rds.rehearse_on is RehearseOn.INSTANCE else None,
        rehearse_class=rds.rehearse_class,
        keep=config.retention.pre_migration,
    )


def require_hosting(config: Config) -> Hosting:
    """The same; ConfigError where there is none."""
    hosting = open_hosting(config)
    if hosting is None:
        raise ConfigError(
            f"the environment {config.name} does not say in which RDS instance its database runs",
            why="`rds` of the environment is not set",
            hint=f'write {config.table(f"environments.{config.name}.rds")} with instance = "shop-prod" and'
            ' region = "ap-northeast-2"',
        )
    return hosting


def address_at(live: DatabaseAddress, instance: Instance) -> DatabaseAddress:
    """The live database's address, at another instance: user, password and database came along with the data."""
    options = tuple((key, value) for key, value in live.options if key not in _PLACES)
    return replace(live, host=instance.host, port=instance.port, options=options)
