"""A PostgreSQL database as a Database: the adapter that the workflows use."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import BinaryIO

from handrail.backups.methods import WHOLE, DumpRequest, Format, hosted_elsewhere
from handrail.databases.database import Check, Database, DumpReport, Probe, SideTable
from handrail.databases.postgres import (
    base,
    catalog,
    digest,
    dump,
    lifecycle,
    lock,
    restore,
    scratch,
    sessions,
    side_table,
    swap,
)
from handrail.databases.postgres.binaries import major, tools_for
from handrail.databases.postgres.completeness import completeness
from handrail.databases.postgres.connection import driver, elsewhere, maintenance, opened, reading, require_primary
from handrail.databases.postgres.counting import count_rows
from handrail.databases.postgres.integrity import integrity
from handrail.databases.postgres.probes import probe
from handrail.databases.postgres.quoting import Query
from handrail.databases.postgres.reading import streamed
from handrail.databases.postgres.sessions import application_name
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

_DEFAULT_VERSION_TABLE = TableName("alembic_version")


class PostgresDatabase:
    """One database of a PostgreSQL server. Every call opens its own connection, named `handrail:<run_id>` there.

    `bin_dirs` limits where pg_dump and pg_restore are looked for. `scratch_server` leads to another server on which
    scratch databases are made (its `database` is not used). `template` is the database whose encoding and collation
    `create` copies.
    """

    def __init__(
        self,
        address: DatabaseAddress,
        *,
        version_table: TableName = _DEFAULT_VERSION_TABLE,
        run_id: str = "",
        bin_dirs: Sequence[Path] = (),
        scratch_server: DatabaseAddress | None = None,
        template: str = "",
    ) -> None:
        self._address = address
        self._version_table = version_table
        self._run_id = run_id
        self._bin_dirs = tuple(bin_dirs)
        self._scratch_server = scratch_server
        self._template = template
        self._remarks: tuple[str, ...] = ()

    @property
    def address(self) -> DatabaseAddress:
        return self._address

    @property
    def capabilities(self) -> frozenset[Capability]:
        return catalog.CAPABILITIES

    @property
    def _application(self) -> str:
        return application_name(self._run_id)

    def exists(self) -> bool:
        with maintenance(self._address, self._application) as query:
            return lifecycle.exists(query, self._address.database)

    def require_writable(self) -> None:
        with opened(self._address, self._application) as query:
            require_primary(query)

    def facts(self) -> DatabaseFacts:
        with reading(self._address, self._application) as (query, schema):
            rows = streamed(query)
            return catalog.facts(query, default_schema=schema, version_table=self._version_table, rows=rows)

    def size_bytes(self, request: DumpRequest = WHOLE) -> int:
        with opened(self._address, self._application) as query:
            return catalog.server_bytes(query) if request.is_of_a_server else catalog.size_bytes(query)

    def fingerprint(self, request: FingerprintRequest | None = None, *, on_table: OnTable = unheard) -> Fingerprint:
        with reading(self._address, self._application) as (query, schema):
            return digest.fingerprint(
                query,
                request,
                default_schema=schema,
                version_table=self._version_table,
                on_table=on_table,
                rows=streamed(query),
            )

    def revisions(self) -> tuple[str, ...]:
        with reading(self._address, self._application) as (query, schema):
            return catalog.revisions(query, default_schema=schema, version_table=self._version_table)

    def completeness(self, columns: AddedColumns) -> tuple[ColumnCompleteness, ...]:
        if not columns:
            return ()
        with reading(self._address, self._application) as (query, schema):
            return completeness(query, columns, default_schema=schema)

    def count_rows(self, questions: Iterable[Question], *, seconds: float) -> Mapping[Question, int]:
        asked = tuple(questions)
        if not asked:
            return {}
        with opened(self._address, self._application) as query:
            return count_rows(query, asked, seconds)

    def broken_references(self) -> tuple[BrokenReference, ...]:
        """None: PostgreSQL checks every row when it makes a constraint valid, and every write from then on."""
        return ()

    def integrity(self) -> tuple[Probe, ...]:
        with opened(self._address, self._application) as query:
            return integrity(query)

    def ask(self, sql: str, *, seconds: float) -> object:
        with opened(self._address, self._application) as query:
            query(f"SET statement_timeout = {max(1, round(seconds * 1000))}")
            try:
                rows = query(sql)
            except driver().Error as error:
                why = (str(error).strip().splitlines() or [type(error).__name__])[0]
                raise BackupError("The query failed.", why=why, hint="Correct `drill.query`.") from error
        return rows[0][0] if rows else None

    def activity(self) -> WriteActivity:
        with reading(self._address, self._application) as (query, schema):
            return catalog.activity(query, default_schema=schema, version_table=self._version_table)

    def other_writers(self) -> tuple[str, ...]:
        with opened(self._address, self._application) as query:
            return sessions.other_writers(query)

    def dump(
        self, out: BinaryIO, request: DumpRequest = WHOLE, *, fingerprint_request: FingerprintRequest | None = None
    ) -> DumpReport:
        if request.is_hosted:
            raise hosted_elsewhere()
        release = self._server_version()
        if request.format is Format.PG_INCREMENT and major(release) < base.INCREMENTS_SINCE:
            raise base.no_increments(release)
        tools = tools_for(major(release), release, bin_dirs=self._bin_dirs, is_base=request.is_of_a_server)
        source = dump.Source(self._address, tools, self._application, self._version_table)
        if request.is_of_a_server:
            return base.back_up(source, out, request.since)
        return dump.dump(source, out, request, fingerprint_request)

    def load(self, source: BinaryIO, request: DumpRequest = WHOLE, *, increments: Iterable[BinaryIO] = ()) -> None:
        """Owners and rights in the dump are left out: this role owns what it loads. Tables must not be there yet."""
        restore.load(self._target(), source, request)

    def replace(
        self,
        source: BinaryIO,
        request: DumpRequest = WHOLE,
        *,
        aside: str,
        increments: Iterable[BinaryIO] = (),
        check: Check | None = None,
    ) -> str:
        def look(address: DatabaseAddress) -> None:
            if check is not None:
                check(self._at(address, run_id=self._run_id))

        return swap.replace(self._target(keep_owners=True), source, request, aside=aside, check=look)

    def _target(self, *, keep_owners: bool = False) -> restore.Target:
        with maintenance(self._address, self._application) as query:
            release = catalog.server_version(query)
        return restore.Target(self._address, release, self._application, keep_owners, self._bin_dirs)

    def lock(self, run_id: str, *, wait: float) -> AbstractContextManager[None]:
        return lock.hold_lock(self._address, self._version_table, run_id, wait)

    def restore_cluster(
        self, source: BinaryIO, folder: Path, *, server: str, increments: Iterable[BinaryIO] = ()
    ) -> None:
        base.restore_cluster((source, *increments), folder, major(server))

    @contextmanager
    def scratch(self, run_id: str, request: DumpRequest = WHOLE, *, server: str = "") -> Iterator[PostgresDatabase]:
        if request.is_hosted:
            raise hosted_elsewhere()
        if request.is_of_a_server:
            with base.restored_cluster(major(server or self._server_version()), self._address) as cluster:
                yield _ScratchCluster(cluster, self._version_table)
            return
        name, application, other = lifecycle.scratch_name(run_id), application_name(run_id), self._scratch_server
        if other is None:
            with scratch.beside(self._address, name, application):
                yield self._at(elsewhere(self._address, name), run_id=run_id)
        else:
            with scratch.elsewhere(self._address, other, name, application) as remarks:
                yield self._at(elsewhere(other, name), run_id=run_id, remarks=remarks)

    def bring(self, copy: Database, table: TableName, name: str) -> SideTable:
        return side_table.bring(copy.address, self._address, self._application, table, name)

    @property
    def remarks(self) -> tuple[str, ...]:
        return self._remarks

    def of_run(self, run_id: str) -> PostgresDatabase:
        return self._at(self._address, run_id=run_id, template=self._template, remarks=self._remarks)

    def sibling(self, name: str) -> PostgresDatabase:
        return self._at(elsewhere(self._address, name), run_id=self._run_id)

    def create(self) -> None:
        with maintenance(self._address, self._application) as query:
            there = self._template and lifecycle.exists(query, self._template)
            locale = lifecycle.locale_of(query, self._template) if there else ""
            lifecycle.create(query, self._address.database, locale=locale)

    def unnamed(self, run_id: str) -> PostgresDatabase:
        with maintenance(self._address, application_name(run_id)) as query:
            lifecycle.require_free(query, self._address.database)
        there = elsewhere(self._address, lifecycle.scratch_name(run_id))
        return self._at(there, run_id=run_id, template=self._template)

    def name(self, made: Database) -> None:
        swap.name(self._address, self._application, made.address.database)

    def end_unnamed(self, run_id: str, name: str) -> tuple[str, ...]:
        with maintenance(self._address, self._application) as query:
            ended = sessions.end_sessions_of_run(query, run_id)
            is_there = lifecycle.exists(query, name)
            lifecycle.drop(query, name)
        return (*ended, f"database {name}") if is_there else ended

    def drop(self) -> None:
        with maintenance(self._address, self._application) as query:
            lifecycle.drop(query, self._address.database)

    def end_leftovers(self, run_id: str) -> tuple[str, ...]:
        """The caller holds the lock: a replacement never put in place is then nobody's, whatever run began it."""
        with maintenance(self._address, self._application) as query:
            ended = _end(query, run_id, unfinished_of=self._address.database)
        if self._scratch_server is not None:
            try:
                with maintenance(self._scratch_server, self._application) as query:
                    ended += _end(query, run_id)
            except DatabaseUnavailable as error:  # it must not stop a recovery, which does not need it
                ended.append(f"nothing on the rehearsal server, which cannot be used: {error.message}")
        return tuple(ended)

    def probe(self) -> tuple[Probe, ...]:
        return probe(
            self._address,
            application=self._application,
            version_table=self._version_table,
            bin_dirs=self._bin_dirs,
            scratch_server=self._scratch_server,
        )

    def _server_version(self) -> str:
        with opened(self._address, self._application) as query:
            return catalog.server_version(query)

    def _at(
        self, address: DatabaseAddress, *, run_id: str, template: str = "", remarks: tuple[str, ...] = ()
    ) -> PostgresDatabase:
        at = PostgresDatabase(
            address,
            version_table=self._version_table,
            run_id=run_id,
            bin_dirs=self._bin_dirs,
            scratch_server=self._scratch_server,
            template=template or self._address.database,
        )
        at._remarks = remarks
        return at


class _ScratchCluster(PostgresDatabase):
    """A server of its own that a base backup is loaded into; its database can be used after that."""

    def __init__(self, cluster: base.RestoredCluster, version_table: TableName) -> None:
        super().__init__(cluster.address, version_table=version_table)
        self._cluster = cluster

    def load(self, source: BinaryIO, request: DumpRequest = WHOLE, *, increments: Iterable[BinaryIO] = ()) -> None:
        self._cluster.load((source, *increments))
        self._address = self._cluster.address


def _end(query: Query, run_id: str, *, unfinished_of: str | None = None) -> list[str]:
    """End sessions of a run, then drop its scratch databases and the replacements of a database never put in place.

    In this order: a session still inside CREATE DATABASE when it is looked for leaves its database to no one."""
    ended = list(sessions.end_sessions_of_run(query, run_id))
    unfinished = () if unfinished_of is None else lifecycle.unfinished(query, unfinished_of)
    for name in (*lifecycle.scratches(query, run_id), *unfinished):
        lifecycle.drop(query, name)
        ended.append(f"database {name}")
    return ended
