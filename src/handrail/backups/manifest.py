"""The manifest of a backup: versioned JSON beside the artifact, sealed by a digest of its own.

Readable without handrail: `artifact` says which file, how it is compressed and encrypted and its BLAKE3 digest,
`format` how to read the content. A manifest is written last and once; later verifications and marks are documents of
their own beside it.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from handrail.backups.drill import Drill
from handrail.backups.record import BackupRecord, Deletion, Mark, Verification
from handrail.errors import BackupError

#: What is written carries the lowest version whose readers understand it: an older handrail would take an encrypted
#: artifact for a damaged one, would prune what an increment builds on, and would leave behind the snapshot of which the
#: artifact only tells.
_PLAIN, _ENCRYPTED, _INCREMENT, _HOSTED = 1, 2, 3, 4
#: Beyond so many characters (some thousand tables) a manifest stands on one line: json indents in Python, not in C, and
#: took longer for 20,000 tables than all the rest of a backup.
_INDENTED = 4 << 20
_Document = TypeVar("_Document", BackupRecord, Verification, Mark, Deletion, Drill)
_adapters: dict[type, TypeAdapter[Any]] = {}


class ManifestError(BackupError):
    """A manifest cannot be read, was altered, or is of a newer handrail."""

    code = "HR530"


def write_manifest(record: BackupRecord) -> bytes:
    """The record as manifest text, without its verifications and marks (they have documents of their own)."""
    plain = _plain(record, BackupRecord) | {"verifications": []}
    del plain["marks"]
    return _write("backup", plain, _version(record))


def _version(record: BackupRecord) -> int:
    if record.is_hosted:
        return _HOSTED
    if record.parent:
        return _INCREMENT
    return _ENCRYPTED if record.artifact.is_encrypted else _PLAIN


def read_manifest(data: bytes, *, name: str) -> BackupRecord:
    """The record of a manifest; `name` is for messages. Raises ManifestError."""
    return _read(data, "backup", BackupRecord, name)


def write_verification(verification: Verification) -> bytes:
    return _write("verification", _plain(verification, Verification))


def read_verification(data: bytes, *, name: str) -> Verification:
    return _read(data, "verification", Verification, name)


def write_mark(mark: Mark) -> bytes:
    return _write("mark", _plain(mark, Mark))


def read_mark(data: bytes, *, name: str) -> Mark:
    return _read(data, "mark", Mark, name)


def write_deletion(deletion: Deletion) -> bytes:
    return _write("deletion", _plain(deletion, Deletion))


def read_deletion(data: bytes, *, name: str) -> Deletion:
    return _read(data, "deletion", Deletion, name)


def write_drill(drill: Drill) -> bytes:
    return _write("drill", _plain(drill, Drill))


def read_drill(data: bytes, *, name: str) -> Drill:
    return _read(data, "drill", Drill, name)


def _adapter(kind: type[_Document]) -> TypeAdapter[_Document]:
    """Made once: making one takes tens of milliseconds, reading a manifest one or two."""
    if kind not in _adapters:
        _adapters[kind] = TypeAdapter(kind)
    return _adapters[kind]


def _plain(value: _Document, kind: type[_Document]) -> dict[str, Any]:
    plain = _adapter(kind).dump_python(value, mode="json")
    assert isinstance(plain, dict)  # noqa: S101 - a dataclass is always written as an object
    return plain


def _listed(versions: tuple[int, ...]) -> str:
    *first, last = map(str, versions)
    return f"{', '.join(first)} and {last}" if first else last


def _canonical(body: dict[str, Any]) -> str:
    return json.dumps(body, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def _seal(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


def _write(kind: str, body: dict[str, Any], version: int = _PLAIN) -> bytes:
    text = _canonical(body)
    document = {"handrail": kind, "version": version, "seal": _seal(text), kind: body}
    indent = 1 if len(text) < _INDENTED else None
    return (json.dumps(document, indent=indent, ensure_ascii=False) + "\n").encode()


def _read(data: bytes, kind: str, cls: type[_Document], name: str) -> _Document:
    hint = "this backup cannot be trusted: choose another one (handrail backup list)"
    try:
        document = json.loads(data)
        version, body, seal = document["version"], document[kind], document["seal"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ManifestError(f"{name} is not a {kind} manifest", why=f"{error!r}", hint=hint) from error
    known = (_PLAIN, _ENCRYPTED, _INCREMENT, _HOSTED) if kind == "backup" else (_PLAIN,)
    if version not in known:
        raise ManifestError(
            f"{name} was written by another handrail",
            why=f"its version is {version}, this handrail reads {_listed(known)}",
            hint="upgrade handrail: pip install -U handrail",
        )
    if seal != _seal(_canonical(body)):
        raise ManifestError(f"{name} was altered", why="its seal does not match its content", hint=hint)
    try:
        return _adapter(cls).validate_python(body, strict=False)
    except ValidationError as error:
        raise ManifestError(f"{name} cannot be read", why=str(error.errors()[0]["msg"]), hint=hint) from error
