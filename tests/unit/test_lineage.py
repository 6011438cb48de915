"""Backups that build on others: what one is restored from, and what the next is built on."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handrail.backups.lineage import lineage_of, needs, to_build_on
from handrail.backups.manifest import read_manifest, write_manifest
from handrail.backups.methods import Format, Method
from handrail.backups.record import BackupRecord
from handrail.errors import BackupError
from unit.test_manifest import FAILED, RECORD


def backup(number: int, parent: int | None = None) -> BackupRecord:
    return replace(
        RECORD,
        id=f"b{number}",
        created_at=RECORD.created_at + timedelta(hours=number),
        format=Format.PG_BASE if parent is None else Format.PG_INCREMENT,
        parent="" if parent is None else f"b{parent}",
        inventory=replace(RECORD.artifact, key=f"development/b{number}/inventory.zst"),
    )


def said(error: pytest.ExceptionInfo[BackupError]) -> tuple[str, str, str]:
    return error.value.message, error.value.why, error.value.hint


def test_a_manifest_keeps_what_a_chain_needs() -> None:
    record = backup(2, 1)
    text = write_manifest(record)
    assert b'"version": 3,' in text
    assert read_manifest(text, name="m") == record
    assert b'"version": 1,' in write_manifest(backup(1))


@given(st.lists(st.integers(0, 100), max_size=8), st.randoms())
def test_a_chain_leads_from_a_whole_one_to_itself(choices: Sequence[int], chance: random.Random) -> None:
    records = [backup(0)]
    for number, choice in enumerate(choices, 1):
        records.append(backup(number, choice % number))
    shuffled = list(records)
    chance.shuffle(shuffled)
    for record in records:
        chain = lineage_of(record, shuffled)
        assert chain[-1] == record
        assert [one.parent for one in chain] == ["", *(one.id for one in chain[:-1])]
    assert needs(shuffled) == {one.id: (one.parent,) for one in records[1:]}
    assert to_build_on(shuffled, RECORD.database, Method.BASE) == records[-1]


def test_one_that_is_gone() -> None:
    with pytest.raises(BackupError) as raised:
        lineage_of(backup(3, 2), [backup(2, 1), backup(3, 2)])
    assert said(raised) == (
        "backup b3 cannot be restored",
        "b2 holds what changed since b1, which is in no store",
        "choose another backup (handrail backup list), or bring that one's folder back into the store",
    )
    assert to_build_on([backup(3, 2), backup(2, 1), backup(0)], RECORD.database, Method.BASE) == backup(0)


def test_manifests_that_lead_in_a_circle() -> None:
    with pytest.raises(BackupError) as raised:
        lineage_of(backup(1, 2), [backup(2, 1), backup(1, 2)])
    assert raised.value.why == "b2 holds what changed since b1, which is in no store"


@pytest.mark.parametrize(
    "records",
    [
        (),
        (replace(backup(1), inventory=None),),
        (replace(backup(1), database="postgresql://elsewhere/other"),),
        (backup(2, 1),),
        (replace(backup(1), verifications=(FAILED,)),),
    ],
)
def test_nothing_to_build_on(records: Sequence[BackupRecord]) -> None:
    with pytest.raises(BackupError) as raised:
        to_build_on(records, RECORD.database, Method.COPY)
    assert said(raised) == (
        "there is no backup by copy to build on",
        "an increment is what changed since another backup",
        "make a whole one: handrail backup create --method copy",
    )
