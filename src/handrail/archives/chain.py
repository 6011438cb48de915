"""The files of a Litestream replica as a chain of transactions: what can be restored from it, and where it has holes.

A file holds the transactions from `first` to `last`, as they were at `at`; one that begins with 1 is a whole database.
The same transactions lie there more than once, as single files (level 0) and merged ones.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from handrail.backups.moments import Window

#: Litestream lists times without their fractions.
_CUT = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class ChainFile:
    """One file of the replica. `at` is when the newest transaction in it was read, cut to the second."""

    level: int
    first: int
    last: int
    size: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Chain:
    """All files of a replica."""

    files: tuple[ChainFile, ...]

    @property
    def size(self) -> int:
        return sum(file.size for file in self.files)

    @property
    def last(self) -> int:
        """The newest transaction that is there, behind a hole or not; 0 when there is none."""
        return max((file.last for file in self.files), default=0)

    @property
    def window(self) -> Window | None:
        """From the oldest whole database on to the last transaction that is reached from one without a hole.

        A moment is restored from what was read before it: so the first is the end of the oldest file's second."""
        starts = [file for file in self.files if file.first == 1]
        if not starts:
            return None
        reached = max(_reach(self.files, file.last) for file in starts)
        newest = max(file.at for file in self.files if file.last <= reached)
        oldest = min(file.at for file in starts) + _CUT
        return Window(oldest, max(oldest, newest))

    def holes(self) -> Iterator[str]:
        """What is missing between what is there, in words. Older files that a merge or the retention left out are
        none, as long as each whole database is followed by all that came after it."""
        starts = sorted(file.last for file in self.files if file.first == 1)
        if not starts and self.files:
            yield f"no whole database lies there, only changes up to transaction {self.last}"
        reached = 0
        for start in starts:
            if start <= reached:
                continue
            reached = _reach(self.files, start)
            if reached < self.last:
                after = min((file.first for file in self.files if file.first > reached), default=self.last + 1)
                yield f"the transactions {reached + 1}-{after - 1} are missing"

    def disorder(self) -> Iterator[str]:
        """Later transactions with earlier times, in words: between them no moment can be told. An archive that was
        copied without the times of its files has such ones, and so has one of a clock that went back."""
        single = sorted((file for file in self.files if file.level == 0), key=lambda file: file.last)
        for before, after in pairwise(single):
            if after.at < before.at:
                yield (
                    f"transaction {after.last} bears an earlier time than transaction {before.last}:"
                    " the file's time was changed, or a clock went back"
                )

    def may_lack(self, moment: datetime, reached: int) -> bool:
        """Whether what was restored as of a moment, up to a transaction, may lack one that was read before it: where a
        later one bears a time before the moment, or the next one a later time than those after it."""
        following = [file for file in self.files if file.last > reached]
        if any(file.at + _CUT <= moment for file in following):
            return True
        claimed = min((file.at for file in following if file.first == reached + 1), default=None)
        return claimed is not None and min(file.at for file in following) < claimed

    def moment_of(self, transaction: int) -> datetime | None:
        """When the transaction was read; None when only merged files hold it."""
        return min((file.at for file in self.files if file.last == transaction), default=None)


def _reach(files: Iterable[ChainFile], start: int) -> int:
    """The last transaction that follows `start` without a hole."""
    reached = start
    for file in sorted(files, key=lambda file: (file.first, file.last)):
        if file.first > reached + 1:
            break
        reached = max(reached, file.last) if file.first > 1 else reached
    return reached


def read_chain(text: str) -> Chain:
    """What `litestream ltx -level all -json` says. ValueError when it is not that."""
    try:
        found = json.loads(text or "null") or []
        return Chain(tuple(_file(one) for one in found))
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"not a list of files: {error!r}") from error


def _file(one: dict[str, object]) -> ChainFile:
    at = datetime.fromisoformat(str(one["timestamp"])).astimezone(UTC)
    level, size = (int(str(one[key])) for key in ("level", "size"))
    return ChainFile(level, int(str(one["min_txid"]), 16), int(str(one["max_txid"]), 16), size, at)
