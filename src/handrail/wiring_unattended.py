"""Config to what runs unattended: drills, backups that are due, and how this installation is started for them."""

from __future__ import annotations

import getpass
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from handrail.backups.drill import AgeLimits
from handrail.backups.methods import Method
from handrail.backups.timetable import Job
from handrail.config_urls import variable_of
from handrail.errors import UsageError
from handrail.pages import page
from handrail.wiring import time_zone

if TYPE_CHECKING:
    from handrail.config import Config
    from handrail.facts import DatabaseAddress
    from handrail.health_check import HealthResult
    from handrail.retention.due import Timetable
    from handrail.workflows.drill import DrillChecks


def drill_checks(config: Config) -> DrillChecks:
    """What a drill of this environment checks beyond what it always does. The command finds the copy's URL, password
    included, in HANDRAIL_DRILL_URL: never in its words, which every user of the machine can read."""
    from handrail.workflows.drill import DrillChecks

    settings = config.drill

    def call(address: DatabaseAddress) -> HealthResult:
        from handrail.health import Call
        from handrail.migrator.places import url_of_address

        url = url_of_address(address, address.engine).render_as_string(hide_password=False)
        secrets = (url, address.password, quote(address.password)) if address.password else ()
        variables = {"HANDRAIL_DRILL_URL": url}
        return Call(settings.command or "", settings.timeout, config.root, variables, secrets).run()

    return DrillChecks(settings.query or "", settings.timeout, call if settings.command else None)


def age_limits(config: Config) -> AgeLimits:
    """How old the environment's last backup and last drill may be."""
    return AgeLimits(config.settings.backup_max_age, config.drill.max_age)


def timetable_of(config: Config) -> Timetable:
    """When backups of the environment are due. UsageError when nothing is scheduled, ConfigError when the time zone is
    not known."""
    from handrail.config_schedule import parse_time
    from handrail.retention.decision import Rule
    from handrail.retention.due import WHOLE_EVERY, Time, Timetable

    schedule = config.schedule
    times = tuple(Time(Rule(tier), **parse_time(tier, text)) for tier, text in schedule.times)
    if not times:
        raise UsageError(
            f"no backup of {config.name} is scheduled",
            why="[schedule] names no tier",
            hint=f'write {config.table("schedule")} with daily = "03:00", see {page("scheduling")}',
        )
    zone = time_zone(config, "schedule", schedule.timezone)
    every = schedule.whole_every or WHOLE_EVERY
    return Timetable(times, zone, schedule.verify, schedule.method, every)


def job_of(
    config: Config, words: tuple[str, ...], minute: int, hour: int | None = None, weekday: int | None = None
) -> Job:
    """A command to be run unattended by this user for this project and environment, through this installation."""
    program = Path(sys.executable).with_name("handrail")
    settings = config.settings
    named = [name for value in (settings.url, settings.rehearse_server) if (name := variable_of(value or ""))]
    is_sealed = bool(settings.recipients or settings.recipients_file)
    needs_key = config.schedule.verify or config.schedule.method is Method.INCREMENT or words == ("drill",)
    if is_sealed and needs_key and (key := variable_of(settings.identity or "env:HANDRAIL_IDENTITY")):
        named.append(key)
    return Job(
        name="-".join(("handrail", *words[-1:], config.name)),
        program=(str(program),) if program.is_file() else (sys.executable, "-m", "handrail.cli.main"),
        words=words,
        folder=str(config.root),
        environment=config.name,
        user=getpass.getuser(),
        minute=minute,
        hour=hour,
        weekday=weekday,
        variables=tuple(dict.fromkeys(named)),
    )
