"""The values that a CHECK constraint allows a column, read from its SQL as PostgreSQL and SQLite show it."""

from __future__ import annotations

from collections.abc import Sequence

from handrail.migrations.sql_words import NotSQL, Word, statements

#: Types that PostgreSQL writes behind a literal ("'a'::character varying").
_CAST_WORDS = frozenset({"CHARACTER", "VARYING", "TEXT", "VARCHAR", "CHAR", "BPCHAR"})


def allowed_values(condition: str, column: str) -> tuple[str, ...] | None:
    """The values of `column IN ('a', 'b')`, `column = ANY (ARRAY['a', …])` or `column = 'a'`, in their order.

    None when the condition says anything else or more (`AND length(column) > 0`, another column): such a CHECK is
    somebody's own and is left alone.
    """
    named = named_values(condition)
    return named[1] if named is not None and named[0].casefold() == column.casefold() else None


def named_values(condition: str) -> tuple[str, tuple[str, ...]] | None:
    """The column and its values, of a condition that says nothing else."""
    try:
        found = statements(condition)
    except NotSQL:
        return None
    if len(found) != 1:
        return None
    words = _plain(found[0])
    if words and words[0].key == "CHECK":
        words = words[1:]
    if not words or words[0].kind not in {"word", "name"}:
        return None
    column, rest = words[0].text, words[1:]
    while rest and rest[0].key in {"IN", "=", "ANY", "ARRAY", "[", "]"}:
        rest = rest[1:]
    values = [word for word in rest if word.key not in {",", "[", "]"}]
    if not values or len(rest) > 2 * len(values) or any(word.kind != "string" for word in values):
        return None
    return column, tuple(word.text for word in values)


def _plain(words: Sequence[Word]) -> list[Word]:
    """The words without parentheses and casts, which say nothing about the values."""
    found: list[Word] = []
    is_cast = False
    for word in words:
        if word.key in {"(", ")"}:
            continue
        if word.key == "::":
            is_cast = True
            continue
        if is_cast and (word.key in _CAST_WORDS or word.key in {"[", "]"}):
            continue
        if is_cast and word.kind == "number":  # the length of character varying(50)
            continue
        is_cast = False
        found.append(word)
    return found
