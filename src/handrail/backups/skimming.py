"""The headline of a large manifest, read from a stream item by item: its tables are checked and counted, never held."""

from __future__ import annotations

import codecs
import hashlib
import json
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

from handrail.backups.manifest import LISTS, VERSIONS, adapter, listed_of
from handrail.backups.record import ListedBackup
from handrail.facts import TableFingerprint

_CHUNK = 1 << 16
_DECODE = json.JSONDecoder().raw_decode
#: What follows a value; where something else does, a number may have been cut ("1.", "1e+").
_AFTER = frozenset(",:]}")
_CUT_NUMBER = 3
#: What is looked into for such lists.
_PLACES = {place for place, _ in LISTS}


class _NotOurs(ValueError):
    """The text is not as `write_manifest` writes a large one."""


def skim(source: BinaryIO) -> ListedBackup | None:
    """What the catalog has to know of this manifest, in the memory of one table.

    None where it is not a whole manifest on one line, as large ones are written: a small one, a damaged one, or one of
    another handrail. Only `read_manifest` can say which, and why."""
    try:
        return _skimmed(_Text(source))
    except (ValueError, RecursionError):  # what json, the decoder and pydantic raise
        return None


def _skimmed(text: _Text) -> ListedBackup:
    text.take('{"handrail": "backup", "version": ')
    version = text.value()
    text.take(', "seal": ')
    seal = text.value()
    text.take(', "backup": ')
    text.begin_digest()
    rows = _Rows()
    body = _members(text, "", rows)
    if version not in VERSIONS or text.digest() != seal:
        raise _NotOurs
    text.take("}\n")
    text.end()
    return listed_of(body, rows.seen, seal)


class _Rows:
    """How many rows the tables have that it was shown."""

    def __init__(self) -> None:
        self.seen = 0

    def see(self, table: TableFingerprint) -> None:
        self.seen += table.rows


def _members(text: _Text, place: str, rows: _Rows) -> dict[str, Any]:
    """The body, or the object at this place of it, with its long lists left empty."""
    found: dict[str, Any] = {}
    for key in text.members():
        if (place, key) in LISTS:
            heard = rows.see if place == "fingerprint" else _unheard
            _each(text, adapter(LISTS[place, key]).validate_python, heard)
            found[key] = []
        elif not place and key in _PLACES:
            found[key] = _members(text, key, rows)
        else:
            found[key] = text.value()
    return found


def _unheard(_: Any) -> None:
    """Checked, and nothing more."""


def _each(text: _Text, check: Callable[[Any], Any], heard: Callable[[Any], None]) -> None:
    text.take("[")
    if text.took("]"):
        return
    heard(check(text.value()))
    while text.took(","):
        heard(check(text.value()))
    text.take("]")


class _Text:
    """JSON text of a stream, taken piece by piece; what has been taken is let go."""

    def __init__(self, source: BinaryIO) -> None:
        self._source = source
        self._decode = codecs.getincrementaldecoder("utf-8")().decode
        self._text, self._at, self._digested = "", 0, 0
        self._sum: Any = None

    def _more(self) -> bool:
        """Read on, so that a piece of any length is looked at few times; False at the end."""
        self._let_go()
        data = self._source.read(max(_CHUNK, len(self._text)))
        self._text += self._decode(data, final=not data)
        return bool(data)

    def _let_go(self) -> None:
        if self._sum is not None:
            self._sum.update(self._text[: self._at].encode())
        self._text, self._at = self._text[self._at :], 0

    def begin_digest(self) -> None:
        """What is taken from here on enters the digest."""
        self._let_go()
        self._sum = hashlib.sha256()

    def digest(self) -> str:
        """SHA-256 of what was taken since `begin_digest`."""
        self._let_go()
        made, self._sum = self._sum.hexdigest(), None
        return str(made)

    def took(self, words: str) -> bool:
        """Take these words where they come next."""
        while len(self._text) - self._at < len(words):
            if not self._more():
                return False
        if not self._text.startswith(words, self._at):
            return False
        self._at += len(words)
        return True

    def take(self, words: str) -> None:
        if not self.took(words):
            raise _NotOurs

    def end(self) -> None:
        if self._at < len(self._text) or self._more():
            raise _NotOurs

    def value(self) -> Any:
        """The value that comes next, of any kind."""
        while True:
            try:
                found, end = _DECODE(self._text, self._at)
            except json.JSONDecodeError:
                if not self._more():
                    raise
                continue
            if self._text[end : end + 1] in _AFTER:
                self._at = end
                return found
            if end + _CUT_NUMBER < len(self._text) or not self._more():
                raise _NotOurs

    def members(self) -> Iterator[str]:
        """The keys of the object that comes next; whoever asks takes the value of each."""
        self.take("{")
        if self.took("}"):
            return
        while True:
            key = self.value()
            self.take(":")
            yield key
            if not self.took(","):
                break
        self.take("}")
