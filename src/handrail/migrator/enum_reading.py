"""What a database holds of enum columns, through the connection that Alembic has: types, CHECKs, rows, dependents."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from handrail.enums.states import ColumnName, EnumReading, ModelEnum, StoredEnum, Strategy, Usage
from handrail.facts import TableName
from handrail.migrations.check_text import allowed_values
from handrail.migrator.enum_models import literal_text

_COLUMNS = """
SELECT n.nspname, c.relname, a.attname, coalesce(e.typname, t.typname) AS type,
  coalesce(en.nspname, tn.nspname) AS type_schema,
  coalesce(e.typtype, t.typtype) = 'e' AS is_enum, e.oid IS NOT NULL AS is_array,
  CASE WHEN t.typname IN ('varchar', 'bpchar') AND a.atttypmod > 4 THEN a.atttypmod - 4 END AS length,
  NOT a.attnotnull AS nullable, pg_get_expr(d.adbin, d.adrelid) AS default_sql
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_type t ON t.oid = a.atttypid JOIN pg_namespace tn ON tn.oid = t.typnamespace
  LEFT JOIN pg_type e ON e.oid = t.typelem AND t.typcategory = 'A' LEFT JOIN pg_namespace en ON en.oid = e.typnamespace
  LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum AND a.attgenerated = ''
WHERE c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped
  AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND NOT starts_with(n.nspname, 'pg_t')
ORDER BY n.nspname, c.relname, a.attnum
"""
_TYPES = """
SELECT n.nspname, t.typname, array_agg(e.enumlabel::text ORDER BY e.enumsortorder)
FROM pg_enum e JOIN pg_type t ON t.oid = e.enumtypid JOIN pg_namespace n ON n.oid = t.typnamespace
WHERE NOT EXISTS (SELECT FROM pg_depend x WHERE x.classid = 'pg_type'::regclass AND x.objid = t.oid AND x.deptype = 'e')
GROUP BY n.nspname, t.typname ORDER BY 1, 2
"""
_CHECKS = """
SELECT n.nspname, c.relname, a.attname, k.conname, pg_get_expr(k.conbin, k.conrelid), k.convalidated
FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.conkey[1]
WHERE k.contype = 'c' AND array_length(k.conkey, 1) = 1 ORDER BY k.conname
"""
#: What PostgreSQL refuses to change a column's type for, or what would not fit the new type; a plain index would.
_DEPENDENTS = """
SELECT DISTINCT CASE
    WHEN x.classid = 'pg_rewrite'::regclass THEN (SELECT CASE v.relkind WHEN 'm' THEN 'materialized ' ELSE '' END
      || 'view ' || v.relname FROM pg_rewrite r JOIN pg_class v ON v.oid = r.ev_class WHERE r.oid = x.objid)
    WHEN x.classid = 'pg_trigger'::regclass THEN (SELECT 'trigger ' || tgname FROM pg_trigger WHERE oid = x.objid)
    WHEN x.classid = 'pg_policy'::regclass THEN (SELECT 'policy ' || polname FROM pg_policy WHERE oid = x.objid)
    WHEN x.classid = 'pg_attrdef'::regclass THEN (SELECT 'generated column ' || g.attname FROM pg_attrdef d
      JOIN pg_attribute g ON g.attrelid = d.adrelid AND g.attnum = d.adnum
      WHERE d.oid = x.objid AND d.adnum <> x.refobjsubid)
    WHEN x.classid = 'pg_constraint'::regclass THEN (SELECT 'CHECK ' || conname FROM pg_constraint
      WHERE oid = x.objid AND contype = 'c')
    WHEN x.classid = 'pg_class'::regclass THEN (SELECT 'index ' || i.relname
      FROM pg_index p JOIN pg_class i ON i.oid = p.indexrelid
      WHERE p.indexrelid = x.objid AND strpos(coalesce(pg_get_expr(p.indpred, p.indrelid), '')
        || coalesce(pg_get_expr(p.indexprs, p.indrelid), ''), a.attname) > 0) END AS what
