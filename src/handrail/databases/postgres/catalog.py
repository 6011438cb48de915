"""PostgreSQL's catalog as DatabaseFacts: tables, columns, constraints, indexes, triggers, views, enums, sequences."""

# ruff: noqa: S608 - every name and value in SQL text goes through `quoting`

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from operator import attrgetter, itemgetter
from typing import Any

from handrail.databases.postgres.attachments import attachments
from handrail.databases.postgres.digest import USER_TABLES, named
from handrail.databases.postgres.quoting import Query, Rows, literal, qualified
from handrail.facts import (
    Capability,
    ColumnFacts,
    DatabaseFacts,
    HeldLock,
    ObjectKind,
    SchemaObject,
    SessionState,
    Sharing,
    TableFacts,
    TableName,
    WriteActivity,
)

CAPABILITIES = frozenset({Capability.TRANSACTIONAL_DDL, Capability.CONCURRENT_WRITERS, Capability.LOCK_OBSERVATION})

_CLASSES = "pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
_NOT_EXTENSION = (
    "NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = '{0}'::regclass AND e.objid = {1}.oid AND e.deptype = 'e')"
)
_NOT_SYSTEM = "n.nspname NOT IN ('pg_catalog', 'information_schema') AND NOT starts_with(n.nspname, 'pg_t')"


@dataclass(frozen=True, slots=True)
class Scope:
    """What names mean in one reading: the schema that goes without saying, and the table to leave out; and what its
    values share."""

    default_schema: str
    version_table: TableName
    shared: Sharing = field(default_factory=Sharing)

    def table(self, schema: str, name: str) -> TableName:
        return named(schema, name, self.default_schema)

    def is_version_table(self, table: TableName | None) -> bool:
        schema = self.version_table.schema or self.default_schema
        return table is not None and table == self.table(schema, self.version_table.name)


def server_version(query: Query) -> str:
    """ "15.18", without what a packager appends."""
    return str(query("SELECT current_setting('server_version')")[0][0]).split()[0]


def size_bytes(query: Query) -> int:
    """What the database takes on the server's disk."""
    return int(query("SELECT pg_database_size(current_database())")[0][0])


def server_bytes(query: Query) -> int:
    """What all databases take that this role may connect to (of others, only pg_read_all_stats may be told)."""
    sizes = "SELECT sum(pg_database_size(oid)) FROM pg_database WHERE has_database_privilege(oid, 'CONNECT')"
    return int(query(sizes)[0][0])


def facts(query: Query, *, default_schema: str, version_table: TableName, rows: Rows | None = None) -> DatabaseFacts:
    """Read the catalog, by `rows` where there may be many. The caller has set `reading.SETTINGS`, so definitions name
    schemas."""
    scope, rows = Scope(default_schema, version_table), rows or query
    return DatabaseFacts(
        engine="postgresql",
        version=server_version(query),
        capabilities=CAPABILITIES,
        tables=_tables(rows, scope),
        objects=_in_order(map(scope.shared.object, _objects(rows, scope))),
        size_bytes=size_bytes(query),
    )


def _in_order(objects: Iterable[SchemaObject]) -> tuple[SchemaObject, ...]:
    """By kind, table, name and definition, each once. Sorted by one of them after the other, the last one first: a key
    of all four for each of 200,000 is more than the objects themselves."""
    found = sorted(objects, key=attrgetter("definition"))
    found.sort(key=attrgetter("name"))
    found.sort(key=lambda thing: str(thing.table or ""))
    found.sort(key=attrgetter("kind"))
    return tuple(thing for thing, _ in groupby(found))


