"""Random edits of an enum column, each migrated with rows in place: stored values are members, and nothing is lost."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from handrail.enums.plan import Wishes
from support.enum_cells import STRATEGIES, Kept, Rows, metadata
from support.enum_lab import Lab

ONLY_NEWEST_SERVER = True
#: None with a colon before a letter: Alembic's own copies of a SQLite table take it for a parameter.
NAMES = ("a", "b", "c", "it's", "x: # y", "100%", "예정")


@dataclass(frozen=True)
class Edit:
    """The column after an edit, what is wished beside it, and what becomes of stored texts."""

    kept: Kept
    wishes: Wishes
    texts: dict[str, str]


@st.composite
def edits(draw: st.DrawFn, kept: Kept) -> Edit:
    """One step from a column: values added, one removed with a mapping, one renamed, others in their order, another
    strategy, another default, NULL allowed or not any more."""
    what = draw(st.sampled_from(["add", "remove", "rename", "reorder", "strategy", "default", "nullable"]))
    free = [name for name in NAMES if name not in kept.labels]
    labels, texts, wishes = list(kept.labels), {}, Wishes()
    if what == "add" and free:
        labels.insert(draw(st.integers(0, len(labels))), draw(st.sampled_from(free)))
    elif what == "remove" and len(labels) > 1:
        gone = labels.pop(draw(st.integers(0, len(labels) - 1)))
        texts = {gone: draw(st.sampled_from(labels))}
        wishes = Wishes(mapping=texts)
    elif what == "rename" and free:
        place = draw(st.integers(0, len(labels) - 1))
        texts = {labels[place]: draw(st.sampled_from(free))}
        labels[place] = texts[labels[place]]
        wishes = Wishes(renames=texts)
    elif what == "reorder":
        labels = draw(st.permutations(labels))
        wishes = Wishes(reorders=draw(st.booleans()))
    kept = replace(kept, labels=tuple(labels), default=texts.get(kept.default or "", kept.default))
    if what == "strategy":
        kept = replace(kept, strategy=draw(st.sampled_from(STRATEGIES)))
    elif what == "default":
        kept = replace(kept, default=draw(st.sampled_from(labels)))
    elif what == "nullable":
        kept = replace(kept, nullable=True)
    return Edit(kept, wishes, texts)


@st.composite
def sequences(draw: st.DrawFn) -> tuple[Kept, list[Edit]]:
    labels = tuple(draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=4, unique=True)))
    first = kept = Kept(labels, draw(st.sampled_from(STRATEGIES)), default=labels[0])
    found = []
    for _ in range(draw(st.integers(1, 6))):
        found.append(draw(edits(kept)))
        kept = found[-1].kept
    return first, found


def filled(kept: Kept) -> list[dict[str, str | None]]:
    return [{"status": text} for text in (*kept.labels, *((None,) if kept.nullable else ()))]


def play(lab: Lab, first: Kept, found: list[Edit]) -> None:
    """Each edit with rows of every value in place; then, with rows that the first column could hold, down to base."""
    models = metadata({"bookings": {"status": first}})
    lab.autogenerate(models)
    lab.upgrade()
    rows: Rows = {"bookings": filled(first)}
    lab.insert(models, rows)
    for edit in found:
        models = metadata({"bookings": {"status": edit.kept}})
        lab.autogenerate(models, edit.wishes)
        lab.upgrade()
        assert lab.differences(models) == []
        rows = {
            "bookings": [{"status": edit.texts.get(row["status"] or "", row["status"])} for row in rows["bookings"]]
        }
        assert lab.rows(models) == rows
        assert {row["status"] for row in rows["bookings"]} <= {*edit.kept.labels, None}
        with lab.engine.begin() as connection:
            connection.execute(models.tables["bookings"].insert(), {"id": 100 + len(rows["bookings"])})
        rows["bookings"].append({"status": edit.kept.default})
        assert lab.rows(models) == rows
    lab.execute("DELETE FROM bookings")
    lab.downgrade("base")
    assert lab.left() == []
    lab.upgrade()
    assert lab.differences(models) == []


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(sequences())
def test_edits_on_sqlite(sequence: tuple[Kept, list[Edit]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        engine = sa.create_engine(f"sqlite:///{folder}/a.db")
        try:
            play(Lab(Path(folder) / "alembic", engine), *sequence)
        finally:
            engine.dispose()


@pytest.mark.long
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sequence=sequences())
def test_edits_on_postgres(one_database: sa.Engine, sequence: tuple[Kept, list[Edit]]) -> None:
    with one_database.begin() as connection:
        connection.exec_driver_sql("DROP SCHEMA public CASCADE")
        connection.exec_driver_sql("CREATE SCHEMA public")
    with tempfile.TemporaryDirectory() as folder:
        play(Lab(Path(folder) / "alembic", one_database), *sequence)
