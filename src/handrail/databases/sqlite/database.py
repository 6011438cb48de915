"""A SQLite file as a Database: the adapter that the workflows use."""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from handrail.backups.methods import WHOLE, DumpRequest, Format
from handrail.databases.database import Check, Database, DumpReport, Probe, SideTable
from handrail.databases.sqlite import catalog, digest, lifecycle, side_table
from handrail.databases.sqlite.completeness import completeness
from handrail.databases.sqlite.connection import (
    check_file,
    connect,
    reading,
    remove_companions,
    remove_file,
    require_writable,
    translated,
)
from handrail.databases.sqlite.counting import bound, count_rows
from handrail.databases.sqlite.files import (
    INCOMING,
    Filling,
    incoming,
    is_damage,
    keep,
    overwrite,
    pieces,
    put_in_place,
    swap_damaged,
    write_pages,
)
from handrail.databases.sqlite.increment import apply, increment, whole
from handrail.databases.sqlite.integrity import integrity
from handrail.databases.sqlite.inventory import piece_of, read_known
from handrail.databases.sqlite.lock import hold_lock
from handrail.databases.sqlite.pages import hold_snapshot
from handrail.databases.sqlite.probes import probe
from handrail.databases.sqlite.readers import Joint, hold_together
from handrail.databases.sqlite.sql_text import load_sql, write_sql
from handrail.databases.sqlite.unchanged import Memory
from handrail.errors import BackupError, DatabaseUnavailable
from handrail.facts import (
    AddedColumns,
    BrokenReference,
    Capability,
    ColumnCompleteness,
    DatabaseAddress,
    DatabaseFacts,
    Fingerprint,
    FingerprintRequest,
    OnTable,
    Question,
    TableName,
    WriteActivity,
    unheard,
)


