"""What one look at a project finds: history, stamp, address, paths; and that looking writes nothing."""

from __future__ import annotations

from pathlib import Path

import alembic
import pytest
import sqlalchemy
from alembic.config import Config
from alembic.util import CommandError

from handrail.errors import DatabaseUnavailable, ProjectError
from handrail.facts import DatabaseAddress, TableName
from handrail.migrations.revision import Direction, Revision
from handrail.migrator.alembic import AlembicMigrator
from handrail.migrator.linear import linear_path
from handrail.migrator.migrator import ModelDifference, ProjectFacts
from handrail.migrator.project import load_scripts, resolve, revisions_of
from support.projects import ASYNC_ENV, BOOKINGS, STATUS, SYNC_ENV, Script, database_at_b2, make_project


@pytest.mark.parametrize(("style", "driver"), [("sync", "pysqlite"), ("async", "aiosqlite")])
def test_a_missing_file_is_told_and_not_made(tmp_path: Path, style: str, driver: str) -> None:
    make_project(tmp_path, style=style, url=f"sqlite+{driver}:///local.db")
    facts = AlembicMigrator(tmp_path).describe("head")
    assert facts.address == DatabaseAddress("sqlite", str(tmp_path / "local.db"))
    assert (facts.dialect, facts.driver, facts.is_async) == ("sqlite", driver, style == "async")
    assert (facts.database_missing, facts.current, facts.heads, facts.unknown) == (True, (), ("b2",), ())
    assert facts.version_table == TableName("alembic_version")
    assert (facts.alembic_version, facts.sqlalchemy_version) == (alembic.__version__, sqlalchemy.__version__)
    sources = [(tmp_path / "migrations/versions" / f"{name}_script.py").read_text("utf-8") for name in ("b2", "a1")]
    assert facts.revisions == (
        Revision("b2", ("a1",), "add status", "migrations/versions/b2_script.py", sources[0], is_head=True),
        Revision("a1", (), "make bookings", "migrations/versions/a1_script.py", sources[1]),
    )
    assert facts.path is not None
    assert (facts.path.direction, facts.path.start, facts.path.target) == (Direction.UPGRADE, (), ("b2",))
    assert facts.path.revisions == facts.revisions[::-1]
    assert not (tmp_path / "local.db").exists()


def test_the_stamp_is_read_and_nothing_written(tmp_path: Path) -> None:
    make_project(tmp_path)
    before = database_at_b2(tmp_path / "real.db").read_bytes()
    (tmp_path / "local.db").symlink_to(tmp_path / "real.db")
    facts = AlembicMigrator(tmp_path).describe("head")
    assert (facts.current, facts.database_missing) == (("b2",), False)
    assert facts.address.database == str(tmp_path / "local.db")
    assert facts.path is not None
    assert facts.path.is_empty
    assert (tmp_path / "real.db").read_bytes() == before
    empty = tmp_path / "empty.db"
    empty.touch()
    (tmp_path / "local.db").unlink()
    (tmp_path / "local.db").symlink_to(empty)
    assert AlembicMigrator(tmp_path).describe().current == ()
    assert empty.read_bytes() == b""


BRANCHES = (
    Script("a1", None),
    Script("b2", "a1"),
    Script("c3", "b2"),
    Script("bee4", "b2"),
    Script("bead", ("c3", "bee4")),
)


def test_paths_in_every_notation(tmp_path: Path) -> None:
    make_project(tmp_path, revisions=BRANCHES)
    config = Config()
    config.set_main_option("script_location", str(tmp_path / "migrations"))
    scripts = load_scripts(config)

    def way(target: str, *current: str) -> tuple[str, list[str], tuple[str, ...]]:
        path = resolve(scripts, current or ("b2",), target, tmp_path)
        return path.direction.value, [revision.id for revision in path.revisions], path.target

    direction, ids, target = way("head")
    assert (direction, sorted(ids), ids[-1], target) == ("upgrade", ["bead", "bee4", "c3"], "bead", ("bead",))
    assert way("c3") == ("upgrade", ["c3"], ("c3",))
    assert way("bee") == ("upgrade", ["bee4"], ("bee4",))
    assert way("a1+1", "a1") == ("upgrade", ["b2"], ("b2",))
    assert way("+1", "a1") == ("upgrade", ["b2"], ("b2",))
    assert way("c3-1", "c3") == ("downgrade", ["c3"], ("b2",))
    assert way("base") == ("downgrade", ["b2", "a1"], ())
    assert way("-1") == ("downgrade", ["b2"], ("a1",))
    assert way("a1") == ("downgrade", ["b2"], ("a1",))
    assert way("b2") == ("upgrade", [], ("b2",))
    assert way("head", "bead") == ("upgrade", [], ("bead",))
    facts = ProjectFacts(
        DatabaseAddress("sqlite", ""), "sqlite", "", False, ("b2",), ("bead",), revisions_of(scripts, tmp_path)
    )
    assert linear_path(facts, "head") is None
    for unknown in ("nonsense", "-7", "be", "zz-1"):
        with pytest.raises((CommandError, ProjectError)):
            way(unknown)


