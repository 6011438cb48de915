"""A fingerprint taken apart into counts and digests is put together again, and only with its own counterpart."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handrail.backups.digests import joined, without_digests, written
from handrail.backups.manifest import ManifestError
from handrail.facts import Fingerprint, GroupDigest, TableFingerprint, TableName

FINGERPRINT = Fingerprint(
    "sqlite-1",
    (
        TableFingerprint(TableName("예약"), 2, (GroupDigest(("id",), "00ff"), GroupDigest((), "aa")), seconds=0.25),
        TableFingerprint(TableName("empty", "app"), 0, ()),
    ),
    (("예약", 9),),
    content="c0ffee",
)
WRITTEN = written(FINGERPRINT)  # here, since pydantic looks for its plugins the first time
HINT = "this backup cannot be trusted: choose another one (handrail backup list)"


def test_what_was_taken_apart_is_put_together_again() -> None:
    assert repr(joined(without_digests(FINGERPRINT), WRITTEN, name="b1")) == repr(FINGERPRINT)


def test_what_is_not_sealed_holds_counts_and_no_digest() -> None:
    assert repr(without_digests(FINGERPRINT)) == repr(
        Fingerprint(
            "sqlite-1",
            (
                TableFingerprint(TableName("예약"), 2, (), seconds=0.25),
                TableFingerprint(TableName("empty", "app"), 0, ()),
            ),
            (("예약", 9),),
        )
    )


names = st.text(max_size=8)
tables = st.builds(
    TableFingerprint,
    st.builds(TableName, names, st.none() | names),
    st.integers(0, 2**63),
    st.lists(st.builds(GroupDigest, st.lists(names, max_size=2).map(tuple), names), max_size=2).map(tuple),
)


@given(
    st.builds(
        Fingerprint,
        names,
        st.lists(tables, max_size=3).map(tuple),
        st.lists(st.tuples(names, st.integers(-(2**63), 2**63 - 1)), max_size=2).map(tuple),
        names,
    )
)
def test_any_fingerprint_is_put_together_again(fingerprint: Fingerprint) -> None:
    whole = joined(without_digests(fingerprint), written(fingerprint), name="b1")
    assert repr(whole) == repr(fingerprint)


def refused(counts: Fingerprint, text: bytes) -> ManifestError:
    with pytest.raises(ManifestError) as caught:
        joined(counts, text, name="b1")
    assert caught.value.hint == HINT
    return caught.value


def test_digests_of_another_backup_are_refused() -> None:
    other = replace(FINGERPRINT, tables=(replace(FINGERPRINT.tables[0], rows=3), *FINGERPRINT.tables[1:]))
    error = refused(without_digests(FINGERPRINT), written(other))
    assert (error.message, error.why) == (
        "the sealed digests of b1 are not of this backup",
        "they belong to other tables or counts than the manifest names",
    )


@pytest.mark.parametrize("text", [b"", b"{}", b"[1]", b"\xff"])
def test_what_are_no_digests_is_refused(text: bytes) -> None:
    assert refused(without_digests(FINGERPRINT), text).message == "the sealed digests of b1 cannot be read"
