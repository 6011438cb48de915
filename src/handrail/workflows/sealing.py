"""Whether what opens encrypted backups is here: asked before anything is made, so that nothing is made in vain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from handrail.backups.digests import joined, without_digests, written
from handrail.backups.record import BackupRecord, Headline
from handrail.stores.keys import Identity, KeyUnusable
from handrail.workflows.run import Equipment, Run


def require_identity(run: Run, recipients: Sequence[str]) -> None:
    """A backup to these recipients is going to be made and proven: KeyUnusable when it could not be opened here."""
    if not recipients:
        return
    try:
        identity = matching_identity(run.equipment, "what this environment encrypts", recipients)
    except KeyUnusable as error:
        message = f"an encrypted backup could not be proven here: {error.message}"
        raise KeyUnusable(message, why=error.why, hint=error.hint, code=error.code) from error
    _warn(run, identity)


def identity_for(run: Run, record: Headline) -> Identity | None:
    """What opens this backup; None when it is not encrypted. KeyUnusable when that is not here; nothing is read."""
    if not record.artifact.is_encrypted:
        return None
    identity = matching_identity(run.equipment, f"backup {record.id}", record.artifact.recipients)
    _warn(run, identity)
    return identity


def sealed(record: BackupRecord) -> BackupRecord:
    """The record as its manifest may hold it: where the artifact is encrypted, the digests are too."""
    if not record.artifact.is_encrypted:
        return record
    from handrail.stores.age import encrypt_text

    return replace(
        record,
        fingerprint=without_digests(record.fingerprint),
        sealed_digests=encrypt_text(written(record.fingerprint), record.artifact.recipients),
    )


def unsealed(run: Run, record: BackupRecord) -> BackupRecord:
    """The record with its digests. KeyUnusable when what opens them is not here."""
    identity = identity_for(run, record) if record.sealed_digests else None
    return record if identity is None else _opened(record, identity)


def unsealed_here(kit: Equipment, record: BackupRecord) -> BackupRecord:
    """The record with its digests where what opens them is here, else as it is."""
    if not record.sealed_digests:
        return record
    try:
        identity = matching_identity(kit, f"backup {record.id}", record.artifact.recipients)
    except KeyUnusable:
        return record
    return _opened(record, identity)


def _opened(record: BackupRecord, identity: Identity) -> BackupRecord:
    from handrail.stores.age import decrypt_text

    name = f"the digests of backup {record.id}"
    text = decrypt_text(record.sealed_digests, identity, name)
    return replace(record, fingerprint=joined(record.fingerprint, text, name=record.id), sealed_digests="")


def matching_identity(kit: Equipment, what: str, recipients: Sequence[str]) -> Identity:
    """The identity of this call, tried on a text that is encrypted to these recipients. KeyUnusable otherwise."""
    from handrail.stores.age import opens, wrong_identity

    identity = kit.keys.identity()
    if not opens(identity, recipients):
        raise wrong_identity(identity, what, recipients)
    return identity


def _warn(run: Run, identity: Identity) -> None:
    for remark in identity.remarks:
        if remark not in run.warnings:
            run.warn("identity", remark)
