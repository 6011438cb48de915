"""Real projects whose migration scripts are run, and the environments in which they run (network needed)."""

from __future__ import annotations

import json
import subprocess
import venv
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from bench.linting import CACHE

from support.children import Child

HOME = CACHE / "round-trips"
BOTH = ("sqlite", "postgresql")
_WALKER = Path(__file__).with_name("history_walker.py")
#: For all projects: the driver for PostgreSQL that most of them name.
_TOOLS = ("alembic", "psycopg2-binary")


@dataclass(frozen=True, slots=True)
class Project:
    """A project on PyPI. `inside` is the folder of its scripts; `engines` those on which its untouched history runs.

    `alone` are what its scripts need, where everything that the package asks for is too much: it is then installed
    without its dependencies. `off` are rules whose repair is known to fail there (docs/campaigns.md). `begin` is Python that runs before the first script (`history_walker.main`).
    """

    name: str
    version: str
    inside: str
    engines: tuple[str, ...] = BOTH
    alone: tuple[str, ...] = ()
    begin: str = ""
    environment: dict[str, str] = field(default_factory=dict)
    off: tuple[str, ...] = ()

    @property
    def _home(self) -> Path:
        return HOME / f"{self.name}-{self.version}"

    @property
    def python(self) -> Path:
        return self._home / "bin" / "python"

    def obtain(self) -> Path:
        """The folder of its scripts, installed when it is not there yet. Raises RuntimeError with pip's last words."""
        done = self._home / "installed"
        if not done.exists():
            venv.create(self._home, with_pip=True, clear=True)
            package = f"{self.name}=={self.version}"
            if self.alone:
                self._pip("--no-deps", package)
            self._pip(*(self.alone or (package,)), *_TOOLS)
            done.touch()
        return next(self._home.glob(f"lib/python*/site-packages/{self.inside}"))

    def _pip(self, *words: str) -> None:
        made = subprocess.run(
            [self.python, "-m", "pip", "install", "-q", *words], capture_output=True, text=True, check=False
        )
        if made.returncode:
            raise RuntimeError(f"pip cannot install {self.name}: {made.stderr[-500:]}")


#: What dagster made itself before it had scripts, as far as these expect it.
_DAGSTER = """
import sqlalchemy as sa
from dagster import DagsterInstance
from dagster._core.storage.migration import utils

utils._UPGRADING_INSTANCE = DagsterInstance.ephemeral()
initial = sa.MetaData()
sa.Table("runs", initial, sa.Column("id", sa.Integer, primary_key=True), sa.Column("run_id", sa.String(255), unique=True),
    sa.Column("pipeline_name", sa.String), sa.Column("status", sa.String(63)), sa.Column("run_body", sa.String),
    sa.Column("create_timestamp", sa.DateTime), sa.Column("update_timestamp", sa.DateTime))
sa.Table("run_tags", initial, sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("run_id", sa.String(255), sa.ForeignKey("runs.run_id", name="run_tags_run_id_fkey")),
    sa.Column("key", sa.String), sa.Column("value", sa.String))
sa.Table("event_logs", initial, sa.Column("id", sa.Integer, primary_key=True), sa.Column("run_id", sa.String(255)),
    sa.Column("event", sa.String, nullable=False), sa.Column("dagster_event_type", sa.String),
    sa.Column("timestamp", sa.DateTime))
"""
_PREFECT = (
    "from prefect.server.database.dependencies import provide_database_interface;"
    " metadata = provide_database_interface().Base.metadata"
)