class SqliteDatabase:
    """The database in one file. Links are followed: locks, copies and replacements concern the file they lead to.

    `dump` opens the file beside SQLite, and closing it drops the POSIX locks of this process on it: a program that uses
    this class must not hold other connections to the same file in the same process while it dumps (handrail runs
    Alembic in a process of its own). `work_dir` takes scratch databases; it is made when needed. A scratch database has
    a `memory`: tables whose pages did not change are not digested again.
    """

    def __init__(
        self,
        address: DatabaseAddress,
        *,
        version_table: str = "alembic_version",
        work_dir: Path,
        memory: Memory | None = None,
    ) -> None:
        if address.database in ("", ":memory:") or address.database.startswith("file:"):
            raise DatabaseUnavailable(
                f"{address.database or 'An unnamed SQLite database'!s} is not a file on disk.",
                why="A database in memory ends with its process; there is nothing to guard.",
                hint="Give `url` a file: sqlite:///app.db",
            )
        self._address = address
        self._version_table = version_table
        self._work_dir = work_dir
        self._memory = memory

    @property
    def address(self) -> DatabaseAddress:
        return self._address

    @property
    def capabilities(self) -> frozenset[Capability]:
        return catalog.CAPABILITIES

    @property
    def _file(self) -> Path:
        return Path(os.path.realpath(self._address.database))  # which endures links that lead in a circle

    def exists(self) -> bool:
        if self._file.is_dir():
            check_file(self._file)
        return self._file.exists()

    def facts(self) -> DatabaseFacts:
        with reading(self._file) as raw:
            return catalog.facts(raw, version_table=self._version_table)

    def size_bytes(self, request: DumpRequest = WHOLE) -> int:
        with reading(self._file) as raw:
            return catalog.size_bytes(raw)

    def fingerprint(self, request: FingerprintRequest | None = None, *, on_table: OnTable = unheard) -> Fingerprint:
        if self._memory is not None:
            return self._fingerprint_anew(self._memory, request, on_table)
        with reading(self._file) as raw:
            return digest.fingerprint(raw, request, version_table=self._version_table, on_table=on_table)

    def _fingerprint_anew(self, memory: Memory, request: FingerprintRequest | None, on_table: OnTable) -> Fingerprint:
        check_file(self._file)
        is_first = not memory.content
        with translated(self._file), hold_together(self._file) as joint, ThreadPoolExecutor(1) as pool:
            snapshot = joint.snapshot
            pages = pool.submit(memory.still_true, snapshot)
            found = digest.fingerprint(
                snapshot.raw,
                request,
                version_table=self._version_table,
                known={} if is_first else pages.result(),
                on_table=on_table,
                digesting=joint.digesting(),
            )
            pages.result()
            memory.remember(snapshot.raw, found.tables)
        return replace(found, content=memory.content) if is_first else found

    def revisions(self) -> tuple[str, ...]:
        with reading(self._file) as raw:
            return catalog.revisions(raw, self._version_table)

    def require_writable(self) -> None:
        require_writable(self._file)

    def completeness(self, columns: AddedColumns) -> tuple[ColumnCompleteness, ...]:
        if not columns:
            return ()
        with reading(self._file) as raw:
            return completeness(raw, columns)

    def count_rows(self, questions: Iterable[Question], *, seconds: float) -> Mapping[Question, int]:
        asked = tuple(questions)
        if not asked or not self.exists():
            return {}
        with reading(self._file, compares=True) as raw:
            return count_rows(raw, asked, seconds)

    def broken_references(self) -> tuple[BrokenReference, ...]:
        with reading(self._file, compares=True) as raw:
            return catalog.broken_references(raw)

    def integrity(self) -> tuple[Probe, ...]:
        with reading(self._file, compares=True) as raw:
            return integrity(raw)

    def ask(self, sql: str, *, seconds: float) -> object:
        with translated(self._file), closing(connect(self._file)) as raw:
            bound(raw, seconds)
            try:
                row = raw.execute(sql).fetchone()
            except (sqlite3.Error, sqlite3.Warning) as error:
                raise BackupError("The query failed.", why=str(error), hint="Correct `drill.query`.") from error
        return row[0] if row else None

    def activity(self) -> WriteActivity:
        return WriteActivity()

    def other_writers(self) -> tuple[str, ...]:
        return ()

    def lock(self, run_id: str, *, wait: float) -> AbstractContextManager[None]:
        return hold_lock(self._file, run_id, wait)

    def dump(
        self, out: BinaryIO, request: DumpRequest = WHOLE, *, fingerprint_request: FingerprintRequest | None = None
    ) -> DumpReport:
        """The raw pages, or SQL text; the fingerprint is computed on the snapshot's connection."""
        check_file(self._file)
        format_ = request.format or Format.SQLITE_PAGES
        try:
            with translated(self._file), hold_together(self._file) as joint:
                snapshot = joint.snapshot
                facts = catalog.facts(snapshot.raw, version_table=self._version_table)
                revisions = catalog.revisions(snapshot.raw, self._version_table)
                if format_ is Format.SQLITE_SQL:
                    fingerprint, inventory = self._write_sql(joint, out, fingerprint_request), b""
                else:
                    fingerprint, inventory = self._write_pages(joint, out, request, fingerprint_request)
        except OSError as error:
            raise _dump_failed(self._file, error) from error
        version = sqlite3.sqlite_version
        return DumpReport(format_, f"sqlite {version}", version, facts, fingerprint, revisions, inventory=inventory)

    def _write_pages(
        self, joint: Joint, out: BinaryIO, request: DumpRequest, wanted: FingerprintRequest | None
    ) -> tuple[Fingerprint, bytes]:
        """Write all pages, or those that changed; the fingerprint and the inventory of all."""
        snapshot, is_increment = joint.snapshot, request.format is Format.SQLITE_INCREMENT
        if is_increment:
            known = read_known(request.since)
            inventory = increment(snapshot.chunks(), known.inventory, out)
            digesting = joint.keeping(known, inventory)
            found = digest.fingerprint(snapshot.raw, wanted, version_table=self._version_table, digesting=digesting)
        else:
            digesting = joint.keeping()
            with ThreadPoolExecutor(1) as pool:
                rows = pool.submit(
                    digest.fingerprint, snapshot.raw, wanted, version_table=self._version_table, digesting=digesting
                )
                try:
                    piece = piece_of(snapshot.page_size, snapshot.page_count)
                    inventory = whole(snapshot.chunks(), piece, out)
                except BaseException:
                    joint.interrupt()
                    raise
                found = rows.result()
        return replace(found, content=inventory.content), replace(digesting.found, inventory=inventory).written()

    def _write_sql(self, joint: Joint, out: BinaryIO, request: FingerprintRequest | None) -> Fingerprint:
        raw = joint.snapshot.raw
        for piece in write_sql(raw):
            out.write(piece)
        return digest.fingerprint(raw, request, version_table=self._version_table, digesting=joint.digesting())

    def load(self, source: BinaryIO, request: DumpRequest = WHOLE, *, increments: Iterable[BinaryIO] = ()) -> None:
        file = self._file
        if file.exists() and not self._is_empty():
            raise BackupError(
                f"{file} is not empty.", hint="Restore with `handrail backup restore`, which keeps it aside."
            )
        with incoming(file, _filling(source, request, increments)) as new:
            put_in_place(new, file)

    def _of_file(self, path: Path) -> SqliteDatabase:
        """Another file, of which nothing is remembered."""
        address = replace(self._address, database=str(path))
        return SqliteDatabase(address, version_table=self._version_table, work_dir=self._work_dir, memory=Memory())

    def _is_empty(self) -> bool:
        with reading(self._file) as raw:
            return not raw.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchone()

    def replace(
        self,
        source: BinaryIO,
        request: DumpRequest = WHOLE,
        *,
        aside: str,
        increments: Iterable[BinaryIO] = (),
        check: Check | None = None,
    ) -> str:
        """The old content goes to `<file>.<aside>`, the new one into the live file by SQLite's own transaction.

        Returns "" when there was no file. A live file that SQLite cannot read is renamed instead of copied.
        """
        file = self._file
        kept = Path(f"{file}.{aside}")
        if kept.exists():
            raise BackupError(f"{kept} is there already.", hint="Move it away, or end the run with `handrail recover`.")
        with incoming(Path(f"{kept}.new"), _filling(source, request, increments)) as new:
            if check is not None:
                check(self._of_file(new))
                remove_companions(new)
            if not file.exists():
                put_in_place(new, file)
                return ""
            try:
                with translated(file), hold_snapshot(file) as snapshot:
                    keep(snapshot.chunks(), kept, file.stat().st_mode & 0o777)
                with translated(file):
                    overwrite(file, new)
            except DatabaseUnavailable as error:
                if not is_damage(error):
                    raise
                kept.unlink(missing_ok=True)
                swap_damaged(file, new, kept)
        return str(kept)

    @contextmanager
    def scratch(self, run_id: str, request: DumpRequest = WHOLE, *, server: str = "") -> Iterator[SqliteDatabase]:
        path = lifecycle.scratch_file(self._work_dir, run_id)
        scratch = self._of_file(path)
        try:
            scratch.create()
            yield scratch
        finally:
            remove_file(path)
            remove_file(Path(f"{path}{INCOMING}"))

    def restore_cluster(
        self, source: BinaryIO, folder: Path, *, server: str, increments: Iterable[BinaryIO] = ()
    ) -> None:
        raise BackupError("SQLite has no servers.", hint="Restore with --into FILE.")

    def bring(self, copy: Database, table: TableName, name: str) -> SideTable:
        check_file(self._file)
        return side_table.bring(Path(copy.address.database), self._file, table.name, name)

    @property
    def remarks(self) -> tuple[str, ...]:
        return ()

    def of_run(self, run_id: str) -> SqliteDatabase:
        """This database itself: there is no server that could know a run."""
        return self

    def sibling(self, name: str) -> SqliteDatabase:
        """`name` is a path; a relative one is beside this file."""
        address = replace(self._address, database=str(self._file.parent / name))
        return SqliteDatabase(address, version_table=self._version_table, work_dir=self._work_dir)

    def unnamed(self, run_id: str) -> SqliteDatabase:
        return self._of_file(lifecycle.unnamed(self._file, run_id))

    def name(self, made: Database) -> None:
        lifecycle.give_name(Path(made.address.database), self._file)

    def end_unnamed(self, run_id: str, name: str) -> tuple[str, ...]:
        return lifecycle.end_unnamed(self._file, run_id, name)

    def create(self) -> None:
        lifecycle.make(self._file)

    def drop(self) -> None:
        remove_file(self._file)

    def end_leftovers(self, run_id: str) -> tuple[str, ...]:
        return lifecycle.end_leftovers(self._file, self._work_dir, run_id)

    def probe(self) -> tuple[Probe, ...]:
        return probe(Path(self._address.database), self._work_dir)


def _filling(source: BinaryIO, request: DumpRequest, increments: Iterable[BinaryIO]) -> Filling:
    """How a dump becomes a file."""
    if request.format is Format.SQLITE_SQL:
        return lambda path: load_sql(path, source)
    if request.format is not Format.SQLITE_INCREMENT:
        return lambda path: write_pages(path, pieces(source))

    def fill(path: Path) -> None:
        write_pages(path, pieces(source))
        apply(path, increments)

    return fill


def _dump_failed(file: Path, error: OSError) -> BackupError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        free = shutil.disk_usage(file.parent).free / 1e6
        return BackupError(
            f"No space left while dumping {file}.",
            why=f"{error.strerror}; free beside the database: {free:.1f} MB.",
            hint="Make room in the store, or name another `store`.",
        )
    return BackupError(f"Dumping {file} failed.", why=error.strerror or str(error), hint="Run `handrail doctor`.")
