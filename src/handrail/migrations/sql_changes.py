"""Reads SQL statements as changes: the DDL and DML of PostgreSQL, and what SQLite shares with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from handrail.facts import TableName
from handrail.migrations import changes, sql_rows
from handrail.migrations.changes import Change, Command, NotAnalysable, Place
from handrail.migrations.sql_columns import (
    is_constraint,
    names,
    read_column_definition,
    read_constraint,
    read_sql_type,
    table_name,
)
from handrail.migrations.sql_words import Cursor, NotSQL, Word, parts, statements, written

#: Statements that change neither rows nor the schema, or only what a session or a reader sees.
HARMLESS = frozenset(
    {"SELECT", "SHOW", "EXPLAIN", "ANALYZE", "COMMENT", "VALUES", "TABLE", "GRANT", "REVOKE", "NOTIFY"}
)
#: PRAGMA, COPY FROM, CALL, DO: what they do is not in the text.
UNKNOWN = frozenset({"DO", "CALL", "EXECUTE", "COPY"})
#: A longer text is a dump, not a migration.
MOST_SQL = 50_000
_TRANSACTION = {"BEGIN", "COMMIT", "ROLLBACK", "START", "END", "ABORT", "SAVEPOINT", "RELEASE"}


def read_sql(sql: str, place: Place) -> tuple[Change, ...]:
    """Every change that the text asks for, all at `place`. Never raises for anything the text may hold."""
    place = replace(place, is_sql=True)
    if len(sql) > MOST_SQL:
        return (NotAnalysable(place, f"SQL of more than {MOST_SQL:,} characters"),)
    try:
        return tuple(change for statement in statements(sql) for change in _statement(statement, place))
    except (NotSQL, RecursionError) as error:
        return (NotAnalysable(place, f"SQL that cannot be read: {error}"),)


def _statement(words: Sequence[Word], place: Place) -> Iterator[Change]:
    cursor = Cursor(words)
    if cursor.take("WITH"):
        yield from _with(cursor, place)
        return
    first = cursor.peek()
    key = first.key if first is not None else ""
    reader = _READERS.get(key)
    if reader is not None:
        cursor.next()
        yield from reader(cursor, place, words)
    elif key in _TRANSACTION:
        yield Command(place, "COMMIT" if key == "END" else key, written(words))
    elif key in UNKNOWN:
        yield NotAnalysable(place, f"what {key} does is not in the script")
    elif key not in HARMLESS and key != "(":
        yield Command(place, key or written(words[:1]), written(words))


def _with(cursor: Cursor, place: Place) -> Iterator[Change]:
    """The statements in a WITH's parentheses, and the one that follows."""
    cursor.take("RECURSIVE")
    while not cursor.is_done:
        word = cursor.peek()
        if word is not None and word.key in {"SELECT", "INSERT", "UPDATE", "DELETE", "MERGE"}:
            yield from _statement(cursor.rest(), place)
            return
        if inner := cursor.parentheses():
            if inner[0].key in {"INSERT", "UPDATE", "DELETE", "MERGE", "WITH"}:
                yield from _statement(inner, place)
        else:
            cursor.next()


# -- CREATE ---------------------------------------------------------------------------------------------------------


def _create(cursor: Cursor, place: Place, words: Sequence[Word]) -> Iterator[Change]:
    cursor.take("OR", "REPLACE")
    if cursor.take("UNIQUE", "INDEX"):
        yield from _create_index(cursor, place, is_unique=True)
    elif cursor.take("INDEX"):
        yield from _create_index(cursor, place, is_unique=False)
    elif cursor.take("TYPE"):
        name = cursor.dotted()
        if cursor.take("AS", "ENUM"):
            labels = tuple(word.text for word in cursor.parentheses() if word.kind == "string")
            yield changes.CreateEnum(place, name[-1] if name else "", labels)
        else:
            yield Command(place, "CREATE TYPE", written(words))
    else:
        is_temporary = bool(cursor.any_of("TEMP", "TEMPORARY", "LOCAL", "GLOBAL"))
        is_temporary = bool(cursor.any_of("TEMP", "TEMPORARY")) or is_temporary
        cursor.any_of("UNLOGGED", "CONSTRAINT", "MATERIALIZED", "RECURSIVE")
        if cursor.take("TABLE"):
            yield from _create_table(cursor, place, is_temporary=is_temporary)
            return
        what = cursor.next()
        table = None
        if what is not None and what.key in {"TRIGGER", "POLICY", "RULE"}:
            cursor.until("ON", "TO")
            table = table_name(cursor.dotted()) if cursor.any_of("ON", "TO") else None
        yield Command(place, f"CREATE {what.key if what else ''}".strip(), written(words), table)


