"""PostgreSQL's own checks of tables and indexes: amcheck, where it may be installed."""

# ruff: noqa: S608 - every name and value in SQL text goes through `quoting`

from __future__ import annotations

from handrail.amounts import count
from handrail.databases.database import Probe
from handrail.databases.postgres.connection import driver
from handrail.databases.postgres.quoting import Query, identifier

_SHOWN = 3
_TABLES = (
    "SELECT c.oid::bigint, c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
    " WHERE c.relkind IN ('r', 'm') AND c.relpersistence <> 't' AND n.nspname <> 'information_schema'"
    " AND n.nspname !~ '^pg_' ORDER BY 2"
)
_INDEXES = (
    "SELECT c.oid::bigint, c.oid::regclass::text FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid"
    " JOIN pg_am a ON a.oid = c.relam JOIN pg_namespace n ON n.oid = c.relnamespace"
    " WHERE a.amname = 'btree' AND c.relkind = 'i' AND c.relpersistence <> 't' AND i.indisready AND i.indisvalid"
    " AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_' ORDER BY 2"
)


def integrity(query: Query) -> tuple[Probe, ...]:
    """amcheck on every table and b-tree of the database's own schemas. What is installed for it is rolled back."""
    query("BEGIN")
    try:
        query("SET LOCAL statement_timeout = 0")
        missing = _install(query)
        if missing:
            return (Probe("amcheck", None, missing, "let the role that makes scratch databases create extensions"),)
        return (_tables(query), _indexes(query))
    finally:
        query("ROLLBACK")


def _install(query: Query) -> str:
    """Why amcheck cannot be had here, "" when it can."""
    if not query("SELECT 1 FROM pg_available_extensions WHERE name = 'amcheck'"):
        return "the server does not have the extension amcheck"
    query("SAVEPOINT handrail_amcheck")
    try:
        query("CREATE EXTENSION IF NOT EXISTS amcheck")
    except driver().Error as error:
        query("ROLLBACK TO SAVEPOINT handrail_amcheck")
        return f"the extension amcheck cannot be made: {_first_line(error)}"
    return ""


def _schema(query: Query) -> str:
    rows = query(
        "SELECT n.nspname::text FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace"
        " WHERE e.extname = 'amcheck'"
    )
    return identifier(str(rows[0][0]))


def _tables(query: Query) -> Probe:
    schema, tables = _schema(query), query(_TABLES)
    if not query("SELECT 1 FROM pg_proc WHERE proname = 'verify_heapam'"):
        return Probe("verify_heapam", None, "this server's amcheck does not check tables (PostgreSQL 14 and later do)")
    faults = []
    for oid, name in tables:
        found = query(f"SELECT blkno, msg FROM {schema}.verify_heapam({int(oid)}::regclass)")
        faults += [f"{name}, block {block}: {text}" for block, text in found]
    return _judged("verify_heapam", faults, count(len(tables), "table"))


def _indexes(query: Query) -> Probe:
    schema, indexes = _schema(query), query(_INDEXES)
    faults = []
    for oid, name in indexes:
        query("SAVEPOINT handrail_amcheck")
        try:
            query(f"SELECT {schema}.bt_index_check({int(oid)}::regclass, true)")
        except driver().Error as error:
            query("ROLLBACK TO SAVEPOINT handrail_amcheck")
            faults.append(f"{name}: {_first_line(error)}")
    return _judged("bt_index_check", faults, f"{len(indexes):,} b-tree{'' if len(indexes) == 1 else 's'}")


def _judged(name: str, faults: list[str], what: str) -> Probe:
    more = f"; and {len(faults) - _SHOWN} more" if len(faults) > _SHOWN else ""
    return Probe(name, not faults, "; ".join(faults[:_SHOWN]) + more if faults else f"{what}, all sound")


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
