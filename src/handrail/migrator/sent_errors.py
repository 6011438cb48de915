"""Errors of the child as plain data, for the parent to raise again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from handrail import errors
from handrail.errors import HandrailError
from handrail.facts import DatabaseAddress
from handrail.migrations.operations import SourcePosition
from handrail.migrator.migrator import MigrationFailed, NoDatabase
from handrail.migrator.protocol import decode, encode

if TYPE_CHECKING:
    from handrail.migrator.failures import Secrets


def as_message(error: HandrailError, secrets: Secrets) -> dict[str, Any]:
    """The error as plain data. Its texts hold no secret; an address is sent as that of a look is."""
    message: dict[str, Any] = {
        "error": type(error).__name__,
        "code": error.code,
        **{name: secrets.hide(getattr(error, name)) for name in ("message", "why", "hint")},
    }
    if isinstance(error, MigrationFailed):
        message["revision"] = error.revision
        message["position"] = [error.position.path, error.position.line] if error.position else None
        message["traceback"] = secrets.hide(error.traceback)
        message["partly_committed"] = error.is_partly_committed
    if isinstance(error, NoDatabase):
        message["address"] = encode(error.address) if error.address else None
    return message


def error_of(message: Mapping[str, Any]) -> HandrailError:
    """The error that a child sent."""
    words = {name: message[name] for name in ("why", "hint")}
    if message["error"] == "MigrationFailed":
        position = message["position"]
        return MigrationFailed(
            message["message"],
            **words,
            revision=message["revision"],
            position=SourcePosition(*position) if position else None,
            traceback=message["traceback"],
            is_partly_committed=message["partly_committed"],
        )
    if message["error"] == "NoDatabase":
        address = message["address"]
        return NoDatabase(message["message"], **words, address=decode(DatabaseAddress, address) if address else None)
    kind = getattr(errors, message["error"], HandrailError)
    error: HandrailError = kind(message["message"], **words, code=message["code"])
    return error