def _create_index(cursor: Cursor, place: Place, *, is_unique: bool) -> Iterator[Change]:
    is_concurrent, if_not_exists = cursor.take("CONCURRENTLY"), cursor.take("IF", "NOT", "EXISTS")
    name = None if cursor.take("ON") else cursor.dotted()
    if name is not None:
        cursor.take("ON")
    cursor.take("ONLY")
    table = table_name(cursor.dotted())
    if cursor.take("USING"):
        cursor.name()
    columns = names(cursor.parentheses())
    cursor.until("WHERE")
    condition = written(cursor.rest()) if cursor.take("WHERE") else ""
    if table is None:
        yield NotAnalysable(place, "CREATE INDEX without a table")
        return
    yield changes.CreateIndex(
        place, table, name[-1] if name else None, columns, is_unique, is_concurrent, if_not_exists, condition
    )


def _create_table(cursor: Cursor, place: Place, *, is_temporary: bool) -> Iterator[Change]:
    if_not_exists = cursor.take("IF", "NOT", "EXISTS")
    table = table_name(cursor.dotted())
    if table is None:
        yield NotAnalysable(place, "CREATE TABLE without a name")
        return
    columns, constraints = [], []
    elements = parts(cursor.parentheses())
    for element in elements:
        if is_constraint(element):
            constraints.append(read_constraint(element))
            continue
        column, more = read_column_definition(element)
        constraints += more
        if column is not None:
            columns.append(column)
    is_whole = bool(elements) and not cursor.take("AS")
    yield changes.CreateTable(place, table, tuple(columns), tuple(constraints), if_not_exists, is_temporary, is_whole)


# -- ALTER ----------------------------------------------------------------------------------------------------------


def _alter(cursor: Cursor, place: Place, words: Sequence[Word]) -> Iterator[Change]:
    if cursor.take("TABLE"):
        if cursor.take("ALL"):
            yield Command(place, "ALTER TABLE ALL", written(words))
            return
        cursor.take("IF", "EXISTS")
        cursor.take("ONLY")
        table = table_name(cursor.dotted())
        cursor.take("*")
        if table is None:
            yield NotAnalysable(place, "ALTER TABLE without a name")
            return
        for action in parts(cursor.rest()):
            yield from _action(Cursor(action), action, place, table)
    elif cursor.take("TYPE"):
        yield from _alter_type(cursor, place, words)
    elif kind := cursor.any_of("INDEX", "VIEW", "SEQUENCE", "SCHEMA", "DATABASE", "ROLE", "DOMAIN"):
        cursor.take("IF", "EXISTS")
        name = cursor.dotted()
        if cursor.take("RENAME", "TO"):
            yield changes.RenameObject(place, kind.lower(), ".".join(name), cursor.name() or "")
        else:
            yield Command(place, f"ALTER {kind}", written(words))
    else:
        what = cursor.next()
        yield Command(place, f"ALTER {what.key if what else ''}".strip(), written(words))


