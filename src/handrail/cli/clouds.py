"""`init --aws`: writes templates for AWS, the clean-up of snapshots and the rights of commands, and says how they are
deployed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from handrail.cli.writing import write_file
from handrail.pages import page

if TYPE_CHECKING:
    from collections.abc import Iterator

    from handrail.cli.output import Output
    from handrail.config import Config
    from handrail.lambda_template import Defaults

#: What is written into the project's folder.
FILE = "handrail-cleanup.yaml"
POLICIES = "handrail-policies.yaml"
_STACK = "handrail-cleanup"


def write_template(output: Output, root: Path, env: str | None, *, yes: bool) -> None:
    """Write it into the project's folder, with what the configuration says as the defaults of its parameters."""
    from handrail.cli.documents import Initialised
    from handrail.lambda_template import template
    from handrail.wiring import read_config

    config = read_config(root, env or "production")
    defaults = template_defaults(config)
    path = config.root / FILE
    write_file(output, path, template(defaults), yes=yes)
    output.lines("", *_next_steps(config, path, defaults))
    output.document(Initialised(str(path), "", False))


def write_policies(output: Output, root: Path, env: str | None, *, yes: bool) -> None:
    """Write the template of the rights into the project's folder."""
    from handrail.cli.documents import Initialised
    from handrail.command_policies import policies
    from handrail.wiring import read_config

    config = read_config(root, env or "production")
    rds, path = config.settings.rds, config.root / POLICIES
    write_file(output, path, policies(rds.instance.lower() if rds else ""), yes=yes)
    region, stack = rds.region if rds else "REGION", "handrail-policies"
    instance = "" if rds else " --parameter-overrides Instance=NAME"
    output.lines(
        "",
        f"next ({page('lambda')}):",
        f"  aws cloudformation deploy --region {region} --stack-name {stack} --template-file {path.name}"
        f" --capabilities CAPABILITY_IAM{instance}",
        f"  aws cloudformation describe-stacks --region {region} --stack-name {stack} --query 'Stacks[0].Outputs'",
        "then attach to each role the policies of what it calls",
    )
    output.document(Initialised(str(path), "", False))


def template_defaults(config: Config) -> Defaults:
    """The environment's instance and the times of [retention]; the zip of this handrail."""
    from hashlib import sha256

    from handrail.lambda_package import package
    from handrail.lambda_template import Defaults
    from handrail.retention.cleaning import BEFORE_A_MIGRATION, MONTHLY, WEEKLY
    from handrail.retention.policy import FOREVER
    from handrail.wiring import time_zone

    keep, rds = config.retention, config.settings.rds
    return Defaults(
        code_key=f"handrail-lambda-{sha256(package()).hexdigest()[:12]}.zip",
        instances=rds.instance.lower() if rds else "",
        weekly=keep.milestones.get("weekly", WEEKLY),
        monthly=keep.milestones.get("monthly", MONTHLY),
        yearly=keep.milestones.get("yearly", FOREVER),
        pre_migration=BEFORE_A_MIGRATION if keep.pre_migration is None else keep.pre_migration,
        zone=time_zone(config, "retention", keep.timezone).key,
    )


def _next_steps(config: Config, path: Path, defaults: Defaults) -> Iterator[str]:
    rds = config.settings.rds
    region = f"--region {rds.region if rds else 'REGION'}"
    instances = "" if defaults.instances else " Instances=NAME"
    deploy = (
        f"aws cloudformation deploy {region} --stack-name {_STACK} --template-file {path.name}"
        f" --capabilities CAPABILITY_IAM --parameter-overrides CodeBucket=BUCKET{instances}"
    )
    yield f"next, with a bucket of yours in the same region as BUCKET ({page('lambda')}):"
    yield "  handrail lambda package"
    yield f"  aws s3 cp handrail-lambda.zip s3://BUCKET/{defaults.code_key} {region}"
    yield f"  {deploy}"
    yield "it deletes nothing yet; see what it would do:"
    yield f"  aws lambda invoke {region} --function-name {_STACK} answer.json && cat answer.json"
    yield "then let it:"
    yield f"  {deploy} Apply=true"
