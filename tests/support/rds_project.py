"""A small Alembic project whose database runs in an instance of the laboratory, and handrail called on it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.calling import Said, handrail
from support.laboratory import DATABASE, PASSWORD, USER, TestLaboratory
from support.projects import BOOKINGS, STATUS, Script, make_project

RDS = """
[environments.development.rds]
instance = "{instance}"
region = "{region}"
{more}
"""


@dataclass(frozen=True)
class RdsProject:
    folder: Path
    laboratory: TestLaboratory
    instance: str

    def handrail(self, *words: str) -> Said:
        return handrail(self.folder, *words, before=None, **self.laboratory.environ)

    def configure(self, more: str = "", settings: str = "") -> None:
        """`more` are lines of `rds`, `settings` of the environment itself."""
        text = RDS.format(instance=self.instance, region=self.laboratory.environ["AWS_REGION"], more=more)
        (self.folder / "handrail.toml").write_text(f"[environments.development]\n{settings}\n{text}", "utf-8")

    def rows(self, sql: str, instance: str = "") -> list[tuple[Any, ...]]:
        described = self.laboratory.instance(instance or self.instance, "available")
        with self.laboratory.connect(described) as connection:
            found: list[tuple[Any, ...]] = connection.execute(sql).fetchall()
            return found

    def execute(self, *statements: str) -> None:
        with self.laboratory.connect(self.laboratory.instance(self.instance)) as connection:
            for statement in statements:
                connection.execute(statement)

    @property
    def snapshots(self) -> list[dict[str, Any]]:
        """The manual snapshots of the instance."""
        found = self.laboratory.client("rds").describe_db_snapshots(
            DBInstanceIdentifier=self.instance, SnapshotType="manual"
        )
        listed: list[dict[str, Any]] = found["DBSnapshots"]
        return listed

    @property
    def temporary(self) -> list[str]:
        """Instances that a run has left, which are not on their way out."""
        listed = self.laboratory.client("rds").describe_db_instances()["DBInstances"]
        return [
            one["DBInstanceIdentifier"]
            for one in listed
            if one["DBInstanceStatus"] != "deleting"
            and {"Key": "handrail:temporary", "Value": "true"} in one["TagList"]
        ]


def rds_project(folder: Path, laboratory: TestLaboratory, instance: str, *more: Script, **words: Any) -> RdsProject:
    """A new instance, its database at b2, with `more` scripts after that."""
    described = laboratory.create(instance, BackupRetentionPeriod=0, **words)
    endpoint = described["Endpoint"]
    url = f"postgresql+psycopg://{USER}:{PASSWORD}@{endpoint['Address']}:{endpoint['Port']}/{DATABASE}"
    make_project(folder, revisions=(BOOKINGS, STATUS, *more), url=url)
    project = RdsProject(folder, laboratory, instance)
    project.execute(
        "CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY)",
        "INSERT INTO alembic_version VALUES ('b2')",
        "CREATE TABLE bookings (id int PRIMARY KEY, topic text, status text)",
        "INSERT INTO bookings VALUES (1, '파이썬 학습'), (2, 'API 개발')",
    )
    project.configure()
    return project
