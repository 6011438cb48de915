"""How the records of a table are read: what must be the same for the same bytes of a page to be the same rows.

PRAGMA table_xinfo says most of it: types (which give values their affinity), defaults (for records that are shorter),
the order of columns. It does not tell these apart:

* INTEGER PRIMARY KEY is the rowid, of which a record holds nothing; INTEGER PRIMARY KEY DESC is a column beside it, and
  has an index (SQLite's documentation, "CREATE TABLE", section 5).
* A table without rowids has the columns of its key first in each record, one of them twice when it is in the key under
  two collations (file format, section 2.4).
* A column of type ANY keeps what it is given in a STRICT table, else it is numeric ("STRICT Tables", section 3).
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from handrail.databases.sqlite.catalog import quoted
from handrail.databases.sqlite.ddl import options
from handrail.databases.sqlite.pages import Snapshot
from handrail.databases.sqlite.rows import as_text, own_cursor

Described = tuple[tuple[object, ...], ...]
#: Where the file's header says how many bytes at the end of each page are not used, and the encoding of text, which
#: ends here (file format, section 1.3).
_RESERVED, _ENCODING, _HEADER = 20, 56, 60


@dataclass(frozen=True, slots=True)
class Layout:
    """`columns` as table_xinfo says: name, type, NOT NULL, default, key, hidden. `key`: number, name, descending and
    collation of those of the primary key's index; () when it has none."""

    columns: Described
    key: Described
    is_strict: bool

    @property
    def has_generated(self) -> bool:
        """Whether the value of a column may depend on more than the record."""
        return any(column[-1] for column in self.columns)

    def continues(self, earlier: Layout) -> bool:
        """Whether what there was then is read as it was then: columns may have been added behind."""
        begins = Layout(self.columns[: len(earlier.columns)], self.key, self.is_strict)
        return begins == earlier


class Layouts:
    """The layouts of a database's tables, as a connection sees them."""

    def __init__(self, raw: sqlite3.Connection) -> None:
        self._raw = raw
        with as_text(raw, str):
            found = own_cursor(raw).execute(
                "SELECT name, sql FROM sqlite_schema WHERE type = 'table' AND sql LIKE '%strict%'"
            )
            self._strict = {str(name) for name, text in found if "STRICT" in options(str(text))}

    def of(self, table: str) -> Layout:
        """That of one table."""
        with as_text(self._raw, str):
            columns = self._asked(f"PRAGMA table_xinfo({quoted(table)})")
            key = self._key(table) if any(column[4] for column in columns) else ()
        return Layout(columns, key, table in self._strict)

    def _key(self, table: str) -> Described:
        for name, _, origin, _ in self._asked(f"PRAGMA index_list({quoted(table)})"):
            if origin == "pk":
                found = self._asked(f"PRAGMA index_xinfo({quoted(str(name))})")
                return tuple(column[:-1] for column in found if column[-1])
        return ()

    def _asked(self, question: str) -> Described:
        """The answer's rows without their running number."""
        return tuple(tuple(row[1:]) for row in own_cursor(self._raw).execute(question))


def form_of(snapshot: Snapshot) -> str:
    """How pages and text are written: with another one the same bytes would mean something else."""
    header = snapshot.page(1) if snapshot.page_count else bytes(_HEADER)
    return f"{snapshot.page_size} {header[_RESERVED]} {int.from_bytes(header[_ENCODING:_HEADER], 'big')}"
