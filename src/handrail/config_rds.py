"""The [environments.NAME.rds] table: which instance hosts the database, and what may be done with its snapshots."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from handrail.config_durations import Duration

_REGION: Final = re.compile(r"[a-z]{2}(-[a-z]+)+-\d")
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9]*(-[A-Za-z0-9]+)*")


class RehearseOn(StrEnum):
    """Where an upgrade is rehearsed: on a temporary instance restored from this run's snapshot, or on a pg_dump that is
    restored elsewhere (beside the database, or on `rehearse_server`)."""

    INSTANCE = "instance"
    DUMP = "dump"


@dataclass(frozen=True, slots=True)
class RdsSettings:
    """`instance` in `region` (both required) hosts the environment's database. Names, never ARNs; credentials are those
    that AWS's own programs would use, by `profile` where one is named.

    A snapshot may take `deadline`. `rehearse_on`: an upgrade is rehearsed on a temporary instance as long as the
    instance has no more than `rehearse_up_to` GB of storage (0: however much), of the class `rehearse_class` ("": the
    instance's own); else on a dump. `snapshot_prefix` begins the names of the snapshots before migrations."""

    instance: str = ""
    region: str = ""
    profile: str | None = None
    endpoint_url: str | None = None
    snapshot_prefix: str = "before-migration"
    deadline: Duration = 7200.0
    rehearse_on: RehearseOn = RehearseOn.DUMP
    rehearse_up_to: int = 0
    rehearse_class: str = ""

    def __post_init__(self) -> None:
        if not self.instance or not self.region:
            raise ValueError("`instance` and `region` are needed")
        if not _REGION.fullmatch(self.region):
            raise ValueError("`region` is written like ap-northeast-2")
        for name in (self.instance, self.snapshot_prefix):
            if not _NAME.fullmatch(name):
                raise ValueError("`instance` and `snapshot_prefix` are letters, digits and single hyphens")
        if self.deadline <= 0 or self.rehearse_up_to < 0:
            raise ValueError("`deadline` is longer than nothing, `rehearse_up_to` not less than 0")
