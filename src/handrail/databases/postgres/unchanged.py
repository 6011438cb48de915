"""Telling without digesting which tables hold the very rows that an earlier snapshot saw.

Counting rows costs a tenth of digesting them. A table is unchanged when both hold, else its rows are digested again:

* Every row that is seen now was written by a transaction that had ended when the earlier snapshot was taken: its xmin
  is before that of the snapshot, the oldest transaction under way then (subtransactions of such a one are later).
  So the earlier snapshot saw the row, unless it was deleted by then; and then it would not be seen now.
* There are as many rows as there were. Since all of them were among those of the earlier snapshot, they are the same.
* The table is still that one, and its rows are read as they were: what the catalog says of it and of its columns was
  written before that, too (two tables may have changed names; a column that was dropped and added again has its default
  in rows that nobody wrote). So it is with all enums and composite types, whose text is in the digests.

A row version never changes, nor what it keeps in TOAST. Transaction ids are compared as PostgreSQL does, in a circle: a
frozen row of long ago may look like a new one, which only makes its table be digested again. Tables that are no heaps
have other ideas of all this, and are digested again.
"""

# ruff: noqa: S608 - every name and value in SQL text goes through `quoting`

from __future__ import annotations

from dataclasses import dataclass

from handrail.databases.postgres.digest import Known, named
from handrail.databases.postgres.quoting import Query, literal, qualified
from handrail.facts import Fingerprint, TableFingerprint, TableName

#: That a row of the catalog may be newer than the horizon, which is to be filled in.
_NEW = "age({0}.xmin) <= age({{horizon}}::xid)"
_STEADY = (
    "SELECT n.nspname::text, c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
    " JOIN pg_am a ON a.oid = c.relam WHERE c.relkind = 'r' AND a.amname = 'heap'"
    f" AND NOT {_NEW.format('c')}"
    f" AND NOT EXISTS (SELECT FROM pg_attribute b WHERE b.attrelid = c.oid AND {_NEW.format('b')})"
    f" AND NOT EXISTS (SELECT FROM pg_enum e WHERE {_NEW.format('e')})"
    " AND NOT EXISTS (SELECT FROM pg_attribute d JOIN pg_class t ON t.oid = d.attrelid"
    f" WHERE t.relkind = 'c' AND {_NEW.format('d')})"
)


def horizon(query: Query) -> str:
    """The xid before which every transaction had ended when this session's snapshot was taken."""
    whole = int(query("SELECT txid_snapshot_xmin(txid_current_snapshot())")[0][0])
    return str(whole % (1 << 32))


@dataclass(frozen=True, slots=True)
class Earlier:
    """What an earlier snapshot saw: the digests of whole tables, and its `horizon`."""

    fingerprint: Fingerprint
    horizon: str

    def known(self, query: Query, default_schema: str) -> Known:
        """Of a table of which this session sees the same rows, its digests."""
        found = query(_STEADY.format(horizon=literal(self.horizon)))
        steady = {named(schema, name, default_schema) for schema, name in found}

        def known(table: TableName) -> TableFingerprint | None:
            before = self.fingerprint.table(table) if table in steady else None
            if before is None or self._rows(query, qualified(table, default_schema)) != (before.rows, 0):
                return None
            return before

        return known

    def _rows(self, query: Query, table: str) -> tuple[int, int]:
        """All rows, and those that may be newer than the horizon."""
        is_new = f"age(xmin) <= age({literal(self.horizon)}::xid)"
        rows, new = query(f"SELECT count(*), count(*) FILTER (WHERE {is_new}) FROM ONLY {table}")[0]
        return int(rows), int(new)
