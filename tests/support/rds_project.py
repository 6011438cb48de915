"""A project whose database runs in an instance of the laboratory, and handrail called in it."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from support.calling import Said, handrail
from support.laboratory import DATABASE, PASSWORD, USER, TestLaboratory, until
from support.projects import BOOKINGS, STATUS, Script, make_project

SCHEMAS = Path(__file__).resolve().parent.parent.parent / "docs" / "schemas"
ORDERS = Script(
    "a1",
    None,
    """
    op.create_table(
        "orders",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("topic", sa.String(100), nullable=False),
    )
    op.execute("INSERT INTO orders (id, topic) SELECT n, 'order ' || n FROM generate_series(1, 100) n")
    """,
    'op.drop_table("orders")',
    doc="make orders",
)
ORDER_STATUS = Script(
    "b2",
    "a1",
    'op.add_column("orders", sa.Column("status", sa.String(50), nullable=False, server_default="NEW"))',
    'op.drop_column("orders", "status")',
    doc="add status",
)
#: What a project begins with: 100 orders, or two bookings.
ORDERED, BOOKED = (ORDERS, ORDER_STATUS), (BOOKINGS, STATUS)


@dataclass(frozen=True)
class RdsProject:
    """`name` is the instance; `folder` the project, whose environment is called prod."""

    lab: TestLaboratory
    name: str
    folder: Path

    @property
    def region(self) -> str:
        return self.lab.environ["AWS_REGION"]

    def call(self, *words: str, **variables: str) -> Said:
        """handrail as a user of the laboratory would call it; a document is held to its published schema."""
        said = handrail(self.folder, *words, before=None, **{**self.lab.environ, **variables})
        if "--json" in words:
            read = json.loads(said.out)
            schema = (SCHEMAS / f"{read['command'].replace(' ', '-')}.json").read_text("utf-8")
            Draft202012Validator(json.loads(schema)).validate(read)
        return said

    def configure(self, more: str = "", settings: str = "") -> None:
        """`more` are lines of `rds`, `settings` of the environment itself."""
        (self.folder / "handrail.toml").write_text(
            f'default = "prod"\n[environments.prod]\n{settings}\n'
            f'[environments.prod.rds]\ninstance = "{self.name}"\nregion = "{self.region}"\n{more}\n'
        )

    def sql(self, statement: str, instance: str = "") -> Any:
        with self.lab.connect(self.lab.instance(instance or self.name, "available")) as connection:
            answer = connection.execute(statement)
            return answer.fetchall() if answer.description else None

    @property
    def snapshots(self) -> list[dict[str, Any]]:
        """The manual snapshots of the instance."""
        rds = self.lab.client("rds")
        found = rds.describe_db_snapshots(DBInstanceIdentifier=self.name, SnapshotType="manual")
        listed: list[dict[str, Any]] = found["DBSnapshots"]
        return listed

    @property
    def temporary(self) -> list[str]:
        """Instances that a run has left, which are not on their way out."""
        listed = self.lab.client("rds").describe_db_instances()["DBInstances"]
        mark = {"Key": "handrail:temporary", "Value": "true"}
        left = [one for one in listed if one["DBInstanceStatus"] != "deleting" and mark in one["TagList"]]
        return [one["DBInstanceIdentifier"] for one in left]

    def passed(self) -> datetime:
        """A moment that RDS can restore, after which nothing has happened yet."""
        time.sleep(0.2)
        moment = datetime.now(UTC)
        time.sleep(0.2)
        return moment

    def reached(self, moment: datetime) -> None:
        """Wait until the moment can be restored."""
        until(lambda: self.lab.instance(self.name)["LatestRestorableTime"] > moment, "the archive")


def rds_project(
    lab: TestLaboratory, folder: Path, name: str, revisions: Sequence[Script] = ORDERED, **words: Any
) -> RdsProject:
    """A new instance, made with these `words` for AWS, whose database is at b2."""
    endpoint = lab.create(name, **{"BackupRetentionPeriod": 7, **words})["Endpoint"]
    url = f"postgresql+psycopg://{USER}:{PASSWORD}@{endpoint['Address']}:{endpoint['Port']}/{DATABASE}"
    make_project(folder, url=url, revisions=tuple(revisions))
    project = RdsProject(lab, name, folder)
    project.configure()
    done = project.call("upgrade", "--yes")
    assert done.code == 0, done.err
    return project


def make_bucket(lab: TestLaboratory, name: str) -> None:
    """A bucket in the laboratory's region."""
    where = {"LocationConstraint": lab.environ["AWS_REGION"]}
    lab.client("s3").create_bucket(Bucket=name, CreateBucketConfiguration=where)
