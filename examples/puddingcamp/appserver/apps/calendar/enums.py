"""What became of a booking."""

from __future__ import annotations

from enum import StrEnum


class AttendanceStatus(StrEnum):
    """Each value repeats its name: `auto()` would make the values lower case, while SQLAlchemy's Enum stores the names.

    Then `'SCHEDULED'` in the database and `'scheduled'` in the API would be two texts for one member, and a
    server_default written from the one would be no member of the other.
    """

    SCHEDULED = "SCHEDULED"
    ATTENDED = "ATTENDED"
    NO_SHOW = "NO_SHOW"
    CANCELLED = "CANCELLED"
    SAME_DAY_CANCEL = "SAME_DAY_CANCEL"
    LATE = "LATE"

    @property
    def label(self) -> str:
        """How the status is called in the Korean user interface."""
        return _LABELS[self]


_LABELS = {
    AttendanceStatus.SCHEDULED: "예정",
    AttendanceStatus.ATTENDED: "출석",
    AttendanceStatus.NO_SHOW: "결석",
    AttendanceStatus.CANCELLED: "취소",
    AttendanceStatus.SAME_DAY_CANCEL: "당일 취소",
    AttendanceStatus.LATE: "지각",
}
