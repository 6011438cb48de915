"""The sample application: its settings, its endpoints, and its history run by plain Alembic, on both databases."""

from __future__ import annotations

import asyncio
import os
import runpy
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.pool import NullPool

from support.postgres import PostgresServer
from support.warm import ALEMBIC, call

ONLY_NEWEST_SERVER = True

SOURCE = Path(__file__).parents[2] / "examples" / "puddingcamp"
FIRST, SECOND, THIRD, FOURTH = "5a1f0c3d2b4e", "8c2d47e9b1a0", "d2f60b71a8c5", "e81c3f92d0b6"
SECOND_SCRIPT = f"{SECOND}_add_attendance_status_to_bookings.py"
ROWS = [(1, "Python", "파이썬 학습", "2024-01-10"), (2, "FastAPI", "API 개발", "2024-01-15")]
ENUM_FIELD = "enum_field(AttendanceStatus, default=AttendanceStatus.SCHEDULED)"
PLAIN_FIELD = (
    "Field(default=AttendanceStatus.SCHEDULED, "
    "sa_column=Column(Enum(AttendanceStatus, native_enum=False, length=50), nullable=False))"
)
NOT_COPIED = ("__pycache__", "local.db*", ".handrail")

Call = tuple[str, str, Any]


@pytest.fixture(scope="module", autouse=True)
def _importable() -> Iterator[None]:
    sys.path.insert(0, str(SOURCE))
    yield
    sys.path.remove(str(SOURCE))


@dataclass(frozen=True, slots=True)
class Project:
    """A copy of the application on a database of its own."""

    folder: Path
    environment: dict[str, str]
    sync_url: str

    def alembic(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return call(*arguments, module=ALEMBIC, cwd=self.folder, env={**os.environ, **self.environment})

    def upgrade(self, target: str) -> None:
        result = self.alembic("upgrade", target)
        assert result.returncode == 0, result.stderr

    def make_head(self, revision: str = FOURTH) -> None:
        """What `upgrade head` makes, without the time of its process; that both are the same is tested."""
        engine = create_engine(self.sync_url, poolclass=NullPool)
        import_module("appserver.models").metadata.create_all(engine)
        self.run("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)")
        self.run(f"INSERT INTO alembic_version VALUES ('{revision}')")

    def generate(self, number: str, message: str) -> None:
        """Write a revision from the models, and apply it."""
        names = {"STAGING_DATABASE_URL": "postgresql://db/app", "DATABASE_URL": "postgresql://db/app"}
        words = ["revision", "--autogenerate", "--rev-id", number, "-m", message]
        result = call(*words, module=ALEMBIC, cwd=self.folder, env={**os.environ, **names, **self.environment})
        assert result.returncode == 0, result.stderr
        self.upgrade(number)

    def revision(self) -> str:
        ((revision,),) = self.run("SELECT version_num FROM alembic_version")
        return str(revision)

    def replace_second_script(self, story: str) -> None:
        shutil.copy(SOURCE / "story" / story, self.folder / "alembic" / "versions" / SECOND_SCRIPT)

    def edit(self, path: str, old: str, new: str) -> None:
        source = (self.folder / path).read_text()
        assert source.count(old) == 1
        (self.folder / path).write_text(source.replace(old, new))

    def run(self, sql: str, *rows: dict[str, object]) -> list[tuple[Any, ...]]:
        engine = create_engine(self.sync_url, poolclass=NullPool)
        with engine.begin() as connection:
            result = connection.execute(text(sql), list(rows) or None)
            return [tuple(row) for row in result] if result.returns_rows else []

    def insert_rows(self, **more: str) -> None:
        when = ":when" if self.sync_url.startswith("sqlite") else "CAST(:when AS DATE)"
        names, values = "".join(f", {name}" for name in more), "".join(f", :{name}" for name in more)
        rows = [{**dict(zip(("id", "topic", "description", "when"), row, strict=True)), **more} for row in ROWS]
        columns = f'id, topic, description, "when"{names}'
        self.run(f"INSERT INTO bookings ({columns}) VALUES (:id, :topic, :description, {when}{values})", *rows)

    def call(self, *calls: Call) -> list[tuple[int, Any]]:
        """Answer requests by the application itself, one after the other: (status, body) of each."""
        return asyncio.run(self._call(calls))

    async def _call(self, calls: tuple[Call, ...]) -> list[tuple[int, Any]]:
        httpx = import_module("httpx")
        settings = import_module("appserver.config").Settings("test", self.sync_url)
        app = import_module("appserver.app").create_app(settings)
        try:
            transport = httpx.ASGITransport(app=app)
            async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
                answers = [await client.request(verb, path, json=body) for verb, path, body in calls]
        finally:
            await app.state.engine.dispose()
        return [(answer.status_code, answer.json()) for answer in answers]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(SOURCE, tmp_path / "puddingcamp", ignore=shutil.ignore_patterns(*NOT_COPIED)))


