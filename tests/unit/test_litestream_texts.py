"""What is written for Litestream and for systemd."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from handrail.archives.litestream_texts import configuration, service

SETTINGS = {"keep": timedelta(days=7), "fine": timedelta(hours=24), "sync": 1.0}


def test_a_folder() -> None:
    text = configuration("production", Path('/srv/a "b".db'), "/mnt/$archive", "http://ignored", **SETTINGS)  # type: ignore[arg-type]
    assert text == (
        "# Written by handrail for the environment production: change its [archive] table instead.\n"
        "# Secrets are not in here: Litestream reads them from the environment (AWS_ACCESS_KEY_ID, …).\n"
        "dbs:\n"
        '  - path: "/srv/a \\"b\\".db"\n'
        "    replica:\n"
        '      path: "/mnt/$archive"\n'
        "      sync-interval: 1s\n"
        "snapshot:\n"
        "  interval: 24h\n"
        "  # As far back as is asked for, from the whole database before that on.\n"
        "  retention: 192h\n"
        "# While these are kept, moments are told apart to the second.\n"
        "l0-retention: 24h\n"
        "logging:\n"
        "  level: info\n"
        "  type: text\n"
        "  stderr: true\n"
    )


def test_a_bucket_of_a_server_that_is_not_amazons() -> None:
    text = configuration("production", Path("/srv/app.db"), "s3://bucket/app", "http://minio:9000", **SETTINGS)  # type: ignore[arg-type]
    assert text.splitlines()[4:9] == [
        "    replica:",
        '      url: "s3://bucket/app"',
        "      sync-interval: 1s",
        '      endpoint: "http://minio:9000"',
        "      force-path-style: true",
    ]


def test_the_service_names_who_and_where() -> None:
    text = service("production", Path("/srv/app"), "/srv/app/.venv/bin/handrail", "app", "s3://bucket/app")
    assert text == (
        "[Unit]\n"
        "Description=handrail archive of production\n"
        "After=network-online.target\n"
        "Wants=network-online.target\n"
        "\n"
        "[Service]\n"
        "# Who owns the database file; else Litestream cannot write beside it.\n"
        "User=app\n"
        "WorkingDirectory=/srv/app\n"
        "# AWS_ACCESS_KEY_ID=… and so on, in a file that only root can read.\n"
        "EnvironmentFile=/etc/handrail/archive.env\n"
        "ExecStart=/srv/app/.venv/bin/handrail archive run --env production\n"
        "Restart=always\n"
        "RestartSec=5\n"
        "TimeoutStopSec=60\n"
        "\n"
        "[Install]\n"
        "WantedBy=multi-user.target\n"
    )
    assert "EnvironmentFile" not in service("production", Path("/srv/app"), "handrail", "app", "/mnt/archive")
