"""Loading a dump into an empty PostgreSQL database with pg_restore."""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO, BinaryIO

from handrail.databases.postgres.binaries import tools_for
from handrail.databases.postgres.connection import conninfo, tool_environment
from handrail.databases.postgres.dump import CHUNK, said
from handrail.errors import BackupError
from handrail.facts import DatabaseAddress

_MAGIC = b"PGDMP"
#: Linux: opening an entry opens the file anew, also one that has no name.
_OWN_FILES = Path("/proc/self/fd")
#: Smaller dumps are loaded by one session: starting more costs more than it gains.
_PARALLEL_BYTES = 8 << 20
#: The first pg_restore major version that reads an archive version.
_READERS = {(1, 15): 16, (1, 16): 17}
#: pg_restore begins with `SET transaction_timeout` from this version on, whatever the server knows.
_TIMEOUT_SINCE = 17
#: What is loaded becomes durable with the commit that puts it in place; before, it may be lost in a crash.
_TUNING = "-c synchronous_commit=off -c statement_timeout=0 -c default_transaction_read_only=off"


def load(
    address: DatabaseAddress,
    source: BinaryIO,
    *,
    server: str,
    application: str,
    keep_owners: bool,
    bin_dirs: Sequence[Path] = (),
) -> None:
    """Load a dump. `keep_owners` also restores owners and rights, whose roles must exist. Raises BackupError.

    pg_restore works in parallel only from a file, so the stream is spooled to one that only this user can read; where
    the system can reopen a file without a name it has none, so that a killed run leaves no rows behind."""
    with _spool_file() as spool:
        size = _spool(source, spool)
        tools = tools_for(int(server.partition(".")[0]), server, bin_dirs=bin_dirs, at_least=_reader_of(spool))
        is_newer = tools.version >= _TIMEOUT_SINCE > int(server.partition(".")[0])
        arguments = ["--no-password", f"--dbname={conninfo(address)}"]
        arguments += [] if is_newer else ["--exit-on-error"]
        arguments += [] if keep_owners else ["--no-owner", "--no-privileges"]
        arguments += ["--jobs=2"] if size > _PARALLEL_BYTES else []
        environment = tool_environment(address, application)
        environment["PGOPTIONS"] = f"{environment.get('PGOPTIONS', '')} {_TUNING}".strip()
        with tempfile.TemporaryFile() as errors:
            done = subprocess.run(
                [tools.pg_restore, *arguments, _name_of(spool)], pass_fds=[spool.fileno()],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors, env=environment, check=False,
            )  # fmt: skip
            if done.returncode and not (is_newer and _only_timeouts(errors)):
                raise BackupError(
                    f"The dump could not be loaded into {address.database}.",
                    why=said(errors, address) or f"pg_restore ended with status {done.returncode}.",
                    hint="`handrail backup verify` tells whether the backup is whole.",
                )


def _only_timeouts(errors: IO[bytes]) -> bool:
    """Whether all that went wrong is that an older server does not know `SET transaction_timeout`."""
    errors.seek(0)
    text = errors.read().decode(errors="replace")
    failed = re.findall(r"^pg_restore: error: (.*)$", text, re.MULTILINE)
    ignored = re.search(r"errors ignored on restore: (\d+)", text)
    return (
        ignored is not None
        and int(ignored.group(1)) == len(failed)
        and all('"transaction_timeout"' in line for line in failed)
    )


def _spool_file() -> IO[bytes]:
    if _OWN_FILES.is_dir():
        return tempfile.TemporaryFile()
    return tempfile.NamedTemporaryFile(prefix="handrail-load-")


def _name_of(spool: IO[bytes]) -> str:
    """What pg_restore, and each of its workers, opens to read the spool from its own position."""
    return str(_OWN_FILES / str(spool.fileno())) if _OWN_FILES.is_dir() else spool.name


def _spool(source: BinaryIO, spool: IO[bytes]) -> int:
    size = 0
    try:
        while chunk := source.read(CHUNK):
            spool.write(chunk)
            size += len(chunk)
        spool.flush()
    except OSError as error:
        raise BackupError(
            "The dump could not be read, or not be spooled to the temporary folder.",
            why=str(error),
            hint=f"Make room in {tempfile.gettempdir()}, or set TMPDIR.",
        ) from error
    return size


def _reader_of(spool: IO[bytes]) -> int:
    """The major version of pg_restore that a dump needs; BackupError when it is no dump."""
    spool.seek(0)
    header = spool.read(len(_MAGIC) + 2)
    if len(header) < len(_MAGIC) + 2 or not header.startswith(_MAGIC):
        raise BackupError(
            "This is not a dump of pg_dump's custom format.",
            why="It is empty." if not header else "It does not begin as one does.",
            hint="`handrail backup verify` tells whether the backup is whole.",
        )
    return _READERS.get((header[5], header[6]), 0)