class OnSQLite:
    @pytest.fixture
    def project(self, folder: Path) -> Project:
        return Project(folder, {"ENV": "development"}, f"sqlite:///{folder / 'local.db'}")


class OnPostgreSQL:
    @pytest.fixture
    def project(self, folder: Path, postgres_server: PostgresServer) -> Iterator[Project]:
        address = postgres_server.clone()
        where = f"{address.user}:{address.password}@{address.host}:{address.port}/{address.database}"
        environment = {"ENV": "staging", "STAGING_DATABASE_URL": f"postgres://{where}"}
        yield Project(folder, environment, f"postgresql+psycopg://{where}")
        postgres_server.drop(address.database)


# --- settings


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, ("development", "sqlite:///./local.db")),
        ({"ENV": "development", "DATABASE_URL": "postgresql://p/d"}, ("development", "sqlite:///./local.db")),
        ({"ENV": "staging", "STAGING_DATABASE_URL": "postgresql://s/d"}, ("staging", "postgresql://s/d")),
        ({"ENV": "production", "DATABASE_URL": "postgresql://p/d"}, ("production", "postgresql://p/d")),
        ({"ENV": "prod", "DATABASE_URL": "postgresql://p/d"}, ("prod", "postgresql://p/d")),
    ],
)
def test_the_database_is_chosen_by_env(environ: dict[str, str], expected: tuple[str, str]) -> None:
    settings = import_module("appserver.config").load_settings(environ)
    assert (settings.environment, settings.database_url) == expected


@pytest.mark.parametrize(("env", "name"), [("staging", "STAGING_DATABASE_URL"), ("production", "DATABASE_URL")])
def test_a_missing_url_is_named(env: str, name: str) -> None:
    config = import_module("appserver.config")
    with pytest.raises(config.MissingSettingError) as caught:
        config.load_settings({"ENV": env})
    assert str(caught.value) == (
        f"ENV is '{env}', so the database URL must be in ${name}, but that is not set. "
        f"Set {name}=postgresql://user:password@host/database, or ENV=development for the file local.db."
    )


def test_settings_do_not_show_the_password() -> None:
    settings = import_module("appserver.config").Settings("production", "postgresql://u:secret@h/d")
    assert repr(settings) == "Settings(environment='production')"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("sqlite:///./local.db", "sqlite+aiosqlite:///./local.db"),
        ("sqlite+aiosqlite:////tmp/a.db", "sqlite+aiosqlite:////tmp/a.db"),
        ("postgres://u:p%40@h:5433/d", "postgresql+psycopg://u:p%40@h:5433/d"),
        ("postgres+asyncpg://h/d", "postgresql+psycopg://h/d"),
        ("postgresql://h/d?sslmode=require", "postgresql+psycopg://h/d?sslmode=require"),
        ("postgresql+psycopg2://h/d", "postgresql+psycopg://h/d"),
        ("postgresql+psycopg://h/d", "postgresql+psycopg://h/d"),
    ],
)
def test_a_url_is_translated_to_its_async_driver(given: str, expected: str) -> None:
    url = import_module("appserver.db").async_url(given)
    assert url.render_as_string(hide_password=False) == expected


def test_another_engine_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="not on mysql"):
        import_module("appserver.db").async_url("mysql+pymysql://h/d")


def test_each_status_has_one_text_and_a_korean_label() -> None:
    status = import_module("appserver.apps.calendar.enums").AttendanceStatus
    assert [(member.name, member.value, member.label) for member in status] == [
        ("SCHEDULED", "SCHEDULED", "예정"),
        ("ATTENDED", "ATTENDED", "출석"),
        ("NO_SHOW", "NO_SHOW", "결석"),
        ("CANCELLED", "CANCELLED", "취소"),
        ("SAME_DAY_CANCEL", "SAME_DAY_CANCEL", "당일 취소"),
        ("LATE", "LATE", "지각"),
        ("EXCUSED", "EXCUSED", "공결"),
    ]


