"""/users: create, list, read."""

from __future__ import annotations

from fastapi import APIRouter, HTTPException
from sqlalchemy.exc import IntegrityError
from sqlmodel import col, select

from appserver.apps.account.models import User
from appserver.apps.account.schemas import UserCreate, UserRead
from appserver.schemas import Id
from appserver.sessions import Session

router = APIRouter(prefix="/users", tags=["account"])


@router.post("", status_code=201, response_model=UserRead)
async def create_user(body: UserCreate, session: Session) -> User:
    user = User(username=body.username, email=body.email)
    session.add(user)
    try:
        await session.commit()
    except IntegrityError as error:
        raise HTTPException(409, "a user with this username or email exists") from error
    return user


@router.get("", response_model=list[UserRead])
async def list_users(session: Session) -> list[User]:
    return list((await session.execute(select(User).order_by(col(User.id)))).scalars())


@router.get("/{user_id}", response_model=UserRead)
async def read_user(user_id: Id, session: Session) -> User:
    user = await session.get(User, user_id)
    if user is None:
        raise HTTPException(404, f"user {user_id} does not exist")
    return user
