"""What became of a booking."""

from __future__ import annotations

from handrail import LabelledEnum


# Each value repeats its name: with `auto()` it would be lower case, and what stores names, as SQLAlchemy's own Enum
# does, would write another text than the API takes.
class AttendanceStatus(LabelledEnum):
    """What became of a booking."""

    SCHEDULED = "SCHEDULED", "예정"
    ATTENDED = "ATTENDED", "출석"
    NO_SHOW = "NO_SHOW", "결석"
    CANCELLED = "CANCELLED", "취소"
    SAME_DAY_CANCEL = "SAME_DAY_CANCEL", "당일 취소"
    LATE = "LATE", "지각"
    EXCUSED = "EXCUSED", "공결"
