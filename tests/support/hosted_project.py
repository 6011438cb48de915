"""A project whose database runs in an instance of the laboratory, and handrail called in it."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from support.calling import Said, handrail
from support.laboratory import DATABASE, PASSWORD, USER, TestLaboratory, until
from support.projects import Script, make_project

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
STATUS = Script(
    "b2",
    "a1",
    'op.add_column("orders", sa.Column("status", sa.String(50), nullable=False, server_default="NEW"))',
    'op.drop_column("orders", "status")',
    doc="add status",
)


@dataclass(frozen=True)
class HostedProject:
    """`name` is the instance; `folder` the project, at revision b2 with 100 rows."""

    lab: TestLaboratory
    name: str
    folder: Path
    region: str

    def call(self, *words: str, **variables: str) -> Said:
        """handrail as a user of the laboratory would call it; a document is held to its published schema."""
        said = handrail(self.folder, *words, before=None, **{**self.lab.environ, **variables})
        if "--json" in words:
            read = json.loads(said.out)
            schema = (SCHEMAS / f"{read['command'].replace(' ', '-')}.json").read_text("utf-8")
            Draft202012Validator(json.loads(schema)).validate(read)
        return said

    def sql(self, statement: str, instance: str = "") -> Any:
        with self.lab.connect(self.lab.instance(instance or self.name, "available")) as connection:
            answer = connection.execute(statement)
            return answer.fetchall() if answer.description else None

    def passed(self) -> datetime:
        """A moment that RDS can restore, after which nothing has happened yet."""
        time.sleep(0.2)
        moment = datetime.now(UTC)
        time.sleep(0.2)
        return moment

    def reached(self, moment: datetime) -> None:
        """Wait until the moment can be restored."""
        until(lambda: self.lab.instance(self.name)["LatestRestorableTime"] > moment, "the archive")


def hosted_project(lab: TestLaboratory, folder: Path, name: str, **words: Any) -> HostedProject:
    """An instance with the project's database at b2."""
    created = lab.create(name, **{"BackupRetentionPeriod": 7, **words})
    region = lab.environ["AWS_REGION"]
    endpoint = created["Endpoint"]
    url = f"postgresql+psycopg://{USER}:{PASSWORD}@{endpoint['Address']}:{endpoint['Port']}/{DATABASE}"
    make_project(folder, url=url, revisions=(ORDERS, STATUS))
    (folder / "handrail.toml").write_text(
        f'default = "prod"\n[environments.prod]\nurl = "{url}"\n'
        f'[environments.prod.rds]\ninstance = "{name}"\nregion = "{region}"\n'
    )
    project = HostedProject(lab, name, folder, region)
    done = project.call("upgrade", "--yes")
    assert done.code == 0, done.err
    return project


def make_bucket(lab: TestLaboratory, name: str) -> None:
    """A bucket in the laboratory's region."""
    where = {"LocationConstraint": lab.environ["AWS_REGION"]}
    lab.client("s3").create_bucket(Bucket=name, CreateBucketConfiguration=where)
