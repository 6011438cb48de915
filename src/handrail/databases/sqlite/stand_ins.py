"""Reading files whose schema needs what only the application has: collations and functions of its own.

SQLite refuses a statement that may need a collation which it does not know, even where it would compare nothing: it
cannot open an index by it, nor a table without rowids whose key has it. A stand-in opens them. It orders otherwise than
the application does, so nothing that compares may be asked with it: only all rows of a table, in the order they are in.
"""

from __future__ import annotations

import re
import sqlite3
from itertools import pairwise

from handrail.databases.sqlite.ddl import tokens

_BUILT_IN = frozenset({"BINARY", "NOCASE", "RTRIM"})
_UNKNOWN = re.compile(r"no such collation sequence: (?P<collation>.+)|(?:no such|unknown) function: (?P<function>\w+)")


def stand_in(raw: sqlite3.Connection) -> frozenset[str]:
    """Give a connection something for each collation of the schema that is not SQLite's; their names in capitals.

    Before a statement needs one: when that fails, SQLite uses the index no more. (PRAGMA collation_list does not tell:
    it lists those, too, that the schema names and nobody has given.)
    """
    texts = raw.execute("SELECT sql FROM sqlite_schema WHERE sql LIKE '%collate%'").fetchall()
    named = {
        name.value.upper()
        for (text,) in texts
        for word, name in pairwise(tokens(str(text)))
        if word.keyword() == "COLLATE"
    }
    for name in named - _BUILT_IN:
        raw.create_collation(name, _compare)
    return frozenset(named - _BUILT_IN)


def _compare(one: str, other: str) -> int:
    return (one > other) - (one < other)


def missing(error: sqlite3.Error) -> str:
    """What of the application's own an error says that SQLite lacks, in words; "" for another error."""
    found = _UNKNOWN.fullmatch(str(error).removesuffix("()"))
    if found is None:
        return ""
    kind = str(found.lastgroup)
    return f"the {kind} {found[kind]}"
