"""The laboratory's reading and writing of AWS's query protocol, against botocore's own other half of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from botocore.parsers import create_parser
from botocore.serialize import create_serializer
from hypothesis import given
from hypothesis import strategies as st

from handrail.laboratory import protocol
from handrail.laboratory.refusal import Refusal

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TEXT = st.text(st.characters(min_codepoint=32, max_codepoint=0x2FFF), max_size=20)
MOMENTS = st.integers(0, 2**53).map(lambda micros: EPOCH + timedelta(microseconds=micros))
TAGS = st.lists(st.fixed_dictionaries({"Key": TEXT, "Value": TEXT}), min_size=1, max_size=3)
RESTORES = st.fixed_dictionaries(
    {"TargetDBInstanceIdentifier": TEXT},
    optional={
        "RestoreTime": MOMENTS,
        "MultiAZ": st.booleans(),
        "Port": st.integers(0, 10**6),
        "VpcSecurityGroupIds": st.lists(TEXT, min_size=1, max_size=3),
        "Tags": TAGS,
    },
)
SNAPSHOTS = st.fixed_dictionaries(
    {"DBSnapshotIdentifier": TEXT.filter(bool)},
    optional={
        "PercentProgress": st.integers(0, 100),
        "Encrypted": st.booleans(),
        "SnapshotCreateTime": MOMENTS.map(lambda one: one.replace(microsecond=one.microsecond // 1000 * 1000)),
        "TagList": st.lists(st.fixed_dictionaries({"Key": TEXT.map(lambda t: f"k{t}"), "Value": TEXT})),
    },
)


def as_sent(action: str, parameters: dict[str, Any]) -> str:
    operation = protocol.model().operation_model(action)
    return urlencode(create_serializer("query", False).serialize_to_request(parameters, operation)["body"])


@given(RESTORES)
def test_what_botocore_sends_is_read_as_it_was_meant(parameters: dict[str, Any]) -> None:
    action = "RestoreDBInstanceToPointInTime"
    assert protocol.read(as_sent(action, parameters)) == (action, parameters)


@given(SNAPSHOTS)
def test_what_is_answered_is_what_botocore_reads(snapshot: dict[str, Any]) -> None:
    body = protocol.answer("CreateDBSnapshot", {"DBSnapshot": {**snapshot, "Unknown": 1}}, "r-1").encode()
    shape = protocol.model().operation_model("CreateDBSnapshot").output_shape
    read = create_parser("query").parse({"body": body, "headers": {}, "status_code": 200}, shape)
    assert read["DBSnapshot"] == {key: value for key, value in snapshot.items() if value != ""}
    assert read["ResponseMetadata"]["RequestId"] == "r-1"


@pytest.mark.parametrize(
    ("code", "status"), [("DBSnapshotNotFound", 404), ("SnapshotQuotaExceeded", 400), ("InvalidParameterValue", 400)]
)
def test_an_error_has_the_status_of_the_model_and_is_what_botocore_reads(code: str, status: int) -> None:
    sent, body = protocol.error(Refusal(code, "It is <so> & so."), "r-1")
    shape = protocol.model().operation_model("CreateDBSnapshot").output_shape
    read = create_parser("query").parse({"body": body.encode(), "headers": {}, "status_code": sent}, shape)
    assert sent == status
    assert read["Error"] == {"Type": "Sender", "Code": code, "Message": "It is <so> & so."}


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        ("", "InvalidAction", "Could not find operation (none) for version 2014-10-31"),
        ("Action=Dance", "InvalidAction", "Could not find operation Dance for version 2014-10-31"),
        ("Action=CreateDBSnapshot&DBInstanceIdentifier=a", "MissingParameter", "The request must contain the parameter DBSnapshotIdentifier."),
        ("Action=DescribeDBSnapshots&MaxRecords=many", "InvalidParameterValue", "Invalid value many for MaxRecords"),
        ("Action=DescribeEvents&StartTime=soon", "InvalidParameterValue", "Invalid value soon for StartTime"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused(body: str, code: str, message: str) -> None:
    with pytest.raises(Refusal) as refused:
        protocol.read(body)
    assert (refused.value.code, refused.value.message) == (code, message)
