"""A snapshot as it was described, and the label that its tags carry: tags are the truth, names are for people."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final


class SnapshotKind(StrEnum):
    """Who made it, as RDS says it. Only manual ones can be deleted one by one."""

    MANUAL = "manual"
    AUTOMATED = "automated"
    SHARED = "shared"
    PUBLIC = "public"
    AWS_BACKUP = "awsbackup"


class Tier(StrEnum):
    """For how long a snapshot is meant: what the policy names a time for."""

    PRE_MIGRATION = "pre-migration"
    WEEKLY = "weekly"
    MONTHLY = "monthly"
    YEARLY = "yearly"


#: What every tag of ours begins with. Who deletes may delete only what carries `handrail:managed` = "true".
PREFIX: Final = "handrail:"
MANAGED: Final = "handrail:managed"
#: AWS allows letters, digits, spaces and these in a tag's value, 256 characters of it.
_NOT_IN_VALUES: Final = re.compile(r"[^\w .:/=+@-]")
_LONGEST_VALUE: Final = 256
#: The names that people gave before there were tags (G4.3, G5.5).
_NAMED: Final = (
    ("before-migration-", Tier.PRE_MIGRATION),
    ("weekly-", Tier.WEEKLY),
    ("monthly-", Tier.MONTHLY),
    ("yearly-", Tier.YEARLY),
)


@dataclass(frozen=True, slots=True)
class Label:
    """What a snapshot is for. `revisions` are those of the database when it was taken, `target` those that it was
    taken before. `expires` is a wish, which the retention policy weighs; None: the policy alone."""

    run_id: str
    environment: str = ""
    revisions: tuple[str, ...] = ()
    target: tuple[str, ...] = ()
    git_commit: str = ""
    tier: Tier = Tier.PRE_MIGRATION
    expires: datetime | None = None
    is_pinned: bool = False
    #: The policy lets it go, and a restorable archive is to be made of it first.
    is_to_be_archived: bool = False
    #: A throwaway instance that a run restored; never set on a snapshot.
    is_temporary: bool = False

    def tags(self) -> dict[str, str]:
        """The tags that carry it; what is empty has no tag. Characters that a tag cannot hold become "_"."""
        values = {
            MANAGED: "true",
            f"{PREFIX}run": self.run_id,
            f"{PREFIX}environment": self.environment,
            f"{PREFIX}from": " ".join(self.revisions),
            f"{PREFIX}to": " ".join(self.target),
            f"{PREFIX}commit": self.git_commit,
            f"{PREFIX}tier": self.tier.value,
            f"{PREFIX}expires": self.expires.isoformat() if self.expires else "",
            f"{PREFIX}pinned": "true" if self.is_pinned else "",
            f"{PREFIX}archive": "requested" if self.is_to_be_archived else "",
            f"{PREFIX}temporary": "true" if self.is_temporary else "",
        }
        return {key: _NOT_IN_VALUES.sub("_", value)[:_LONGEST_VALUE] for key, value in values.items() if value}


def read_label(tags: Mapping[str, str]) -> Label | None:
    """The label in these tags; None for what handrail does not manage. A value that cannot be read counts as the more
    careful one: an unknown tier as kept for years, an expiry that is no time as none."""
    if tags.get(MANAGED) != "true":
        return None
    own = {key.removeprefix(PREFIX): value for key, value in tags.items() if key.startswith(PREFIX)}
    return Label(
        run_id=own.get("run", ""),
        environment=own.get("environment", ""),
        revisions=tuple(own.get("from", "").split()),
        target=tuple(own.get("to", "").split()),
        git_commit=own.get("commit", ""),
        tier=_tier(own.get("tier", "")),
        expires=_moment(own.get("expires", "")),
        is_pinned=own.get("pinned", "") == "true",
        is_to_be_archived=own.get("archive", "") == "requested",
        is_temporary=own.get("temporary", "") == "true",
    )


def _tier(text: str) -> Tier:
    return Tier(text) if text in set(Tier) else Tier.YEARLY


def _moment(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo is not None else None


def tier_by_name(name: str) -> Tier | None:
    """The tier that a name says; None when it says none."""
    return next((tier for start, tier in _NAMED if name.lower().startswith(start)), None)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One snapshot. `percent` is how much of it is made.

    `created_at` (aware UTC) is when it was first taken: copying changes the other time that RDS gives. It is None until
    it is available, and nobody may guess it. `size_gb` is the provisioned storage of the instance, `full_size` the
    bytes that were written in it, where RDS says so: both are upper bounds of what it costs, as snapshots share blocks.
    """

    id: str
    arn: str
    instance: str
    kind: SnapshotKind
    status: str
    region: str = ""
    percent: int | None = None
    created_at: datetime | None = None
    size_gb: int = 0
    full_size: int | None = None
    engine: str = "postgres"
    engine_version: str = ""
    is_encrypted: bool = False
    #: The resource id of the instance, which a rename does not change.
    resource_id: str = ""
    #: The snapshot that this one was copied from.
    copy_of: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_available(self) -> bool:
        return self.status == "available"

    @property
    def label(self) -> Label | None:
        return read_label(self.tags)

    @property
    def tier(self) -> Tier | None:
        """By its tags, else by its name (G5.5); None for one that is neither ours nor named like one."""
        label = self.label
        return label.tier if label else tier_by_name(self.id)
