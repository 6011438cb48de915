"""A SQLite database as SQL text, exact to the bit, and back: what `sqlite3 new.db < file` reads as well.

The shell's `.dump` does not keep everything (measured with SQLite 3.40 on the content of our tests): text ends at its
first NUL, of 5,000 random doubles 14 came back with another last bit, rowids that are no column are given anew (FTS5
tables may lean on them), and the file's settings are lost. Python 3.11's `iterdump` writes what cannot be read where a
name holds a quote. Here each row is one line, unless its text has line ends.
"""

# ruff: noqa: S608 - every name goes through `quoted`

from __future__ import annotations

import math
import re
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from handrail.databases.lines import lines
from handrail.databases.sqlite.catalog import literal, quoted
from handrail.databases.sqlite.connection import connect, translate
from handrail.databases.sqlite.files import pieces
from handrail.databases.sqlite.pages import CHUNK
from handrail.databases.sqlite.rows import as_text, own_cursor
from handrail.databases.sqlite.stand_ins import missing
from handrail.errors import BackupError

#: Settings of the file itself, in the order in which they can be set; the first three only before the first table.
_BEFORE = ("encoding", "page_size", "auto_vacuum")
_AFTER = ("user_version", "application_id", "journal_mode")
_ROWIDS = ("_rowid_", "rowid", "oid")
#: 2**62: SQLite reads its decimal digits exactly, and so it does those of any whole number below 2**53.
_STEP = 62
#: What ends with its first semicolon, unlike a trigger.
_PLAIN = ("INSERT INTO ", "PRAGMA ")
_CLOSES = {"'": "'", '"': '"', "`": "`", "[": "]", "/*": "*/", "--": "\n"}
_OPENS = re.compile(r"['\"`\[]|--|/\*")


def write_sql(raw: sqlite3.Connection) -> Iterator[bytes]:
    """The statements that make the database again, in pieces. The caller holds the snapshot."""
    raw.create_function("handrail_real", 1, exact_real, deterministic=True)
    yield from _pieces(_statements(raw))


def _pieces(statements: Iterable[bytes]) -> Iterator[bytes]:
    waiting, size = [], 0
    for line in statements:
        waiting.append(line)
        size += len(line) + 1
        if size >= CHUNK:
            yield b"\n".join((*waiting, b""))
            waiting, size = [], 0
    yield b"\n".join((*waiting, b""))


def _statements(raw: sqlite3.Connection) -> Iterator[bytes]:
    settings = {name: _one(raw, f"PRAGMA {name}") for name in (*_BEFORE, *_AFTER)}
    yield b"PRAGMA foreign_keys=OFF;"
    yield b"PRAGMA ignore_check_constraints=ON;"  # there may be rows that a CHECK would refuse
    yield from (f"PRAGMA {name}={_setting(settings[name])};".encode() for name in _BEFORE)
    yield b"BEGIN TRANSACTION;"
    with as_text(raw, bytes):
        entries = [tuple(_text(value) for value in row) for row in own_cursor(raw).execute(
            "SELECT type, name, tbl_name, sql, rootpage FROM sqlite_schema ORDER BY rowid"
        )]  # fmt: skip
    tables = [entry for entry in entries if entry[0] == "table"]
    for _, name, _, sql, root in tables:
        if not name.startswith("sqlite_"):
            yield from [f"{sql};".encode()] if root != "0" else _virtual(name, sql)
    yield from _table_rows(raw, tables)
    for kind, _, _, sql, _ in entries:
        if kind != "table" and sql:
            yield f"{sql};".encode()
    yield b"COMMIT;"
    yield from (f"PRAGMA {name}={_setting(settings[name])};".encode() for name in _AFTER)


def _table_rows(raw: sqlite3.Connection, tables: list[tuple[str, ...]]) -> Iterator[bytes]:
    for _, name, _, _, root in tables:
        if name == "sqlite_sequence":
            yield b"DELETE FROM sqlite_sequence;"
        elif name == "sqlite_stat1":
            yield b"ANALYZE sqlite_schema;"
        elif name.startswith("sqlite_") or root == "0":
            continue
        yield from _rows(raw, name)


def _virtual(name: str, sql: str) -> Iterator[bytes]:
    """A virtual table's entry: CREATE VIRTUAL TABLE would make its shadow tables too, which have rows of their own."""
    values = ",".join(literal(value) for value in ("table", name, name))
    yield b"PRAGMA writable_schema=ON;"
    yield f"INSERT INTO sqlite_schema(type,name,tbl_name,rootpage,sql) VALUES({values},0,{literal(sql)});".encode()
    yield b"PRAGMA writable_schema=OFF;"


def _rows(raw: sqlite3.Connection, table: str) -> Iterator[bytes]:
    columns = [str(row[1]) for row in own_cursor(raw).execute(f"PRAGMA table_xinfo({quoted(table)})") if not row[6]]
    rowid = _rowid(raw, table, columns)
    names = ([rowid] if rowid else []) + [quoted(column) for column in columns]
    listed = f"({','.join(names)})" if rowid else ""
    head = f"INSERT INTO {quoted(table)}{listed} VALUES(".encode()
    shown, safe = (" || ',' || ".join(written(name) for name in names) for written in (_readable, _safe))
    hexed: sqlite3.Cursor | None = None  # the same rows in the same order, once one of them needs it
    with as_text(raw, bytes):
        for number, (row,) in enumerate(own_cursor(raw).execute(f"SELECT {shown} FROM {quoted(table)}")):
            if hexed is None and not _is_utf8(row):
                hexed = own_cursor(raw).execute(f"SELECT {safe} FROM {quoted(table)} LIMIT -1 OFFSET {number}")
            other = row if hexed is None else hexed.fetchone()[0]
            yield head + (row if hexed is None or _is_utf8(row) else other) + b");"


