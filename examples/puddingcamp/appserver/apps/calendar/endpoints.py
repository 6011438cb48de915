"""/bookings: create, list, read, patch."""

from __future__ import annotations

from fastapi import APIRouter, HTTPException
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from appserver.apps.account.models import User
from appserver.apps.calendar.enums import AttendanceStatus
from appserver.apps.calendar.models import Booking
from appserver.apps.calendar.schemas import BookingCreate, BookingPatch, BookingRead
from appserver.schemas import Id
from appserver.sessions import Session

router = APIRouter(prefix="/bookings", tags=["calendar"])


@router.post("", status_code=201, response_model=BookingRead)
async def create_booking(body: BookingCreate, session: Session) -> Booking:
    await _expect_user(session, body.user_id)
    booking = Booking(**body.model_dump())
    session.add(booking)
    await session.commit()
    return booking


@router.get("", response_model=list[BookingRead])
async def list_bookings(session: Session, attendance_status: AttendanceStatus | None = None) -> list[Booking]:
    query = select(Booking).order_by(col(Booking.id))
    if attendance_status is not None:
        query = query.where(Booking.attendance_status == attendance_status)
    return list((await session.execute(query)).scalars())


@router.get("/{booking_id}", response_model=BookingRead)
async def read_booking(booking_id: Id, session: Session) -> Booking:
    return await _expect_booking(session, booking_id)


@router.patch("/{booking_id}", response_model=BookingRead)
async def patch_booking(booking_id: Id, body: BookingPatch, session: Session) -> Booking:
    booking = await _expect_booking(session, booking_id)
    await _expect_user(session, body.user_id)
    for name, value in body.model_dump(exclude_unset=True).items():
        setattr(booking, name, value)
    await session.commit()
    return booking


async def _expect_booking(session: AsyncSession, booking_id: int) -> Booking:
    booking = await session.get(Booking, booking_id)
    if booking is None:
        raise HTTPException(404, f"booking {booking_id} does not exist")
    return booking


async def _expect_user(session: AsyncSession, user_id: int | None) -> None:
    if user_id is not None and await session.get(User, user_id) is None:
        raise HTTPException(422, f"user {user_id} does not exist")
