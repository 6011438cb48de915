"""What RDS looks at in other services, S3, IAM and KMS: asked of the laboratory itself, by AWS's own library."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from threading import Lock
from typing import Any

from handrail.laboratory.refusal import Refusal

#: The credentials of the laboratory's own calls, which neither faults nor the log of calls know.
OWN_KEY = "LABORATORYITSELF"


class Cloud:
    """The neighbours of one region's RDS, at the laboratory's own address."""

    def __init__(self, region: str) -> None:
        self.endpoint = ""
        self._region = region
        self._making = Lock()

    def require_bucket(self, bucket: str) -> None:
        """Refuse a bucket that is not there."""
        if not self._is_there(lambda: self._s3.head_bucket(Bucket=bucket)):
            raise Refusal("InvalidS3BucketFault", f"The specified Amazon S3 bucket {bucket} doesn't exist.")

    def require_role(self, arn: str) -> None:
        """Refuse a role that is not there."""
        if not self._is_there(lambda: self._iam.get_role(RoleName=arn.rsplit("/", 1)[-1])):
            raise Refusal("IamRoleNotFound", f"The IAM role {arn} is missing.")

    def require_key(self, key: str) -> None:
        """Refuse a key that is not there or not enabled."""
        found: list[Any] = []
        is_there = self._is_there(lambda: found.append(self._kms.describe_key(KeyId=key)))
        if not (is_there and found[0]["KeyMetadata"]["Enabled"]):
            raise Refusal("KMSKeyNotAccessibleFault", f"The specified KMS key {key} does not exist or is not enabled.")

    def require_groups(self, told: Mapping[str, Any]) -> None:
        """Refuse groups of parameters or subnets that are not there; the default ones always are."""
        parameters, subnets = told.get("DBParameterGroupName", "default"), told.get("DBSubnetGroupName", "default")
        if not parameters.startswith("default") and not self._has_group(parameters):
            raise Refusal("DBParameterGroupNotFound", f"DBParameterGroup not found: {parameters}")
        if subnets != "default" and not self._is_there(
            lambda: self._rds.describe_db_subnet_groups(DBSubnetGroupName=subnets)
        ):
            raise Refusal("DBSubnetGroupNotFoundFault", f"DB subnet group {subnets} does not exist.")

    def _has_group(self, name: str) -> bool:
        return bool(self._rds.describe_db_parameter_groups(DBParameterGroupName=name)["DBParameterGroups"])

    def write(self, bucket: str, key: str, body: bytes) -> None:
        """An object."""
        self._s3.put_object(Bucket=bucket, Key=key, Body=body)

    @staticmethod
    def _is_there(call: Any) -> bool:
        from botocore.exceptions import ClientError

        try:
            call()
        except ClientError:
            return False
        return True

    @cached_property
    def _s3(self) -> Any:
        return self._client("s3")

    @cached_property
    def _rds(self) -> Any:
        return self._client("rds")

    @cached_property
    def _iam(self) -> Any:
        return self._client("iam")

    @cached_property
    def _kms(self) -> Any:
        return self._client("kms")

    def _client(self, service: str) -> Any:
        import botocore.session
        from botocore.config import Config

        with self._making:
            return botocore.session.Session().create_client(
                service,
                region_name=self._region,
                endpoint_url=self.endpoint,
                aws_access_key_id=OWN_KEY,
                aws_secret_access_key="laboratory",  # noqa: S106 - there is nothing to protect
                config=Config(retries={"total_max_attempts": 2}, s3={"addressing_style": "path"}),
            )
