"""The [environments.NAME.archive] table: which tool keeps a continuous archive, where, and what is asked of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum

from handrail.config_durations import Duration
from handrail.config_retention import Age


class ArchiveTool(StrEnum):
    """Who keeps the archive."""

    LITESTREAM = "litestream"
    BARMAN = "barman"


#: What each tool knows beyond what all know.
_OWN: Mapping[ArchiveTool, frozenset[str]] = {
    ArchiveTool.LITESTREAM: frozenset({"keep", "fine", "sync"}),
    ArchiveTool.BARMAN: frozenset({"program", "config"}),
}
_OF_ALL = frozenset({"tool", "place", "max_lag"})


@dataclass(frozen=True, slots=True)
class ArchiveSettings:
    """`tool` keeps the archive at `place` (both required): a folder or an URL, of Barman the name of its server. Its
    newest moment may be `max_lag` behind the database.

    Litestream: moments can be restored for `keep`; within `fine` they are told apart to the second, later to half a
    minute; changes are sent every `sync`. Barman: `program` and `config` say where it and its configuration file are,
    when not in the usual places. Secrets are never in here: the tools read theirs from the environment."""

    tool: ArchiveTool | None = None
    place: str | None = None
    max_lag: Duration = 300.0
    keep: Age | None = None
    fine: Age | None = None
    sync: Duration | None = None
    program: str | None = None
    config: str | None = None

    def __post_init__(self) -> None:
        if self.tool is None or not self.place:
            raise ValueError(
                '`tool` ("litestream" or "barman") and `place` (a folder, an URL, Barman\'s server) are needed'
            )
        given = {one.name for one in fields(self) if getattr(self, one.name) is not None}
        strange = sorted(given - _OF_ALL - _OWN[self.tool])
        if strange:
            known = ", ".join(sorted(_OF_ALL | _OWN[self.tool]))
            raise ValueError(f"{self.tool} has no `{strange[0]}`; it has: {known}")
        if self.max_lag <= 0 or self.sync == 0:
            raise ValueError("`max_lag` and `sync` are longer than nothing")
