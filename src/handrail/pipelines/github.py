"""The workflow files of a project on GitHub: review of pull requests, deployment, restoring by hand."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from handrail.pipelines.actions import ACTIONS
from handrail.pipelines.templates import (
    AWS,
    DEPLOY,
    DEPLOY_AFTER_PLAN,
    DEPLOY_AFTER_WAIT,
    RESTORE_BACKUP,
    RESTORE_INSTANCE,
    REVIEW,
    SETUP,
    SNAPSHOT,
)

_TOKEN: Final = re.compile(r"<<([A-Z_]+)>>")
_ROLE: Final = re.compile(r"arn:aws(?:-[a-z]+)*:iam::(\d{12}):role/[\w+=,.@/-]+")
_REGION: Final = re.compile(r"[a-z]{2}(-[a-z]+)+-\d")
_PYTHON: Final = re.compile(r"3\.\d{1,2}")
#: What stands in YAML as it is, and needs no quotes in a shell: more is not needed for a branch or an environment.
_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._/-]*")
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Role:
    """The role at AWS that jobs take by OpenID Connect: there are no keys."""

    arn: str
    region: str

    def __post_init__(self) -> None:
        if not _ROLE.fullmatch(self.arn):
            raise ValueError("a role is written like arn:aws:iam::123456789012:role/handrail-deploy")
        if not _REGION.fullmatch(self.region):
            raise ValueError("a region is written like ap-northeast-2")

    @property
    def account(self) -> str:
        return self.arn.split(":")[4]

    @property
    def partition(self) -> str:
        """ "aws", or that of China or of the government."""
        return self.arn.split(":")[1]


@dataclass(frozen=True, slots=True)
class Pipeline:
    """What the files are written for. `variables` are those that hold database URLs; they are secrets of the
    environment of the same name. `install` are the words after `pip install`; `folder` is the project's in the
    repository, "." for its top. `role` is needed with `on_rds`, and where the store is a bucket at AWS."""

    environment: str = "production"
    branch: str = "main"
    python: str = "3.13"
    variables: tuple[str, ...] = ("DATABASE_URL",)
    install: str = "."
    folder: str = "."
    role: Role | None = None
    on_rds: bool = False

    def __post_init__(self) -> None:
        if self.on_rds and self.role is None:
            raise ValueError("a database on RDS needs a role that may take its snapshots")
        if not _PYTHON.fullmatch(self.python):
            raise ValueError("a version of Python is written like 3.13")
        for name in (self.environment, self.branch, self.folder.removeprefix(".") or "top"):
            if not _NAME.fullmatch(name):
                raise ValueError(f"{name!r} has signs that a workflow file would have to quote")
        for variable in self.variables:
            if not _VARIABLE.fullmatch(variable):
                raise ValueError(f"{variable!r} cannot be the name of a secret")

    @property
    def environments(self) -> tuple[str, str]:
        """GitHub's environments: of the jobs that look and make snapshots, and of those that change something."""
        return f"{self.environment}-plan", self.environment


@dataclass(frozen=True, slots=True)
class WorkflowFile:
    """A file below .github/workflows."""

    name: str
    text: str


def workflow_files(pipeline: Pipeline) -> tuple[WorkflowFile, ...]:
    """The files, ready to be written."""
    deploy = DEPLOY + (SNAPSHOT + DEPLOY_AFTER_WAIT if pipeline.on_rds else DEPLOY_AFTER_PLAN)
    restore = RESTORE_INSTANCE if pipeline.on_rds else RESTORE_BACKUP
    return tuple(
        WorkflowFile(f"handrail-{name}.yml", _filled(template, pipeline))
        for name, template in (("review", REVIEW), ("deploy", deploy), ("restore", restore))
    )


def _filled(template: str, pipeline: Pipeline) -> str:
    """The template with its tokens replaced; one that stands alone in its line may become several lines, or none."""
    values = _values(pipeline)
    lines: list[str] = []
    for line in template.splitlines():
        alone = _TOKEN.fullmatch(line.strip())
        if alone:
            indent = line[: len(line) - len(line.lstrip())]
            block = _filled(values[alone[1]], pipeline) if values[alone[1]] else ""
            lines += [f"{indent}{one}".rstrip() for one in block.splitlines()]
        else:
            lines.append(_TOKEN.sub(lambda token: values[token[1]], line))
    return "\n".join(lines) + "\n"


def _values(pipeline: Pipeline) -> Mapping[str, str]:
    role = pipeline.role
    plan, change = pipeline.environments
    named = "\n".join(f"{name}: ${{{{ secrets.{name} }}}}" for name in pipeline.variables)
    return {
        **ACTIONS,
        "ENVIRONMENT": pipeline.environment,
        "PLAN_ENVIRONMENT": plan,
        "CHANGE_ENVIRONMENT": change,
        "BRANCH": pipeline.branch,
        "PYTHON": pipeline.python,
        "INSTALL": pipeline.install,
        "FOLDER": pipeline.folder,
        "SARIF": "handrail.sarif" if pipeline.folder == "." else f"{pipeline.folder}/handrail.sarif",
        "STATE": ".handrail" if pipeline.folder == "." else f"{pipeline.folder}/.handrail",
        "EXTRA": "aws" if role else "postgres",
        "SECRETS": named,
        "ROLE": role.arn if role else "",
        "REGION": role.region if role else "",
        "SETUP": SETUP,
        "AWS": AWS if role else "",
        "ID_TOKEN": "id-token: write # to take the role; there are no keys" if role else "",
    }
