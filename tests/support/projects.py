"""Small Alembic projects for tests: made in a folder, sync or async, with the scripts that a test needs."""

from __future__ import annotations

import sqlite3
import textwrap
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from handrail.migrations.revision import Direction, Revision, RevisionPath

SYNC_ENV = """
from alembic import context
from sqlalchemy import create_engine, pool

config = context.config
target_metadata = None


def run_online():
    engine = create_engine(config.get_main_option("sqlalchemy.url"), poolclass=pool.NullPool)
    with engine.connect() as connection:
        context.configure(connection=connection, target_metadata=target_metadata)
        with context.begin_transaction():
            context.run_migrations()


if context.is_offline_mode():
    context.configure(url=config.get_main_option("sqlalchemy.url"), literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()
else:
    run_online()
"""

ASYNC_ENV = """
import asyncio

from alembic import context
from sqlalchemy import pool
from sqlalchemy.ext.asyncio import create_async_engine

config = context.config
target_metadata = None


def run_sync(connection):
    context.configure(connection=connection, target_metadata=target_metadata)
    with context.begin_transaction():
        context.run_migrations()


async def run_online():
    engine = create_async_engine(config.get_main_option("sqlalchemy.url"), poolclass=pool.NullPool)
    async with engine.connect() as connection:
        await connection.run_sync(run_sync)
    await engine.dispose()


if context.is_offline_mode():
    context.configure(url=config.get_main_option("sqlalchemy.url"), literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()
else:
    asyncio.run(run_online())
"""

TEMPLATE = '''"""${message}"""
from alembic import op
import sqlalchemy as sa
${imports if imports else ""}

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}


def upgrade():
    ${upgrades if upgrades else "pass"}


def downgrade():
    ${downgrades if downgrades else "pass"}
'''
ENVIRONMENTS = {"sync": SYNC_ENV, "async": ASYNC_ENV}


def known_to_env_py(folder: Path) -> None:
    """Let env.py alone know the database's URL; neither alembic.ini nor handrail's configuration does."""
    ini, env = folder / "alembic.ini", next(folder.rglob("env.py"))
    (line,) = [line for line in ini.read_text().splitlines() if line.startswith("sqlalchemy.url")]
    ini.write_text(ini.read_text().replace(f"{line}\n", ""))
    url = line.partition("=")[2].strip()
    env.write_text(env.read_text().replace('config.get_main_option("sqlalchemy.url")', repr(url)))
    assert url in env.read_text()


@dataclass(frozen=True, slots=True)
class Script:
    """A migration script: the bodies of its two functions, as they would be written in the file."""

    id: str
    down: str | tuple[str, ...] | None
    upgrade: str = "pass"
    downgrade: str = "pass"
    doc: str = ""
    head: str = ""


BOOKINGS = Script(
    "a1",
    None,
    """
    op.create_table(
        "bookings",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("topic", sa.String(100), nullable=False),
    )
    op.execute("INSERT INTO bookings (id, topic) VALUES (1, '파이썬 학습'), (2, 'API 개발')")
    """,
    'op.drop_table("bookings")',
    doc="make bookings",
)
STATUS = Script(
    "b2",
    "a1",
    """
    with op.batch_alter_table("bookings") as batch:
        batch.add_column(sa.Column("status", sa.String(50), nullable=False, server_default="SCHEDULED"))
    """,
    """
    with op.batch_alter_table("bookings") as batch:
        batch.drop_column("status")
    """,
    doc="add status",
)


def make_project(
    folder: Path,
    *,
    style: str = "sync",
    url: str = "sqlite:///local.db",
    revisions: Sequence[Script] = (BOOKINGS, STATUS),
    env: str | None = None,
    toml: bool = False,
) -> Path:
    """Write a project into `folder` and return it. `env` replaces env.py; `toml` writes no alembic.ini."""
    versions = folder / "migrations" / "versions"
    versions.mkdir(parents=True, exist_ok=True)
    if toml:
        text = '[tool.alembic]\nscript_location = "%(here)s/migrations"\n'
        (folder / "pyproject.toml").write_text(text, "utf-8")
    else:
        doubled = url.replace("%", "%%")
        text = f"[alembic]\nscript_location = migrations\nprepend_sys_path = .\nsqlalchemy.url = {doubled}\n"
        (folder / "alembic.ini").write_text(text, "utf-8")
    (folder / "migrations" / "env.py").write_text(ENVIRONMENTS[style] if env is None else env, "utf-8")
    (folder / "migrations" / "script.py.mako").write_text(TEMPLATE, "utf-8")
    for script in revisions:
        write_script(folder, script)
    return folder


def path_of(
    *scripts: Script, start: str = "", direction: Direction = Direction.UPGRADE, target: str = ""
) -> RevisionPath:
    """The path through these scripts, as `Migrator.path` finds it, without a process."""
    revisions = tuple(
        Revision(script.id, _tuple(script.down), script.doc, f"migrations/versions/{script.id}_script.py", "")
        for script in scripts
    )
    end = scripts[-1].id if direction is Direction.UPGRADE else target
    return RevisionPath(direction, _tuple(start), _tuple(end), revisions)


def database_at_b2(file: Path) -> Path:
    """The SQLite database that BOOKINGS and STATUS lead to."""
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.executescript(
            """
            CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY);
            INSERT INTO alembic_version VALUES ('b2');
            CREATE TABLE bookings (id INTEGER NOT NULL PRIMARY KEY, topic VARCHAR(100) NOT NULL,
                                   status VARCHAR(50) DEFAULT 'SCHEDULED' NOT NULL);
            INSERT INTO bookings (id, topic) VALUES (1, '파이썬 학습'), (2, 'API 개발');
            """
        )
    return file


def _tuple(value: str | tuple[str, ...] | None) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) and value else tuple(value or ())


def write_script(folder: Path, script: Script) -> Path:
    """Write (or replace) one migration script."""
    path = folder / "migrations" / "versions" / f"{script.id}_script.py"
    path.write_text(
        f'"""{script.doc or script.id}"""\n'
        "import sqlalchemy as sa\n"
        "from alembic import op\n"
        f"{script.head}\n"
        f"revision = {script.id!r}\n"
        f"down_revision = {script.down!r}\n\n\n"
        f"def upgrade():\n{_body(script.upgrade)}\n\n\n"
        f"def downgrade():\n{_body(script.downgrade)}\n",
        "utf-8",
    )
    return path


def _body(text: str) -> str:
    return textwrap.indent(textwrap.dedent(text).strip(), "    ")
