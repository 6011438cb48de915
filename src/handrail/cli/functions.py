"""`handrail lambda`: the clean-up function of RDS snapshots, packed for AWS, and what it would do now."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from handrail.amounts import count, size
from handrail.cli.answering import answering
from handrail.cli.call import HERE, Env, Json, Root
from handrail.errors import UsageError

if TYPE_CHECKING:
    from datetime import timedelta

    from handrail.cli.function_documents import CleaningDocument, CleaningLine
    from handrail.config import Config
    from handrail.retention.policy import RetentionPolicy


def package(
    out: Annotated[Path, typer.Option("--out", help="The file to write.")] = Path("handrail-lambda.zip"),
    json: Json = False,
) -> None:
    """Write the zip that AWS Lambda runs: the same sources give the same bytes."""
    with answering("lambda package", json) as output:
        from blake3 import blake3

        from handrail.cli.function_documents import Packed
        from handrail.lambda_package import HANDLER, LARGEST, needed_modules
        from handrail.lambda_package import package as packed

        data, modules = packed(), needed_modules()
        try:
            out.write_bytes(data)
        except OSError as error:
            raise UsageError(
                f"{out} cannot be written", why=error.strerror or str(error), hint="name another file: --out FILE"
            ) from error
        output.lines(
            f"{out}: {count(len(modules), 'module')}, {size(len(data))} of the {size(LARGEST)} that Lambda takes",
            f"handler: {HANDLER}; boto3 is Lambda's own",
            "next: handrail init --aws writes the template that runs it",
        )
        output.document(Packed(str(out), len(data), blake3(data).hexdigest(), HANDLER, tuple(sorted(modules))))


def plan(
    adopt: Annotated[bool, typer.Option("--adopt-named", help="As with HANDRAIL_ADOPT_NAMED=true.")] = False,
    every: Annotated[bool, typer.Option("--all", help="Every instance of the region, not the environment's.")] = False,
    env: Env = None,
    root: Root = HERE,
    json: Json = False,
) -> None:
    """Show what the function would do now with the snapshots of the environment's instance; nothing is touched."""
    with answering("lambda plan", json) as output:
        from datetime import UTC, datetime

        from handrail.cli.function_documents import CleaningDocument
        from handrail.retention.cleaning import Scope
        from handrail.wiring import read_config
        from handrail.wiring_rds import require_hosting
        from handrail.workflows.cleaning import plan_clean

        config = read_config(root, env)
        hosting = require_hosting(config)
        scope = Scope(frozenset() if every else frozenset({hosting.instance}), adopts=adopt)
        now = datetime.now(UTC)  # noqa: TID251 - a door
        found = plan_clean(hosting.snapshots, function_policy(config), scope, now)
        document = CleaningDocument.of(found)
        output.table(("", "snapshot", "made", "why"), [_row(one) for one in document.snapshots])
        output.lines(_summary(document))
        output.warnings(found.remarks)
        output.document(document)


def function_policy(config: Config) -> RetentionPolicy:
    """What [retention] says of milestones called weekly, monthly, yearly and of backups before migrations; else the
    default of production."""
    from handrail.retention.cleaning import snapshot_policy

    keep = config.retention
    tiers = ("weekly", "monthly", "yearly")
    kept: dict[str, timedelta] = {name: keep.milestones[name] for name in tiers if name in keep.milestones}
    if keep.pre_migration is not None:
        kept["pre_migration"] = keep.pre_migration
    return snapshot_policy(**kept)


def _row(one: CleaningLine) -> tuple[str, ...]:
    made = f"{one.created_at:%Y-%m-%d %H:%M} UTC" if one.created_at else "?"
    return one.verdict, one.snapshot, made, one.reason


def _summary(document: CleaningDocument) -> str:
    if not document.snapshots:
        return "there is no snapshot"
    verdicts = [one.verdict for one in document.snapshots]
    words = ", ".join(f"{verdicts.count(verdict)} {verdict}" for verdict in dict.fromkeys(verdicts))
    return f"{count(len(verdicts), 'snapshot')}: {words}; nothing was touched"
