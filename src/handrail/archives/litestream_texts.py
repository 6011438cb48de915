"""What Litestream's configuration and its service look like. No secret is in them: Litestream takes its own from the
environment."""

from __future__ import annotations

import json
import shlex
from datetime import timedelta
from pathlib import Path
from typing import Final

#: How often a whole database is written anew; the retention of moments counts from there.
SNAPSHOT_EVERY: Final = timedelta(hours=24)


def configuration(
    environment: str, database: Path, place: str, endpoint: str, *, keep: timedelta, fine: timedelta, sync: float
) -> str:
    """litestream.yml. Texts are written as JSON, which YAML is a superset of; $ has no meaning (-no-expand-env)."""
    is_url = "://" in place
    replica = [f"      {'url' if is_url else 'path'}: {json.dumps(place)}", f"      sync-interval: {sync:g}s"]
    if is_url and endpoint:
        replica += [f"      endpoint: {json.dumps(endpoint)}", "      force-path-style: true"]
    return "\n".join(
        (
            f"# Written by handrail for the environment {environment}: change its [archive] table instead.",
            "# Secrets are not in here: Litestream reads them from the environment (AWS_ACCESS_KEY_ID, …).",
            "dbs:",
            f"  - path: {json.dumps(str(database))}",
            "    replica:",
            *replica,
            "snapshot:",
            f"  interval: {_hours(SNAPSHOT_EVERY)}",
            "  # As far back as is asked for, from the whole database before that on.",
            f"  retention: {_hours(keep + SNAPSHOT_EVERY)}",
            "# While these are kept, moments are told apart to the second.",
            f"l0-retention: {_hours(fine)}",
            "logging:",
            "  level: info",
            "  type: text",
            "  stderr: true",
            "",
        )
    )


def _hours(time: timedelta) -> str:
    return f"{time.total_seconds() / 3600:g}h"


def service(environment: str, project: Path, program: str, user: str, place: str) -> str:
    """A systemd unit that runs `handrail archive run`."""
    needs = (
        []
        if "://" not in place
        else [
            "# AWS_ACCESS_KEY_ID=… and so on, in a file that only root can read.",
            "EnvironmentFile=/etc/handrail/archive.env",
        ]
    )
    return "\n".join(
        (
            "[Unit]",
            f"Description=handrail archive of {environment}",
            "After=network-online.target",
            "Wants=network-online.target",
            "",
            "[Service]",
            "# Who owns the database file; else Litestream cannot write beside it.",
            f"User={user}",
            f"WorkingDirectory={project}",
            *needs,
            f"ExecStart={program} archive run --env {shlex.quote(environment)}",
            "Restart=always",
            "RestartSec=5",
            "TimeoutStopSec=60",
            "",
            "[Install]",
            "WantedBy=multi-user.target",
            "",
        )
    )