def _rowid(raw: sqlite3.Connection, table: str, columns: list[str]) -> str:
    """The name of a rowid that is no column; "" where there is none or columns hide it."""
    taken = {column.lower() for column in columns}
    name = next((one for one in _ROWIDS if one not in taken), "")
    try:
        own_cursor(raw).execute(f"SELECT {name or '1'} FROM {quoted(table)} LIMIT 0")
    except sqlite3.OperationalError:
        return ""  # WITHOUT ROWID
    has_key = _one(raw, f"SELECT max(pk) FROM pragma_table_xinfo({literal(table)})")
    own_index = _one(raw, f"SELECT count(*) FROM pragma_index_list({literal(table)}) WHERE origin = 'pk'")
    return name if not has_key or own_index else ""


def _readable(name: str) -> str:
    """SQL whose result is a value as a literal, text as text."""
    text = f"CASE WHEN instr({name}, char(0)) THEN {_hexed(name)} ELSE quote({name}) END"
    return _value(name, text)


def _safe(name: str) -> str:
    """The same with all text in hexadecimal digits: for rows whose text is no UTF-8."""
    return _value(name, _hexed(name))


def _hexed(name: str) -> str:
    return f"'CAST(X''' || hex({name}) || ''' AS TEXT)'"


def _value(name: str, text: str) -> str:
    is_exact = f"CAST(quote({name}) AS REAL) = {name} AND {name} <> 0"
    real = f"CASE WHEN {is_exact} THEN quote({name}) ELSE handrail_real({name}) END"
    return f"CASE typeof({name}) WHEN 'text' THEN {text} WHEN 'real' THEN {real} ELSE quote({name}) END"


def exact_real(value: float) -> str:
    """SQL that is this number whatever SQLite's reading of decimal digits rounds to: a whole number, multiplied or
    divided by powers of two, each step exact."""
    if math.isinf(value):
        return "9e999" if value > 0 else "-9e999"
    if value == 0:
        return "0.0" if math.copysign(1, value) > 0 else "(-1.0*0.0)"
    mantissa, exponent = math.frexp(value)
    whole, exponent = int(mantissa * 2**53), exponent - 53
    sign, count = ("*", exponent) if exponent > 0 else ("/", -exponent)
    steps = [_STEP] * (count // _STEP) + [count % _STEP]
    return f"({whole}.0" + "".join(f"{sign}{2**step}.0" for step in steps) + ")"


def load_sql(path: Path, source: BinaryIO) -> None:
    """Run the statements of a SQL dump on the new file at `path`, as fast as a file that is thrown away on any failure
    allows. Raises BackupError when the text ends within a statement or SQLite refuses one."""
    raw = connect(path)
    number = 1
    try:
        raw.execute("PRAGMA synchronous=OFF")
        raw.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)  # it fills this file and no other
        for statement in _read_statements(source):
            raw.execute(statement)
            number += 1
        if raw.in_transaction:
            raise BackupError("The SQL text was cut.", why="Its transaction does not end.", hint=_HINT)
    except (sqlite3.Error, sqlite3.Warning, ValueError) as error:
        if isinstance(error, sqlite3.OperationalError) and getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_FULL:
            raise translate(path, error) from error
        is_own = isinstance(error, sqlite3.Error) and missing(error)
        raise BackupError(
            f"Statement {number} of the SQL text cannot be run.",
            why=f"SQLite says: {error}." + (f" Only the application has {is_own}." if is_own else ""),
            hint=_COPY if is_own or isinstance(error, sqlite3.IntegrityError) else _HINT,
        ) from error
    finally:
        raw.close()


_COPY = "Back up with `handrail backup create --method copy`, which runs no SQL."
_HINT = "Choose another one: `handrail backup list`."


def _read_statements(source: BinaryIO) -> Iterator[str]:
    """Statements, cut where lines end outside of texts; `complete_statement` knows triggers, and reads all anew."""
    waiting: list[str] = []
    mark = ""
    for line in map(bytes.decode, lines(pieces(source))):
        waiting.append(line)
        mark = _open_at_end(line, mark)
        if mark or not line.rstrip().endswith(";"):
            continue
        statement = "".join(waiting)
        if waiting[0].startswith(_PLAIN) or sqlite3.complete_statement(statement):
            yield statement
            waiting = []
    if "".join(waiting).strip():
        raise BackupError("The SQL text was cut.", why="It ends within a statement.", hint=_HINT)


def _open_at_end(line: str, mark: str) -> str:
    """The mark of the text, name or comment that goes on behind this line; "" when none does."""
    at = 0
    while True:
        if mark:
            end = line.find(_CLOSES[mark], at)
            if end < 0:
                return mark
            at = end + len(_CLOSES[mark])
        found = _OPENS.search(line, at)
        if found is None:
            return ""
        mark, at = found[0], found.end()


def _is_utf8(text: bytes) -> bool:
    if text.isascii():
        return True
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def _setting(value: object) -> str:
    return literal(value) if isinstance(value, str) else str(value)


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else "" if value is None else str(value)


def _one(raw: sqlite3.Connection, sql: str) -> object:
    with as_text(raw, str):
        row = own_cursor(raw).execute(sql).fetchone()
    return row[0] if row else None
