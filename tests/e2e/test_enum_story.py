"""Enum columns through the command line: the sample's status becomes a native type and loses and gains members, guarded."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest

from support.postgres import PostgresServer
from support.story import SAMPLE, Story, on_postgres, on_sqlite

ONLY_NEWEST_SERVER = True
pytestmark = pytest.mark.story
ENUMS, MODELS = "appserver/apps/calendar/enums.py", "appserver/apps/calendar/models.py"
EXCUSED, LATE, SICK = (
    '    EXCUSED = "EXCUSED", "공결"\n',
    '    LATE = "LATE", "지각"\n',
    '    SICK = "SICK", "병결"\n',
)
COUNTS = "SELECT CAST(attendance_status AS VARCHAR) AS status, count(*) FROM bookings GROUP BY 1 ORDER BY 1"


def copied(tmp_path: Path) -> Path:
    """The sample with its whole history, the second script repaired."""
    ignored = shutil.ignore_patterns("__pycache__", ".handrail", "*.db*")
    return Path(shutil.copytree(SAMPLE, tmp_path / "puddingcamp", ignore=ignored))


def filled(story: Story) -> Story:
    story.repaired()
    story.run("upgrade", "--yes")
    for status in ("SCHEDULED", "LATE", "LATE", "NO_SHOW"):
        values = f"('t', 'd', '2024-01-10', '{status}')"
        story.query(f'INSERT INTO bookings (topic, description, "when", attendance_status) VALUES {values}')
    return story


def edit(story: Story, path: str, old: str, new: str) -> None:
    source = (story.folder / path).read_text("utf-8")
    assert source.count(old) == 1
    (story.folder / path).write_text(source.replace(old, new), "utf-8")


def generate(story: Story, name: str, *words: str, exits: int = 0) -> str:
    """Write a revision from the models; what the command prints."""
    return story.run("revision", "-m", name, "--autogenerate", "--rev-id", name, *words, exits=exits)[0]


class EnumStory:
    refuses: ClassVar[int]
    refusal: ClassVar[str]

    def test_a_status_goes_native_and_its_members_come_and_go(self, story: Story) -> None:
        edit(story, MODELS, '"check"', '"native"')
        generate(story, "n1")
        story.run("upgrade", "--yes")
        edit(story, ENUMS, EXCUSED, EXCUSED + SICK)
        assert "1 script: nothing found" in generate(story, "n2").splitlines()
        story.run("upgrade", "--yes")
        assert story.query(COUNTS) == [("LATE", 2), ("NO_SHOW", 1), ("SCHEDULED", 1)]

        edit(story, ENUMS, LATE, "")
        generate(story, "n3")
        _, err = story.run("upgrade", "--yes", exits=self.refuses)
        assert self.refusal in " ".join(err.split())
        next((story.folder / "alembic" / "versions").glob("n3_*")).unlink()
        generate(story, "n3", "--map", "LATE=ATTENDED")
        story.run("upgrade", "--yes")
        assert story.query(COUNTS) == [("ATTENDED", 2), ("NO_SHOW", 1), ("SCHEDULED", 1)]
        assert story.run("check")[0] == "nothing is pending; models and database agree\n"

        edit(story, ENUMS, 'SICK = "SICK"', 'SICK = "ILL"')
        generate(story, "n4", "--rename", "SICK=ILL")
        story.run("upgrade", "--yes")
        assert story.run("check")[0] == "nothing is pending; models and database agree\n"

    def test_a_wish_that_fits_nothing_is_refused(self, story: Story) -> None:
        _, err = story.run("revision", "-m", "x", "--autogenerate", "--rename", "GONE=HERE", exits=2)
        assert "no enum column holds the one and has a member for the other: GONE=HERE" in err


class TestOnSQLite(EnumStory):
    """Lint looks at the rows, and refuses before anything runs."""

    refuses = 3
    refusal = "'SAME_DAY_CANCEL', 'EXCUSED', 'SICK')): 2 rows do not meet it"

    @pytest.fixture
    def story(self, tmp_path: Path) -> Story:
        return filled(on_sqlite(tmp_path, copied(tmp_path)))


class TestOnPostgreSQL(EnumStory):
    """The script looks at the rows, in the rehearsal."""

    refuses = 6
    refusal = (
        "bookings.attendance_status holds other values than will be allowed (value, rows): [('LATE', 2)]; "
        "give these rows another value first: UPDATE bookings SET attendance_status = ... WHERE attendance_status = ..."
    )

    @pytest.fixture
    def story(self, tmp_path: Path, postgres_server: PostgresServer) -> Iterator[Story]:
        address = postgres_server.clone()
        yield filled(on_postgres(tmp_path, address, copied(tmp_path)))
        postgres_server.drop(address.database)
