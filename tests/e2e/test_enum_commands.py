"""`handrail enum` on real databases, through the real child process: listed, checked, renamed, converted and back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.enum_projects import GUIDE, EnumProject, enum_project, field, model
from support.postgres import PostgresServer

#: `make test-servers` runs it on the others; `make test-long` all strategies.
ONLY_NEWEST_SERVER = True
pytestmark = pytest.mark.story
LONG = pytest.mark.long

THREE = 'SCHEDULED = "scheduled"; ATTENDED = "attended"; LATE = "late"'
RENAMED = THREE.replace('"late"', '"delayed"')
ROWS = (
    "INSERT INTO bookings (id) VALUES (1), (2)",
    "INSERT INTO bookings (id, status) VALUES (3, 'late')",
)
#: How each engine holds a strategy.
ON_SQLITE = {"native": "check"}


@pytest.fixture
def sqlite(tmp_path: Path) -> EnumProject:
    return enum_project(tmp_path)


@pytest.fixture
def postgres(tmp_path: Path, postgres_server: PostgresServer) -> Iterator[EnumProject]:
    project = enum_project(tmp_path, postgres_server)
    yield project
    postgres_server.drop(project.database)


def strategies(project: EnumProject) -> list[tuple[str, str]]:
    """Strategy of models and of the database of each column."""
    columns = json.loads(project.done("enum", "list", "--json"))["result"]["columns"]
    return [(one["strategy"], one["database"]) for one in columns]


def kinds(project: EnumProject) -> list[str]:
    said = project.call("enum", "check", "--json")
    found = [one["kind"] for one in json.loads(said.out)["result"]["drifts"]]
    assert said.code == (4 if found else 0)
    return found


def round_trip(project: EnumProject) -> None:
    """The newest script by the guarded run, which rehearses it up, down and up again on a copy of the rows."""
    said = project.call("upgrade", "--yes")
    assert said.code == 0, said
    assert "; downgrade proven" in said.err


def rename_everywhere(project: EnumProject, strategy: str) -> None:
    project.apply(model(field(strategy), THREE))
    project.execute(*ROWS)
    said = project.call("enum", "rename", "status", "late", "delayed")
    assert said.code == 2
    assert said.error == (
        "HR200 no member of Status is stored as 'delayed'\n"
        "  why: they are stored as 'scheduled', 'attended', 'late'\n"
        '  next: first write LATE = "delayed" in Status, in place of "late"'
    )
    project.models(model(field(strategy), RENAMED))
    assert kinds(project) == ["names and values"]
    project.done("enum", "rename", "bookings.status", "late", "delayed")
    assert project.call("enum", "rename", "status", "late", "delayed").error == (
        "HR220 Target database is not up to date.\n"
        "  next: handrail upgrade, then the same command again: what is compared is the database"
    )
    round_trip(project)
    assert project.texts() == ["scheduled", "scheduled", "delayed"]
    assert kinds(project) == []
    assert project.done("check") == "nothing is pending; models and database agree\n"
    read = (
        "with Session(engine) as s:\n    print(*[b.status.name for b in s.exec(select(models.Booking).order_by('id'))])"
    )
    assert project.python(read) == "SCHEDULED SCHEDULED LATE"


def convert_around(project: EnumProject, wanted_ones: str, is_sqlite: bool) -> None:
    """Through strategies with rows in place; the model follows each time, and then nothing differs."""
    project.apply(model(field("varchar"), THREE))
    project.execute(*ROWS)
    there = "varchar"
    for strategy in wanted_ones.split():
        wanted = ON_SQLITE.get(strategy, strategy) if is_sqlite else strategy
        said = project.call("enum", "convert", "status", "--to", strategy)
        if wanted == there:
            assert said.code == 2
            assert said.error.startswith(f"HR200 bookings.status is {there} in the database already\n")
            continue
        assert said.code == 0, said
        line = field(strategy).replace(', "varchar"', "")
        assert f"now in the model: status: Status = {line}, or the type " in said.out
        round_trip(project)
        assert project.texts() == ["scheduled", "scheduled", "late"]
        project.models(model(field(strategy), THREE))
        assert strategies(project) == [(strategy, wanted)]
        assert kinds(project) == []
        assert project.done("check") == "nothing is pending; models and database agree\n"
        there = wanted


@pytest.mark.parametrize("strategy", ["native", *(pytest.param(one, marks=LONG) for one in ("varchar", "check"))])
def test_a_rename_on_postgresql(postgres: EnumProject, strategy: str) -> None:
    rename_everywhere(postgres, strategy)


@pytest.mark.parametrize("strategy", ["check", *(pytest.param(one, marks=LONG) for one in ("varchar", "native"))])
def test_a_rename_on_sqlite(sqlite: EnumProject, strategy: str) -> None:
    rename_everywhere(sqlite, strategy)


#: Each of the six ways from one strategy to another is in the second.
WAYS = ["native check", pytest.param("native varchar check native check varchar", marks=LONG)]


@pytest.mark.parametrize("ways", WAYS)
def test_strategies_on_postgresql(postgres: EnumProject, ways: str) -> None:
    convert_around(postgres, ways, False)


@pytest.mark.parametrize("ways", WAYS)
def test_strategies_on_sqlite(sqlite: EnumProject, ways: str) -> None:
    convert_around(sqlite, ways, True)


def guides_own_model(project: EnumProject) -> None:
    """A default that is no value: told by the check, repaired in the new script, refused in a pending one."""
    project.models(GUIDE)
    said = project.call("enum", "check")
    assert (said.code, said.out) == (
        4,
        "plain string: bookings.attendance_status is a plain string column under the annotation AttendanceStatus: it "
        "reads back str, not a member, and nothing validates what is assigned to it\n"
        "  next: in the model write attendance_status: AttendanceStatus = enum_field(AttendanceStatus, "
        "default=AttendanceStatus.SCHEDULED)\n"
        "default: bookings.attendance_status has the server default 'SCHEDULED', the name of the member that is stored "
        "as 'scheduled': rows that get it have a text that no member has\n"
        "  next: in the model write server_default='scheduled' (enum_field makes it from default=…), then handrail "
        "revision --autogenerate\n"
        "missing column: bookings.attendance_status is not in the database\n"
        "  next: handrail upgrade; if no script adds it: handrail revision --autogenerate\n",
    )
    said = project.call("revision", "--autogenerate", "--no-fix", "-m", "as it is", "--rev-id", "a1")
    assert said.code == 3
    assert "error HR-EN105 bookings.attendance_status gets the default 'SCHEDULED', the name of the member" in said.out
    said = project.call("lint", "--pending")
    assert (said.code, "error HR-EN105" in said.out) == (3, True)
    said = project.call("upgrade", "--yes")
    assert (said.code, "HR-EN105" in said.err) == (3, True)
    (script,) = (project.folder / "migrations" / "versions").glob("a1_*.py")
    script.unlink()
    said = project.call("revision", "--autogenerate", "-m", "repaired")
    assert said.code == 0
    assert "repaired HR-EN105 bookings.attendance_status gets the default 'SCHEDULED'" in said.out
    assert "server_default='scheduled'" in project.script()
    project.done("upgrade", "--yes")
    project.execute("INSERT INTO bookings (id, topic) VALUES (1, 'Python')")
    assert project.texts("attendance_status") == ["scheduled"]


def test_the_guides_own_model_on_sqlite(sqlite: EnumProject) -> None:
    guides_own_model(sqlite)


def test_the_guides_own_model_on_postgresql(postgres: EnumProject) -> None:
    guides_own_model(postgres)


def test_a_list_fits_a_terminal(sqlite: EnumProject) -> None:
    members = 'SCHEDULED = "scheduled"; ATTENDED = "attended"; A_NAME_THAT_IS_LONG_ENOUGH = "a text as long as a column takes, 50"'
    sqlite.apply(model(field("check"), members))
    sqlite.execute("INSERT INTO bookings (id) VALUES (1), (2)")
    out = sqlite.done("enum", "list")
    assert out.splitlines() == [
        "bookings.status",
        "  models    check, models.Status",
        "  database  check ck_bookings_status, default scheduled",
        "  member              stored                label  database  rows",
        "  SCHEDULED           scheduled                    yes       2",
        "  ATTENDED            attended                     yes       0",
        "  A_NAME_THAT_IS_LO…  a text as long as a…         yes       0",
    ]
    assert max(map(len, out.splitlines())) <= 80


def test_rows_that_no_member_has(sqlite: EnumProject) -> None:
    sqlite.apply(model(field("varchar"), THREE))
    sqlite.execute(*ROWS, "INSERT INTO bookings (id, status) VALUES (4, 'lost')")
    assert kinds(sqlite) == ["unknown rows"]
    assert sqlite.call("enum", "convert", "status", "--to", "check").error == (
        "HR200 1 row of bookings.status holds a text that is no member of Status\n"
        "  why: 'lost' (1 row)\n"
        '  next: give them a text of a member first: handrail revision --autogenerate --map "lost=scheduled", and upgrade'
    )
    sqlite.done("revision", "--autogenerate", "--map", "lost=scheduled", "-m", "find them")
    sqlite.done("upgrade", "--yes")
    assert sqlite.texts() == ["scheduled", "scheduled", "late", "scheduled"]
    assert kinds(sqlite) == []


def test_bad_input(sqlite: EnumProject) -> None:
    sqlite.apply(model(field("varchar"), THREE))
    assert sqlite.call("enum", "convert", "bookings.stats", "--to", "check").error == (
        "HR200 the models have no enum column bookings.stats\n"
        "  why: their enum columns are bookings.status\n"
        "  next: did you mean bookings.status?"
    )
    assert sqlite.call("enum", "rename", "bookings.id", "a", "b").error == (
        "HR200 the models have no enum column bookings.id\n"
        "  why: their enum columns are bookings.status\n"
        "  next: handrail enum list shows the columns there are"
    )
    assert sqlite.call("enum", "convert", "status", "--to", "text").code == 2
    for number in ("x1", "x2"):
        path = sqlite.folder / "migrations" / "versions" / f"{number}_.py"
        path.write_text(f"revision = {number!r}\ndown_revision = None\n\n\ndef upgrade():\n    pass\n")
    assert sqlite.call("enum", "convert", "status", "--to", "check").error == (
        "HR220 Target database is not up to date.\n"
        "  next: handrail upgrade, then the same command again: what is compared is the database"
    )
    sqlite.done("stamp", "heads", "--yes")
    said = sqlite.call("enum", "convert", "status", "--to", "check")
    assert (said.code, said.error.splitlines()[0][:40]) == (2, "HR221 Multiple heads are present; please")


def test_models_that_env_py_does_not_name(sqlite: EnumProject) -> None:
    env = sqlite.folder / "migrations" / "env.py"
    env.write_text(env.read_text().replace("target_metadata = models.SQLModel.metadata", "target_metadata = None"))
    sqlite.models(GUIDE)
    assert sqlite.call("enum", "list").error == (
        "HR222 env.py names no models to compare with\n"
        "  why: target_metadata is None\n"
        "  next: in env.py set target_metadata = Base.metadata (or SQLModel.metadata), with all models imported"
    )


def test_what_only_postgresql_holds(postgres: EnumProject) -> None:
    """The order of labels, a CHECK that is not validated, types of two classes and of none."""
    more = (
        "\n\nclass Room(SQLModel, table=True):\n"
        '    __tablename__ = "rooms"\n\n'
        "    id: int | None = Field(default=None, primary_key=True)\n"
        '    state: Status = enum_field(Status, "check", default=Status.SCHEDULED)\n'
    )
    postgres.apply(model(field("native"), THREE, more))
    postgres.execute(
        *ROWS,
        "CREATE TYPE mood AS ENUM ('ok')",
        "ALTER TABLE rooms DROP CONSTRAINT ck_rooms_state",
        "ALTER TABLE rooms ADD CONSTRAINT ck_rooms_state CHECK (state IN ('scheduled', 'attended', 'late')) NOT VALID",
    )
    postgres.models(model(field("native"), 'LATE = "late"; SCHEDULED = "scheduled"; ATTENDED = "attended"', more))
    assert kinds(postgres) == ["order", "not validated", "orphan type"]
    said = postgres.call("enum", "check")
    assert said.out.splitlines()[2:4] == [
        "not validated: the CHECK ck_rooms_state of rooms.state is NOT VALID: the rows from before it were never checked",
        '  next: handrail revision -m "validate ck_rooms_state", and in it op.execute("ALTER TABLE rooms VALIDATE '
        'CONSTRAINT ck_rooms_state")',
    ]
    postgres.execute("ALTER TABLE rooms VALIDATE CONSTRAINT ck_rooms_state", "DROP TYPE mood")
    postgres.done("revision", "--autogenerate", "--reorder", "-m", "in order")
    postgres.done("upgrade", "--yes")
    assert kinds(postgres) == []
    postgres.done("enum", "convert", "bookings.status", "--to", "varchar")
    assert "rooms" not in postgres.script()


def test_a_type_that_others_still_use_stays(postgres: EnumProject) -> None:
    more = "    former: Status = " + field("native") + "\n"
    postgres.apply(model(field("native"), THREE, more))
    postgres.execute(*ROWS)
    postgres.done("enum", "convert", "status", "--to", "check")
    assert "DROP TYPE" not in postgres.script()
    round_trip(postgres)
    postgres.models(model(field("check"), THREE, more))
    assert strategies(postgres) == [("check", "check"), ("native", "native")]
    assert kinds(postgres) == []


def test_a_script_for_both_engines_from_sqlite(sqlite: EnumProject) -> None:
    (sqlite.folder / "handrail.toml").write_text(
        'default = "development"\n'
        '[environments.development]\nurl = "sqlite:///local.db"\n'
        '[environments.production]\nurl = "postgresql+psycopg://app@127.0.0.1:1/app"\n'
    )
    sqlite.apply(model(field("check"), THREE))
    sqlite.execute(*ROWS)
    said = sqlite.call("enum", "convert", "status", "--to", "native")
    assert said.code == 0, said
    assert "note: SQLite has no enum types: there bookings.status has a CHECK" in said.out
    assert "if op.get_context().dialect.name == 'postgresql':" in sqlite.script()
    assert "CREATE TYPE status AS ENUM ('scheduled', 'attended', 'late')" in sqlite.script()
    sqlite.done("upgrade", "--yes")
    sqlite.models(model(field("native"), THREE))
    assert kinds(sqlite) == []
    assert sqlite.done("check") == "nothing is pending; models and database agree\n"
