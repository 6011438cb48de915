"""Base backups: the files of a whole server by pg_basebackup, and what is made of them again.

What is proven. pg_verifybackup compares every file with the manifest that the server wrote; the server's own programs
start on the files and recover to the moment at which the backup ended. That moment has no snapshot that a digest could
be taken in, so tables are digested as they were before, and afterwards it is seen which still are that (`unchanged`):
these must be equal in the copy, to the bit; one that others wrote to meanwhile is not compared, and is named.

An increment (PostgreSQL 17 and newer) is the same with only those blocks of each file that changed since another
backup: the server tells them from what it keeps about its WAL (summarize_wal), given the manifest of that backup.
pg_combinebackup makes whole files of both again, and these are compared with the manifest that the server wrote.
"""

from __future__ import annotations

import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, BinaryIO, TypeVar

from handrail.backups.methods import Format
from handrail.databases.ahead import tar_ahead
from handrail.databases.database import DumpReport
from handrail.databases.postgres import catalog, digest
from handrail.databases.postgres.binaries import ServerBinaries, extract, find_server_binaries, major
from handrail.databases.postgres.connection import asker, begin_reading, connect, reading, translated
from handrail.databases.postgres.dump import Source, running, said
from handrail.databases.postgres.passing import Beside, pass_on
from handrail.databases.postgres.quoting import Query
from handrail.databases.postgres.reading import pin
from handrail.databases.postgres.revived import RevivedCluster
from handrail.databases.postgres.unchanged import Earlier, horizon
from handrail.errors import BackupError, HandrailError
from handrail.facts import DatabaseAddress, DatabaseFacts, Fingerprint, TableName

_Made = TypeVar("_Made")
_Seen = tuple[Fingerprint, DatabaseFacts, tuple[str, ...]]
#: The first version whose servers can tell what changed.
INCREMENTS_SINCE = 17
#: The first version whose pg_combinebackup need not copy files that are taken over as they are.
_LINKS_SINCE = 18
_MANIFEST = "backup_manifest"
_FORMAT = ("--format=tar", "--pgdata=-", "--wal-method=fetch", "--checkpoint=fast")


def back_up(source: Source, out: BinaryIO, since: bytes = b"") -> DumpReport:
    """Write the tar of the server's files to `out`, in pieces of CHUNK bytes; with `since`, the manifest of another
    backup, only the blocks that changed since that one."""
    manifest, before, earlier = _write_beside_digests(source, out, since)
    with reading(source.address, source.application) as (query, schema):
        seen = _compared(before, _seen(query, schema, source.version_table, earlier.known(query, schema)))
    return DumpReport(
        Format.PG_INCREMENT if since else Format.PG_BASE,
        source.tools.release,
        seen.facts.version,
        seen.facts,
        seen.fingerprint,
        seen.revisions,
        seen.changed,
        manifest if major(seen.facts.version) >= INCREMENTS_SINCE else b"",
    )


@dataclass(frozen=True, slots=True)
class Watched:
    """What a database held while it was copied; `changed` are the tables that others wrote to meanwhile."""

    facts: DatabaseFacts
    fingerprint: Fingerprint
    revisions: tuple[str, ...]
    changed: tuple[TableName, ...]


def watched(look: Callable[[], _Seen], copy: Callable[[], _Made]) -> tuple[_Made, Watched]:
    """Look at the database before and after it is copied by something that has no snapshot to look at. BackupError
    when the schema was changed meanwhile."""
    before = look()
    made = copy()
    return made, _compared(before, look())


def _compared(earlier: _Seen, later: _Seen) -> Watched:
    (before, facts, _), (after, now, revisions) = earlier, later
    if (facts.tables, facts.objects) != (now.tables, now.objects):
        raise BackupError(
            "The schema was changed while the backup was made.",
            why="What was backed up then is neither of the two.",
            hint="Try again when nobody migrates.",
        )
    changed = tuple(one.table for one in after.tables if before.table(one.table) != one)
    return Watched(now, replace(after, sequences=before.sequences), revisions, changed)


def no_increments(release: str) -> BackupError:
    return BackupError(
        f"PostgreSQL {release} cannot tell what changed since a backup.",
        why=f"Increments need version {INCREMENTS_SINCE} or newer.",
        hint="Make a whole one: handrail backup create --method base",
    )