def _tables(query: Rows, scope: Scope) -> tuple[TableFacts, ...]:
    columns = _columns(query, scope)
    rows = query(
        "SELECT c.oid::bigint, n.nspname::text, c.relname::text, c.reltuples::float8,"
        " CASE c.relkind WHEN 'r' THEN pg_total_relation_size(c.oid) END,"
        " ARRAY(SELECT a.attname::text FROM pg_index i"
        " CROSS JOIN unnest(i.indkey::int2[]) WITH ORDINALITY AS k(num, place)"
        " JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.num"
        " WHERE i.indrelid = c.oid AND i.indisprimary AND k.place <= i.indnkeyatts ORDER BY k.place)"
        f" FROM {_CLASSES} WHERE c.relkind IN ('r', 'p') AND {USER_TABLES}"
    )
    tables = (
        scope.shared.table(
            TableFacts(
                name=scope.table(schema, name),
                columns=columns.pop(oid, ()),
                primary_key=tuple(key),
                rows_estimate=None if estimate < 0 else int(estimate),
                size_bytes=size,
            )
        )
        for oid, schema, name, estimate, size, key in rows
    )
    kept = (table for table in tables if not scope.is_version_table(table.name))
    return tuple(sorted(kept, key=lambda table: (table.name.name, table.name.schema or "")))


def _columns(query: Rows, scope: Scope) -> dict[int, tuple[ColumnFacts, ...]]:
    """Columns by the table's oid. `default` also holds a generated column's expression and says what an identity is."""
    rows = query(
        "SELECT a.attrelid::bigint, a.attname::text, format_type(a.atttypid, a.atttypmod),"
        " NOT a.attnotnull OR nn.name IS NOT NULL,"
        " CASE a.attidentity WHEN 'a' THEN 'GENERATED ALWAYS AS IDENTITY'"
        " WHEN 'd' THEN 'GENERATED BY DEFAULT AS IDENTITY' ELSE pg_get_expr(d.adbin, d.adrelid) END,"
        " a.attgenerated <> '',"
        " CASE WHEN a.attcollation <> t.typcollation THEN (SELECT cn.nspname || '.' || k.collname FROM pg_collation k"
        " JOIN pg_namespace cn ON cn.oid = k.collnamespace WHERE k.oid = a.attcollation) END, nn.name, a.attnum::int"
        f" FROM {_CLASSES} JOIN pg_attribute a ON a.attrelid = c.oid JOIN pg_type t ON t.oid = a.atttypid"
        " LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum"
        # PostgreSQL 18 knows NOT NULL … NOT VALID, and says attnotnull of it, too.
        " LEFT JOIN LATERAL (SELECT k.conname::text AS name FROM pg_constraint k WHERE k.conrelid = a.attrelid"
        " AND k.contype = 'n' AND NOT k.convalidated AND k.conkey = ARRAY[a.attnum]) AS nn ON true"
        f" WHERE c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped AND {USER_TABLES}"
        " ORDER BY a.attrelid, a.attnum"
    )
    hanging = attachments(query, scope.default_schema)

    def column(row: Sequence[Any]) -> ColumnFacts:
        oid, name, type_, nullable, default, generated, collation, unchecked, number = row
        read = None if default is None else normalised(str(default))
        carries = (*hanging.get((oid, number), ()), *hanging.get((oid, 0), ()))
        return ColumnFacts(name, type_, nullable, read, generated, collation, unchecked, carries)

    return {
        int(oid): scope.shared.columns(tuple(map(column, of_one))) for oid, of_one in groupby(rows, key=itemgetter(0))
    }


def _objects(query: Rows, scope: Scope) -> Iterator[SchemaObject]:
    for kind, sql in _ON_TABLES.items():
        for schema, table, name, definition, is_valid in query(sql):
            where = scope.table(schema, table)
            if not scope.is_version_table(where):
                yield SchemaObject(kind, str(name), where, normalised(str(definition)), bool(is_valid))
    for kind, sql in _ALONE.items():
        for schema, name, definition in query(sql):
            yield SchemaObject(kind, str(scope.table(schema, name)), None, normalised(str(definition)))
    yield from _sequences(query, scope)


_ELEMENT = r"'(?:[^']|'')*'::[a-z ]+(?:\(\d+\))?"
_CAST_ARRAY = re.compile(rf"\(ARRAY\[({_ELEMENT}(?:, {_ELEMENT})*)\]\)::([a-z ]+)\[\]")


