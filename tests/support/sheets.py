"""Recovery sheets run by a shell that knows nothing of handrail."""

from __future__ import annotations

import subprocess
from pathlib import Path

from handrail.databases.postgres.binaries import find_server_binaries
from support.postgres import PostgresServer
from support.programs import path_of

TOOLS = ("age", "b3sum", "zstd", "sqlite3")


def run_sheet(
    backup: Path, work: Path, *, key: str = "right", more: Path | None = None, **variables: str
) -> tuple[int, str]:
    """Status and output of the sheet, run where handrail cannot be imported; the work folder reads as <work>."""
    work.mkdir(parents=True, exist_ok=True)
    path = path_of(*TOOLS, folder=work.parent / f"{work.name}-bin", more=more)
    environment = {"PATH": path, "WORK": str(work), "KEY": str(backup.parents[3] / "keys" / key), **variables}
    for command in (["/usr/bin/env", "python3", "-c", "import handrail"], ["/bin/sh", "RECOVERY.txt"]):
        done = subprocess.run(
            command, cwd=backup, env=environment, text=True, timeout=240, check=False,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        assert done.returncode or "RECOVERY.txt" in command
    said = done.stdout.replace(str(work), "<work>")
    return done.returncode, said


def bin_dir(server: PostgresServer) -> Path:
    """Where the programs of this server are."""
    return next(one.bin_dir for one in find_server_binaries() if one.version == server.version)
