"""Which backup is meant, and what is said when none is."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handrail.backups.catalog import Catalog, artifact_key, choose, manifest_key, union, verification_key
from handrail.backups.record import ListedBackup, Verification
from handrail.errors import BackupError
from unit.test_manifest import FAILED, PROOF, RECORD


def backup(id_: str, hours: int, *verifications: Verification) -> ListedBackup:
    created = RECORD.created_at + timedelta(hours=hours)
    record = replace(RECORD, id=id_, created_at=created, verifications=verifications)
    return record.listed(f"seal of {id_}")


OLD = backup("20260101_a1", 1, PROOF)
MIDDLE = backup("20260102_b2", 2, PROOF, replace(FAILED, at=PROOF.at - timedelta(days=1)))
NEW = backup("20260102_b23", 3, FAILED)
ALL = (MIDDLE, NEW, OLD)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ("latest", NEW),
        ("verified", MIDDLE),
        ("20260101_a1", OLD),
        ("20260101", OLD),
        ("20260102_b23", NEW),
        ("20260102_b2", MIDDLE),  # a whole id, although another begins with it
    ],
)
def test_one_is_chosen(wanted: str, expected: ListedBackup) -> None:
    assert choose(ALL, wanted) == expected


@pytest.mark.parametrize(
    ("records", "wanted", "code", "message", "why", "hint"),
    [
        ((), "latest", "HR501", "there is no backup yet", "", "make one: handrail backup create"),
        (ALL, "nope", "HR502", "no backup has the id 'nope'", "", "handrail backup list shows all ids"),
        (
            ALL,
            "lates",
            "HR502",
            "no backup has the id 'lates'",
            "",
            "did you mean latest? Else handrail backup list shows all ids",
        ),
        ((OLD,), "", "HR502", "no backup has the id ''", "", "handrail backup list shows all ids"),
        (
            ALL,
            "20260102",
            "HR502",
            "2 backups have an id that begins with 20260102",
            "20260102_b23, 20260102_b2",
            "handrail backup list shows all ids",
        ),
        (
            (NEW,),
            "verified",
            "HR503",
            "no backup has been verified yet",
            "",
            "verify one: handrail backup verify 20260102_b23",
        ),
    ],
    ids=["none yet", "unknown", "nearly a word", "empty", "ambiguous", "unverified"],
)
def test_a_refusal_says_what_to_type(
    records: tuple[ListedBackup, ...], wanted: str, code: str, message: str, why: str, hint: str
) -> None:
    with pytest.raises(BackupError) as caught:
        choose(records, wanted)
    error = caught.value
    assert (error.code, error.message, error.why, error.hint) == (code, message, why, hint)


@given(hours=st.lists(st.integers(0, 1000), min_size=1, max_size=8, unique=True), data=st.data())
def test_verified_is_the_newest_proven_one_in_whatever_order(hours: list[int], data: st.DataObject) -> None:
    proven = data.draw(st.sets(st.sampled_from(hours), min_size=1))
    records = [backup(f"id{hour}", hour, PROOF if hour in proven else FAILED) for hour in hours]
    random.Random(len(hours)).shuffle(records)
    assert choose(records, "verified").id == f"id{max(proven)}"
    assert choose(records, "latest").id == f"id{max(hours)}"


def test_when_a_backup_was_proven() -> None:
    later = replace(PROOF, at=PROOF.at + timedelta(days=1))
    record = backup("x", 0, later, PROOF, FAILED)
    assert (record.is_verified, record.verified_at) == (True, later.at)
    assert (NEW.is_verified, NEW.verified_at) == (False, None)


def test_keys_lie_together() -> None:
    assert artifact_key("production", "1", "zstd") == "production/1/artifact.zst"
    assert artifact_key("production", "1", "none") == "production/1/artifact"
    assert manifest_key("production", "1") == "production/1/manifest.json"
    assert verification_key("production", "1", "r2") == "production/1/verified-r2.json"


def shelves(*held: tuple[ListedBackup, ...]) -> list[tuple[str, Catalog]]:
    return [(f"place {number}", Catalog(records)) for number, records in enumerate(held)]


def test_the_catalog_of_several_stores_is_their_union() -> None:
    elsewhere = replace(OLD, verifications=(replace(PROOF, run_id="another"),))
    found = union(shelves((OLD, NEW), (elsewhere, MIDDLE)), (("place 2", "gone"),))
    assert [one.id for one in found.records] == [NEW.id, MIDDLE.id, OLD.id]
    assert {one.run_id for one in found.records[-1].verifications} == {PROOF.run_id, "another"}
    assert found.places == {NEW.id: ("place 0",), MIDDLE.id: ("place 1",), OLD.id: ("place 0", "place 1")}
    assert found.unreadable == (("place 2", "gone"),)


def test_a_store_whose_manifest_says_something_else_is_told() -> None:
    other = replace(OLD, reason="another story")
    found = union(shelves((OLD,), (other,)))
    key = f"place 1/{manifest_key(OLD.environment, OLD.id)}"
    assert (found.records, found.places) == ((OLD,), {OLD.id: ("place 0",)})
    assert found.unreadable == ((key, "it says something else than the one in place 0"),)


@given(st.lists(st.sets(st.sampled_from(range(5))), min_size=1, max_size=4))
def test_every_backup_of_every_store_is_in_the_union_once_with_all_its_places(held: list[set[int]]) -> None:
    records = [backup(f"b{number}", number) for number in range(5)]
    found = union(shelves(*(tuple(records[one] for one in sorted(some)) for some in held)))
    assert [one.id for one in found.records] == [f"b{one}" for one in sorted(set().union(*held), reverse=True)]
    assert found.places == {
        f"b{one}": tuple(f"place {at}" for at, some in enumerate(held) if one in some) for one in set().union(*held)
    }
    again = union([("place", found)])
    assert again.records == found.records