def test_an_ambiguous_beginning_names_all_that_it_may_mean(tmp_path: Path) -> None:
    scripts = [
        Script(f"c3aa{number}", f"c3aa{number - 1}" if number else None, doc=f"no {number}") for number in range(5)
    ]
    make_project(tmp_path, revisions=scripts)
    migrator = AlembicMigrator(tmp_path)
    for act in (lambda: migrator.describe("c3aa"), lambda: migrator.stamp("c3aa")):
        with pytest.raises(ProjectError) as caught:
            act()
        assert caught.value.message == "'c3aa' is the beginning of 5 revisions"
        assert caught.value.why == ("it may mean c3aa0 (no 0), c3aa1 (no 1), c3aa2 (no 2), c3aa3 (no 3), c3aa4 (no 4)")
        assert caught.value.hint == "name the one that is meant with more letters"


def test_a_history_without_branches_needs_no_process(tmp_path: Path) -> None:
    make_project(tmp_path, revisions=BRANCHES[:3])
    config = Config()
    config.set_main_option("script_location", str(tmp_path / "migrations"))
    scripts = load_scripts(config)
    for current in ("", "a1", "b2", "c3"):
        start = (current,) if current else ()
        history = revisions_of(scripts, tmp_path)
        facts = ProjectFacts(DatabaseAddress("sqlite", ""), "sqlite", "", False, start, ("c3",), history)
        for target in ("head", "heads", "base", "a1", "b2", "c3", "+1", "+2", "-1", "-2", "+9", "-9", "c3-1", "bogus"):
            found = linear_path(facts, target)
            assert found is None or found == resolve(scripts, start, target, tmp_path), (current, target)


def test_path_asks_a_process_once(tmp_path: Path) -> None:
    make_project(tmp_path)
    migrator = AlembicMigrator(tmp_path)
    facts = migrator.describe("head")
    assert migrator.path(facts, "head") is facts.path
    assert [revision.id for revision in migrator.path(facts, "a1").revisions] == ["a1"]
    with pytest.raises(ProjectError, match="Can't locate revision identified by 'nonsense'"):
        migrator.path(facts, "nonsense")


def test_several_heads(tmp_path: Path) -> None:
    make_project(tmp_path, revisions=BRANCHES[:4])
    database_at_b2(tmp_path / "local.db")
    migrator = AlembicMigrator(tmp_path)
    assert migrator.describe().heads == ("bee4", "c3")
    with pytest.raises(ProjectError, match="Multiple head revisions") as caught:
        migrator.describe("head")
    assert caught.value.hint == "merge them (alembic merge heads), or name the target: heads, or one revision"
    path = migrator.describe("heads").path
    assert path is not None
    assert path.target == ("bee4", "c3")


def test_a_stamp_that_no_script_knows(tmp_path: Path) -> None:
    make_project(tmp_path, revisions=(BOOKINGS,))
    database_at_b2(tmp_path / "local.db")
    migrator = AlembicMigrator(tmp_path)
    facts = migrator.describe()
    assert (facts.current, facts.unknown) == (("b2",), ("b2",))
    with pytest.raises(ProjectError, match="the database is stamped with b2, which no script of this project has"):
        migrator.path(facts, "head")


def test_pyproject_serves_as_configuration(tmp_path: Path) -> None:
    env = SYNC_ENV.replace('config.get_main_option("sqlalchemy.url")', '"sqlite:///local.db"')
    make_project(tmp_path, env=env, toml=True)
    if tuple(int(part) for part in alembic.__version__.split(".")[:2]) >= (1, 16):
        assert AlembicMigrator(tmp_path).describe().heads == ("b2",)
        return
    with pytest.raises(ProjectError, match=r"configuration in pyproject\.toml cannot be read"):
        AlembicMigrator(tmp_path).describe()


def test_environment_and_x_arguments_reach_env_py(tmp_path: Path) -> None:
    env = SYNC_ENV.replace(
        'config.get_main_option("sqlalchemy.url")',
        '"sqlite:///" + os.environ["ENV"] + context.get_x_argument(as_dictionary=True)["tenant"] + ".db"',
    )
    make_project(tmp_path, env="import os\n" + env)
    migrator = AlembicMigrator(tmp_path, environment={"ENV": "staging"}, x_args=("tenant=7",))
    assert migrator.describe().address.database == str(tmp_path / "staging7.db")


