"""Dumping a PostgreSQL database with its own pg_dump, while the same snapshot is fingerprinted."""

from __future__ import annotations

import fcntl
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, BinaryIO

from handrail.backups.methods import DumpRequest, Format
from handrail.databases.database import DumpReport
from handrail.databases.postgres import catalog, digest, partial
from handrail.databases.postgres.binaries import Tools
from handrail.databases.postgres.connection import (
    LOCK_WAIT_MS,
    asker,
    begin_reading,
    connect,
    conninfo,
    redacted,
    tool_environment,
    translated,
)
from handrail.databases.postgres.quoting import Query, qualified
from handrail.databases.postgres.reading import pin, streamed
from handrail.errors import BackupError
from handrail.facts import DatabaseAddress, DatabaseFacts, Fingerprint, FingerprintRequest, TableName
from handrail.processes import ended_with

if TYPE_CHECKING:
    import psycopg

CHUNK = 1 << 20
#: Tables locked by one statement.
_BATCH = 200
#: Compressed is by whoever stores it: zstd is several times faster than what pg_dump has everywhere.
_LAYOUTS = {
    Format.PG_CUSTOM: ("--format=custom", "--compress=0"),
    Format.PG_PLAIN: ("--format=plain", "--no-owner", "--no-privileges"),
    Format.PG_DIRECTORY: ("--format=directory", "--compress=0"),
}


