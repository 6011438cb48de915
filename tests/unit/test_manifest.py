"""A manifest is read back as it was written, or refused: no altered byte gives another record."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handrail.backups import manifest
from handrail.backups.manifest import (
    ManifestError,
    manifest_text,
    read_deletion,
    read_manifest,
    read_mark,
    read_verification,
    write_deletion,
    write_mark,
    write_verification,
)
from handrail.backups.methods import Format
from handrail.backups.record import BackupRecord, Deletion, Mark, MarkKind, StoredArtifact, Verification
from handrail.facts import (
    Capability,
    ColumnFacts,
    DatabaseFacts,
    Fingerprint,
    GroupDigest,
    ObjectKind,
    SchemaObject,
    TableFacts,
    TableFingerprint,
    TableName,
)

BOOKINGS = TableName('예약 "x"', "app")
FACTS = DatabaseFacts(
    engine="postgresql",
    version="15.18",
    capabilities=frozenset({Capability.TRANSACTIONAL_DDL, Capability.LOCK_OBSERVATION}),
    tables=(
        TableFacts(
            BOOKINGS,
            (ColumnFacts("id", "integer", nullable=False), ColumnFacts("주제", "text", True, "'a\\b\n'", True, "C")),
            primary_key=("id",),
            rows_estimate=2,
            size_bytes=8192,
        ),
        TableFacts(TableName("empty"), ()),
    ),
    objects=(
        SchemaObject(ObjectKind.INDEX, "ix", BOOKINGS, "CREATE INDEX …", is_valid=False),
        SchemaObject(ObjectKind.ENUM, "status", None, "SCHEDULED\nATTENDED"),
    ),
    size_bytes=1 << 40,
)
FINGERPRINT = Fingerprint(
    algorithm="pg-1",
    tables=(TableFingerprint(BOOKINGS, 2, (GroupDigest(("id", "주제"), "00ff"), GroupDigest((), "")), seconds=0.25),),
    sequences=(("bookings_id_seq", 9223372036854775807),),
)
RECORD = BackupRecord(
    id="20260218_030000_9f3a2c",
    run_id="20260218_030000_9f3a2c",
    created_at=datetime(2026, 2, 18, 3, 0, 0, 123456, tzinfo=UTC),
    environment="production",
    database="postgresql://app@db/app",
    engine="postgresql",
    format="pg_dump custom",
    tool="pg_dump 15.18",
    server_version="15.18",
    revisions=("c3a1", "d4b2"),
    artifact=StoredArtifact("production/1/artifact.zst", 4711, "af13", "zstd"),
    fingerprint=FINGERPRINT,
    facts=FACTS,
    seconds=1.5,
    reason="upgrade to c3a1 — 예약",
    git_commit="0123456789ab",
    handrail_version="0.1",
)
PROOF = Verification(datetime(2026, 2, 18, 3, 5, tzinfo=UTC), "r2", 0.75)
FAILED = Verification(datetime(2026, 2, 18, 3, 6, tzinfo=UTC), "r3", 2.0, ("table a is missing", "둘"))


def test_a_record_is_read_as_it_was_written() -> None:
    read = read_manifest(manifest_text(RECORD), name="m")
    assert read == RECORD
    assert read.created_at.tzinfo is not None
    assert read.fingerprint.tables[0].seconds == 0.25


def test_a_large_manifest_says_the_same_on_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    small = manifest_text(RECORD)
    monkeypatch.setattr(manifest, "_INDENTED", 0)
    large = manifest_text(RECORD)
    assert large.count(b"\n") == 1
    assert json.loads(large) == json.loads(small)
    assert list(json.loads(large)) == ["handrail", "version", "seal", "backup"]
    body = json.loads(small)["backup"]
    canonical = json.dumps(body, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    assert json.loads(large)["seal"] == hashlib.sha256(canonical.encode()).hexdigest()
    assert read_manifest(large, name="m") == RECORD


@pytest.mark.parametrize("verification", [PROOF, FAILED])
def test_a_verification_is_read_as_it_was_written(verification: Verification) -> None:
    assert read_verification(write_verification(verification), name="v") == verification


PIN = Mark("m1", PROOF.at, MarkKind.PIN, "감사 audit", datetime(2027, 1, 31, tzinfo=UTC))
UNPIN = Mark("m2", PROOF.at, MarkKind.UNPIN, lifts=("m1",))
NOTE = Mark("m3", PROOF.at, MarkKind.NOTE, "as sold", milestone="release")


@pytest.mark.parametrize("mark", [PIN, UNPIN, NOTE], ids=["pin", "unpin", "note"])
def test_a_mark_is_read_as_it_was_written(mark: Mark) -> None:
    assert read_mark(write_mark(mark), name="m") == mark
    with pytest.raises(ManifestError, match="m is not a deletion manifest"):
        read_deletion(write_mark(mark), name="m")


def test_a_deletion_is_read_as_it_was_written() -> None:
    deletion = Deletion("r9", PROOF.at, ("not among the last 1",))
    assert read_deletion(write_deletion(deletion), name="d") == deletion


def test_a_pin_holds_until_a_mark_takes_it_back_by_name() -> None:
    assert replace(RECORD, marks=(PIN, NOTE)).pins == (PIN,)
    assert replace(RECORD, marks=(UNPIN, PIN)).pins == ()
    other = replace(PIN, id="m4")
    record = replace(RECORD, marks=(PIN, UNPIN, NOTE, other))
    assert (record.pins, record.notes, record.milestones) == ((other,), (NOTE,), frozenset({"release"}))


def test_verifications_and_marks_are_documents_of_their_own() -> None:
    assert read_manifest(manifest_text(replace(RECORD, verifications=(PROOF,), marks=(PIN,))), name="m") == RECORD


def test_marks_change_nothing_in_the_manifest() -> None:
    """So that one is read by the handrail that was before marks, and one of it is read here."""
    assert "marks" not in json.loads(manifest_text(replace(RECORD, marks=(PIN,))))["backup"]


def test_the_manifest_is_versioned_json() -> None:
    document = json.loads(manifest_text(RECORD))
    assert list(document) == ["handrail", "version", "seal", "backup"]
    assert (document["handrail"], document["version"]) == ("backup", 1)
    assert document["backup"]["artifact"] == {
        "key": "production/1/artifact.zst",
        "size": 4711,
        "digest": "af13",
        "compression": "zstd",
        "encryption": "none",
        "recipients": [],
    }


def test_an_encrypted_artifact_has_a_version_that_an_older_handrail_does_not_read() -> None:
    artifact = replace(RECORD.artifact, encryption="age", recipients=("age1x", "ssh-ed25519 AAAA"))
    record = replace(RECORD, artifact=artifact, sealed_digests="-----BEGIN AGE ENCRYPTED FILE-----\n")
    assert json.loads(manifest_text(record))["version"] == 2
    assert read_manifest(manifest_text(record), name="m") == record


def test_only_a_backup_has_that_version() -> None:
    newer = json.loads(write_verification(PROOF)) | {"version": 2}
    with pytest.raises(ManifestError) as caught:
        read_verification(json.dumps(newer).encode(), name="v")
    assert caught.value.why == "its version is 2, this handrail reads 1"


def test_a_manifest_from_before_encryption_is_read() -> None:
    body = json.loads(manifest_text(RECORD))["backup"]
    del body["artifact"]["encryption"], body["artifact"]["recipients"], body["sealed_digests"]
    text = json.dumps(body, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    assert read_manifest(altered(backup=body, seal=hashlib.sha256(text.encode()).hexdigest()), name="m") == RECORD


@pytest.mark.parametrize("flip", [0x01, 0x10, 0x80])
def test_no_altered_byte_gives_another_record(flip: int) -> None:
    data = manifest_text(replace(RECORD, facts=replace(FACTS, tables=FACTS.tables[:1])))
    whole = read_manifest(data, name="m")
    refused = 0
    for offset in range(len(data)):
        altered = bytearray(data)
        altered[offset] ^= flip
        try:
            assert read_manifest(bytes(altered), name="m") == whole
        except ManifestError as error:
            assert error.exit_code == 5
            refused += 1
    assert refused > len(data) * 0.6, "all but the white space"


def test_every_cut_is_refused() -> None:
    data = manifest_text(RECORD).rstrip()
    for length in range(len(data)):
        with pytest.raises(ManifestError, match="m is not a backup manifest"):
            read_manifest(data[:length], name="m")


def altered(**changes: object) -> bytes:
    return json.dumps(json.loads(manifest_text(RECORD)) | changes).encode()


NEVER = "this backup cannot be trusted: choose another one (handrail backup list)"


def test_an_altered_manifest_says_so() -> None:
    body = json.loads(manifest_text(RECORD))["backup"] | {"revisions": []}
    with pytest.raises(ManifestError) as caught:
        read_manifest(altered(backup=body), name="production/1/manifest.json")
    error = caught.value
    assert (error.message, error.why, error.hint) == (
        "production/1/manifest.json was altered",
        "its seal does not match its content",
        NEVER,
    )


def test_a_snapshot_s_manifest_is_for_those_who_know_snapshots() -> None:
    record = replace(RECORD, format=Format.RDS_SNAPSHOT, hosted_size=3 << 30)
    written = manifest_text(record)
    assert json.loads(written)["version"] == 4
    assert read_manifest(written, name="m") == record
    assert record.size == 4711 + (3 << 30)


def test_a_newer_manifest_says_so() -> None:
    with pytest.raises(ManifestError) as caught:
        read_manifest(altered(version=5), name="m")
    error = caught.value
    assert (error.message, error.why, error.hint) == (
        "m was written by another handrail",
        "its version is 5, this handrail reads 1, 2, 3 and 4",
        "upgrade handrail: pip install -U handrail",
    )


@pytest.mark.parametrize(
    "data",
    [b"", b"\0", b"null", b"[]", b"5", b'"backup"', b"{}", b"\xff\xfe{", b"[" * 200_000, write_verification(PROOF)],
    ids=range(10),
)
def test_what_is_no_manifest_is_refused(data: bytes) -> None:
    with pytest.raises(ManifestError) as caught:
        read_manifest(data, name="m")
    assert (caught.value.message, caught.value.hint) == ("m is not a backup manifest", NEVER)


@pytest.mark.parametrize(
    ("body", "told"),
    [(None, "altered"), ([], "altered"), ("x", "altered"), ({"id": "\ud800"}, "not a backup manifest")],
)
def test_a_body_of_another_shape_is_refused(body: object, told: str) -> None:
    with pytest.raises(ManifestError, match=told):
        read_manifest(altered(backup=body), name="m")


names = st.text(max_size=12)


@given(
    rows=st.integers(0, 2**63),
    name=names,
    digests=st.lists(st.tuples(st.lists(names, max_size=3).map(tuple), names), max_size=3),
    sequences=st.lists(st.tuples(names, st.integers(-(2**63), 2**63 - 1)), max_size=3).map(tuple),
    at=st.datetimes(timezones=st.just(UTC)),
    seconds=st.floats(0, 1e9),
)
def test_any_record_survives(
    rows: int,
    name: str,
    digests: list[tuple[tuple[str, ...], str]],
    sequences: tuple[tuple[str, int], ...],
    at: datetime,
    seconds: float,
) -> None:
    table = TableFingerprint(TableName(name), rows, tuple(GroupDigest(*one) for one in digests))
    fingerprint = Fingerprint("a", (table,), sequences)
    record = replace(RECORD, fingerprint=fingerprint, created_at=at, seconds=seconds, reason=name)
    assert read_manifest(manifest_text(record), name="m") == record


def test_a_large_manifest_stands_on_one_line_and_reads_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manifest, "_INDENTED", 100)
    text = manifest_text(RECORD)
    assert text.count(b"\n") == 1
    assert read_manifest(text, name="m") == replace(RECORD, verifications=(), marks=())
