"""Loading a dump into an empty PostgreSQL database with pg_restore."""

from __future__ import annotations

import re
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, BinaryIO

from handrail.backups.methods import DumpRequest, Format
from handrail.databases.ahead import ahead, tar_ahead
from handrail.databases.lines import lines
from handrail.databases.postgres.binaries import TIMEOUT_SINCE, Tools, major, tools_for
from handrail.databases.postgres.connection import conninfo, tool_environment
from handrail.databases.postgres.dump import CHUNK, said
from handrail.errors import BackupError
from handrail.facts import DatabaseAddress
from handrail.processes import ended_with

_MAGIC = b"PGDMP"
#: Linux: opening an entry opens the file anew, also one that has no name.
_OWN_FILES = Path("/proc/self/fd")
#: Smaller dumps are loaded by one session: starting more costs more than it gains.
_PARALLEL_BYTES = 8 << 20
#: The first pg_restore major version that reads an archive version.
_READERS = {(1, 15): 16, (1, 16): 17}
_UNKNOWN_TIMEOUT = '"transaction_timeout"'
#: The statement that failed is said below the error.
_BROKEN_KEY = r"Command was: ALTER TABLE [^;]* FOREIGN KEY \("
_COPY = re.compile(rb"COPY .* FROM stdin;\n")
_KEY = re.compile(rb"-- Name: .*; Type: FK CONSTRAINT; ")
#: What pg_dump writes last; a line for psql may follow.
_END = b"-- PostgreSQL database dump complete\n"
_END_BYTES = 400
_FOLDER_FILE = re.compile(r"[A-Za-z0-9_.-]+")
_HINT = "Choose another one: `handrail backup list`."
#: What is loaded becomes durable with the commit that puts it in place; before, it may be lost in a crash.
_TUNING = "-c synchronous_commit=off -c statement_timeout=0 -c default_transaction_read_only=off"


@dataclass(frozen=True, slots=True)
class Target:
    """The empty database that is loaded. `keep_owners` also restores owners and rights, whose roles must exist."""

    address: DatabaseAddress
    server: str
    application: str
    keep_owners: bool = False
    bin_dirs: Sequence[Path] = ()

    @property
    def version(self) -> int:
        return major(self.server)

    def tools(self, at_least: int = 0) -> Tools:
        return tools_for(self.version, self.server, bin_dirs=self.bin_dirs, at_least=at_least)

    def environment(self) -> dict[str, str]:
        environment = tool_environment(self.address, self.application)
        return environment | {"PGOPTIONS": f"{environment.get('PGOPTIONS', '')} {_TUNING}".strip()}

    def failed(self, why: str) -> BackupError:
        return BackupError(
            f"The dump could not be loaded into {self.address.database}.",
            why=why,
            hint="`handrail backup verify` tells whether the backup is whole.",
        )


def load(target: Target, source: BinaryIO, request: DumpRequest) -> None:
    """Load a dump. Raises BackupError."""
    if request.format is Format.PG_PLAIN:
        _run_sql(target, source, request)
    elif request.format is Format.PG_DIRECTORY:
        with tempfile.TemporaryDirectory(prefix="handrail-load-") as folder:
            with _unpacking():
                _unpack(source, Path(folder))
            _pg_restore(target, target.tools(), folder, request, (f"--jobs={request.jobs}", "--format=directory"))
    else:
        _load_archive(target, source, request)


def _load_archive(target: Target, source: BinaryIO, request: DumpRequest) -> None:
    """pg_restore works in parallel only from a file, so the stream is spooled to one that only this user can read;
    where the system can reopen a file without a name it has none, so that a killed run leaves no rows behind."""
    with _spool_file() as spool:
        size = _spool(source, spool)
        tools = target.tools(at_least=_reader_of(spool))
        jobs = (f"--jobs={request.jobs}",) if size > _PARALLEL_BYTES else ()
        _pg_restore(target, tools, _name_of(spool), request, jobs, spool.fileno())