#: A program, and what it has said on stderr.
Running = tuple[subprocess.Popen[bytes], IO[bytes]]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A read-only transaction whose snapshot others may import by `id`.

    `sequences` were read before anything is dumped: sequences stand outside of snapshots and only go forward, so what
    is restored is never behind them.
    """

    connection: psycopg.Connection[tuple[Any, ...]]
    query: Query
    id: str
    default_schema: str
    sequences: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Seen:
    """What was read in the snapshot beside the dump."""

    facts: DatabaseFacts
    fingerprint: Fingerprint
    revisions: tuple[str, ...]


@contextmanager
def hold_snapshot(address: DatabaseAddress, application: str, version_table: TableName) -> Iterator[Snapshot]:
    """Hold an exported snapshot and ACCESS SHARE locks on the tables, so that no DDL comes between dump and digest."""
    with translated(address, BackupError):
        connection = connect(address, application)
        try:
            query = asker(connection)
            begin_reading(query)
            exported = str(query("SELECT pg_export_snapshot()")[0][0])
            schema = pin(query)
            tables = digest.digestible(streamed(query), schema, version_table)
            while batch := [qualified(found.table, schema) for found in islice(tables, _BATCH)]:
                query(f"LOCK TABLE ONLY {', ONLY '.join(batch)} IN ACCESS SHARE MODE")
            yield Snapshot(connection, query, exported, schema, digest.sequences(query, schema))
        finally:
            connection.close()


def read_beside(
    snapshot: Snapshot, request: FingerprintRequest | None, version_table: TableName, *, named_only: bool = False
) -> Seen:
    """Facts, fingerprint and revisions of the snapshot. `named_only`: the fingerprint speaks of what is asked only."""
    query, schema = snapshot.query, snapshot.default_schema
    rows = streamed(query)
    fingerprint = digest.fingerprint(
        query, request, default_schema=schema, version_table=version_table, named_only=named_only, rows=rows
    )
    tables = tuple(one for one in fingerprint.tables if not named_only or one.table in (request or {}))
    return Seen(
        catalog.facts(query, default_schema=schema, version_table=version_table, rows=rows),
        replace(fingerprint, tables=tables, sequences=snapshot.sequences),
        catalog.revisions(query, default_schema=schema, version_table=version_table),
    )


@dataclass(frozen=True, slots=True)
class Source:
    """What is dumped, with what, and how its sessions are known on the server."""

    address: DatabaseAddress
    tools: Tools
    application: str
    version_table: TableName


def dump(source: Source, out: BinaryIO, request: DumpRequest, wanted: FingerprintRequest | None) -> DumpReport:
    """Write the dump to `out` in pieces of CHUNK bytes; facts and fingerprint are read meanwhile in another thread."""
    format_ = request.format or Format.PG_CUSTOM
    address, version_table = source.address, source.version_table
    with hold_snapshot(address, source.application, version_table) as snapshot:
        part = partial.part_of(snapshot.query, snapshot.default_schema, version_table, request)
        with ThreadPoolExecutor(1) as thread:
            wanted = wanted if request.is_whole else part.digested
            reading = thread.submit(read_beside, snapshot, wanted, version_table, named_only=not request.is_whole)
            try:
                arguments = [*_LAYOUTS[format_], f"--snapshot={snapshot.id}", *part.arguments]
                if format_ is Format.PG_DIRECTORY:
                    _dump_folder(source, out, [*arguments, f"--jobs={request.jobs}"], reading)
                else:
                    _stream(source, out, arguments, reading)
                seen = reading.result()
            except BaseException:
                with suppress(Exception):
                    snapshot.connection.cancel()
                raise
    return DumpReport(format_, source.tools.release, seen.facts.version, seen.facts, seen.fingerprint, seen.revisions)


def _stream(source: Source, out: BinaryIO, arguments: Sequence[str], reading: Future[Seen]) -> None:
    with _pg_dump(source, arguments) as (process, errors):
        # What made the fingerprint fail is raised before gigabytes are written for nothing.
        copy(process, out, lambda _: reading.result() if reading.done() else None)
        _check(process, errors, source.address)


def _dump_folder(source: Source, out: BinaryIO, arguments: Sequence[str], reading: Future[Seen]) -> None:
    """Several sessions write a folder that only this user can read; it goes into `out` as a tar."""
    with tempfile.TemporaryDirectory(prefix="handrail-dump-") as place:
        folder = Path(place, "dump")
        with _pg_dump(source, [*arguments, f"--file={folder}"]) as (process, errors):
            _check(process, errors, source.address)
        if reading.done():
            reading.result()
        with written(), tarfile.open(fileobj=out, mode="w|", bufsize=CHUNK) as tar:
            for path in sorted(folder.iterdir()):
                tar.add(path, path.name, filter=_anonymous)
                path.unlink()


def _anonymous(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    entry.mode = 0o600
    return entry


def _pg_dump(source: Source, arguments: Sequence[str]) -> AbstractContextManager[Running]:
    return running(source, source.tools.pg_dump, [f"--lock-wait-timeout={LOCK_WAIT_MS}", *arguments])


@contextmanager
def running(source: Source, program: str, arguments: Sequence[str]) -> Iterator[Running]:
    """A program of PostgreSQL's on this database, with what it says on stderr; ended when the block fails."""
    with (
        tempfile.TemporaryFile() as errors,
        subprocess.Popen(
            [program, "--no-password", f"--dbname={conninfo(source.address)}", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=tool_environment(source.address, source.application),
            bufsize=CHUNK,
        ) as process,
        ended_with(process),
    ):
        _widen(process)
        yield process, errors


def _widen(process: subprocess.Popen[bytes]) -> None:
    """Let a pipe hold a whole piece: with 64 KiB, as it has, both sides wake each other sixteen times as often, and
    take the processors from whoever uses the database."""
    if process.stdout is not None and hasattr(fcntl, "F_SETPIPE_SZ"):
        with suppress(OSError):  # the system allows less to a user
            fcntl.fcntl(process.stdout, fcntl.F_SETPIPE_SZ, CHUNK)


def copy(process: subprocess.Popen[bytes], out: BinaryIO, before_each: Callable[[bytes], object]) -> None:
    """Pass on what the program writes, in pieces of CHUNK bytes; `before_each` is shown each of them."""
    assert process.stdout is not None  # noqa: S101 - opened with a pipe
    while chunk := process.stdout.read(CHUNK):
        before_each(chunk)
        with written():
            out.write(chunk)


@contextmanager
def written() -> Iterator[None]:
    """Say what an OSError of the sink means."""
    try:
        yield
    except OSError as error:
        raise BackupError(
            "The dump could not be written.", why=str(error), hint="Make room, or choose another store."
        ) from error


def _check(process: subprocess.Popen[bytes], errors: IO[bytes], address: DatabaseAddress) -> None:
    if process.wait() == 0:
        return
    raise BackupError(
        f"pg_dump of {address} failed.",
        why=said(errors, address) or f"It ended with status {process.returncode}.",
        hint="Run `handrail doctor`.",
    )


def said(errors: IO[bytes], address: DatabaseAddress) -> str:
    """The end of what a tool wrote to stderr, on one line, without the password."""
    errors.seek(0, 2)
    errors.seek(max(0, errors.tell() - 2000))
    return redacted(" ".join(errors.read().decode(errors="replace").split()), address)
