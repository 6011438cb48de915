"""What a GB costs at AWS for a month: dated tables for each region, and what a configuration puts in their place.

A price that is not known is absent: none is made up. What a region has no table for is reckoned by the practice guide's
figures, and the source is told with every bill.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final


class StorageClass(StrEnum):
    """Classes of S3, the dearest first, as S3 calls them."""

    STANDARD = "STANDARD"
    STANDARD_IA = "STANDARD_IA"
    ONEZONE_IA = "ONEZONE_IA"
    GLACIER_IR = "GLACIER_IR"
    GLACIER = "GLACIER"
    DEEP_ARCHIVE = "DEEP_ARCHIVE"


@dataclass(frozen=True, slots=True)
class Rates:
    """US dollars for a GB and a month; `export` for a GB of a snapshot, once. `dated` is a day, `source` in words."""

    snapshot: float | None = None
    export: float | None = None
    classes: Mapping[StorageClass, float] = field(default_factory=dict)
    dated: str = ""
    source: str = ""


#: The figures of the practice guide that handrail grew from, taken for every region that has no table.
GUIDE: Final = Rates(
    snapshot=0.095,
    classes={StorageClass.STANDARD: 0.025, StorageClass.GLACIER: 0.004},
    dated="2026-02-18",
    source="the practice guide",
)
#: By region. List prices of the first step of each price; the day is the one on which they were last read.
TABLES: Final[Mapping[str, Rates]] = {
    "us-east-1": Rates(
        snapshot=0.095,
        export=0.010,
        classes={
            StorageClass.STANDARD: 0.023,
            StorageClass.STANDARD_IA: 0.0125,
            StorageClass.ONEZONE_IA: 0.01,
            StorageClass.GLACIER_IR: 0.004,
            StorageClass.GLACIER: 0.0036,
            StorageClass.DEEP_ARCHIVE: 0.00099,
        },
        dated="2025-10-28",
        source="list prices as published by third parties",
    ),
}


def rates_of(region: str, own: Rates | None = None) -> Rates:
    """The prices of a region: each one that is configured, else the table's, else the guide's."""
    known = TABLES.get(region, GUIDE)
    if own is None:
        return known
    return Rates(
        snapshot=known.snapshot if own.snapshot is None else own.snapshot,
        export=known.export if own.export is None else own.export,
        classes={**known.classes, **own.classes},
        dated=own.dated or known.dated,
        source=f"the configuration, else {known.source} of {known.dated}",
    )
