"""The table of bookings."""

from __future__ import annotations

from datetime import date

from handrail import enum_field
from sqlalchemy import Column, Date, ForeignKey, Integer, String, Text
from sqlmodel import Field

from appserver.apps.calendar.enums import AttendanceStatus
from appserver.tables import Model


class Booking(Model, table=True):
    __tablename__ = "bookings"

    id: int | None = Field(default=None, primary_key=True)
    topic: str = Field(sa_column=Column(String(120), nullable=False))
    description: str = Field(default="", sa_column=Column(Text, nullable=False))
    when: date = Field(sa_column=Column(Date, nullable=False))
    user_id: int | None = Field(default=None, sa_column=Column(Integer, ForeignKey("users.id"), nullable=True))
    # VARCHAR(50) on every database, read back as the enum's member; other writers get the default, too.
    attendance_status: AttendanceStatus = enum_field(AttendanceStatus, "check", default=AttendanceStatus.SCHEDULED)
