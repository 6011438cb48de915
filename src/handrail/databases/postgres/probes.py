"""What `handrail doctor` wants to know about a PostgreSQL database."""

# ruff: noqa: S608 - every name and value in SQL text goes through `quoting`

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from handrail.databases.database import Probe
from handrail.databases.postgres import catalog, digest
from handrail.databases.postgres.binaries import tools_for
from handrail.databases.postgres.connection import maintenance, reading
from handrail.databases.postgres.quoting import Query, identifier
from handrail.databases.postgres.scratch import compared, locale_remark
from handrail.errors import HandrailError
from handrail.facts import DatabaseAddress, TableName

_SCRATCH = "scratch databases"


def probe(
    address: DatabaseAddress,
    *,
    application: str,
    version_table: TableName,
    bin_dirs: Sequence[Path],
    scratch_server: DatabaseAddress | None = None,
) -> tuple[Probe, ...]:
    try:
        with reading(address, application) as (query, schema):
            found = list(_probes(query, schema, version_table, bin_dirs))
            if scratch_server is None:
                return (*found, _room(query))
            # Scratch databases are made there: rights and room matter on that server.
            found = [probe for probe in found if probe.name != _SCRATCH]
            return (*found, *_rehearsal_server(query, address, scratch_server, application, bin_dirs))
    except HandrailError as error:
        return (Probe("connection", False, _line(error), error.hint),)


def _probes(query: Query, schema: str, version_table: TableName, bin_dirs: Sequence[Path]) -> Iterator[Probe]:
    release = catalog.server_version(query)
    yield Probe("server", True, f"PostgreSQL {release}")
    yield _tools(release, bin_dirs)
    yield _mode(query)
    yield from _rights(query)
    yield _readable(query, schema, version_table)
    yield _row_security(query)


def _room(query: Query) -> Probe:
    size = int(query("SELECT pg_database_size(current_database())")[0][0])
    needed = f"database {size / 1e6:.1f} MB; a scratch copy needs as much on the server, whose room is unknown"
    return Probe("free space", None, needed)


def _rehearsal_server(
    source: Query, address: DatabaseAddress, server: DatabaseAddress, application: str, bin_dirs: Sequence[Path]
) -> Iterator[Probe]:
    """Whether scratch databases can be made on the other server, and what differs there."""
    release = catalog.server_version(source)
    try:
        with maintenance(server, application) as query:
            remarks = [*compared(release, query, server), locale_remark(source, address.database, query)]
            there = catalog.server_version(query)
            rights = "SELECT rolcreatedb OR rolsuper, rolname::text FROM pg_roles WHERE rolname = current_user"
            may_create, role = query(rights)[0]
    except HandrailError as error:
        yield Probe("rehearsal server", False, f"{server}: {_line(error)}", error.hint)
        return
    yield Probe("rehearsal server", True, f"{server}, PostgreSQL {there}")
    yield from (Probe("rehearsal server", None, remark) for remark in remarks if remark)
    yield _may_create(role, may_create)
    if there != release:
        yield _tools(there, bin_dirs)
    yield _room(source)


def _tools(release: str, bin_dirs: Sequence[Path]) -> Probe:
    try:
        tools = tools_for(int(release.partition(".")[0]), release, bin_dirs=bin_dirs)
    except HandrailError as error:
        return Probe("pg_dump", False, _line(error), error.hint)
    return Probe("pg_dump", True, f"{tools.pg_dump} {tools.release}")


def _mode(query: Query) -> Probe:
    if query("SELECT pg_is_in_recovery()")[0][0]:
        return Probe("mode", False, "the server is a standby: read-only", "Point the URL at the primary.")
    return Probe("mode", True, "primary")


def _rights(query: Query) -> Iterator[Probe]:
    is_super, may_create, owns, sees_all, role, owner = query(
        "SELECT r.rolsuper, r.rolcreatedb, pg_has_role(d.datdba, 'MEMBER'), pg_has_role('pg_read_all_stats', 'MEMBER'),"
        " current_user::text, pg_get_userbyid(d.datdba)::text FROM pg_database d, pg_roles r"
        " WHERE r.rolname = current_user AND d.datname = current_database()"
    )[0]
    yield _may_create(role, is_super or may_create)
    if is_super or owns:
        yield Probe("restore", True, f"{role} may rename the database")
    else:
        hint = f"GRANT {identifier(owner)} TO {identifier(role)}"
        yield Probe("restore", None, f"the database belongs to {owner}; {role} cannot put it aside to restore", hint)
    if not (is_super or sees_all):
        hint = f"GRANT pg_read_all_stats TO {identifier(role)}"
        yield Probe("statistics", None, f"{role} does not see what sessions of other roles do", hint)


def _may_create(role: str, may_create: bool) -> Probe:
    if may_create:
        return Probe(_SCRATCH, True, f"{role} may make them")
    return Probe(_SCRATCH, False, f"{role} may not make databases", f"ALTER ROLE {identifier(role)} CREATEDB")


def _readable(query: Query, schema: str, version_table: TableName) -> Probe:
    """A backup needs to read everything; names what it cannot."""
    rows = query(
        "SELECT n.nspname::text, c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        f" WHERE c.relkind IN ('r', 'p', 'S') AND {digest.USER_TABLES} AND NOT (has_schema_privilege(n.oid, 'USAGE')"
        " AND CASE c.relkind WHEN 'S' THEN has_sequence_privilege(c.oid, 'SELECT')"
        " ELSE has_table_privilege(c.oid, 'SELECT') END) ORDER BY 1, 2"
    )
    if not rows:
        return Probe("readable", True, "every table can be read")
    names = ", ".join(str(digest.named(where, name, schema)) for where, name in rows[:5])
    more = f" and {len(rows) - 5} more" if len(rows) > 5 else ""
    return Probe("readable", False, f"no right to read {names}{more}", "GRANT SELECT, or GRANT pg_read_all_data")


def _row_security(query: Query) -> Probe:
    rows = query(
        "SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        f" WHERE c.relrowsecurity AND row_security_active(c.oid) AND {digest.USER_TABLES} ORDER BY 1"
    )
    if not rows:
        return Probe("row security", True, "hides no rows")
    names = ", ".join(row[0] for row in rows)
    return Probe("row security", False, f"hides rows of {names}", "Use a role with BYPASSRLS, or the tables' owner.")


def _line(error: HandrailError) -> str:
    return f"{error.message} {error.why}".strip()
