"""Reads the statements that write rows: UPDATE, DELETE, TRUNCATE, INSERT, MERGE."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from handrail.migrations import changes
from handrail.migrations.changes import Change, Place, Verb
from handrail.migrations.sql_columns import table_name
from handrail.migrations.sql_words import Cursor, Word, parts, written


def is_filter(words: Sequence[Word]) -> bool:
    """Whether a WHERE chooses: `WHERE true` and `WHERE 1 = 1` do not."""
    text = written(words).upper().replace(" ", "")
    return text not in {"", "TRUE", "1=1", "(TRUE)", "1", "(1=1)"}


def update(cursor: Cursor, place: Place, words: Sequence[Word]) -> Iterator[Change]:
    cursor.take("OR")
    cursor.any_of("ROLLBACK", "ABORT", "REPLACE", "FAIL", "IGNORE")
    cursor.take("ONLY")
    table = table_name(cursor.dotted())
    cursor.until("SET")
    cursor.take("SET")
    sets = parts(cursor.until("FROM", "WHERE", "RETURNING"))
    columns = tuple(filter(None, (Cursor(part).name() for part in sets)))
    cursor.until("WHERE")
    is_filtered = cursor.take("WHERE") and is_filter(cursor.until("RETURNING"))
    yield changes.WriteRows(place, Verb.UPDATE, table, is_filtered, columns=columns, sql=written(words))


def delete(cursor: Cursor, place: Place, words: Sequence[Word]) -> Iterator[Change]:
    cursor.take("FROM")
    cursor.take("ONLY")
    table = table_name(cursor.dotted())
    cursor.until("WHERE")
    is_filtered = cursor.take("WHERE") and is_filter(cursor.until("RETURNING"))
    yield changes.WriteRows(place, Verb.DELETE, table, is_filtered, sql=written(words))


def truncate(cursor: Cursor, place: Place, words: Sequence[Word]) -> Iterator[Change]:
    cursor.take("TABLE")
    cursor.take("ONLY")
    found = parts(cursor.until("CASCADE", "RESTRICT", "RESTART", "CONTINUE"))
    cascades = any(word.key == "CASCADE" for word in cursor.rest())
    for part in found:
        yield changes.WriteRows(place, Verb.TRUNCATE, table_name(Cursor(part).dotted()), cascades=cascades)


def insert(cursor: Cursor, place: Place, words: Sequence[Word]) -> Iterator[Change]:
    cursor.take("OR")
    cursor.any_of("ROLLBACK", "ABORT", "REPLACE", "FAIL", "IGNORE")
    cursor.take("INTO")
    yield changes.WriteRows(place, Verb.INSERT, table_name(cursor.dotted()), is_filtered=True, sql=written(words))


def merge(cursor: Cursor, place: Place, words: Sequence[Word]) -> Iterator[Change]:
    cursor.take("INTO")
    cursor.take("ONLY")
    yield changes.WriteRows(place, Verb.MERGE, table_name(cursor.dotted()), is_filtered=True, sql=written(words))
