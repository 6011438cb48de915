"""`init --github`: writes the workflow files, and says what is to be set on GitHub and at AWS."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from handrail.cli.writing import write_file
from handrail.pages import page

if TYPE_CHECKING:
    from collections.abc import Iterator

    from handrail.cli.output import Output
    from handrail.pipelines.github import Pipeline
    from handrail.wiring_pipelines import Answers


def write_workflows(output: Output, root: Path, env: str | None, answers: Answers, *, yes: bool) -> None:
    """Write them below .github/workflows of the checkout. A file that is there and says something else is replaced only
    after a yes."""
    from handrail.cli.documents import Initialised
    from handrail.pipelines.github import workflow_files
    from handrail.pipelines.trust import trust_policy
    from handrail.wiring import read_config
    from handrail.wiring_pipelines import checkout_of, pipeline_of, remarks_on

    config = read_config(root, env or "production")
    checkout = checkout_of(config.root)
    pipeline = pipeline_of(config, checkout, answers)
    folder = checkout.top / ".github" / "workflows"
    texts = {folder / item.name: item.text for item in workflow_files(pipeline)}
    for path, text in texts.items():
        write_file(output, path, text, yes=yes)
    policy = trust_policy(pipeline, checkout.repository)
    output.warnings(remarks_on(config))
    output.lines("", *_next_steps(pipeline, policy))
    output.document(Initialised("", "", False, tuple(map(str, texts)), policy))


def _next_steps(pipeline: Pipeline, policy: str) -> Iterator[str]:
    plan, change = pipeline.environments
    yield f"next, on GitHub ({page('deploy')} says why):"
    yield f"  environments {plan} (looks, and makes snapshots) and {change} (changes; give it reviewers),"
    yield f"    both for the branch {pipeline.branch} only, with the secrets {', '.join(pipeline.variables)}"
    yield "  variable HANDRAIL_RUNNER: a runner that reaches the database; without it GitHub's own"
    if pipeline.role:
        yield f"next, at AWS: the trust policy of {pipeline.role.arn}:"
        yield from (f"    {line}" for line in policy.splitlines())
        yield "  of the two forms of each subject keep yours; the ids: gh api repos/OWNER/NAME --jq '.owner.id, .id'"
