"""How an unattended call is made up from the configuration."""

from __future__ import annotations

import getpass
import sys
from pathlib import Path

import pytest

from handrail.backups.timetable import Job
from handrail.config import load_config
from handrail.wiring_unattended import job_of

SEALED = 'recipients = ["age1x"]\n'


@pytest.mark.parametrize(
    ("settings", "words", "variables"),
    [
        ("", ("drill",), ()),
        ('url = "sqlite:///a.db"\n', ("drill",), ()),
        ('url = "env:URL"\nrehearse_server = "env:SCRATCH"\n', ("backup", "run-due"), ("URL", "SCRATCH")),
        ('url = "env:URL"\nrehearse_server = "env:URL"\n', ("drill",), ("URL",)),
        (SEALED, ("backup", "run-due"), ("HANDRAIL_IDENTITY",)),
        (SEALED + 'identity = "/run/keys/prod.key"\n', ("drill",), ()),
        (SEALED + 'identity = "env:KEY"\n', ("backup", "run-due"), ("KEY",)),
        (SEALED + 'identity = "env:KEY"\nschedule = {verify = false}\n', ("backup", "run-due"), ()),
        (SEALED + "schedule = {verify = false}\n", ("backup", "run-due"), ()),
        (SEALED + "schedule = {verify = false, method = 'increment'}\n", ("backup", "run-due"), ("HANDRAIL_IDENTITY",)),
        (SEALED + "schedule = {verify = false}\n", ("drill",), ("HANDRAIL_IDENTITY",)),
    ],
)
def test_every_variable_is_named(
    tmp_path: Path, settings: str, words: tuple[str, ...], variables: tuple[str, ...]
) -> None:
    (tmp_path / "handrail.toml").write_text(f"[environments.production]\n{settings}")
    config = load_config(tmp_path, env="production", environ={})
    assert job_of(config, words, minute=5) == Job(
        name=f"handrail-{words[-1]}-production",
        program=(str(Path(sys.executable).with_name("handrail")),),
        words=words,
        folder=str(tmp_path),
        environment="production",
        user=getpass.getuser(),
        minute=5,
        variables=variables,
    )
