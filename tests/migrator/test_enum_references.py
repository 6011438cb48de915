"""The table of an enum column is copied on SQLite: rows that refer to it stay, also where the project enforces keys."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy import event

from support.enum_cells import metadata, one
from support.enum_lab import Lab

LABELS = (("scheduled", "done"), ("scheduled", "done", "late"), ("scheduled", "done", "late", "excused"))


def models(labels: tuple[str, ...]) -> sa.MetaData:
    found = metadata(one("check", labels))
    key = sa.ForeignKey("bookings.id", name="fk_notes_booking", ondelete="CASCADE")
    sa.Table("notes", found, sa.Column("id", sa.Integer, primary_key=True), sa.Column("booking_id", sa.Integer, key))
    return found


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    """Three revisions; the database is at the first, has rows, and enforces foreign keys at each connection."""
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'app.db'}", poolclass=sa.NullPool)

    @event.listens_for(engine, "connect")
    def enforce(connection: object, _: object) -> None:
        connection.execute("PRAGMA foreign_keys=ON")  # type: ignore[attr-defined]

    lab = Lab(tmp_path / "alembic", engine)
    for labels in LABELS:
        lab.autogenerate(models(labels))
        lab.upgrade()
    lab.downgrade("0001")
    for number in (1, 2):
        lab.execute(f"INSERT INTO bookings (id) VALUES ({number})")
        lab.execute(f"INSERT INTO notes VALUES ({number}, {number})")
    return lab


def notes(lab: Lab) -> int:
    with lab.engine.connect() as connection:
        return int(connection.execute(sa.text("SELECT count(*) FROM notes")).scalar_one())


def test_a_copy_keeps_the_rows_that_refer_to_it(lab: Lab) -> None:
    lab.upgrade("0002")
    assert notes(lab) == 2
    lab.upgrade("0003")
    assert notes(lab) == 2
    lab.downgrade("0001")
    assert notes(lab) == 2


def test_several_revisions_at_once_lose_nothing_either(lab: Lab) -> None:
    lab.upgrade("head")
    assert notes(lab) == 2
    assert lab.differences(models(LABELS[-1])) == []


def test_nothing_is_copied_where_enforcement_cannot_be_switched_off(lab: Lab) -> None:
    """A script before has written rows in the same transaction."""
    path = next((lab.folder / "versions").glob("0002_*.py"))
    text = path.read_text().replace(
        "def upgrade():\n", 'def upgrade():\n    op.execute("UPDATE notes SET id = id")\n', 1
    )
    path.write_text(text)
    with pytest.raises(RuntimeError) as refused:
        lab.upgrade("0002")
    assert str(refused.value) == (
        "the copy of bookings would delete or unlink the rows that refer to it: SQLite enforces foreign keys, and this "
        "run is too far to switch that off; upgrade to the revision before first, or let handrail upgrade run it"
    )
    assert notes(lab) == 2