def test_a_configured_url_must_be_what_env_py_opens(tmp_path: Path) -> None:
    make_project(tmp_path)
    configured = AlembicMigrator(tmp_path, url="sqlite:///100%.db")
    assert configured.describe().address.database == str(tmp_path / "100%.db")
    env = ASYNC_ENV.replace('config.get_main_option("sqlalchemy.url")', '"sqlite+aiosqlite:///mine.db"')
    make_project(tmp_path, env=env)
    with pytest.raises(ProjectError) as caught:
        AlembicMigrator(tmp_path, url="postgresql://me:secret@db/app").describe()
    assert caught.value.message == (
        f"env.py opened sqlite:///{tmp_path}/mine.db, but postgresql://me@db/app was expected"
    )


def test_file_uris(tmp_path: Path) -> None:
    make_project(tmp_path, url="sqlite:///file:local.db?mode=rwc&uri=true")
    migrator = AlembicMigrator(tmp_path)
    facts = migrator.describe("head")
    assert (facts.address.database, facts.database_missing) == (str(tmp_path / "local.db"), True)
    assert not (tmp_path / "local.db").exists()


def test_sql_of_each_revision(tmp_path: Path) -> None:
    recreate = Script("c3", "b2", 'with op.batch_alter_table("bookings") as batch:\n    batch.drop_column("topic")')
    make_project(tmp_path, revisions=(BOOKINGS, STATUS, recreate))
    migrator = AlembicMigrator(tmp_path)
    path = migrator.describe("head").path
    assert path is not None
    texts = migrator.sql(path)
    assert texts["b2"] == "ALTER TABLE bookings ADD COLUMN status VARCHAR(50) DEFAULT 'SCHEDULED' NOT NULL;"
    assert texts["c3"].startswith("-- cannot be shown: This operation cannot proceed in --sql mode")
    online_only = SYNC_ENV.replace("if context.is_offline_mode():", "if False:")
    make_project(tmp_path, env=online_only, revisions=(BOOKINGS, STATUS, recreate))
    assert migrator.sql(path) == texts
    failing = SYNC_ENV.replace("if context.is_offline_mode():", "if context.is_offline_mode():\n    1 / 0")
    make_project(tmp_path, env=failing, revisions=(BOOKINGS, STATUS, recreate))
    assert migrator.sql(path) == texts
    assert AlembicMigrator(tmp_path).sql(path)["a1"] == (
        "-- cannot be shown: env.py in offline mode: ZeroDivisionError: division by zero"
    )


MODELS = """
import sqlalchemy as sa
metadata = sa.MetaData()
sa.Table("bookings", metadata, sa.Column("id", sa.Integer, primary_key=True),
         sa.Column("topic", sa.String(100), nullable=False),
         sa.Column("status", sa.String(50), nullable=False, server_default="SCHEDULED"))
"""


@pytest.mark.parametrize("env", [SYNC_ENV, ASYNC_ENV], ids=["sync", "async"])
def test_differences(tmp_path: Path, env: str) -> None:
    url = "sqlite:///local.db" if env is SYNC_ENV else "sqlite+aiosqlite:///local.db"
    with_models = env.replace("target_metadata = None", "from models import metadata as target_metadata")
    make_project(tmp_path, env=with_models, url=url)
    database_at_b2(tmp_path / "local.db")
    (tmp_path / "models.py").write_text(MODELS, "utf-8")
    assert AlembicMigrator(tmp_path).differences() == ()
    more = '\nsa.Table("guests", metadata, sa.Column("id", sa.Integer, primary_key=True))\n'
    changed = MODELS.replace('"status", sa.String(50), nullable=False', '"state", sa.String(50), nullable=True')
    changed = changed.replace("sa.String(100), nullable=False", "sa.String(100), nullable=True")
    (tmp_path / "models.py").write_text(changed + more, "utf-8")
    assert set(AlembicMigrator(tmp_path).differences()) == {
        ModelDifference("add table guests"),
        ModelDifference("add column bookings.state"),
        ModelDifference("remove column bookings.status"),
        ModelDifference("modify nullable of bookings.topic: False in the database, True in the models"),
    }


def test_differences_need_models(tmp_path: Path) -> None:
    make_project(tmp_path)
    with pytest.raises(ProjectError, match=r"env\.py names no models"):
        AlembicMigrator(tmp_path).differences()


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    make_project(tmp_path)
    (tmp_path / "local.db").write_bytes(b"this is no database at all, " * 200)
    with pytest.raises(DatabaseUnavailable, match=r"local\.db cannot be read") as caught:
        AlembicMigrator(tmp_path).describe()
    assert caught.value.why == "DatabaseError: file is not a database"


def test_stamp(tmp_path: Path) -> None:
    make_project(tmp_path)
    migrator = AlembicMigrator(tmp_path)
    migrator.stamp("a1")
    assert migrator.describe().current == ("a1",)
    migrator.stamp("base")
    assert migrator.describe().current == ()
    with pytest.raises(ProjectError, match="Can't locate revision identified by 'nonsense'"):
        migrator.stamp("nonsense")
