"""Config and checkout to a pipeline: which repository this is, how the project is installed, which secrets it needs."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from handrail.config_urls import variable_of
from handrail.errors import UsageError
from handrail.pipelines.github import Pipeline, Role

if TYPE_CHECKING:
    from handrail.config import Config

_GITHUB: Final = re.compile(r"github\.com[:/]([A-Za-z0-9._-]+)/([A-Za-z0-9._-]+?)(?:\.git)?/?$")
#: What stands in a trust policy while nobody knows the repository.
_UNKNOWN: Final = "OWNER/REPOSITORY"


@dataclass(frozen=True, slots=True)
class Checkout:
    """The repository's top folder, and "owner/name" on GitHub as its remote says."""

    top: Path
    repository: str


@dataclass(frozen=True, slots=True)
class Answers:
    """The options of `init --github`; "" for what was not given."""

    role_arn: str = ""
    region: str = ""
    python: str = ""
    branch: str = ""


def checkout_of(root: Path) -> Checkout:
    """The checkout that holds the project; outside of git the project's folder is taken for the top."""
    top = _git(root, "rev-parse", "--show-toplevel")
    found = _GITHUB.search(_git(root, "remote", "get-url", "origin"))
    return Checkout(Path(top) if top else root, "/".join(found.groups()) if found else _UNKNOWN)


def _git(root: Path, *words: str) -> str:
    try:
        done = subprocess.run(["git", "-C", str(root), *words], capture_output=True, text=True, timeout=10, check=False)  # noqa: S607
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def pipeline_of(config: Config, checkout: Checkout, answers: Answers) -> Pipeline:
    """What the workflow files are written for. Raises UsageError."""
    rds = config.settings.rds
    region = answers.region or (rds.region if rds else "")
    if rds and not answers.role_arn:
        raise UsageError(
            "which role may take the snapshots is not known",
            why=f"{config.name} is on RDS, and the jobs take a role instead of having keys",
            hint="add --role-arn arn:aws:iam::123456789012:role/handrail-deploy",
        )
    if answers.role_arn and not region:
        raise UsageError("the role's region is not known", hint="add --region eu-central-1")
    try:
        return Pipeline(
            environment=config.name,
            branch=answers.branch or "main",
            python=answers.python or f"{sys.version_info.major}.{sys.version_info.minor}",
            variables=_variables(config),
            install="-r requirements.txt" if (config.root / "requirements.txt").is_file() else ".",
            folder=_folder(config.root, checkout.top),
            role=Role(answers.role_arn, region) if answers.role_arn else None,
            on_rds=rds is not None,
        )
    except ValueError as error:
        raise UsageError("the workflow files cannot be written so", why=str(error)) from error


def _variables(config: Config) -> tuple[str, ...]:
    """The variables that the environment's settings read; without any, env.py's own, by its usual name."""
    settings = config.settings
    texts = (settings.url, settings.rehearse_server, settings.identity)
    found = [variable_of(text or "") for text in texts]
    return tuple(dict.fromkeys(filter(None, found))) or ("DATABASE_URL",)


def _folder(root: Path, top: Path) -> str:
    try:
        return root.resolve().relative_to(top.resolve()).as_posix()
    except ValueError:
        return "."


def remarks_on(config: Config) -> tuple[str, ...]:
    """What of the configuration does not go with machines that are gone after a job."""
    settings, found = config.settings, []
    if "://" not in settings.store:
        found.append(f"the store {settings.store} is a folder: on a hosted runner it is gone after the job")
    if config.deploy.command is None:
        found.append(f"[environments.{config.name}.deploy] names no command: `handrail deploy` will ask for one")
    if settings.health is None:
        found.append(f"[environments.{config.name}] has no health check: nobody will notice an unwell application")
    return tuple(found)
