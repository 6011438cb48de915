"""Backups of chosen ages in a store: real manifests and verifications, with a few bytes as artifact, whatever its size is said to be."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from handrail.backups.catalog import artifact_key, manifest_key, verification_key
from handrail.backups.manifest import manifest_text, write_verification
from handrail.backups.methods import Format
from handrail.backups.record import StoredArtifact, Verification
from handrail.facts import TableName
from handrail.stores.store import Store
from unit.test_manifest import RECORD

NOW = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)


def put(store: Store, key: str, data: bytes) -> None:
    with store.open_write(key) as out:
        out.write(data)


def backup(
    store: Store,
    made: datetime,
    database: str,
    *,
    name: str = "",
    verified: bool = False,
    reason: str = "by hand",
    revision: str = "b2",
    size: int = 1000,
    environment: str = "development",
    tables: tuple[TableName, ...] = (),
    format_: str = Format.SQLITE_PAGES,
) -> str:
    """Put one backup into the store; its id, which is its moment where no name is given."""
    id_ = name or f"{made:%Y%m%d_%H%M%S}_5eed00"
    artifact = StoredArtifact(artifact_key(environment, id_, "none"), size, "00", "none")
    record = replace(
        RECORD,
        id=id_,
        run_id=id_,
        created_at=made,
        environment=environment,
        database=database,
        engine="sqlite",
        format=format_,
        tables=tables,
        revisions=(revision,),
        artifact=artifact,
        reason=reason,
    )
    put(store, artifact.key, b"x" * min(size, 1000))
    put(store, manifest_key(environment, id_), manifest_text(record))
    if verified:
        proof = Verification(made + timedelta(minutes=5), id_, 0.5)
        put(store, verification_key(environment, id_, id_), write_verification(proof))
    return id_
