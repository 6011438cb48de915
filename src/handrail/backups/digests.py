"""The digests of a fingerprint apart from its counts: what a manifest keeps sealed when its artifact is encrypted.

A digest of rows tells nothing of a large table, but of a table with few possible contents it tells all: whoever can
read the manifest would try each of them.
"""

from __future__ import annotations

from dataclasses import replace

from pydantic import TypeAdapter, ValidationError

from handrail.backups.manifest import ManifestError
from handrail.facts import Fingerprint

_adapters: list[TypeAdapter[Fingerprint]] = []


def _adapter() -> TypeAdapter[Fingerprint]:
    """Made once, and only where something is sealed."""
    if not _adapters:
        _adapters.append(TypeAdapter(Fingerprint))
    return _adapters[0]


def without_digests(fingerprint: Fingerprint) -> Fingerprint:
    """Tables, counts and sequences only."""
    return replace(fingerprint, tables=tuple(replace(table, digests=()) for table in fingerprint.tables), content="")


def written(fingerprint: Fingerprint) -> bytes:
    """The whole fingerprint as text, to be sealed."""
    return _adapter().dump_json(fingerprint)


def joined(counts: Fingerprint, text: bytes, *, name: str) -> Fingerprint:
    """The whole fingerprint again. ManifestError when it is not the one that `counts` was taken from."""
    hint = "this backup cannot be trusted: choose another one (handrail backup list)"
    try:
        whole = _adapter().validate_json(text, strict=False)
    except ValidationError as error:
        raise ManifestError(f"the sealed digests of {name} cannot be read", why=str(error), hint=hint) from error
    if without_digests(whole) != counts:
        raise ManifestError(
            f"the sealed digests of {name} are not of this backup",
            why="they belong to other tables or counts than the manifest names",
            hint=hint,
        )
    return whole
