"""Builds the application: the engine, the parts' endpoints and /health."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, HTTPException
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from appserver.apps.account import endpoints as account
from appserver.apps.calendar import endpoints as calendar
from appserver.config import Settings, load_settings
from appserver.db import make_engine
from appserver.sessions import Session


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    yield
    await app.state.engine.dispose()


def create_app(settings: Settings | None = None) -> FastAPI:
    """The application on the database of `settings`, else of ENV. Serve it by `uvicorn --factory` and this function."""
    app = FastAPI(title="puddingcamp", lifespan=_lifespan)
    app.state.engine = make_engine((settings or load_settings()).database_url)
    app.include_router(account.router)
    app.include_router(calendar.router)
    app.add_api_route("/health", health)
    return app


async def health(session: Session) -> dict[str, str]:
    """200 while the database answers, else 503; the reason stays in the server, it may name hosts and users."""
    try:
        await session.execute(text("SELECT 1"))
    except (SQLAlchemyError, OSError) as error:
        raise HTTPException(503, "the database does not answer") from error
    return {"status": "ok"}