PROJECTS = (
    Project(
        "mlflow",
        "3.18.0",
        "mlflow/store/db_migrations/versions",
        alone=(
            *("sqlalchemy", "click", "cloudpickle", "pyyaml", "requests", "pydantic", "packaging", "protobuf"),
            *("gitpython", "databricks-sdk", "cachetools", "opentelemetry-sdk", "opentelemetry-proto", "sqlparse"),
            *("importlib_metadata", "python-dotenv", "pandas", "fastapi", "flask", "cryptography"),
        ),
        begin="from mlflow.store.tracking.dbmodels.initial_models import Base; initial = Base.metadata",
    ),
    Project("optuna", "5.0.0", "optuna/storages/_rdb/alembic/versions"),
    Project(
        "dagster",
        "1.13.29",
        "dagster/_core/storage/alembic/versions",
        begin=_DAGSTER,
    ),
    Project(
        "apache-airflow-core",
        "3.3.2",
        "airflow/migrations/versions",
        begin="from airflow.models.base import Base; metadata = Base.metadata",
    ),
    Project(
        "arize-phoenix",
        "20.26.1",
        "phoenix/db/migrations/versions",
        begin="from phoenix.db.models import Base; metadata = Base.metadata",
    ),
    Project("ihatemoney", "7.2.1", "ihatemoney/migrations/versions"),
    Project(
        "ironic",
        "39.0.0",
        "ironic/db/sqlalchemy/alembic/versions",
        engines=("postgresql",),
        begin="from alembic import op; from oslo_db.sqlalchemy import enginefacade;"
        " enginefacade.reader.get_engine = op.get_bind",
    ),
    Project("meltano", "4.4.1", "meltano/migrations/versions"),
    Project(
        "langflow-base",
        "1.13.0",
        "langflow/alembic/versions",
        # the naming convention of its env.py
        begin="import sqlalchemy as sa; metadata = sa.MetaData(naming_convention={"
        "'ix': 'ix_%(column_0_label)s', 'uq': 'uq_%(table_name)s_%(column_0_name)s',"
        "'ck': 'ck_%(table_name)s_%(constraint_name)s',"
        "'fk': 'fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s', 'pk': 'pk_%(table_name)s'})",
    ),
    Project(
        "open-webui",
        "0.12.4",
        "open_webui/migrations/versions",
        alone=(
            *("sqlalchemy", "typer", "pydantic", "fastapi", "peewee", "peewee-migrate", "python-dotenv", "uvicorn"),
            *("beautifulsoup4", "markdown", "redis", "requests", "aiohttp", "cryptography", "colorlog", "loguru"),
            *(
                "opentelemetry-api",
                "aiosqlite",
                "python-engineio",
                "python-socketio",
                "itsdangerous",
                "orjson",
                "pandas",
            ),
        ),
        environment={"WEBUI_SECRET_KEY": "none", "ENABLE_DB_MIGRATIONS": "false"},
    ),
    Project(
        "prefect",
        "3.9.1",
        "prefect/server/database/_migrations/versions/postgresql",
        engines=("postgresql",),
        begin=_PREFECT,
        off=("HR-LK109",),
    ),
    Project(
        "prefect",
        "3.9.1",
        "prefect/server/database/_migrations/versions/sqlite",
        engines=("sqlite",),
        begin=_PREFECT,
    ),
)


class Walk:
    """The scripts of one folder, run by the project's Python; a context that ends the process."""

    def __init__(self, project: Project, versions: Path) -> None:
        home = versions.parent
        environment = {"PATH": "/usr/bin:/bin", "HOME": str(home), "DATA_DIR": str(home)}
        self._log = home / "output.txt"
        with self._log.open("a") as log:
            self._process = Child(
                [project.python, _WALKER, versions, project.begin],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                cwd=home,
                env=environment | project.environment,
            )

    def ask(self, what: str, url: str = "", **words: str) -> dict[str, Any]:
        """What the walker answers; raises RuntimeError when its process has ended."""
        asked, told = self._process.stdin, self._process.stdout
        assert asked and told
        asked.write(json.dumps({"do": what, "url": url, **words}) + "\n")
        asked.flush()
        line = told.readline()
        if not line:
            raise RuntimeError(f"the project's process has ended: {self._log.read_text()[-800:]}")
        found: dict[str, Any] = json.loads(line)
        return found

    def failure(self, what: str, url: str, **words: str) -> str:
        """Do it; "" or why it failed."""
        return str(self.ask(what, url, **words).get("error", ""))

    def order(self) -> list[dict[str, Any]]:
        answer = self.ask("order")
        if "error" in answer:
            raise RuntimeError(answer["error"])
        found: list[dict[str, Any]] = answer["order"]
        return found

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                pipe.close()
        self._process.wait(60)
