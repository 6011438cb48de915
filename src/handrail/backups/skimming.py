"""Large manifests, read from a stream table by table: for the catalog they are checked and counted, never held."""

from __future__ import annotations

import codecs
import hashlib
import json
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

from handrail.backups.manifest import LISTS, VERSIONS, adapter, listed_of, record_of
from handrail.backups.record import BackupRecord, ListedBackup
from handrail.facts import SchemaObject, Sharing, TableFacts, TableFingerprint

_CHUNK = 1 << 16
_DECODE = json.JSONDecoder().raw_decode
#: What follows a value; where something else does, a number may have been cut ("1.", "1e+").
_AFTER = frozenset(",:]}")
_CUT_NUMBER = 3
#: What is looked into for such lists.
_PLACES = {place for place, _ in LISTS}


class _NotOurs(ValueError):
    """The text is not as `write_manifest` writes a large one."""


def skim(source: BinaryIO, start: bytes = b"") -> ListedBackup | None:
    """What the catalog has to know of this manifest, in the memory of one table; `start` was read of it before.

    None where it is not a whole manifest on one line, as large ones are written: a small one, a damaged one, or one of
    another handrail. Only `read_manifest` can say which, and why."""
    rows = 0

    def count(place: str, _name: str, item: Any) -> None:
        nonlocal rows
        rows += item.rows if place == "fingerprint" else 0

    try:
        body, seal = _taken(_Text(source, start), count)
        return listed_of(body, rows, seal)
    except _WRONG:
        return None


def read_stream(source: BinaryIO, start: bytes = b"") -> tuple[BackupRecord, str] | None:
    """The record of such a manifest and its seal, in not much more memory than the record; None as above."""
    shared = Sharing()
    share: dict[type, Callable[[Any], Any]] = {
        TableFacts: shared.table,
        SchemaObject: shared.object,
        TableFingerprint: shared.fingerprint,
    }
    found: dict[tuple[str, str], list[Any]] = {place: [] for place in LISTS}

    def keep(place: str, name: str, item: Any) -> None:
        found[place, name].append(share[type(item)](item))

    try:
        body, seal = _taken(_Text(source, start), keep)
        return record_of(body, {place: tuple(items) for place, items in found.items()}), seal
    except _WRONG:
        return None


#: Hears of each item of a long list: where it was, and the checked value.
_Hear = Callable[[str, str, Any], None]
#: What json, the decoder and pydantic raise.
_WRONG = (ValueError, RecursionError)


def _taken(text: _Text, hear: _Hear) -> tuple[dict[str, Any], str]:
    """The body with its long lists left empty, and its seal, which fits."""
    text.take('{"handrail": "backup", "version": ')
    version = text.value()
    text.take(', "seal": ')
    seal = text.value()
    text.take(', "backup": ')
    text.begin_digest()
    body = _members(text, "", hear)
    if version not in VERSIONS or text.digest() != seal:
        raise _NotOurs
    text.take("}\n")
    text.end()
    return body, seal


def _members(text: _Text, place: str, hear: _Hear) -> dict[str, Any]:
    """The body, or the object at this place of it, with its long lists left empty."""
    found: dict[str, Any] = {}
    for key in text.members():
        if (place, key) in LISTS:
            check: Callable[[Any], Any] = adapter(LISTS[place, key]).validate_python
            for item in text.items():
                hear(place, key, check(item))
            found[key] = []
        elif not place and key in _PLACES:
            found[key] = _members(text, key, hear)
        else:
            found[key] = text.value()
    return found


class _Text:
    """JSON text of a stream, taken piece by piece; what has been taken is let go."""

    def __init__(self, source: BinaryIO, start: bytes) -> None:
        self._source = source
        self._decode = codecs.getincrementaldecoder("utf-8")().decode
        self._text, self._at = self._decode(start), 0
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

    def items(self) -> Iterator[Any]:
        """The items of the list that comes next."""
        self.take("[")
        if self.took("]"):
            return
        yield self.value()
        while self.took(","):
            yield self.value()
        self.take("]")