def _pg_restore(
    target: Target, tools: Tools, archive: str, request: DumpRequest, more: Sequence[str], *descriptors: int
) -> None:
    tolerated = [_UNKNOWN_TIMEOUT] if tools.version >= TIMEOUT_SINCE > target.version else []
    tolerated += [] if request.is_whole else [_BROKEN_KEY]
    arguments = ["--no-password", f"--dbname={conninfo(target.address)}", *more]
    arguments += [] if tolerated else ["--exit-on-error"]
    arguments += [] if target.keep_owners else ["--no-owner", "--no-privileges"]
    with (
        tempfile.TemporaryFile() as errors,
        subprocess.Popen(
            [tools.pg_restore, *arguments, archive], pass_fds=descriptors,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors, env=target.environment(),
        ) as process,
        ended_with(process),
    ):  # fmt: skip
        status = process.wait()
        if status and not _only(tolerated, errors):
            raise target.failed(said(errors, target.address) or f"pg_restore ended with status {status}.")


def _only(tolerated: Sequence[str], errors: IO[bytes]) -> bool:
    """Whether pg_restore went on to its end and all that it says went wrong is of these kinds. (It counts some twice
    when it works in parallel.)"""
    errors.seek(0)
    text = errors.read().decode(errors="replace")
    failed = re.split(r"^pg_restore: error: ", text, flags=re.MULTILINE)[1:]
    is_at_end = "errors ignored on restore: " in text
    return is_at_end and all(any(re.search(kind, block) for kind in tolerated) for block in failed)


def _run_sql(target: Target, source: BinaryIO, request: DumpRequest) -> None:
    """Have psql read SQL text. It ends at the first error: what followed a failed COPY would be read as statements."""
    psql = target.tools().beside("psql")
    words = ["--no-psqlrc", "--no-password", "--quiet", f"--dbname={conninfo(target.address)}"]
    words += ["--set=ON_ERROR_STOP=1"]
    with (
        tempfile.TemporaryFile() as errors,
        subprocess.Popen(
            [psql, *words, "--file=-"],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=errors, env=target.environment(),
        ) as process,
        ended_with(process),
    ):  # fmt: skip
        assert process.stdin is not None  # noqa: S101 - opened with a pipe
        end = b""
        with process.stdin as sink, suppress(BrokenPipeError):  # it has ended, and its status says why
            for piece in _pieces(source) if request.is_whole else _without_keys(_pieces(source)):
                sink.write(piece)
                end = (end + piece)[-_END_BYTES:]
        if process.wait():
            raise target.failed(said(errors, target.address) or f"psql ended with status {process.returncode}.")
        if _END not in end:
            raise target.failed("The SQL text was cut: pg_dump's last line is missing.")


def _pieces(source: BinaryIO) -> Iterator[bytes]:
    while piece := source.read(CHUNK):
        yield piece


def _without_keys(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The lines of pg_dump's SQL without its foreign keys, some of which the rows may break."""
    is_data = is_key = False
    for line in lines(pieces):
        if is_data:
            is_data = line != b"\\.\n"
        elif is_key:
            is_key = not line.endswith(b";\n")
            continue
        elif _COPY.match(line):
            is_data = True
        elif _KEY.match(line):
            is_key = True
            continue
        yield line


@contextmanager
def _unpacking() -> Iterator[None]:
    """Say what it means that a folder's tar cannot be unpacked."""
    try:
        yield
    except (tarfile.TarError, EOFError, ValueError) as error:
        raise BackupError(
            "This is not a whole dump of pg_dump's directory format.",
            why=str(error),
            hint="`handrail backup verify` tells whether the backup is whole.",
        ) from error
    except OSError as error:
        raise BackupError(
            "The dump could not be read, or not be unpacked into the temporary folder.",
            why=str(error),
            hint=f"Make room in {tempfile.gettempdir()}, or set TMPDIR.",
        ) from error


def _unpack(source: BinaryIO, folder: Path) -> None:
    """Only plain files of the folder itself are taken: what a tar says of places is not believed."""
    with tar_ahead(source) as tar:
        for entry in tar:
            if not entry.isfile() or not _FOLDER_FILE.fullmatch(entry.name):
                raise BackupError(
                    "This is not a dump of pg_dump's directory format.", why=f"It holds {entry.name!r}.", hint=_HINT
                )
            content = tar.extractfile(entry)
            assert content is not None  # noqa: S101 - a plain file
            with (folder / entry.name).open("xb") as file:
                shutil.copyfileobj(content, file, CHUNK)
    if not (folder / "toc.dat").is_file():
        raise BackupError("This is not a dump of pg_dump's directory format.", why="It has no toc.dat.", hint=_HINT)


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
        with ahead(source) as content:
            while chunk := content.read(CHUNK):
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