def test_the_document_of_the_api_lists_each_status_with_its_label() -> None:
    settings = import_module("appserver.config").Settings("test", "sqlite://")
    document = import_module("appserver.app").create_app(settings).openapi()
    values = ["SCHEDULED", "ATTENDED", "NO_SHOW", "CANCELLED", "SAME_DAY_CANCEL", "LATE", "EXCUSED"]
    labels = ["예정", "출석", "결석", "취소", "당일 취소", "지각", "공결"]
    listed = "\n".join(f"- `{value}`: {label}" for value, label in zip(values, labels, strict=True))
    assert document["components"]["schemas"]["AttendanceStatus"] == {
        "type": "string",
        "title": "AttendanceStatus",
        "description": f"What became of a booking.\n\n{listed}",
        "enum": values,
        "x-enum-varnames": values,
        "x-enum-descriptions": labels,
    }


# --- history, by plain Alembic

BOOKINGS = 'SELECT id, topic, description, CAST("when" AS VARCHAR(10)){more} FROM bookings ORDER BY id'
REMINDERS = "SELECT description, reminder FROM bookings ORDER BY id"


class StorySuite:
    @pytest.fixture(autouse=True)
    def _begin_at_the_second_revision(self, folder: Path) -> None:
        runpy.run_path(str(folder / "story" / "rewind.py"))["rewind"](folder)

    def test_the_second_revision_fails_on_rows_until_it_is_repaired(self, project: Project) -> None:
        project.upgrade(FIRST)
        project.insert_rows()
        assert project.run(BOOKINGS.format(more="")) == ROWS
        assert project.run("SELECT id, username, email FROM users") == []

        unsafe = project.alembic("upgrade", "head")
        assert unsafe.returncode == 1
        assert ("NOT NULL column" in unsafe.stderr) or ("contains null values" in unsafe.stderr)
        assert project.run(BOOKINGS.format(more="")) == ROWS
        assert project.revision() == FIRST

        project.replace_second_script("repaired_add_attendance_status.py")
        project.upgrade("head")
        assert project.run(BOOKINGS.format(more=", attendance_status")) == [(*row, "SCHEDULED") for row in ROWS]
        assert project.alembic("check").stdout == "No new upgrade operations detected.\n"

        assert project.alembic("downgrade", "-1").returncode == 0
        assert project.run(BOOKINGS.format(more="")) == ROWS

    @pytest.mark.parametrize(
        ("field", "with_handrail"), [(PLAIN_FIELD, False), (PLAIN_FIELD, True), (ENUM_FIELD, True)]
    )
    def test_autogenerate_writes_the_second_script_and_the_models_agree_with_it(
        self, project: Project, field: str, with_handrail: bool
    ) -> None:
        """By itself the unsafe one of the history, with handrail's plugin the one that the story repairs it to."""
        script = project.folder / "alembic" / "versions" / SECOND_SCRIPT
        repaired = SOURCE / "story" / "repaired_add_attendance_status.py"
        committed = (repaired if with_handrail else script).read_text()
        project.edit("appserver/apps/calendar/models.py", ENUM_FIELD, field)
        project.edit("appserver/apps/calendar/models.py", "import Column,", "import Enum, Column,")
        if not with_handrail:
            without = '"autogenerate_plugins": ["alembic.autogenerate.*", "~alembic.autogenerate.handrail"]'
            project.edit("alembic/env.py", '"render_as_batch": True', f'"render_as_batch": True, {without}')
        project.upgrade(FIRST)
        script.unlink()
        message = "add attendance_status to bookings"
        result = project.alembic("revision", "--autogenerate", "--rev-id", SECOND, "-m", message)
        assert result.returncode == 0, result.stderr
        assert _without_date(script.read_text()) == _without_date(committed)

        project.upgrade("head")
        assert project.alembic("check").stdout == "No new upgrade operations detected.\n"

    @pytest.mark.parametrize(
        ("story", "expected"),
        [
            ("add_reminder.py", [("파이썬 학습", None), ("API 개발", None)]),
            ("lossy_add_reminder.py", [("파이썬", None), ("API", None)]),
        ],
    )
    def test_what_a_third_script_of_the_story_does(self, project: Project, story: str, expected: list[Any]) -> None:
        project.make_head(SECOND)
        project.insert_rows(attendance_status="LATE")
        shutil.copy(SOURCE / "story" / story, project.folder / "alembic" / "versions" / story)
        project.upgrade("head")
        assert project.run(REMINDERS) == expected

    def test_the_broken_script_of_the_story_fails(self, project: Project) -> None:
        project.make_head(SECOND)
        shutil.copy(SOURCE / "story" / "broken_add_reminder.py", project.folder / "alembic" / "versions" / "broken.py")
        result = project.alembic("upgrade", "head")
        last = result.stderr.splitlines()[-1]
        assert (result.returncode, last) == (1, "RuntimeError: the reminder service does not answer")
        assert project.revision() == SECOND

    def test_offline_mode_writes_sql(self, project: Project) -> None:
        result = project.alembic("upgrade", "head", "--sql")
        assert result.returncode == 0, result.stderr
        assert "ALTER TABLE bookings ADD COLUMN attendance_status VARCHAR(50) NOT NULL;" in result.stdout