def _write_beside_digests(source: Source, out: BinaryIO, since: bytes) -> tuple[bytes, _Seen, Earlier]:
    """The manifest of what was written, and what a snapshot saw that was taken before. The files are copied while it
    digests; its transaction ends as soon as it can, since vacuum waits for it."""
    with translated(source.address, BackupError):
        connection = connect(source.address, source.application)
        try:
            query = asker(connection)
            begin_reading(query)
            schema, oldest = pin(query), horizon(query)
            total = _readable_bytes(query)
            with ThreadPoolExecutor(1) as thread:

                def see() -> _Seen:
                    found = _seen(query, schema, source.version_table)
                    query("ROLLBACK")
                    return found

                beside = Beside(thread, see, 0 if since else total)
                try:
                    manifest = _write(source, out, since, beside.passing)
                    before = beside.result()
                except BaseException:
                    with suppress(Exception):
                        connection.cancel()
                    raise
            return manifest, before, Earlier(before[0], oldest)
        finally:
            connection.close()


def _readable_bytes(query: Query) -> int:
    """What the databases of the server hold that this role may connect to."""
    rows = query(
        "SELECT coalesce(sum(pg_database_size(oid)), 0)::bigint FROM pg_database"
        " WHERE has_database_privilege(oid, 'CONNECT')"
    )
    return int(rows[0][0])


def _write(source: Source, out: BinaryIO, since: bytes, heard: Callable[[int], object]) -> bytes:
    """Let pg_basebackup write; the manifest that the server made of it."""
    arguments = list(_FORMAT)
    with tempfile.NamedTemporaryFile(prefix="handrail-manifest-") as file:
        if since:
            file.write(since)
            file.flush()
            arguments.append(f"--incremental={file.name}")
        with running(source, source.tools.beside("pg_basebackup"), arguments) as (process, errors):
            manifest = pass_on(process, out, _MANIFEST, heard)
            if process.wait():
                raise _failed(errors, source.address)
    if not manifest:
        raise BackupError(f"pg_basebackup of {source.address} wrote no manifest.", hint="Run `handrail doctor`.")
    return manifest


def look_at(address: DatabaseAddress, application: str, skipped: TableName) -> _Seen:
    """What a database holds at this instant; `skipped` is Alembic's version table."""
    with reading(address, application) as (query, schema):
        return _seen(query, schema, skipped)


def _seen(query: Query, schema: str, skipped: TableName, known: digest.Known = digest.unknown) -> _Seen:
    return (
        digest.fingerprint(query, None, default_schema=schema, version_table=skipped, known=known),
        catalog.facts(query, default_schema=schema, version_table=skipped),
        catalog.revisions(query, default_schema=schema, version_table=skipped),
    )


def _failed(errors: IO[bytes], address: DatabaseAddress) -> BackupError:
    why = said(errors, address)
    hint = "Run `handrail doctor`."
    if "single tablespace" in why:
        hint = "A server with tablespaces needs another way: handrail backup create --method dump"
    elif "WAL summarization" in why:
        hint = f"ALTER SYSTEM SET summarize_wal = on; SELECT pg_reload_conf(); and then {_ANEW}"
    elif "WAL summaries" in why or "system identifier" in why or "timeline" in why:
        hint = f"Build on a new one: {_ANEW}"
    elif any(word in why for word in ("replication", "walsender", "wal_sender", "wal_level")):
        hint = (
            "It needs ALTER ROLE … REPLICATION, a line `host replication …` in pg_hba.conf, wal_level = replica,"
            " max_wal_senders > 0."
        )
    return BackupError(f"pg_basebackup of {address} failed.", why=why, hint=hint)


_ANEW = "handrail backup create --method base"


def unpack_all(parts: Iterable[BinaryIO], folder: Path, binaries: ServerBinaries) -> None:
    """Make a data folder, which is there and empty, from a base backup and the increments on it, oldest first."""
    source, *increments = parts
    if not increments:
        unpack(source, folder, binaries)
        if _builds_on_another(folder):
            raise BackupError("These are only the blocks that changed since another backup.", hint=_HINT)
        return
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as place:
        folders = []
        for number, part in enumerate((source, *increments)):
            folders.append(Path(place, str(number)))
            folders[-1].mkdir(mode=0o700)
            unpack(part, folders[-1], binaries)
        link = ["--link"] if binaries.version >= _LINKS_SINCE else []
        combined = _run(binaries, "pg_combinebackup", *link, f"--output={folder}", *map(str, folders))
    if combined:
        raise BackupError("The increments do not fit the backup that they are to build on.", why=combined, hint=_HINT)
    _verify(folder, binaries)