FROM pg_depend x JOIN pg_attribute a ON a.attrelid = x.refobjid AND a.attnum = x.refobjsubid
WHERE x.refclassid = 'pg_class'::regclass AND x.refobjid = to_regclass(:relation) AND a.attname = :name
UNION
SELECT 'function ' || p.oid::regprocedure FROM pg_depend x JOIN pg_proc p ON p.oid = x.objid
WHERE x.classid = 'pg_proc'::regclass AND x.refclassid = 'pg_type'::regclass AND x.refobjid = to_regtype(:type)
ORDER BY 1
"""


#: Columns; enum types with their labels; the columns of each type, lists of it among them.
_Read = tuple[dict[ColumnName, StoredEnum], dict[TableName, tuple[str, ...]], dict[TableName, tuple[ColumnName, ...]]]


def read_enums(
    connection: Connection, models: Sequence[ModelEnum], *, also: Iterable[ColumnName] = (), counts: str = "text"
) -> EnumReading:
    """The columns of the models, and those of `also`, as the database holds them.

    `counts`: "no" reads no row; "text" counts the values of columns that nothing checks, "all" those of every column.
    """
    is_postgres = connection.dialect.name == "postgresql"
    wanted = list(dict.fromkeys([*(model.column for model in models), *also]))
    stored, types, users = (_read_postgres if is_postgres else _read_sqlite)(connection, wanted)
    usages = {}
    for column, one in stored.items():
        type_ = TableName(one.type_name, one.type_schema) if one.strategy is Strategy.NATIVE else None
        is_counted = counts == "all" or (counts == "text" and one.strategy is Strategy.VARCHAR)
        usages[column] = Usage(
            users=users.get(type_, ()) if type_ is not None else (column,),
            dependents=_dependents(connection, one) if is_postgres else (),
            counts=count_values(connection, one) if is_counted else None,
        )
    return EnumReading(connection.dialect.name, tuple(models), stored, usages, types, users)


def count_values(connection: Connection, stored: StoredEnum) -> dict[str, int]:
    """Rows by stored text, the most frequent first; NULLs are not counted. For a column of lists, by element."""
    table = sa.table(stored.column.table.name, schema=stored.column.table.schema)
    column: Any = sa.column(stored.column.name)
    if stored.is_array:
        column = sa.func.unnest(column)
    held = sa.select(sa.cast(column, sa.String).label("value")).select_from(table).subquery()
    query = sa.select(held.c.value, sa.func.count()).where(held.c.value.is_not(None)).group_by(held.c.value)
    rows = connection.execute(query.order_by(sa.func.count().desc(), held.c.value))
    return {str(value): int(number) for value, number in rows}


def _read_sqlite(connection: Connection, wanted: Sequence[ColumnName]) -> _Read:
    inspector = sa.inspect(connection)
    tables = set(inspector.get_table_names())
    stored = {}
    for table in dict.fromkeys(column.table for column in wanted):
        if table.name not in tables:
            continue
        checks = [(one["name"], str(one["sqltext"])) for one in inspector.get_check_constraints(table.name)]
        for found in inspector.get_columns(table.name):
            column = ColumnName(table, found["name"])
            if column in wanted:
                stored[column] = _stored_in_sqlite(column, dict(found), checks)
    return stored, {}, {}


def _stored_in_sqlite(
    column: ColumnName, found: Mapping[str, Any], checks: Iterable[tuple[str | None, str]]
) -> StoredEnum:
    found_checks = [(allowed_values(text, column.name), check) for check, text in checks]
    labels, name = next(((values, check) for values, check in found_checks if values is not None), ((), ""))
    return StoredEnum(
        column,
        Strategy.CHECK if labels else Strategy.VARCHAR,
        labels=labels,
        check_name=name,
        length=getattr(found["type"], "length", None),
        nullable=bool(found["nullable"]),
        default=literal_text(found["default"]),
        default_sql=found["default"],
    )


def _read_postgres(connection: Connection, wanted: Sequence[ColumnName]) -> _Read:
    here = connection.dialect.default_schema_name
    types = {_named(here, schema, name): tuple(labels) for schema, name, labels in connection.execute(sa.text(_TYPES))}
    checks: dict[ColumnName, list[tuple[str, str, bool]]] = {}
    for schema, table, column, name, text, is_valid in connection.execute(sa.text(_CHECKS)):
        checks.setdefault(ColumnName(_named(here, schema, table), column), []).append((name, text, is_valid))
    stored, users = {}, dict[TableName, tuple[ColumnName, ...]]()
    for row in connection.execute(sa.text(_COLUMNS)):
        column = ColumnName(_named(here, row.nspname, row.relname), row.attname)
        if column in wanted:
            stored[column] = _stored_in_postgres(column, row, here, types, checks.get(column, []))
        if row.is_enum:
            type_ = _named(here, row.type_schema, row.type)
            users[type_] = (*users.get(type_, ()), column)
    return stored, types, users


def _stored_in_postgres(
    column: ColumnName,
    row: Any,
    here: str | None,
    types: Mapping[TableName, tuple[str, ...]],
    checks: Sequence[tuple[str, str, bool]],
) -> StoredEnum:
    type_ = _named(here, row.type_schema, row.type)
    labels, name, is_valid = types.get(type_, ()) if row.is_enum else (), "", True
    for check, text, valid in [] if row.is_enum else checks:
        values = allowed_values(text, column.name)
        if values is not None:
            labels, name, is_valid = values, check, valid
            break
    text_strategy = Strategy.CHECK if labels else Strategy.VARCHAR
    return StoredEnum(
        column,
        Strategy.NATIVE if row.is_enum else text_strategy,
        labels=labels,
        type_name=type_.name if row.is_enum else "",
        type_schema=type_.schema if row.is_enum else None,
        check_name=name,
        is_checked=is_valid,
        length=row.length,
        nullable=row.nullable,
        default=literal_text(row.default_sql),
        default_sql=row.default_sql,
        is_array=row.is_array,
    )


def _named(here: str | None, schema: str, name: str) -> TableName:
    return TableName(name, None if schema == here else schema)


def _dependents(connection: Connection, stored: StoredEnum) -> tuple[str, ...]:
    preparer = connection.dialect.identifier_preparer
    table, column = stored.column.table, stored.column.name
    words = {
        "relation": preparer.format_table(sa.table(table.name, schema=table.schema)),
        "name": column,
        "type": _quoted(preparer, TableName(stored.type_name, stored.type_schema)) if stored.type_name else None,
    }
    found = connection.execute(sa.text(_DEPENDENTS), words).scalars()
    own = f"CHECK {stored.check_name}" if stored.check_name else ""
    return tuple(str(what) for what in found if what is not None and what != own)


def _quoted(preparer: Any, name: TableName) -> str:
    parts = [preparer.quote(part) for part in (name.schema, name.name) if part]
    return ".".join(parts)