class TestStoryOnSQLite(OnSQLite, StorySuite):
    pass


class TestStoryOnPostgreSQL(OnPostgreSQL, StorySuite):
    pass


LATER_ROWS = """INSERT INTO bookings (topic, description, "when", attendance_status)
VALUES ('SQL', '', '2024-02-01', '{status}')"""
STATUSES = "SELECT attendance_status FROM bookings ORDER BY id"


class LaterSuite:
    """What came after the story: a CHECK for the status, and a new member."""

    @pytest.fixture(autouse=True)
    def _repaired(self, project: Project) -> None:
        project.replace_second_script("repaired_add_attendance_status.py")

    def test_the_history_keeps_the_rows_and_leads_to_the_models(self, project: Project) -> None:
        project.upgrade(FIRST)
        project.insert_rows()
        project.upgrade("head")
        assert project.run(BOOKINGS.format(more=", attendance_status")) == [(*row, "SCHEDULED") for row in ROWS]
        assert project.alembic("check").stdout == "No new upgrade operations detected.\n"
        assert project.alembic("downgrade", "base").returncode == 0

    def test_the_database_refuses_what_is_no_member(self, project: Project) -> None:
        project.upgrade(THIRD)
        with pytest.raises(IntegrityError):
            project.run(LATER_ROWS.format(status="EXCUSED"))
        project.upgrade(FOURTH)
        project.run(LATER_ROWS.format(status="EXCUSED"))
        with pytest.raises(IntegrityError):
            project.run(LATER_ROWS.format(status="excused"))
        assert project.run(STATUSES) == [("EXCUSED",)]

    def test_the_way_back_strands_no_row(self, project: Project) -> None:
        project.upgrade("head")
        project.run(LATER_ROWS.format(status="EXCUSED"))
        refused = project.alembic("downgrade", "-1")
        assert refused.returncode == 1
        assert refused.stderr.splitlines()[-1] == (
            "RuntimeError: bookings.attendance_status holds other values than will be allowed (value, rows): "
            "[('EXCUSED', 1)]; give these rows another value first: UPDATE bookings SET attendance_status = ... WHERE attendance_status = ..."
        )
        assert (project.revision(), project.run(STATUSES)) == (FOURTH, [("EXCUSED",)])

    def test_a_text_that_is_no_member_stops_the_check(self, project: Project) -> None:
        project.upgrade(SECOND)
        project.run(LATER_ROWS.format(status="scheduled"))
        refused = project.alembic("upgrade", "head")
        assert refused.stderr.splitlines()[-1] == (
            "RuntimeError: bookings.attendance_status holds other values than will be allowed (value, rows): "
            "[('scheduled', 1)]; give these rows another value first: UPDATE bookings SET attendance_status = ... WHERE attendance_status = ..."
        )
        assert project.run(STATUSES) == [("scheduled",)]

    def test_autogenerate_writes_both_scripts(self, project: Project) -> None:
        """For PostgreSQL and SQLite at once, from whichever is connected."""
        versions = project.folder / "alembic" / "versions"
        kept = {path.name: path.read_text() for path in versions.glob("*_*.py")}
        for number in (THIRD, FOURTH):
            next(versions.glob(f"{number}_*")).unlink()
        enums, late = "appserver/apps/calendar/enums.py", '    LATE = "LATE", "지각"\n'
        project.edit(enums, '    EXCUSED = "EXCUSED", "공결"\n', "")
        project.upgrade(SECOND)
        project.generate(THIRD, "check attendance_status")
        project.edit(enums, late, f'{late}    EXCUSED = "EXCUSED", "공결"\n')
        project.generate(FOURTH, "allow EXCUSED")
        assert {path.name: _without_date(path.read_text()) for path in versions.glob("*_*.py")} == {
            name: _without_date(source) for name, source in kept.items()
        }


