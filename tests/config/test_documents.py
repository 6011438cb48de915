"""The documents of configuration and exit codes say what the code does."""

from __future__ import annotations

import re
import tomllib
from dataclasses import MISSING, fields
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from handrail import config
from handrail.config import Environment, Health, Lint, load_config
from handrail.config_archive import ArchiveSettings
from handrail.config_deploy import DeploySettings
from handrail.config_drill import DrillSettings
from handrail.config_durations import parse_duration
from handrail.config_prices import Prices, RegionPrices
from handrail.config_rds import RdsSettings
from handrail.config_retention import Retention
from handrail.config_schedule import ScheduleSettings
from handrail.errors import ExitCode

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

DOCS = Path(__file__).parents[2] / "docs"


def rows(text: str, marker: str) -> list[list[str]]:
    """The cells of the table that follows the marker."""
    table = text.partition(marker)[2].strip().split("\n\n")[0]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]


def documented(section: str) -> dict[str, object]:
    found = {}
    for key, default, _ in rows((DOCS / "configuration.md").read_text(encoding="utf-8"), f"<!-- keys: {section} -->"):
        value = None if default == "none" else tomllib.loads(f"x = {default.strip('`')}")["x"]
        found[key.strip("`")] = tuple(value) if isinstance(value, list) else value
    return found


def in_code(model: type[DataclassInstance], durations: set[str]) -> dict[str, object]:
    found = {}
    for field in fields(model):
        default = None if field.default is MISSING else field.default
        found[field.name] = f"{default}s" if field.name in durations else default
    return found


DURATIONS = {
    "lock_timeout",
    "lock_retry",
    "lock_wait",
    "statement_timeout",
    "prove_budget",
    "timeout",
    "max_lag",
    "watch",
    "deadline",
}


@pytest.mark.parametrize(
    ("section", "model"),
    [
        ("project", config._Document),
        ("environment", Environment),
        ("health", Health),
        ("lint", Lint),
        ("retention", Retention),
        ("drill", DrillSettings),
        ("deploy", DeploySettings),
        ("schedule", ScheduleSettings),
        ("archive", ArchiveSettings),
        ("prices", Prices),
        ("region", RegionPrices),
        ("rds", RdsSettings),
    ],
)
def test_every_key_is_documented_with_its_default(section: str, model: type[DataclassInstance]) -> None:
    def comparable(values: dict[str, object]) -> dict[str, object]:
        return {key: parse_duration(value) if key in DURATIONS else value for key, value in values.items()}

    assert comparable(documented(section)) == comparable(in_code(model, DURATIONS))


def test_the_defaults_of_the_known_environments_are_documented() -> None:
    text = (DOCS / "configuration.md").read_text(encoding="utf-8")
    told = {
        name.strip("`"): dict(re.findall(r'`(\w+) = "(\w+)"`', differs))
        for name, differs in rows(text, "<!-- keys: known -->")
    }
    assert told == {name: {k: str(v) for k, v in values.items()} for name, values in config._KNOWN.items()}


def test_the_example_can_be_used(tmp_path: Path) -> None:
    text = (DOCS / "configuration.md").read_text(encoding="utf-8")
    example = text.partition("```toml\n")[2].partition("```")[0]
    (tmp_path / "handrail.toml").write_text(example, encoding="utf-8")
    production = load_config(tmp_path, env="production", environ={"DATABASE_URL": "postgresql://u@h/app"})
    assert production.url({"DATABASE_URL": "postgresql://u@h/app"}) == "postgresql://u@h/app"
    assert production.settings.health == Health(url="https://app.example.com/health")


def test_every_exit_code_is_documented() -> None:
    text = (DOCS / "exit-codes.md").read_text(encoding="utf-8")
    told = [(int(row[0]), row[1].strip("`")) for row in rows(text, "nothing else is ever returned.")]
    assert told == [(code.value, code.name) for code in ExitCode]
