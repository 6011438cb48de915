"""What hangs on a column by PostgreSQL's catalog and is no fact of its own: comment, privileges, policies …"""

# ruff: noqa: S608 - the pieces put together are constants of this module

from __future__ import annotations

from typing import Final

from handrail.databases.postgres.digest import USER_TABLES, named
from handrail.databases.postgres.quoting import Rows

_TABLES: Final = "JOIN pg_namespace n ON n.oid = c.relnamespace"
_IS_USERS: Final = f"c.relkind IN ('r', 'p') AND {USER_TABLES}"
#: What depends on a column: its table, its number, schema and name of a view, what it is. Defaults, constraints,
#: triggers and indexes are facts of their own; publications are read for the whole table.
_DEPENDING: Final = f"""
SELECT d.refobjid::bigint, d.refobjsubid::int, vn.nspname::text, v.relname::text,
       pg_describe_object(d.classid, d.objid, d.objsubid)
FROM pg_depend d JOIN pg_class c ON c.oid = d.refobjid {_TABLES}
LEFT JOIN pg_class o ON d.classid = 'pg_class'::regclass AND o.oid = d.objid
LEFT JOIN pg_rewrite r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid AND r.rulename = '_RETURN'
LEFT JOIN pg_class v ON v.oid = r.ev_class LEFT JOIN pg_namespace vn ON vn.oid = v.relnamespace
WHERE d.refclassid = 'pg_class'::regclass AND d.refobjsubid <> 0
  AND d.classid NOT IN ('pg_attrdef'::regclass, 'pg_constraint'::regclass, 'pg_trigger'::regclass,
                        'pg_publication_rel'::regclass)
  AND coalesce(o.relkind, 'x') NOT IN ('i', 'I') AND {_IS_USERS}
ORDER BY 5
"""
#: What is said of the column itself.
_OF_COLUMNS: Final = f"""
SELECT a.attrelid::bigint, a.attnum::int, k.what
FROM pg_class c {_TABLES} JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_type t ON t.oid = a.atttypid
CROSS JOIN LATERAL (VALUES
  ('its comment', EXISTS (SELECT FROM pg_description d WHERE d.classoid = 'pg_class'::regclass
                          AND d.objoid = a.attrelid AND d.objsubid = a.attnum)),
  ('its security label', EXISTS (SELECT FROM pg_seclabel l WHERE l.classoid = 'pg_class'::regclass
                                 AND l.objoid = a.attrelid AND l.objsubid = a.attnum)),
  ('its privileges', a.attacl IS NOT NULL),
  ('its options', a.attoptions IS NOT NULL OR a.attfdwoptions IS NOT NULL),
  ('its statistics target', coalesce(a.attstattarget, -1) >= 0),
  ('its storage', a.attstorage <> t.typstorage)
) AS k (what, is_there)
WHERE k.is_there AND {_IS_USERS}
"""
#: What all columns of a table have in common, or others know them by.
_OF_TABLES: Final = f"""
SELECT c.oid::bigint, k.what
FROM pg_class c {_TABLES} CROSS JOIN LATERAL (
  SELECT 'its partitions' WHERE c.relkind = 'p'
  UNION ALL SELECT 'the table of which it is a partition' WHERE c.relispartition
  UNION ALL SELECT 'inheritance' WHERE NOT c.relispartition AND c.relkind = 'r'
    AND EXISTS (SELECT FROM pg_inherits i WHERE c.oid IN (i.inhrelid, i.inhparent))
  UNION ALL SELECT 'the type of the table' WHERE c.reloftype <> 0
  UNION ALL SELECT 'publication ' || p.pubname FROM pg_publication_tables p
    WHERE p.schemaname = n.nspname AND p.tablename = c.relname
) AS k (what)
WHERE {_IS_USERS}
ORDER BY 2
"""


def attachments(query: Rows, default_schema: str) -> dict[tuple[int, int], tuple[str, ...]]:
    """For each column, by its table's oid and its number, what hangs on it, in words; number 0 is every column."""
    found: dict[tuple[int, int], list[str]] = {}
    for oid, number, schema, view, what in query(_DEPENDING):
        text = str(what) if view is None else f"view {named(schema, view, default_schema)}"
        found.setdefault((int(oid), int(number)), []).append(text)
    for oid, number, what in query(_OF_COLUMNS):
        found.setdefault((int(oid), int(number)), []).append(str(what))
    for oid, what in query(_OF_TABLES):
        found.setdefault((int(oid), 0), []).append(str(what))
    return {key: tuple(dict.fromkeys(texts)) for key, texts in found.items()}
