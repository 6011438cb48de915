"""Config to what a deployment needs: its commands, how they are run, and the health that is asked for and watched."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from handrail.config import Health
from handrail.config_deploy import DeploySettings
from handrail.config_durations import parse_duration
from handrail.errors import UsageError
from handrail.pages import page
from handrail.wiring import state_folder

if TYPE_CHECKING:
    from collections.abc import Mapping

    from handrail.config import Config
    from handrail.facts import DatabaseAddress
    from handrail.health_check import HealthCheck
    from handrail.workflows.deploy import CodeKit
    from handrail.workflows.run import Equipment

#: Variables whose values are taken out of what commands print.
_SECRET_NAME: Final = re.compile(r"(?i)(passw|secret|token|credential|api_?key|private_?key)")
#: Shorter values are numbers and switches ("TOKEN_LIMIT=4096").
_SECRET_LENGTH: Final = 8


@dataclass(frozen=True, slots=True)
class Given:
    """The options of a call; "" for what was not given, then the configuration decides."""

    command: str = ""
    undo: str = ""
    restart: str = ""
    smoke: str = ""
    health_url: str = ""
    timeout: str = ""
    watch: str = ""


def deployment(config: Config, address: DatabaseAddress, kit: Equipment, given: Given) -> tuple[Equipment, CodeKit]:
    """The equipment of the upgrade as a deployment needs it, and the code's. Raises UsageError."""
    from handrail.commands import LocalCommands
    from handrail.guard.deploy import CodeCommands
    from handrail.health import watched
    from handrail.workflows.deploy import CodeKit

    settings = _merged(config, given)
    health = _health(config, kit, given.health_url)
    if settings.watch and health is None:
        raise UsageError(
            "there is nothing to watch", why="watching asks for health again and again", hint="add --health-url URL"
        )
    # A snapshot before a deployment is never left out on RDS: the guide's production checklist begins with it.
    backup = "required" if config.settings.rds else kit.policy.backup
    policy = replace(kit.policy, has_health_check=health is not None, backup=backup)
    code = CodeKit(
        CodeCommands(settings.command or "", settings.undo or "", settings.restart or "", settings.smoke or ""),
        LocalCommands(
            config.root,
            settings.timeout,
            state_folder(config) / "deploys" / config.name,
            {"ENV": config.name} if config.is_named else {},
            known_secrets(os.environ, address),
        ),
        watched(health, seconds=settings.watch) if health and settings.watch else None,
        settings.watch,
    )
    return replace(kit, health=health, policy=policy), code


def _merged(config: Config, given: Given) -> DeploySettings:
    configured = config.deploy
    try:
        settings = DeploySettings(
            given.command or configured.command,
            given.undo or configured.undo,
            given.restart or configured.restart,
            given.smoke or configured.smoke,
            parse_duration(given.timeout) if given.timeout else configured.timeout,
            parse_duration(given.watch) if given.watch else configured.watch,
        )
    except ValueError as error:
        raise UsageError(
            "the deployment cannot be read", why=str(error), hint='write --command "./deploy.sh now" --watch 60s'
        ) from error
    if settings.command is None:
        raise UsageError(
            "no deploy command is given",
            why="handrail does not know how your code is deployed",
            hint=f'add --command ./deploy.sh, or write {config.table("deploy")} with command = "./deploy.sh", see'
            f" {page('deploy')}",
        )
    return settings


def _health(config: Config, kit: Equipment, url: str) -> HealthCheck | None:
    from handrail.health import url_check

    if not url:
        return kit.health
    timeout = config.settings.health.timeout if config.settings.health else 30.0
    try:
        health = Health(url=url, timeout=timeout)
    except ValueError as error:
        raise UsageError(
            "--health-url cannot be used", why=str(error), hint="write it like https://example.com/health"
        ) from error
    return url_check(health.url or "", timeout=health.timeout)


def known_secrets(environ: Mapping[str, str], address: DatabaseAddress) -> tuple[str, ...]:
    """What must not be shown of what commands print: the database's password, and variables that are named as secrets
    are. (Passwords in URLs are found without being known.)"""
    password = address.password or ""
    named = [value for name, value in environ.items() if _SECRET_NAME.search(name) and len(value) >= _SECRET_LENGTH]
    return tuple(filter(None, (password, quote(password, safe=""), *named)))
