"""Dumping a PostgreSQL database with its own pg_dump, while the same snapshot is fingerprinted."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import IO, TYPE_CHECKING, Any, BinaryIO

from handrail.databases.database import DumpReport
from handrail.databases.postgres import catalog, digest
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
from handrail.databases.postgres.reading import pin
from handrail.errors import BackupError
from handrail.facts import DatabaseAddress, DatabaseFacts, Fingerprint, FingerprintRequest, TableName

if TYPE_CHECKING:
    import psycopg

FORMAT = "pg_dump-custom"
CHUNK = 1 << 20
#: Tables locked by one statement.
_BATCH = 200


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
            tables = [qualified(found.table, schema) for found in digest.digestible(query, schema, version_table)]
            for start in range(0, len(tables), _BATCH):
                query(f"LOCK TABLE ONLY {', ONLY '.join(tables[start : start + _BATCH])} IN ACCESS SHARE MODE")
            yield Snapshot(connection, query, exported, schema, digest.sequences(query, schema))
        finally:
            connection.close()


def read_beside(snapshot: Snapshot, request: FingerprintRequest | None, version_table: TableName) -> Seen:
    """Facts, fingerprint and revisions of the snapshot."""
    query, schema = snapshot.query, snapshot.default_schema
    fingerprint = digest.fingerprint(query, request, default_schema=schema, version_table=version_table)
    return Seen(
        catalog.facts(query, default_schema=schema, version_table=version_table),
        replace(fingerprint, sequences=snapshot.sequences),
        catalog.revisions(query, default_schema=schema, version_table=version_table),
    )


def dump(
    address: DatabaseAddress,
    out: BinaryIO,
    *,
    tools: Tools,
    application: str,
    version_table: TableName,
    request: FingerprintRequest | None,
) -> DumpReport:
    """Write the dump to `out` in pieces of CHUNK bytes; facts and fingerprint are read meanwhile in another thread."""
    with hold_snapshot(address, application, version_table) as snapshot, ThreadPoolExecutor(1) as thread:
        reading = thread.submit(read_beside, snapshot, request, version_table)
        try:
            with _pg_dump(address, snapshot.id, tools, application) as (process, errors):
                _copy(process, out, reading)
                _check(process, errors, address)
            seen = reading.result()
        except BaseException:
            with suppress(Exception):
                snapshot.connection.cancel()
            raise
    return DumpReport(FORMAT, tools.release, seen.facts.version, seen.facts, seen.fingerprint, seen.revisions)


@contextmanager
def _pg_dump(
    address: DatabaseAddress, snapshot: str, tools: Tools, application: str
) -> Iterator[tuple[subprocess.Popen[bytes], IO[bytes]]]:
    """pg_dump, running; killed when the block fails."""
    arguments = ["--format=custom", "--compress=0", "--no-password", f"--lock-wait-timeout={LOCK_WAIT_MS}"]
    with (
        tempfile.TemporaryFile() as errors,
        subprocess.Popen(
            [tools.pg_dump, *arguments, f"--snapshot={snapshot}", f"--dbname={conninfo(address)}"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=tool_environment(address, application),
            bufsize=CHUNK,
        ) as process,
    ):
        try:
            yield process, errors
        except BaseException:
            process.kill()
            raise


def _copy(process: subprocess.Popen[bytes], out: BinaryIO, reading: Future[Seen]) -> None:
    assert process.stdout is not None  # noqa: S101 - opened with a pipe
    while chunk := process.stdout.read(CHUNK):
        if reading.done():
            reading.result()  # raises what made the fingerprint fail, before gigabytes are written for nothing
        try:
            out.write(chunk)
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
