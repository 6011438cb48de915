"""What the API takes and gives of bookings."""

from __future__ import annotations

from datetime import date

from pydantic import BaseModel, ConfigDict, Field, computed_field, model_validator

from appserver.apps.calendar.enums import AttendanceStatus
from appserver.schemas import Id, Text


class BookingCreate(BaseModel):
    model_config = ConfigDict(extra="forbid")

    topic: Text = Field(min_length=1, max_length=120)
    description: Text = ""
    when: date
    user_id: Id | None = None
    attendance_status: AttendanceStatus = AttendanceStatus.SCHEDULED


class BookingPatch(BaseModel):
    """Only the fields given are changed; null is a value for `user_id` alone."""

    model_config = ConfigDict(extra="forbid")

    topic: Text | None = Field(default=None, min_length=1, max_length=120)
    description: Text | None = None
    when: date | None = None
    user_id: Id | None = None
    attendance_status: AttendanceStatus | None = None

    @model_validator(mode="after")
    def _refuse_null(self) -> BookingPatch:
        nulls = sorted(name for name in self.model_fields_set - {"user_id"} if getattr(self, name) is None)
        if nulls:
            raise ValueError(f"{', '.join(nulls)} cannot be null; leave a field out to keep it")
        return self


class BookingRead(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: int
    topic: str
    description: str
    when: date
    user_id: int | None
    attendance_status: AttendanceStatus

    @computed_field  # type: ignore[prop-decorator]  # pydantic's own advice for a computed property under mypy
    @property
    def attendance_label(self) -> str:
        return self.attendance_status.label