def _alter_type(cursor: Cursor, place: Place, words: Sequence[Word]) -> Iterator[Change]:
    name = (cursor.dotted() or ("",))[-1]
    if cursor.take("ADD", "VALUE"):
        if_not_exists, label = cursor.take("IF", "NOT", "EXISTS"), cursor.next()
        is_placed = bool(cursor.any_of("BEFORE", "AFTER"))
        yield changes.AddEnumValue(place, name, label.text if label else "", is_placed, if_not_exists)
    elif cursor.take("RENAME", "VALUE"):
        old = cursor.next()
        cursor.take("TO")
        new = cursor.next()
        yield changes.RenameEnumValue(place, name, old.text if old else "", new.text if new else "")
    elif cursor.take("RENAME", "TO"):
        yield changes.RenameObject(place, "type", name, cursor.name() or "")
    else:
        yield Command(place, "ALTER TYPE", written(words))


def _action(cursor: Cursor, action: Sequence[Word], place: Place, table: TableName) -> Iterator[Change]:
    """One action of ALTER TABLE."""
    if cursor.take("ADD"):
        yield from _add(cursor, place, table)
    elif cursor.take("DROP"):
        yield from _drop_part(cursor, place, table)
    elif cursor.take("ALTER"):
        yield from _alter_column(cursor, action, place, table)
    elif cursor.take("VALIDATE", "CONSTRAINT"):
        yield changes.ValidateConstraint(place, table, cursor.name() or "")
    elif cursor.take("RENAME"):
        yield from _rename(cursor, place, table)
    elif cursor.take("SET", "SCHEMA"):
        yield changes.RenameTable(place, table, TableName(table.name, cursor.name()))
    elif key := cursor.any_of("ATTACH", "DETACH"):
        cursor.take("PARTITION")
        cursor.dotted()
        is_concurrent = any(word.key == "CONCURRENTLY" for word in cursor.rest())
        yield Command(place, f"{key} PARTITION", written(action), table, is_concurrent)
    else:
        keys = [word.key for word in action if word.key][:2]
        yield Command(place, " ".join(keys), written(action), table)


def _add(cursor: Cursor, place: Place, table: TableName) -> Iterator[Change]:
    at = cursor.at
    is_column = cursor.take("COLUMN")
    if_not_exists = cursor.take("IF", "NOT", "EXISTS")
    words = cursor.rest()
    if not is_column and is_constraint(words):
        yield changes.AddConstraint(place, table, read_constraint(words))
        return
    if not is_column and words[:2] and [word.key for word in words[:2]] == ["NOT", "NULL"]:
        yield changes.AddConstraint(place, table, read_constraint(words))
        return
    column, more = read_column_definition(words)
    if column is None:
        yield NotAnalysable(place, f"ALTER TABLE {table} ADD that cannot be read (word {at})")
        return
    yield changes.AddColumn(place, table, column, if_not_exists)
    for constraint in more:
        yield changes.AddConstraint(place, table, constraint)


def _drop_part(cursor: Cursor, place: Place, table: TableName) -> Iterator[Change]:
    if cursor.take("CONSTRAINT"):
        cursor.take("IF", "EXISTS")
        yield changes.DropConstraint(place, table, cursor.name())
        return
    cursor.take("COLUMN")
    cursor.take("IF", "EXISTS")
    column = cursor.name()
    if column is not None:
        yield changes.DropColumn(place, table, column, cascades=cursor.take("CASCADE"))


def _alter_column(cursor: Cursor, action: Sequence[Word], place: Place, table: TableName) -> Iterator[Change]:
    if cursor.take("CONSTRAINT"):
        yield Command(place, "ALTER CONSTRAINT", written(action), table)
        return
    cursor.take("COLUMN")
    column = cursor.name() or ""
    change = changes.AlterColumn(place, table, column)
    if cursor.take("SET", "DATA", "TYPE") or cursor.take("TYPE"):
        sql_type = read_sql_type(cursor.until("USING", "COLLATE"))
        cursor.until("USING")
        using = written(cursor.rest()) if cursor.take("USING") else None
        yield replace(change, type=sql_type, using=using)
    elif cursor.take("SET", "DEFAULT"):
        yield replace(change, default=written(cursor.rest()))
    elif cursor.take("DROP", "DEFAULT"):
        yield replace(change, default="")
    elif cursor.take("SET", "NOT", "NULL"):
        yield replace(change, nullable=False)
    elif cursor.take("DROP", "NOT", "NULL"):
        yield replace(change, nullable=True)
    else:
        yield Command(place, "ALTER COLUMN", written(action), table)


