"""Projects that cannot be used: each says what, why with the user's own line, and what to do."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from handrail.errors import DatabaseUnavailable, HandrailError, ProjectError, UnsupportedEngine
from handrail.migrator.alembic import AlembicMigrator
from support.projects import BOOKINGS, STATUS, SYNC_ENV, Script, make_project, write_script


def failure(folder: Path, kind: type[HandrailError] = ProjectError) -> tuple[str, str]:
    with pytest.raises(kind) as caught:
        AlembicMigrator(folder).describe()
    assert type(caught.value) is kind
    assert caught.value.hint
    return caught.value.message, caught.value.why


def test_no_configuration(tmp_path: Path) -> None:
    assert failure(tmp_path) == (
        f"there is no Alembic configuration in {tmp_path}",
        "neither alembic.ini nor [tool.alembic] in pyproject.toml",
    )
    with pytest.raises(ProjectError, match=r"there is no .*/other\.ini"):
        AlembicMigrator(tmp_path, ini=Path("other.ini")).describe()


def test_broken_configuration(tmp_path: Path) -> None:
    make_project(tmp_path)
    (tmp_path / "alembic.ini").write_text("script_location = migrations\n", "utf-8")
    message, why = failure(tmp_path)
    assert message == "the Alembic project cannot be loaded"
    assert why.startswith("MissingSectionHeaderError: File contains no section headers.")
    (tmp_path / "alembic.ini").write_text("[other]\n", "utf-8")
    assert re.search(r"No 'script_location' key|no '\[alembic\]' section", failure(tmp_path)[0])
    (tmp_path / "alembic.ini").write_text("[alembic]\nscript_location = nowhere\n", "utf-8")
    assert failure(tmp_path)[0].startswith("Path doesn't exist:")
    (tmp_path / "pyproject.toml").write_text("[tool.", "utf-8")
    assert failure(tmp_path)[0] == f"{tmp_path}/pyproject.toml cannot be read"


ENV, A1 = "migrations/env.py", "migrations/versions/a1_script.py"
ENVIRONMENTS = {
    "import error": (
        "import not_there\n",
        (f"{ENV} failed", f"ModuleNotFoundError: No module named 'not_there' ({ENV}:1)"),
    ),
    "error in the app": (
        "import app_settings\n",
        ("app_settings.py failed", "KeyError: 'DATABASE_URL' (app_settings.py:2)"),
    ),
    "syntax": ("def broken(:\n", (f"{ENV} failed", f"SyntaxError: invalid syntax (env.py, line 1) ({ENV}:1)")),
    "sys.exit": ("import sys\nsys.exit(4)\n", (f"{ENV} called sys.exit", f"sys.exit(4) ({ENV}:2)")),
    "os._exit": (
        "import os\nprint('bye', flush=True)\nos._exit(0)\n",
        ("env.py ended the process that runs Alembic", "exit status 0; its last words: bye"),
    ),
    "never runs": (
        "x = 1\n",
        ("env.py never called context.run_migrations()", "so Alembic can neither read nor change the database"),
    ),
    "offline only": (
        SYNC_ENV.replace("if context.is_offline_mode():", "if True:"),
        (
            "env.py gave Alembic no connection",
            "it calls context.configure() without `connection`, as in offline mode",
        ),
    ),
    "creator": (
        SYNC_ENV.replace("poolclass=", 'creator=lambda: __import__("sqlite3").connect("x.db"), poolclass='),
        (
            "handrail cannot see where the project's connections go",
            "the engine is made with `creator=` (or a do_connect listener that connects by itself)",
        ),
    ),
    "no url": (
        SYNC_ENV.replace('config.get_main_option("sqlalchemy.url")', '"me:secret@nowhere"'),
        (
            "the database URL cannot be read",
            "SQLAlchemy could not parse it (it is not shown, since it may hold a password)",
        ),
    ),
}


@pytest.mark.parametrize("made", ["create_engine", "create_async_engine", "make_url"])
def test_a_port_that_is_no_number(tmp_path: Path, made: str) -> None:
    """Where the @ before the host is missing, that is the password: it is not shown."""
    source = "sqlalchemy.ext.asyncio" if made == "create_async_engine" else "sqlalchemy"
    make_project(tmp_path, env=f"from {source} import {made}\n\n{made}('postgresql+psycopg://user:secret/shop')\n")
    with pytest.raises(ProjectError) as caught:
        AlembicMigrator(tmp_path).describe()
    assert (caught.value.message, caught.value.why, caught.value.hint) == (
        "the database URL cannot be read",
        f"what stands where the port does is no number; it is not shown, since it may be a password ({ENV}:3)",
        "check sqlalchemy.url or the place from which env.py takes the URL: postgresql://user:password@host:5432/name,"
        " with an @ or / of the password as %40 or %2F",
    )


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_env_py(tmp_path: Path, name: str) -> None:
    env, expected = ENVIRONMENTS[name]
    (tmp_path / "app_settings.py").write_text("import os\nURL = os.environ['DATABASE_URL']\n", "utf-8")
    make_project(tmp_path, env=env)
    assert failure(tmp_path) == expected


def test_no_env_py(tmp_path: Path) -> None:
    make_project(tmp_path)
    (tmp_path / ENV).unlink()
    assert failure(tmp_path)[0] == f"there is no env.py in {tmp_path}/migrations"


def broken_script(folder: Path) -> None:
    write_script(folder, Script("a1", None, head="import not_there"))


def duplicate(folder: Path) -> None:
    text = (folder / A1).read_text("utf-8")
    (folder / "migrations/versions/other.py").write_text(text, "utf-8")


def unknown_parent(folder: Path) -> None:
    write_script(folder, Script("b2", "zz"))


def cycle(folder: Path) -> None:
    write_script(folder, Script("a1", "b2"))


SCRIPTS: dict[Callable[[Path], None], str] = {
    broken_script: f"{A1} failed",
    duplicate: "Revision a1 is present more than once",
    unknown_parent: "Revision zz referenced from zz -> b2 (head), b2 is not present",
    cycle: "Cycle is detected in revisions (a1, b2)",
}


@pytest.mark.parametrize("damage", SCRIPTS)
def test_scripts(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    make_project(tmp_path, revisions=(BOOKINGS, STATUS))
    damage(tmp_path)
    assert failure(tmp_path)[0] == SCRIPTS[damage]


ENGINES = {
    "mysql+pymysql://me:secret@db/app": "handrail does not know the engine 'mysql'",
    "postgres://me:secret@db/app": "handrail does not know the engine 'postgres'",
    "oracle+cx_oracle://me:secret@db/app": "handrail does not know the engine 'oracle'",
}


@pytest.mark.parametrize("url", ENGINES)
def test_other_engines_are_refused_by_name(tmp_path: Path, url: str) -> None:
    make_project(tmp_path, url=url)
    assert failure(tmp_path, UnsupportedEngine) == (ENGINES[url], "")


def test_a_missing_folder(tmp_path: Path) -> None:
    make_project(tmp_path, url="sqlite:////no/such/folder/x.db")
    message, why = failure(tmp_path, DatabaseUnavailable)
    assert message == "there is no database at sqlite:////no/such/folder/x.db"
    assert why == "the folder /no/such/folder does not exist"