class TestLaterOnSQLite(OnSQLite, LaterSuite):
    pass


class TestLaterOnPostgreSQL(OnPostgreSQL, LaterSuite):
    pass


def _without_date(source: str) -> list[str]:
    return [line.rstrip() for line in source.splitlines() if not line.startswith("Create Date")]


# --- endpoints

PYTHON = {"topic": "Python", "description": "파이썬 학습", "when": "2024-01-10"}
PYTHON_READ = {"id": 1, **PYTHON, "user_id": None, "attendance_status": "SCHEDULED", "attendance_label": "예정"}
KIM = {"username": "kim", "email": "kim@example.com"}
BAD_CALLS: list[tuple[Call, int]] = [
    (("GET", "/bookings/7", None), 404),
    (("PATCH", "/bookings/7", {"topic": "x"}), 404),
    (("GET", "/users/7", None), 404),
    (("GET", "/bookings/99999999999999999999", None), 422),
    (("GET", "/bookings?attendance_status=scheduled", None), 422),
    (("POST", "/bookings", {**PYTHON, "attendance_status": "scheduled"}), 422),
    (("POST", "/bookings", {**PYTHON, "topic": ""}), 422),
    (("POST", "/bookings", {**PYTHON, "topic": "가" * 121}), 422),
    (("POST", "/bookings", {**PYTHON, "description": "a\0b"}), 422),
    (("POST", "/bookings", {**PYTHON, "when": "2024-02-30"}), 422),
    (("POST", "/bookings", {**PYTHON, "user_id": 7}), 422),
    (("POST", "/bookings", {**PYTHON, "status": "LATE"}), 422),
    (("PATCH", "/bookings/1", {"topic": None}), 422),
    (("PATCH", "/bookings/1", {"attendance_status": "GONE"}), 422),
    (("POST", "/users", {"username": "kim", "email": "nobody"}), 422),
]


class EndpointSuite:
    def test_bookings_are_created_listed_and_patched(self, project: Project) -> None:
        api = {"topic": "FastAPI", "when": "2024-01-15", "user_id": 1, "attendance_status": "LATE"}
        api_read = {"id": 2, **api, "description": "", "attendance_label": "지각"}
        patched = {**PYTHON_READ, "attendance_status": "ATTENDED", "attendance_label": "출석"}
        project.make_head()
        assert project.call(
            ("POST", "/users", KIM),
            ("GET", "/users", None),
            ("GET", "/users/1", None),
            ("POST", "/users", {**KIM, "email": "k@example.com"}),
            ("POST", "/bookings", PYTHON),
            ("POST", "/bookings", api),
            ("GET", "/bookings", None),
            ("PATCH", "/bookings/1", {"attendance_status": "ATTENDED"}),
            ("PATCH", "/bookings/2", {"user_id": None}),
            ("GET", "/bookings/1", None),
            ("GET", "/bookings?attendance_status=LATE", None),
        ) == [
            (201, {"id": 1, **KIM}),
            (200, [{"id": 1, **KIM}]),
            (200, {"id": 1, **KIM}),
            (409, {"detail": "a user with this username or email exists"}),
            (201, PYTHON_READ),
            (201, api_read),
            (200, [PYTHON_READ, api_read]),
            (200, patched),
            (200, {**api_read, "user_id": None}),
            (200, patched),
            (200, [{**api_read, "user_id": None}]),
        ]

    def test_bad_requests_are_refused_and_change_nothing(self, project: Project) -> None:
        project.make_head()
        calls = [call for call, _ in BAD_CALLS]
        created, *answers, listed = project.call(("POST", "/bookings", PYTHON), *calls, ("GET", "/bookings", None))
        assert [(call, status) for call, (status, _) in zip(calls, answers, strict=True)] == BAD_CALLS
        assert (created, listed) == ((201, PYTHON_READ), (200, [PYTHON_READ]))

    def test_health_asks_the_database(self, project: Project) -> None:
        assert project.call(("GET", "/health", None)) == [(200, {"status": "ok"})]


class TestEndpointsOnSQLite(OnSQLite, EndpointSuite):
    pass


class TestEndpointsOnPostgreSQL(OnPostgreSQL, EndpointSuite):
    pass


def test_health_fails_without_a_database_and_does_not_say_which(tmp_path: Path) -> None:
    lost = Project(tmp_path, {}, "postgresql://u:secret@127.0.0.1:1/d")
    assert lost.call(("GET", "/health", None)) == [(503, {"detail": "the database does not answer"})]
