"""What AWS's library raises, told as ours: each modelled error through botocore's Stubber, the rest as it is raised."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import botocore.exceptions as raised
import pytest
from botocore.stub import Stubber

from handrail.databases.rds.client import Account, Clients
from handrail.databases.rds.failures import Asked, failure
from handrail.databases.rds.snapshots import RdsSnapshots
from handrail.databases.snapshots import (
    NameTaken,
    NoCredentials,
    NotThere,
    QuotaReached,
    RightMissing,
    SnapshotError,
    TriedTooOften,
    WrongState,
)
from handrail.errors import HandrailError
from handrail.snapshots.snapshot import Label

REGION = "ap-northeast-2"
ASKED = Asked("take the snapshot s of the instance shop", "CreateDBSnapshot", REGION)
_LOGIN = (
    "aws sts get-caller-identity tries them; log in anew (aws sso login), or export AWS_PROFILE, or"
    " AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
)


@pytest.fixture
def clients(monkeypatch: pytest.MonkeyPatch) -> Clients:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAHANDRAIL")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not-a-secret-of-anybody")
    return Clients(Account(REGION), attempts=1)


@pytest.fixture
def stubber(clients: Clients) -> Iterator[Stubber]:
    with Stubber(clients._client("rds")) as stubber:
        yield stubber


def told(error: HandrailError) -> tuple[type[HandrailError], str, str, str]:
    return type(error), error.message, error.why, error.hint


MODELLED: list[tuple[str, type[SnapshotError]]] = [
    ("DBInstanceNotFound", NotThere),
    ("SnapshotQuotaExceeded", QuotaReached),
    ("InvalidDBInstanceState", WrongState),
    ("DBSnapshotAlreadyExists", NameTaken),
    ("ThrottlingException", TriedTooOften),
    ("ServiceUnavailable", TriedTooOften),
    ("ExpiredToken", NoCredentials),
    ("AccessDenied", RightMissing),
    ("KMSKeyNotAccessibleFault", SnapshotError),
    ("InvalidParameterValue", SnapshotError),
]


@pytest.mark.parametrize(("code", "kind"), MODELLED)
def test_each_error_has_its_class(clients: Clients, stubber: Stubber, code: str, kind: type[SnapshotError]) -> None:
    stubber.add_client_error("create_db_snapshot", code, "as AWS says it")
    with pytest.raises(SnapshotError) as caught:
        clients.call(ASKED, DBSnapshotIdentifier="s", DBInstanceIdentifier="shop")
    assert type(caught.value) is kind
    assert caught.value.hint


def answered(code: str, message: str) -> raised.ClientError:
    return raised.ClientError({"Error": {"Code": code, "Message": message}}, "CreateDBSnapshot")


def test_a_missing_right_is_named() -> None:
    said = "User: arn:aws:iam::1:user/mina is not authorized to perform: rds:AddTagsToResource on resource: arn:aws:x"
    found = failure(answered("AccessDenied", said), ASKED)
    assert isinstance(found, RightMissing)
    assert found.action == "rds:AddTagsToResource"
    assert told(found) == (
        RightMissing,
        "the right rds:AddTagsToResource is missing, to take the snapshot s of the instance shop",
        said,
        "add rds:AddTagsToResource to the policy of the user or role; handrail doctor lists what each command needs",
    )
    silent = failure(answered("AccessDeniedException", ""), ASKED)
    assert isinstance(silent, RightMissing)
    assert silent.action == "rds:CreateDBSnapshot"


def test_expired_credentials() -> None:
    found = failure(answered("ExpiredToken", "The security token included in the request is expired"), ASKED)
    assert told(found) == (
        NoCredentials,
        "AWS does not take these credentials, to take the snapshot s of the instance shop",
        "ExpiredToken: The security token included in the request is expired",
        _LOGIN,
    )


def test_no_credentials() -> None:
    assert told(failure(raised.NoCredentialsError(), ASKED)) == (
        NoCredentials,
        "there are no credentials to take the snapshot s of the instance shop",
        "Unable to locate credentials",
        _LOGIN,
    )


def test_what_is_not_there_names_the_region() -> None:
    found = failure(answered("DBInstanceNotFoundFault", "DBInstance shop not found."), ASKED)
    assert told(found) == (
        NotThere,
        "AWS did not take the snapshot s of the instance shop in ap-northeast-2",
        "DBInstanceNotFound: DBInstance shop not found.",
        "in another region it would be another one: `rds.region` says ap-northeast-2; handrail rds list",
    )


def test_no_way_to_aws() -> None:
    error = raised.EndpointConnectionError(endpoint_url="https://rds.ap-northeast-2.amazonaws.com/")
    assert told(failure(error, ASKED)) == (
        TriedTooOften,
        "AWS could not be reached to take the snapshot s of the instance shop",
        'Could not connect to the endpoint URL: "https://rds.ap-northeast-2.amazonaws.com/"',
        "is there a way to the network, and is `rds.region` = ap-northeast-2 right?",
    )


def test_a_parameter_that_the_library_refuses(clients: Clients) -> None:
    with pytest.raises(SnapshotError) as caught:
        clients.call(ASKED, DBSnapshotIdentifier=7)
    assert caught.value.message == "AWS was not asked to take the snapshot s of the instance shop"
    assert "Missing required parameter" in caught.value.why


def test_a_profile_that_is_not_there(clients: Clients) -> None:
    with pytest.raises(NoCredentials) as caught:
        Clients(Account(REGION, profile="nobody-has-it")).call(ASKED)
    assert caught.value.why == "The config profile (nobody-has-it) could not be found"


def test_a_quota_that_is_reached(clients: Clients, stubber: Stubber) -> None:
    stubber.add_response("describe_db_instances", {"DBInstances": [{"DBInstanceIdentifier": "shop"}]})
    stubber.add_client_error(
        "create_db_snapshot", "SnapshotQuotaExceeded", "Cannot create more than 100 manual snapshots"
    )
    with pytest.raises(QuotaReached) as caught:
        RdsSnapshots(clients).take("s", "shop", Label("r1"))
    assert told(caught.value) == (
        QuotaReached,
        "AWS did not take the snapshot s of the instance shop",
        "SnapshotQuotaExceeded: Cannot create more than 100 manual snapshots",
        "delete what is not needed (handrail rds list), or ask for a higher quota:"
        " aws service-quotas list-service-quotas --service-code rds",
    )


def test_an_endpoint_that_is_no_url() -> None:
    with pytest.raises(SnapshotError) as caught:
        Clients(Account(REGION, endpoint_url="nonsense")).call(ASKED)
    assert told(caught.value) == (
        SnapshotError,
        "AWS was not asked to take the snapshot s of the instance shop",
        "Invalid endpoint: nonsense",
        "correct what its library complains of",
    )


def test_rights_are_what_iam_says(clients: Clients) -> None:
    caller = {"Arn": "arn:aws:sts::123456789012:assumed-role/deploy/one", "UserId": "u", "Account": "123456789012"}
    asked: dict[str, Any] = {
        "PolicySourceArn": "arn:aws:iam::123456789012:role/deploy",
        "ActionNames": ["rds:CreateDBSnapshot", "rds:DeleteDBInstance", "rds:ModifyDBInstance"],
        "ResourceArns": ["arn:aws:rds:r:1:db:shop"],
    }
    judged = {
        "EvaluationResults": [
            {"EvalActionName": "rds:CreateDBSnapshot", "EvalDecision": "allowed"},
            {"EvalActionName": "rds:DeleteDBInstance", "EvalDecision": "explicitDeny"},
        ]
    }
    with Stubber(clients._client("sts")) as sts, Stubber(clients._client("iam")) as iam:
        sts.add_response("get_caller_identity", caller)
        iam.add_response("simulate_principal_policy", judged, asked)
        found = RdsSnapshots(clients).rights(tuple(asked["ActionNames"]), ("arn:aws:rds:r:1:db:shop",))
        assert found == {"rds:CreateDBSnapshot": True, "rds:DeleteDBInstance": False, "rds:ModifyDBInstance": None}
        sts.add_client_error("get_caller_identity", "AccessDenied", "no")
        assert RdsSnapshots(clients).rights(("rds:CreateDBSnapshot",)) == {"rds:CreateDBSnapshot": None}