def normalised(definition: str) -> str:
    """The text that PostgreSQL gives after a dump and restore: an array that is cast becomes one of cast elements.

    So `CHECK (status IN ('A', 'B'))` on a VARCHAR column reads the same in the source and in what was restored.
    NOT VALID goes, since `is_valid` says it: validating a constraint changes nothing of what it says."""

    def cast_elements(found: re.Match[str]) -> str:
        elements = re.findall(_ELEMENT, found.group(1))
        return f"ARRAY[{', '.join(f'({element})::{found.group(2)}' for element in elements)}]"

    return _CAST_ARRAY.sub(cast_elements, definition).removesuffix(" NOT VALID")


#: (schema, table, name, definition, is_valid). NOT NULL constraints, named since PostgreSQL 18, are columns' facts.
_ON_TABLES = {
    ObjectKind.CONSTRAINT: "SELECT n.nspname::text, c.relname::text, k.conname::text, pg_get_constraintdef(k.oid),"
    f" k.convalidated FROM {_CLASSES} JOIN pg_constraint k ON k.conrelid = c.oid"
    f" WHERE k.contype NOT IN ('n', 't') AND {USER_TABLES}",
    ObjectKind.INDEX: "SELECT n.nspname::text, c.relname::text, ic.relname::text, pg_get_indexdef(ic.oid), i.indisvalid"
    f" FROM {_CLASSES} JOIN pg_index i ON i.indrelid = c.oid JOIN pg_class ic ON ic.oid = i.indexrelid"
    f" WHERE c.relkind IN ('r', 'p', 'm') AND {USER_TABLES}",
    ObjectKind.TRIGGER: "SELECT n.nspname::text, c.relname::text, g.tgname::text,"
    " pg_get_triggerdef(g.oid)"
    " || CASE g.tgenabled WHEN 'O' THEN '' ELSE ' /* enabled: ' || g.tgenabled::text || ' */' END,"
    f" true FROM {_CLASSES} JOIN pg_trigger g ON g.tgrelid = c.oid WHERE NOT g.tgisinternal AND {USER_TABLES}",
}

#: (schema, name, definition).
_ALONE = {
    ObjectKind.VIEW: "SELECT n.nspname::text, c.relname::text,"
    " CASE c.relkind WHEN 'm' THEN 'MATERIALIZED ' ELSE '' END || pg_get_viewdef(c.oid)"
    f" FROM {_CLASSES} WHERE c.relkind IN ('v', 'm') AND {USER_TABLES}",
    ObjectKind.ENUM: "SELECT n.nspname::text, t.typname::text,"
    " (SELECT string_agg(l.enumlabel, E'\\n' ORDER BY l.enumsortorder) FROM pg_enum l WHERE l.enumtypid = t.oid)"
    " FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace WHERE t.typtype = 'e'"
    f" AND {_NOT_SYSTEM} AND {_NOT_EXTENSION.format('pg_type', 't')}",
}


def _sequences(query: Rows, scope: Scope) -> Iterator[SchemaObject]:
    """Sequences, each with the table whose column owns it."""
    rows = query(
        "SELECT n.nspname::text, c.relname::text, format_type(s.seqtypid, NULL) || ' start ' || s.seqstart"
        " || ' increment ' || s.seqincrement || ' minimum ' || s.seqmin || ' maximum ' || s.seqmax"
        " || ' cache ' || s.seqcache"
        " || CASE WHEN s.seqcycle THEN ' cycle' ELSE '' END, tn.nspname::text, tc.relname::text"
        f" FROM {_CLASSES} JOIN pg_sequence s ON s.seqrelid = c.oid"
        " LEFT JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid"
        " AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')"
        " LEFT JOIN pg_class tc ON tc.oid = d.refobjid LEFT JOIN pg_namespace tn ON tn.oid = tc.relnamespace"
        f" WHERE {USER_TABLES}"
    )
    for schema, name, definition, owner_schema, owner in rows:
        table = None if owner is None else scope.table(owner_schema, owner)
        yield SchemaObject(ObjectKind.SEQUENCE, str(scope.table(schema, name)), table, str(definition))


