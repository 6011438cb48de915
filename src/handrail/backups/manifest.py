"""The manifest of a backup: versioned JSON beside the artifact, sealed by a digest of its own.

Readable without handrail: `artifact` says which file, how it is compressed and encrypted and its BLAKE3 digest,
`format` how to read the content. A manifest is written last and once; later verifications and marks are documents of
their own beside it.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any, BinaryIO, TypeVar, overload

from pydantic import TypeAdapter, ValidationError
from pydantic_core import from_json

from handrail.backups.drill import Drill
from handrail.backups.record import BackupRecord, Deletion, ListedBackup, Mark, Verification
from handrail.errors import BackupError
from handrail.facts import SchemaObject, TableFacts, TableFingerprint

#: What is written carries the lowest version whose readers understand it: an older handrail would take an encrypted
#: artifact for a damaged one, would prune what an increment builds on, and would leave behind the snapshot of which the
#: artifact only tells.
_PLAIN, _ENCRYPTED, _INCREMENT, _HOSTED = 1, 2, 3, 4
#: The versions of a backup's manifest that are understood.
VERSIONS = (_PLAIN, _ENCRYPTED, _INCREMENT, _HOSTED)
#: Beyond so many characters (a thousand tables) a manifest stands on one line: json indents in Python, not in C, and
#: took longer for 20,000 tables than all the rest of a backup; and only such a line can be skimmed.
_INDENTED = 1 << 20
_Document = TypeVar("_Document", BackupRecord, Verification, Mark, Deletion, Drill)
_T = TypeVar("_T")
_adapters: dict[type, TypeAdapter[Any]] = {}
#: So many words and items of a large document are written at once.
_JOINED = 400
#: So deep in a document its lists are taken item by item.
_DEPTH = 3


class ManifestError(BackupError):
    """A manifest cannot be read, was altered, or is of a newer handrail."""

    code = "HR530"


def write_manifest(record: BackupRecord, out: BinaryIO) -> None:
    """Write the record as manifest text, without its verifications and marks (they have documents of their own)."""
    facts, fingerprint = record.facts, record.fingerprint
    bare = replace(
        record,
        facts=replace(facts, tables=(), objects=()),
        fingerprint=replace(fingerprint, tables=()),
        verifications=(),
        marks=(),
    )
    plain = _plain(bare, BackupRecord)
    del plain["marks"]
    # One by one, as they may be 100,000: all of them as plain values take several times what they take here.
    plain["facts"]["tables"] = _Items(facts.tables, TableFacts)
    plain["facts"]["objects"] = _Items(facts.objects, SchemaObject)
    plain["fingerprint"]["tables"] = _Items(fingerprint.tables, TableFingerprint)
    for piece in _pieces("backup", plain, _version(record)):
        out.write(piece)


def manifest_text(record: BackupRecord) -> bytes:
    """What `write_manifest` writes."""
    out = io.BytesIO()
    write_manifest(record, out)
    return out.getvalue()


def _version(record: BackupRecord) -> int:
    if record.is_hosted:
        return _HOSTED
    if record.parent:
        return _INCREMENT
    return _ENCRYPTED if record.artifact.is_encrypted else _PLAIN


class _Items(Sequence[Any]):
    """Values of one kind, each made plain when it is asked for."""

    def __init__(self, values: Sequence[Any], kind: type) -> None:
        self._values = values
        self._dump: Callable[..., Any] = adapter(kind).dump_python

    def __len__(self) -> int:
        return len(self._values)

    @overload
    def __getitem__(self, place: int) -> Any: ...
    @overload
    def __getitem__(self, place: slice) -> list[Any]: ...
    def __getitem__(self, place: int | slice) -> Any:
        if isinstance(place, slice):
            return [self._dump(value, mode="json") for value in self._values[place]]
        return self._dump(self._values[place], mode="json")


def read_manifest(data: bytes, *, name: str) -> BackupRecord:
    """The record of a manifest; `name` is for messages. Raises ManifestError."""
    return read_sealed(data, name=name)[0]


def read_sealed(data: bytes, *, name: str) -> tuple[BackupRecord, str]:
    """The record, and the seal of its manifest. Raises ManifestError."""
    return _read(data, "backup", _record, name)


def listed_of(body: dict[str, Any], rows: int, seal: str) -> ListedBackup:
    """What the catalog knows of a body whose `LISTS` were taken out. ValidationError."""
    return replace(adapter(BackupRecord).validate_python(body).listed(seal), rows=rows)


def write_verification(verification: Verification) -> bytes:
    return _write("verification", _plain(verification, Verification))


def read_verification(data: bytes, *, name: str) -> Verification:
    return _read(data, "verification", adapter(Verification).validate_python, name)[0]


def write_mark(mark: Mark) -> bytes:
    return _write("mark", _plain(mark, Mark))


def read_mark(data: bytes, *, name: str) -> Mark:
    return _read(data, "mark", adapter(Mark).validate_python, name)[0]


def write_deletion(deletion: Deletion) -> bytes:
    return _write("deletion", _plain(deletion, Deletion))


def read_deletion(data: bytes, *, name: str) -> Deletion:
    return _read(data, "deletion", adapter(Deletion).validate_python, name)[0]


def write_drill(drill: Drill) -> bytes:
    return _write("drill", _plain(drill, Drill))


def read_drill(data: bytes, *, name: str) -> Drill:
    return _read(data, "drill", adapter(Drill).validate_python, name)[0]


def adapter(kind: type[_T]) -> TypeAdapter[_T]:
    """Checks values of this kind. Made once: that takes tens of milliseconds, reading a manifest one or two."""
    if kind not in _adapters:
        _adapters[kind] = TypeAdapter(kind)
    return _adapters[kind]


def _plain(value: _Document, kind: type[_Document]) -> dict[str, Any]:
    plain = adapter(kind).dump_python(value, mode="json")
    assert isinstance(plain, dict)  # noqa: S101 - a dataclass is always written as an object
    return plain


def _listed(versions: tuple[int, ...]) -> str:
    *first, last = map(str, versions)
    return f"{', '.join(first)} and {last}" if first else last


def _canonical(value: Any, depth: int = _DEPTH) -> Iterator[str]:
    """JSON with sorted keys and no spaces, in pieces: json makes a list of every word before it joins them."""
    if depth and isinstance(value, dict):
        yield "{"
        for number, key in enumerate(sorted(value)):
            yield f"{',' if number else ''}{json.dumps(key, ensure_ascii=False)}:"
            yield from _canonical(value[key], depth - 1)
        yield "}"
    elif depth and isinstance(value, (list, _Items)):
        yield "["
        for number, item in enumerate(value):
            yield "," if number else ""
            yield from _canonical(item, 0)
        yield "]"
    else:
        yield json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def _seal(body: Any) -> tuple[str, int]:
    """The digest of the canonical text, and how long that is."""
    digest, size = hashlib.sha256(), 0
    for piece in _canonical(body):
        digest.update(piece.encode(errors="surrogatepass"))
        size += len(piece)
    return digest.hexdigest(), size


def _write(kind: str, body: dict[str, Any]) -> bytes:
    return b"".join(_pieces(kind, body, _PLAIN))


def _pieces(kind: str, body: dict[str, Any], version: int) -> Iterator[bytes]:
    """The text of a document, a large one in pieces: it may be 100 MB."""
    seal, size = _seal(body)
    head = {"handrail": kind, "version": version, "seal": seal}
    if size < _INDENTED:
        yield (json.dumps(head | {kind: body}, indent=1, ensure_ascii=False, default=list) + "\n").encode()
        return
    yield f"{json.dumps(head)[:-1]}, {json.dumps(kind)}: ".encode()
    canonical = _canonical(body)
    while piece := "".join(islice(canonical, _JOINED)):
        yield piece.encode()
    yield b"}\n"


def _read(data: bytes, kind: str, make: Callable[[Any], _Document], name: str) -> tuple[_Document, str]:
    hint = "this backup cannot be trusted: choose another one (handrail backup list)"
    try:
        document = from_json(data, cache_strings="all")  # thousands of tables say "integer" and "id"
        version, body, seal = document["version"], document[kind], document["seal"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ManifestError(f"{name} is not a {kind} manifest", why=f"{error!r}", hint=hint) from error
    known = VERSIONS if kind == "backup" else (_PLAIN,)
    if version not in known:
        raise ManifestError(
            f"{name} was written by another handrail",
            why=f"its version is {version}, this handrail reads {_listed(known)}",
            hint="upgrade handrail: pip install -U handrail",
        )
    if seal != _seal(body)[0]:
        raise ManifestError(f"{name} was altered", why="its seal does not match its content", hint=hint)
    del document
    try:
        return make(body), seal
    except ValidationError as error:
        raise ManifestError(f"{name} cannot be read", why=str(error.errors()[0]["msg"]), hint=hint) from error


#: What there may be 100,000 of in a body: where, and values of which kind.
LISTS: Mapping[tuple[str, str], type] = {
    ("facts", "tables"): TableFacts,
    ("facts", "objects"): SchemaObject,
    ("fingerprint", "tables"): TableFingerprint,
}


def _record(body: Any) -> BackupRecord:
    """The record; what was read of each table is let go when its value is made. ValidationError."""
    found: dict[tuple[str, str], tuple[Any, ...]] = {}
    for (place, name), kind in LISTS.items():
        holder = body.get(place) if isinstance(body, dict) else None
        if isinstance(holder, dict) and isinstance(holder.get(name), list):
            waiting, holder[name] = holder[name][::-1], []
            validate: Callable[[Any], Any] = adapter(kind).validate_python
            found[place, name] = tuple(validate(waiting.pop()) for _ in range(len(waiting)))
    return record_of(body, found)


def record_of(body: dict[str, Any], found: Mapping[tuple[str, str], tuple[Any, ...]]) -> BackupRecord:
    """The record of a body whose `LISTS` were taken out, and what they held. ValidationError."""
    record = adapter(BackupRecord).validate_python(body)
    facts = replace(record.facts, tables=found["facts", "tables"], objects=found["facts", "objects"])
    return replace(record, facts=facts, fingerprint=replace(record.fingerprint, tables=found["fingerprint", "tables"]))
