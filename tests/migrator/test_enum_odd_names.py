"""Labels and names that need quoting somewhere: in SQL, in Python, in SQLAlchemy's text(), in Alembic's own writer."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from handrail.enums.plan import Wishes
from support.enum_cells import STRATEGIES, Change, Kept, one
from support.enum_lab import Lab
from support.enum_walks import walk_both, walk_one

ONLY_NEWEST_SERVER = True
ODD: tuple[str, ...] = (
    "it's", 'say "hi"', "'", "''", "b :c", "a::b", ":x", "x: # y", "x:#", "100%", "%s", "%(a)s", "back\\slash", "\\x41", "\\",
    "{brace}", "${mako}", "예정", "가" * 21, "two\nlines", "tab\t", "x" * 50, " lead", "", "NULL", "--", "/* */", "$$", "E'a'",
)  # fmt: skip
if tuple(int(part) for part in sa.__version__.split(".")[:2]) < (2, 1):
    # Faults of SQLAlchemy 2.0 on SQLite, gone in 2.1: a "%(a)s" within a text is taken for a parameter, and a CHECK with
    # a line end in it is not reflected.
    ODD = tuple(label for label in ODD if label not in {"%(a)s", "two\nlines"})
TURNED = tuple(reversed(ODD))


def _changes(s: str) -> dict[str, Change]:
    plain = one(s, default=None, nullable=True)
    default = "it's: # 100%"
    return {
        "create": Change({}, one(s, ODD, default="b :c")),
        "drop": Change(one(s, ODD, default="b :c"), {}),
        "drop the column": Change(one(s, ODD, default="x: # y"), {"bookings": {}}),
        "add all": Change(plain, one(s, ("scheduled", *ODD, "done"), default="x: # y", nullable=True)),
        "add one, the default": Change(one(s, ODD, default="%s"), one(s, (*ODD, default), default=default)),
        "rename all": Change(
            one(s, ODD, default="a::b"),
            one(s, tuple(f"{place}: # {text}"[:21] for place, text in enumerate(ODD)), default="5: # a::b"),
            Wishes(renames={text: f"{place}: # {text}"[:21] for place, text in enumerate(ODD)}),
        ),
        "remove all": Change(
            one(s, ("scheduled", *ODD)), one(s, ("scheduled", "done")), Wishes(mapping=dict.fromkeys(ODD, "scheduled"))
        ),
        "reorder": Change(one(s, ODD, default="\\"), one(s, TURNED, default="\\"), Wishes(reorders=True)),
        **{f"to {to}": Change(one(s, ODD, default="''"), one(to, ODD, default="''")) for to in STRATEGIES if to != s},
    }


LABELS = {f"{strategy}: {name}": change for strategy in STRATEGIES for name, change in _changes(strategy).items()}
NAMES = (
    "Order",
    "select",
    "예약 표",
    "a.b",
    'quo"te',
    "per%cent",
    "Mixed Case",
    "x" * 63,
    "{brace}",
    "co:lon",
    "x: # y",
)


def _named(name: str, strategy: str) -> dict[str, Change]:
    """All names that a change writes, under the same odd one."""

    def tables(
        labels: tuple[str, ...], type_: str = name[:61] + " t", kept: str = strategy, default: str = "scheduled"
    ) -> dict[str, dict[str, Kept]]:
        return {name: {name: Kept(labels, kept, type=type_, default=default)}}

    two, three = ("scheduled", "done"), ("scheduled", "gone", "done")
    return {
        "create": Change({}, tables(two)),
        "drop": Change(tables(two), {}),
        "add a column": Change({name: {}}, tables(two)),
        "add a value": Change(tables(two), tables(three, default="gone")),
        "remove a value": Change(tables(three), tables(two), Wishes(mapping={"gone": "done"})),
        "rename a value": Change(tables(two), tables(("scheduled", "gone")), Wishes(renames={"done": "gone"})),
        "rename the type": Change(tables(two), tables(two, "status")),
        "to another strategy": Change(tables(two), tables(two, kept="check" if strategy == "native" else "native")),
    }


NAMED = {
    f"{name}, {strategy}: {what}": change
    for name in NAMES
    for strategy in ("native", "check")
    for what, change in _named(name, strategy).items()
}


@pytest.mark.parametrize("name", LABELS)
def test_odd_labels_on_sqlite(name: str, tmp_path: Path, sqlite: sa.Engine) -> None:
    walk_one(Lab(tmp_path / "alembic", sqlite), LABELS[name])


@pytest.mark.parametrize("name", LABELS)
def test_odd_labels_on_postgres(name: str, tmp_path: Path, postgres: sa.Engine) -> None:
    walk_one(Lab(tmp_path / "alembic", postgres), LABELS[name])


@pytest.mark.long
@pytest.mark.parametrize("name", LABELS)
def test_odd_labels_on_both(name: str, tmp_path: Path, sqlite: sa.Engine, postgres: sa.Engine) -> None:
    walk_both(Lab(tmp_path / "alembic", sqlite), Lab(tmp_path / "alembic", postgres), LABELS[name])


@pytest.mark.long
@pytest.mark.parametrize("name", NAMED)
def test_odd_names(name: str, tmp_path: Path, sqlite: sa.Engine, postgres: sa.Engine) -> None:
    walk_both(Lab(tmp_path / "alembic", sqlite), Lab(tmp_path / "alembic", postgres), NAMED[name])
