"""What `handrail doctor` wants to know about a PostgreSQL database."""

# ruff: noqa: S608 - every name and value in SQL text goes through `quoting`

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from handrail.databases.database import Probe
from handrail.databases.postgres import catalog, digest
from handrail.databases.postgres.binaries import tools_for
from handrail.databases.postgres.connection import reading
from handrail.databases.postgres.quoting import Query, identifier
from handrail.errors import HandrailError
from handrail.facts import DatabaseAddress, TableName


def probe(
    address: DatabaseAddress, *, application: str, version_table: TableName, bin_dirs: Sequence[Path]
) -> tuple[Probe, ...]:
    try:
        with reading(address, application) as (query, schema):
            return tuple(_probes(query, schema, version_table, bin_dirs))
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
    size = int(query("SELECT pg_database_size(current_database())")[0][0])
    yield Probe(
        "free space",
        None,
        f"database {size / 1e6:.1f} MB; a scratch copy needs as much on the server, whose room is unknown",
    )


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
    if is_super or may_create:
        yield Probe("scratch databases", True, f"{role} may make them")
    else:
        yield Probe(
            "scratch databases", False, f"{role} may not make databases", f"ALTER ROLE {identifier(role)} CREATEDB"
        )
    if is_super or owns:
        yield Probe("restore", True, f"{role} may rename the database")
    else:
        hint = f"GRANT {identifier(owner)} TO {identifier(role)}"
        yield Probe("restore", None, f"the database belongs to {owner}; {role} cannot put it aside to restore", hint)
    if not (is_super or sees_all):
        hint = f"GRANT pg_read_all_stats TO {identifier(role)}"
        yield Probe("statistics", None, f"{role} does not see what sessions of other roles do", hint)


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
