"""SQL text as statements of words: sqlglot's tokenizer knows quotes, comments and dollar quotes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

Kind = Literal["word", "name", "string", "number", "symbol"]


#: Nobody nests deeper; each level is read by a call of its own.
_DEEPEST = 100


class NotSQL(ValueError):
    """The text cannot be cut into words; the message says why."""


@dataclass(frozen=True, slots=True)
class Word:
    """A piece of SQL. `key` is the word in upper case for a bare word or a symbol, "" for quoted names and literals."""

    text: str
    kind: Kind
    key: str


def statements(sql: str) -> list[list[Word]]:
    """The statements of a text, without their semicolons; a trigger's body (SQLite) is one with it. Raises NotSQL."""
    found: list[list[Word]] = [[]]
    depth = nesting = 0
    for word in _words(sql):
        nesting += {"(": 1, ")": -1}.get(word.key, 0)
        if nesting > _DEEPEST:
            raise NotSQL(f"parentheses more than {_DEEPEST} deep")
        if _is_trigger(found[-1]):
            depth += _DEPTHS.get(word.key, 0)
        if word.key == ";" and depth <= 0:
            found.append([])
            depth = 0
        else:
            found[-1].append(word)
    return [statement for statement in found if statement]


#: What opens and closes a block within a trigger's body.
_DEPTHS = {"BEGIN": 1, "CASE": 1, "END": -1}


def _is_trigger(words: Sequence[Word]) -> bool:
    return bool(words) and words[0].key == "CREATE" and any(word.key == "TRIGGER" for word in words[1:4])


def _words(sql: str) -> Iterator[Word]:
    from sqlglot.dialects.postgres import Postgres
    from sqlglot.errors import TokenError

    try:
        tokens = Postgres.Tokenizer().tokenize(sql)
    except (TokenError, RecursionError) as error:
        raise NotSQL(str(error).splitlines()[0]) from None
    for token in tokens:
        kind, text = token.token_type.name, token.text
        if kind == "STRING" and "'" not in sql[token.start : token.start + 3]:
            yield from _words(text)  # the tokenizer leaves what follows LOCK, VACUUM and the like in one piece
        else:
            yield from _split(kind, text)


def _split(kind: str, text: str) -> Iterator[Word]:
    if kind == "IDENTIFIER":
        yield Word(text, "name", "")
    elif kind.endswith("STRING") or kind == "NATIONAL":
        yield Word(text, "string", "")
    elif kind == "NUMBER":
        yield Word(text, "number", "")
    elif text[:1].isalpha() or text[:1] == "_":
        for part in text.split():
            yield Word(part, "word", part.upper())
    else:
        yield Word(text, "symbol", text)


class Cursor:
    """Reads words one after the other. Past the end every question is answered with no."""

    def __init__(self, words: Sequence[Word]) -> None:
        self._words = words
        self.at = 0

    @property
    def is_done(self) -> bool:
        return self.at >= len(self._words)

    def peek(self, ahead: int = 0) -> Word | None:
        place = self.at + ahead
        return self._words[place] if place < len(self._words) else None

    def take(self, *keys: str) -> bool:
        """Go past these words if they are the next ones."""
        for ahead, key in enumerate(keys):
            word = self.peek(ahead)
            if word is None or word.key != key:
                return False
        self.at += len(keys)
        return True

    def any_of(self, *keys: str) -> str:
        """Go past the next word if it is one of these; which one, or ""."""
        word = self.peek()
        if word is None or word.key not in keys or not word.key:
            return ""
        self.at += 1
        return word.key

    def next(self) -> Word | None:
        word = self.peek()
        self.at += 1
        return word

    def name(self) -> str | None:
        """The next word as a name (a bare one in lower case, as PostgreSQL reads it)."""
        word = self.peek()
        if word is None or word.kind not in {"name", "word"}:
            return None
        self.at += 1
        return word.text if word.kind == "name" else word.text.lower()

    def dotted(self) -> tuple[str, ...]:
        """A name with its schema: ("public", "users")."""
        first = self.name()
        if first is None:
            return ()
        parts = [first]
        while self.take("."):
            part = self.name()
            if part is None:
                break
            parts.append(part)
        return tuple(parts)

    def parentheses(self) -> list[Word]:
        """What stands in the next pair of parentheses; goes past them. [] when there is none."""
        if not self.take("("):
            return []
        inner, depth = [], 1
        while (word := self.next()) is not None:
            depth += {"(": 1, ")": -1}.get(word.key, 0)
            if depth == 0:
                break
            inner.append(word)
        return inner

    def until(self, *keys: str) -> list[Word]:
        """The words up to one of these outside parentheses, which stays; goes to the end when there is none."""
        found: list[Word] = []
        depth = 0
        while (word := self.peek()) is not None:
            if depth == 0 and word.key in keys and word.key:
                break
            depth += {"(": 1, ")": -1}.get(word.key, 0)
            found.append(word)
            self.at += 1
        return found

    def rest(self) -> list[Word]:
        return self.until()


def parts(words: Sequence[Word], separator: str = ",") -> list[list[Word]]:
    """The words between separators outside parentheses."""
    found: list[list[Word]] = [[]]
    depth = 0
    for word in words:
        depth += {"(": 1, ")": -1}.get(word.key, 0)
        if word.key == separator and depth == 0:
            found.append([])
        else:
            found[-1].append(word)
    return [part for part in found if part]


def written(words: Sequence[Word]) -> str:
    """The words as SQL text again, with single blanks."""
    text = ""
    for word in words:
        piece = {"string": "'" + word.text.replace("'", "''") + "'", "name": f'"{word.text}"'}.get(word.kind, word.text)
        text += piece if not text or _is_close(text, word) else f" {piece}"
    return text


def _is_close(before: str, word: Word) -> bool:
    """Whether no blank stands between them."""
    is_call = word.key == "(" and before[-1].isalnum()
    return is_call or word.key in {")", ",", ".", "::", "]", "["} or before.endswith(("(", ".", "[", "::"))
