"""What AWS's library raises, told as one of our errors: what was asked, what AWS answered, what to do."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

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


@dataclass(frozen=True, slots=True)
class Asked:
    """One call: `what` in words ("take the snapshot NAME of the instance NAME"), by an operation of a service."""

    what: str
    operation: str
    region: str
    service: str = "rds"

    @property
    def action(self) -> str:
        """As policies name it."""
        return f"{self.service}:{self.operation}"


_CREDENTIALS: Final = frozenset(
    {
        "ExpiredToken",
        "ExpiredTokenException",
        "RequestExpired",
        "InvalidClientTokenId",
        "InvalidAccessKeyId",
        "UnrecognizedClientException",
        "SignatureDoesNotMatch",
        "IncompleteSignature",
        "MissingAuthenticationToken",
        "AuthFailure",
    }
)
_DENIED: Final = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "NotAuthorized"})
_BUSY: Final = frozenset(
    {
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "RequestThrottled",
        "RequestThrottledException",
        "RequestLimitExceeded",
        "TooManyRequestsException",
        "PriorRequestNotComplete",
        "ServiceUnavailable",
        "InternalFailure",
        "InternalError",
        "InternalServerError",
        "500",
        "502",
        "503",
        "504",
    }
)
_KINDS: Final[Mapping[str, type[SnapshotError]]] = {
    "DBInstanceNotFound": NotThere,
    "DBSnapshotNotFound": NotThere,
    "DBInstanceAutomatedBackupNotFound": NotThere,
    "ExportTaskNotFound": NotThere,
    "DBSnapshotAlreadyExists": NameTaken,
    "DBInstanceAlreadyExists": NameTaken,
    "ExportTaskAlreadyExists": NameTaken,
    "SnapshotQuotaExceeded": QuotaReached,
    "InstanceQuotaExceeded": QuotaReached,
    "StorageQuotaExceeded": QuotaReached,
    "DBInstanceAutomatedBackupQuotaExceeded": QuotaReached,
    "InvalidDBInstanceState": WrongState,
    "InvalidDBSnapshotState": WrongState,
    "InvalidExportSourceState": WrongState,
    "InvalidDBInstanceAutomatedBackupState": WrongState,
    "InsufficientDBInstanceCapacity": WrongState,
}
_HINTS: Final[Mapping[type[SnapshotError], str]] = {
    NameTaken: "choose another name; handrail rds list shows those that are taken",
    QuotaReached: "delete what is not needed (handrail rds list), or ask for a higher quota:"
    " aws service-quotas list-service-quotas --service-code rds",
    WrongState: "wait until it is available: handrail rds wait NAME; a stopped instance is started by"
    " aws rds start-db-instance",
}
#: Besides the classes above: what to do about a code.
_ADVICE: Final[Mapping[str, str]] = {
    "KMSKeyNotAccessible": "the KMS key must be enabled, and its policy must let you use it: kms:DescribeKey,"
    " kms:CreateGrant, kms:Decrypt",
    "PointInTimeRestoreNotEnabled": "automated backups are off: handrail rds automated --retention 7",
    "IamRoleNotFound": "name the ARN of a role that is there: aws iam list-roles",
    "IamRoleMissingPermissions": "the role must be trusted by export.rds.amazonaws.com and may write to the bucket",
    "InvalidS3Bucket": "the bucket must be there, in the same region",
}
_SETTLED_BY_LOGIN: Final = (
    "aws sts get-caller-identity tries them; log in anew (aws sso login), or export AWS_PROFILE, or"
    " AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
)


def failure(error: Exception, asked: Asked) -> SnapshotError:
    """The error to raise for one of botocore's."""
    response: Mapping[str, Any] = getattr(error, "response", None) or {}
    details = response.get("Error", {})
    code = str(details.get("Code", ""))
    if not code:
        return _of_the_library(error, asked)
    return _answered(code.removesuffix("Fault"), redacted(str(details.get("Message") or "")), asked)


def _answered(code: str, said: str, asked: Asked) -> SnapshotError:
    failed, why = f"AWS did not {asked.what}", f"{code}: {said}" if said else code
    if code in _CREDENTIALS:
        return NoCredentials(f"AWS does not take these credentials, to {asked.what}", why=why, hint=_SETTLED_BY_LOGIN)
    if code in _DENIED:
        return _denied(said, asked)
    if code in _BUSY:
        return TriedTooOften(
            f"AWS was too busy to {asked.what}", why=why, hint="it was tried several times; try again in some minutes"
        )
    kind = _KINDS.get(code, SnapshotError)
    if kind is NotThere:
        hint = f"in another region it would be another one: `rds.region` says {asked.region}; handrail rds list"
        return NotThere(f"{failed} in {asked.region}", why=why, hint=hint)
    return kind(failed, why=why, hint=_ADVICE.get(code) or _HINTS.get(kind, "aws rds help says what it allows"))


def _denied(said: str, asked: Asked) -> RightMissing:
    named = re.search(r"perform:? ([a-z0-9-]+:[A-Za-z]+)", said)
    action = named.group(1) if named else asked.action
    return RightMissing(
        f"the right {action} is missing, to {asked.what}",
        why=said,
        hint=f"add {action} to the policy of the user or role; handrail doctor lists what each command needs",
        action=action,
    )


def _of_the_library(error: Exception, asked: Asked) -> SnapshotError:
    """What was raised without an answer of AWS."""
    from botocore import exceptions as raised
    from botocore.parsers import ResponseParserError

    why = redacted(str(error))
    login = (
        raised.NoCredentialsError,
        raised.PartialCredentialsError,
        raised.CredentialRetrievalError,
        raised.ProfileNotFound,
        raised.SSOError,
        raised.TokenRetrievalError,
    )
    if isinstance(error, login):
        return NoCredentials(f"there are no credentials to {asked.what}", why=why, hint=_SETTLED_BY_LOGIN)
    if isinstance(error, (raised.HTTPClientError, raised.ConnectionError)):  # not reached, refused, cut, timed out
        return TriedTooOften(
            f"AWS could not be reached to {asked.what}",
            why=why,
            hint=f"is there a way to the network, and is `rds.region` = {asked.region} right?",
        )
    if isinstance(error, ResponseParserError):
        return SnapshotError(
            f"what answered was not AWS, when it was to {asked.what}",
            why=why,
            hint="is there a proxy on the way, or does AWS_ENDPOINT_URL lead elsewhere?",
        )
    return SnapshotError(f"AWS was not asked to {asked.what}", why=why, hint="correct what its library complains of")


_SECRETS: Final = (
    (re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{8,}"), "****"),
    (
        re.compile(r"(?i)((?:security-?token|session-?token|signature|password|secret[a-z-]*key)\W{1,3})[^\s&,'\"]+"),
        r"\1****",
    ),
    (re.compile(r"(\w+://[^/\s:@]+:)[^@\s]+@"), r"\1****@"),
)


def redacted(text: str) -> str:
    """In one line, of at most 500 characters, with no key, token or password in it."""
    for pattern, instead in _SECRETS:
        text = pattern.sub(instead, text)
    return " ".join(text.split())[:500]