def revisions(query: Query, *, default_schema: str, version_table: TableName) -> tuple[str, ...]:
    """What the version table holds; () when there is none."""
    schema = version_table.schema or default_schema
    there = query(
        f"SELECT 1 FROM {_CLASSES} WHERE c.relkind IN ('r', 'p', 'v') AND n.nspname = {literal(schema)}"
        f" AND c.relname = {literal(version_table.name)}"
    )
    if not there:
        return ()
    rows = query(f"SELECT version_num::text FROM {qualified(version_table, default_schema)}")
    return tuple(sorted(row[0] for row in rows))


def activity(query: Query, *, default_schema: str, version_table: TableName) -> WriteActivity:
    """Rows inserted, updated and deleted per table, by the statistics views.

    They lag behind: a busy session reports its writes once a second, an idle one up to ten seconds after the last."""
    scope = Scope(default_schema, version_table)
    rows = query("SELECT schemaname::text, relname::text, n_tup_ins, n_tup_upd, n_tup_del FROM pg_stat_user_tables")
    writes = {scope.table(schema, name): (int(ins), int(upd), int(gone)) for schema, name, ins, upd, gone in rows}
    return WriteActivity({table: counts for table, counts in writes.items() if not scope.is_version_table(table)})


def own_writes(query: Query) -> dict[int, tuple[tuple[str, str], tuple[int, int, int]]]:
    """Rows that this session has inserted, updated and deleted, by oid, with schema and name. A table rewrite and a
    TRUNCATE do not count; what a savepoint took back does."""
    rows = query(
        "SELECT s.relid::bigint, s.schemaname::text, s.relname::text, s.n_tup_ins, s.n_tup_upd, s.n_tup_del"
        f" FROM pg_stat_xact_all_tables s JOIN {_CLASSES} ON c.oid = s.relid"
        f" WHERE c.relkind = 'r' AND s.n_tup_ins + s.n_tup_upd + s.n_tup_del > 0 AND {USER_TABLES}"
    )
    return {
        int(oid): ((str(schema), str(name)), (int(ins), int(upd), int(gone)))
        for oid, schema, name, ins, upd, gone in rows
    }


def storage(query: Query) -> dict[int, tuple[str, str, int]]:
    """Schema, name and relfilenode of each table that is the user's, by oid."""
    rows = query(
        "SELECT c.oid::bigint, n.nspname::text, c.relname::text, coalesce(pg_relation_filenode(c.oid), 0)::bigint"
        f" FROM {_CLASSES} WHERE c.relkind IN ('r', 'p', 'm') AND {USER_TABLES}"
    )
    return {int(oid): (str(schema), str(name), int(node)) for oid, schema, name, node in rows}


def session_state(
    query: Query, known: dict[int, tuple[str, str, int]], *, default_schema: str, version_table: TableName
) -> SessionState:
    """Locks and storage of this session. `known` is what an earlier reading saw and is brought up to date: a table
    that this transaction has dropped is in the catalog no more, but its lock is held."""
    scope = Scope(default_schema, version_table)
    now = storage(query)
    known.update(now)
    held = query(
        "SELECT l.relation::bigint, l.mode::text FROM pg_locks l WHERE l.pid = pg_backend_pid() AND l.granted"
        " AND l.locktype = 'relation' AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    )
    locks = (
        HeldLock(scope.table(*known[oid][:2]), str(mode).removesuffix("Lock")) for oid, mode in held if oid in known
    )
    nodes = {scope.table(schema, name): node for schema, name, node in now.values() if node}
    return SessionState(
        frozenset(lock for lock in locks if not scope.is_version_table(lock.table)),
        {table: node for table, node in nodes.items() if not scope.is_version_table(table)},
    )
