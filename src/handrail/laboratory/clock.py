"""What time it is in the laboratory: the machine's own, to milliseconds, as RDS tells it."""

from __future__ import annotations

from datetime import UTC, datetime


def now() -> datetime:
    """Now, cut to milliseconds."""
    return cut(datetime.now(UTC))


def cut(moment: datetime) -> datetime:
    """A moment without what is smaller than a millisecond."""
    return moment.astimezone(UTC).replace(microsecond=moment.microsecond // 1000 * 1000)
