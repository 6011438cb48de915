"""A large manifest is skimmed to what reading it whole would list, or not at all."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handrail.backups import manifest, skimming
from handrail.backups.manifest import ManifestError, manifest_text, read_sealed, write_manifest
from handrail.backups.record import BackupRecord
from handrail.backups.skimming import read_stream, skim
from handrail.facts import Fingerprint, TableFingerprint, TableName
from unit.test_manifest import FACTS, FINGERPRINT, RECORD

MANY = Fingerprint("a", tuple(TableFingerprint(TableName(f"표 {n}"), n, ()) for n in range(50)), (("s", 1),))


@pytest.fixture(autouse=True)
def on_one_line() -> Iterator[None]:
    """As large ones are written, and looked at through a small window."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(manifest, "_INDENTED", 0)
        patch.setattr(skimming, "_CHUNK", 7)
        yield


def assert_as_read(data: bytes) -> None:
    record, seal = read_sealed(data, name="m")
    assert skim(io.BytesIO(data)) == record.listed(seal)
    assert skim(io.BytesIO(data[99:]), data[:99]) == record.listed(seal)


@pytest.mark.parametrize(
    "record",
    [
        RECORD,
        replace(RECORD, fingerprint=MANY),
        replace(RECORD, facts=replace(FACTS, tables=(), objects=()), fingerprint=replace(FINGERPRINT, tables=())),
        replace(RECORD, artifact=replace(RECORD.artifact, encryption="age"), sealed_digests="x" * 999),
        replace(RECORD, parent="another"),
    ],
    ids=["small", "many tables", "no table", "encrypted", "an increment"],
)
def test_it_lists_what_reading_whole_would(record: BackupRecord) -> None:
    assert_as_read(manifest_text(record))


@given(reason=st.text(), rows=st.integers(0, 2**63), window=st.integers(1, 200))
def test_wherever_the_window_ends(reason: str, rows: int, window: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(manifest, "_INDENTED", 0)
        patch.setattr(skimming, "_CHUNK", window)
        one = TableFingerprint(TableName(reason), rows, ())
        assert_as_read(manifest_text(replace(RECORD, reason=reason, fingerprint=Fingerprint(reason, (one, one)))))


def test_no_altered_byte_and_no_cut_gives_another_listing() -> None:
    data = manifest_text(replace(RECORD, facts=replace(FACTS, tables=FACTS.tables[:1])))
    assert_as_read(data)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(skimming, "_CHUNK", 500)
        for offset in range(0, len(data), 3):
            altered = bytearray(data)
            altered[offset] ^= 0x01
            assert skim(io.BytesIO(altered)) is None
            assert skim(io.BytesIO(data[:offset])) is None
    assert skim(io.BytesIO(data + b" ")) is None


def sealed(body: dict[str, Any], **head: object) -> bytes:
    text = json.dumps(body, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    seal = manifest._seal(body)[0]
    written = json.dumps({"handrail": "backup", "version": 1, "seal": seal} | head)
    return f'{written[:-1]}, "backup": {text}}}\n'.encode()


def test_what_cannot_be_read_is_left_to_who_tells_why() -> None:
    body = json.loads(manifest_text(RECORD))["backup"]
    assert_as_read(sealed(body))
    broken = [sealed(body, version=9), sealed(body, handrail="mark"), sealed(body, seal="0"), sealed(body, seal=None)]
    for place, names in {"facts": ("tables", "objects"), "fingerprint": ("tables",), "": ("facts", "artifact")}.items():
        for name in names:
            for value in ("x", [{"x": 1}], None, 7):
                changed = json.loads(json.dumps(body))
                (changed[place] if place else changed)[name] = value
                broken.append(sealed(changed))
    for data in broken:
        assert skim(io.BytesIO(data)) is None
    with pytest.raises(ManifestError):
        read_sealed(broken[0], name="m")


def test_small_manifests_and_other_documents_are_none_of_its() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(manifest, "_INDENTED", 1 << 20)
        assert skim(io.BytesIO(manifest_text(RECORD))) is None
    for data in (b"", b"\0", b"null", b'{"handrail": "', b'{"handrail": "backup", "version": ' + b"[" * 200_000):
        assert skim(io.BytesIO(data)) is None


def test_a_stream_is_read_to_the_same_record() -> None:
    alike = tuple(replace(FACTS.tables[0], name=TableName(f"표 {n}")) for n in range(9))
    other = replace(alike[0].columns[0], carries=("its comment",))  # equal, and yet not the same
    facts = replace(FACTS, tables=(*alike, replace(alike[0], columns=(other, *alike[0].columns[1:]))))
    for record in (RECORD, replace(RECORD, facts=facts, fingerprint=MANY)):
        data = manifest_text(record)
        found = read_stream(io.BytesIO(data))
        assert found == read_sealed(data, name="m")
        assert found is not None
        assert repr(found[0].facts.tables) == repr(record.facts.tables), "what is not compared, too"
        assert read_stream(io.BytesIO(data[:-9])) is None
        if record is not RECORD:
            assert found[0].facts.tables[0].columns is found[0].facts.tables[8].columns


def test_a_large_manifest_is_written_in_pieces() -> None:
    class Out(io.BytesIO):
        longest = 0

        def write(self, data: Any) -> int:
            self.longest = max(self.longest, len(data))
            return super().write(data)

    many = Fingerprint("a", tuple(TableFingerprint(TableName(f"표 {n}"), n, ()) for n in range(9999)))
    record, out = replace(RECORD, fingerprint=many), Out()
    write_manifest(record, out)
    assert read_stream(io.BytesIO(out.getvalue())) == read_sealed(out.getvalue(), name="m")
    assert out.longest < len(out.getvalue()) / 20
