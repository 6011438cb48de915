"""The trust policy of the role that the workflows take: which jobs of which repository may have it."""

from __future__ import annotations

import json

from handrail.pipelines.github import Pipeline

_ISSUER = "token.actions.githubusercontent.com"


def trust_policy(pipeline: Pipeline, repository: str) -> str:
    """The policy as JSON, for `repository` ("owner/name"); "" without a role. A job of an environment has that
    environment in its subject, whatever its branch: who may deploy to it is the environment's own protection.

    Both forms of the subject are allowed: repositories that were created since 2026-07-15, or opted in, have the ids of
    owner and repository in it. Remove the form that is not yours; ids survive a rename, and nobody can take them over.
    """
    role = pipeline.role
    if role is None:
        return ""
    owner, _, name = repository.partition("/")
    subjects = [
        f"repo:{place}:environment:{environment}"
        for place in (repository, f"{owner}@OWNER_ID/{name}@REPOSITORY_ID")
        for environment in pipeline.environments
    ]
    document = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Federated": f"arn:{role.partition}:iam::{role.account}:oidc-provider/{_ISSUER}"},
                "Action": "sts:AssumeRoleWithWebIdentity",
                "Condition": {
                    "StringEquals": {f"{_ISSUER}:aud": "sts.amazonaws.com", f"{_ISSUER}:sub": subjects},
                },
            }
        ],
    }
    return json.dumps(document, indent=2) + "\n"
