"""What to install so that a command runs by itself: text for cron, systemd or Kubernetes, without any secret in it."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Scheduler(StrEnum):
    """What starts commands at their times."""

    CRON = "cron"
    SYSTEMD = "systemd"
    KUBERNETES = "kubernetes"


@dataclass(frozen=True, slots=True)
class Job:
    """A command to be run unattended. `program` is how handrail is started on this machine, `words` what follows it;
    `user` owns the backups;
    `minute`, `hour` (None: every hour) and `weekday` (0 is Sunday, None: every day) are when. `variables` are names of
    environment variables that the configuration reads."""

    name: str
    program: tuple[str, ...]
    words: tuple[str, ...]
    folder: str
    environment: str
    user: str
    minute: int
    hour: int | None = None
    weekday: int | None = None
    variables: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        return f"handrail {' '.join(self.words)} of {self.environment}"

    @property
    def cron(self) -> str:
        """The time as cron reads it."""
        hour, weekday = ("*" if one is None else str(one) for one in (self.hour, self.weekday))
        return f"{self.minute} {hour} * * {weekday}"

    @property
    def on_calendar(self) -> str:
        """The time as systemd reads it."""
        day = "" if self.weekday is None else f"{_DAYS[self.weekday]} "
        hour = "*" if self.hour is None else f"{self.hour:02}"
        return f"{day}*-*-* {hour}:{self.minute:02}:00"


_DAYS = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat")


def text_of(job: Job, scheduler: Scheduler) -> str:
    """What to install, with comments that say where and what is still to be given."""
    return {Scheduler.CRON: _cron, Scheduler.SYSTEMD: _systemd, Scheduler.KUBERNETES: _kubernetes}[scheduler](job)


def _command(job: Job) -> tuple[str, ...]:
    return (*job.program, *job.words, "--project", job.folder, "--env", job.environment)


def _cron(job: Job) -> str:
    command = shlex.join(_command(job)).replace("%", "\\%")  # cron reads a bare % as a line end
    lines = [
        f"# {job.title}: add this to the crontab of {job.user} (crontab -e).",
        "# cron sends by mail what a failed call says; a call that succeeds says nothing.",
        *(
            f"# Set {name} in a file that only this user can read, and source it before the command."
            for name in _set(job)
        ),
        f'{job.cron} out=$({command} 2>&1) || echo "$out"',
    ]
    return "\n".join(lines)


def _set(job: Job) -> Sequence[str]:
    return [", ".join(job.variables)] if job.variables else []


def _systemd(job: Job) -> str:
    unit = [
        f"# /etc/systemd/system/{job.name}.service",
        "[Unit]",
        f"Description={_specifiers(job.title)}",
        "",
        "[Service]",
        "Type=oneshot",
        f"User={job.user}",
        f"WorkingDirectory={_specifiers(job.folder)}",
        *(f"# holds {name}; mode 0600" for name in _set(job)),
        *([f"EnvironmentFile=/etc/handrail/{job.environment}.env"] if job.variables else []),
        f"ExecStart={' '.join(map(_systemd_word, _command(job)))}",
        "",
        f"# /etc/systemd/system/{job.name}.timer, then: systemctl enable --now {job.name}.timer",
        "[Unit]",
        f"Description={_specifiers(job.title)}",
        "",
        "[Timer]",
        f"OnCalendar={job.on_calendar}",
        "Persistent=true",
        "",
        "[Install]",
        "WantedBy=timers.target",
    ]
    return "\n".join(unit)


def _specifiers(text: str) -> str:
    return text.replace("%", "%%")


def _systemd_word(word: str) -> str:
    escaped = _specifiers(word).replace("\\", "\\\\").replace('"', '\\"').replace("$", "$$")
    return f'"{escaped}"' if not word or set(word) & set(" \t'\"\\;$") else escaped


def _kubernetes(job: Job) -> str:
    """Strings are written as JSON writes them, which YAML reads the same."""
    words = ("handrail", *job.words, "--env", job.environment)
    variables = [
        line
        for name in job.variables
        for line in (
            f"                - name: {json.dumps(name)}",
            "                  valueFrom:",
            f"                    secretKeyRef: {{name: {json.dumps(f'handrail-{_label(job.environment)}')},"
            f" key: {json.dumps(name)}}}",
        )
    ]
    lines = [
        f"# {job.title}: kubectl apply -f this file.",
        "apiVersion: batch/v1",
        "kind: CronJob",
        "metadata:",
        f"  name: {json.dumps(_label(job.name))}",
        "spec:",
        f"  schedule: {json.dumps(job.cron)}",
        "  concurrencyPolicy: Forbid",
        "  jobTemplate:",
        "    spec:",
        "      backoffLimit: 0",
        "      template:",
        "        spec:",
        "          restartPolicy: Never",
        "          containers:",
        "            - name: handrail",
        "              # your application's image, with handrail and the database's tools in it",
        '              image: "YOUR-IMAGE"',
        "              # where the project lies in the image",
        f"              workingDir: {json.dumps(job.folder)}",
        f"              command: {json.dumps(list(words), ensure_ascii=False)}",
        *(["              env:", *variables] if variables else []),
        "              # backups and journal must outlive the pod",
        "              volumeMounts:",
        f"                - {{name: state, mountPath: {json.dumps(f'{job.folder}/.handrail')}}}",
        "          volumes:",
        "            - name: state",
        '              persistentVolumeClaim: {claimName: "handrail-state"}',
    ]
    return "\n".join(lines)


def _label(text: str) -> str:
    """A name as Kubernetes allows it."""
    kept = "".join(sign if sign.isascii() and sign.isalnum() else "-" for sign in text.lower()).strip("-")
    return kept[:52].rstrip("-") or "handrail"
