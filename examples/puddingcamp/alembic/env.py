"""Runs the migration scripts on the application's own database, by its async engine."""

from __future__ import annotations

import asyncio
from logging.config import fileConfig
from typing import Any

from alembic import context
from sqlalchemy import Connection, pool
from sqlalchemy.ext.asyncio import create_async_engine

from appserver.config import load_settings
from appserver.db import async_url
from appserver.models import metadata

if context.config.config_file_name is not None:
    fileConfig(context.config.config_file_name, disable_existing_loggers=False)

# SQLite cannot alter most things in place; batch mode rebuilds the table there and is plain ALTER on PostgreSQL.
OPTIONS: dict[str, Any] = {"target_metadata": metadata, "render_as_batch": True}


def run_offline() -> None:
    """Write the SQL instead of running it (`alembic upgrade --sql`)."""
    url = async_url(load_settings().database_url)
    context.configure(url=url, literal_binds=True, dialect_opts={"paramstyle": "named"}, **OPTIONS)
    with context.begin_transaction():
        context.run_migrations()


def run_on(connection: Connection) -> None:
    context.configure(connection=connection, **OPTIONS)
    with context.begin_transaction():
        context.run_migrations()


async def run_online() -> None:
    engine = create_async_engine(async_url(load_settings().database_url), poolclass=pool.NullPool)
    try:
        async with engine.connect() as connection:
            await connection.run_sync(run_on)
    finally:
        await engine.dispose()


if context.is_offline_mode():
    run_offline()
else:
    asyncio.run(run_online())