def _builds_on_another(folder: Path) -> bool:
    """What the server wrote into `backup_label`, beside the lines that every backup has."""
    return b"\nINCREMENTAL FROM LSN:" in (folder / "backup_label").read_bytes()


def _run(binaries: ServerBinaries, program: str, *arguments: str) -> str:
    """Run one of the server's programs; what it complains of, "" when it succeeded."""
    done = subprocess.run(
        [str(binaries.bin_dir / program), *arguments], capture_output=True, text=True, check=False, errors="replace"
    )
    return " ".join(done.stderr.split())[:500] or f"It ended with status {done.returncode}." if done.returncode else ""


def _verify(folder: Path, binaries: ServerBinaries) -> None:
    found = damage(folder, binaries)
    if found:
        raise BackupError("The base backup is damaged.", why=found, hint=_HINT)


def damage(folder: Path, binaries: ServerBinaries, *options: str) -> str:
    """Compare every file of a data folder with its manifest; pg_verifybackup's words on what differs, or ""."""
    return _run(binaries, "pg_verifybackup", *options, str(folder))


def unpack(source: BinaryIO, folder: Path, binaries: ServerBinaries) -> None:
    """Make a server's data folder from a base backup, every file compared with its manifest. BackupError."""
    try:
        with tar_ahead(source) as tar:
            extract(tar, str(folder))
    except (tarfile.TarError, EOFError, ValueError) as error:
        raise BackupError("This is not a whole base backup.", why=str(error), hint=_HINT) from error
    except OSError as error:
        raise BackupError(
            f"The base backup could not be unpacked into {folder}.", why=str(error), hint="Make room or rights there."
        ) from error
    _verify(folder, binaries)


_HINT = "Choose another one: `handrail backup list`."


def restore_cluster(parts: Iterable[BinaryIO], folder: Path, version: int) -> None:
    """Make a data folder that a server can be started on. BackupError when there is anything in it already."""
    binaries = programs(version)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
        is_empty = not any(folder.iterdir())
    except OSError as error:
        raise BackupError(f"{folder} cannot be made.", why=error.strerror or str(error)) from error
    if not is_empty:
        raise BackupError(f"{folder} is not empty.", why="A server's files need a folder of their own.", hint=_OTHER)
    try:
        unpack_all(parts, folder, binaries)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


_OTHER = "Choose another folder: --into FOLDER"


def programs(version: int) -> ServerBinaries:
    """The server's programs of one major version: files of another one cannot be read. BackupError."""
    found = find_server_binaries(version)
    if found:
        return found[0]
    raise BackupError(
        f"The programs of a PostgreSQL {version} server were not found.",
        why="Only they can read a base backup of that version.",
        hint=f"apt-get install postgresql-{version}, or set HANDRAIL_PG_BIN to the folder of its programs.",
    )


class RestoredCluster(RevivedCluster):
    """A throwaway server on the files of a base backup."""

    def __init__(self, binaries: ServerBinaries, origin: DatabaseAddress) -> None:
        super().__init__(binaries, origin)
        self._parts: tuple[BinaryIO, ...] = ()

    def load(self, parts: Iterable[BinaryIO]) -> None:
        """Unpack a base backup and the increments on it, start, recover. BackupError when that cannot be done."""
        self._parts = tuple(parts)
        try:
            self.revive()
        except HandrailError as error:
            if isinstance(error, BackupError):
                raise
            raise BackupError(
                "The base backup was unpacked, but no server runs on it.",
                why=f"{error.message} {error.why}",
                hint=_HINT,
            ) from error

    def _lay(self, folder: Path) -> None:
        folder.mkdir(mode=0o700)
        unpack_all(self._parts, folder, self.binaries)


@contextmanager
def restored_cluster(version: int, origin: DatabaseAddress) -> Iterator[RestoredCluster]:
    """A cluster to load, ended and removed at exit."""
    cluster = RestoredCluster(programs(version), origin)
    try:
        yield cluster
    finally:
        cluster.stop()