def _rename(cursor: Cursor, place: Place, table: TableName) -> Iterator[Change]:
    if cursor.take("TO"):
        yield changes.RenameTable(place, table, TableName(cursor.name() or "", table.schema))
    elif cursor.take("CONSTRAINT"):
        old = cursor.name() or ""
        cursor.take("TO")
        yield changes.RenameObject(place, "constraint", old, cursor.name() or "")
    else:
        cursor.take("COLUMN")
        column = cursor.name() or ""
        cursor.take("TO")
        yield changes.AlterColumn(place, table, column, new_name=cursor.name())


# -- DROP, the rest -----------------------------------------------------------------------------------------------


def _drop(cursor: Cursor, place: Place, words: Sequence[Word]) -> Iterator[Change]:
    cursor.take("MATERIALIZED")
    kind = cursor.next()
    key = kind.key if kind is not None else ""
    is_concurrent = cursor.take("CONCURRENTLY")
    if_exists = cursor.take("IF", "EXISTS")
    found = parts(cursor.until("CASCADE", "RESTRICT", "ON"))
    cascades = cursor.take("CASCADE")
    for part in found:
        name = Cursor(part).dotted()
        table = table_name(name)
        if key == "TABLE" and table is not None:
            yield changes.DropTable(place, table, cascades, if_exists)
        elif key == "INDEX":
            yield changes.DropIndex(place, name[-1] if name else None, None, is_concurrent, if_exists)
        elif key:
            yield changes.DropObject(place, key.lower(), ".".join(name), cascades)


def _lock(cursor: Cursor, place: Place, words: Sequence[Word]) -> Iterator[Change]:
    cursor.take("TABLE")
    cursor.take("ONLY")
    for part in parts(cursor.until("IN", "NOWAIT")):
        yield Command(place, "LOCK", written(words), table_name(Cursor(part).dotted()))


def _set(cursor: Cursor, place: Place, words: Sequence[Word]) -> Iterator[Change]:
    cursor.any_of("LOCAL", "SESSION")
    yield Command(place, f"SET {'.'.join(cursor.dotted())}", written(words))


def _maintain(word: str) -> Reader:
    def read(cursor: Cursor, place: Place, words: Sequence[Word]) -> Iterator[Change]:
        keys = {one.key for one in words}
        full = f"{word} FULL" if word == "VACUUM" and "FULL" in keys else word
        cursor.parentheses()
        while cursor.any_of("FULL", "FREEZE", "VERBOSE", "ANALYZE"):
            pass
        cursor.any_of("INDEX", "TABLE", "SCHEMA", "DATABASE", "MATERIALIZED")
        cursor.take("VIEW")
        is_concurrent = "CONCURRENTLY" in keys
        cursor.take("CONCURRENTLY")
        yield Command(place, full, written(words), table_name(cursor.dotted()), is_concurrent)

    return read


def _pragma(cursor: Cursor, place: Place, words: Sequence[Word]) -> Iterator[Change]:
    yield Command(place, f"PRAGMA {'.'.join(cursor.dotted())}", written(words))


Reader = Callable[[Cursor, Place, Sequence[Word]], Iterator[Change]]
_READERS: Mapping[str, Reader] = {
    "CREATE": _create,
    "ALTER": _alter,
    "DROP": _drop,
    "UPDATE": sql_rows.update,
    "DELETE": sql_rows.delete,
    "TRUNCATE": sql_rows.truncate,
    "INSERT": sql_rows.insert,
    "REPLACE": sql_rows.insert,
    "MERGE": sql_rows.merge,
    "LOCK": _lock,
    "SET": _set,
    "PRAGMA": _pragma,
    **{word: _maintain(word) for word in ("REINDEX", "VACUUM", "CLUSTER", "REFRESH")},
}
