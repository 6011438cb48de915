"""HR-EN105: where a default that is no member is seen, in which words, and what is put in its place."""

from __future__ import annotations

from dataclasses import replace

import pytest

from handrail.enums.states import ColumnName, Member, ModelEnum, Strategy
from handrail.facts import TableName
from handrail.lint.engine import check
from handrail.lint.finding import Severity, apply_edits
from handrail.lint.rule import LintContext
from handrail.lint.rules.enum_default_unknown import EnumDefaultUnknown
from handrail.migrations.reading import read_script
from unit.building import script

RULE = EnumDefaultUnknown()
STATUS = ModelEnum(
    ColumnName(TableName("bookings"), "status"),
    "app.Status",
    (Member("SCHEDULED", "scheduled"), Member("NO_SHOW", "it's none")),
    Strategy.VARCHAR,
)
COLUMN = "sa.Column('status', sa.String(50), server_default={})"
BATCH = "    with op.batch_alter_table('bookings') as batch_op:\n        batch_op."


def found(*bodies: str, model: ModelEnum = STATUS) -> list[tuple[str, str]]:
    """Message and hint of each finding about scripts that run one after the other."""
    scripts = tuple(read_script(script(body, id_=f"{number}")) for number, body in enumerate(bodies))
    return [(one.message, one.fix_hint) for one in check(LintContext(scripts, enums=(model,)), [RULE])]


SPELT = "bookings.status gets the default 'SCHEDULED', the name of the member that is stored as 'scheduled'"


@pytest.mark.parametrize(
    ("body", "fix"),
    [
        (
            f"    op.add_column('bookings', {COLUMN.format(repr('SCHEDULED'))})",
            f"op.add_column('bookings', {COLUMN.format(repr('scheduled'))})",
        ),
        (
            f"    op.create_table('bookings', sa.Column('id', sa.Integer), {COLUMN.format(repr('SCHEDULED'))})",
            f"op.create_table('bookings', sa.Column('id', sa.Integer), {COLUMN.format(repr('scheduled'))})",
        ),
        (
            f"{BATCH}alter_column('status', server_default=sa.text(\"'SCHEDULED'\"))",
            "batch_op.alter_column('status', server_default='scheduled')",
        ),
        (
            "    text = 'SCHEDULED'\n    op.alter_column('bookings', 'status', server_default=text)",
            "server_default='scheduled'",
        ),
        ("    op.execute(\"ALTER TABLE bookings ALTER status SET DEFAULT 'SCHEDULED'\")", "DEFAULT 'scheduled'"),
        ("    op.execute(\"CREATE TABLE bookings (status text DEFAULT 'SCHEDULED'::text)\")", "DEFAULT 'scheduled'"),
    ],
)
def test_a_name_in_place_of_a_value(body: str, fix: str) -> None:
    assert found(body) == [(SPELT, fix)]
    source = script(body).source
    (finding,) = check(LintContext((read_script(script(body)),), enums=(STATUS,)), [RULE])
    assert finding.severity is Severity.ERROR
    if finding.edits:
        after = apply_edits(source, finding.edits)
        assert check(LintContext((read_script(replace(script(body), source=after)),), enums=(STATUS,)), [RULE]) == ()


def test_a_text_that_means_nothing_is_left_to_a_person() -> None:
    body = f"    op.add_column('bookings', {COLUMN.format(repr('late'))})"
    assert found(body) == [
        (
            "bookings.status gets the default 'late', no member of Status ('scheduled', \"it's none\")",
            "server_default=… (one of the texts above)",
        )
    ]


def test_the_model_is_told_of_too() -> None:
    body = f"    op.add_column('bookings', {COLUMN.format(repr('SCHEDULED'))})"
    context = LintContext((read_script(script(body)),), enums=(replace(STATUS, default="SCHEDULED"),))
    (finding,) = check(context, [RULE])
    assert finding.why == f"{RULE.why} The model has it too: write server_default='scheduled' there."


@pytest.mark.parametrize(
    "bodies",
    [
        [f"    op.add_column('bookings', {COLUMN.format(repr('scheduled'))})"],
        ["    op.add_column('bookings', sa.Column('status', sa.String(50), server_default=\"it's none\"))"],
        ["    op.add_column('bookings', sa.Column('status', sa.String(50), server_default=sa.text('lower(1)')))"],
        ["    op.add_column('rooms', sa.Column('status', sa.String(50), server_default='SCHEDULED'))"],
        [
            "    op.add_column('bookings', sa.Column('status', sa.String(50), server_default='SCHEDULED'))",
            "    op.alter_column('bookings', 'status', server_default='scheduled')",
        ],
        [
            "    op.add_column('bookings', sa.Column('status', sa.String(50), server_default='SCHEDULED'))",
            "    op.drop_table('bookings')",
        ],
        [
            "    op.execute(\"CREATE TYPE status AS ENUM ('SCHEDULED')\")\n"
            "    op.execute(\"ALTER TABLE bookings ADD status status DEFAULT 'SCHEDULED'\")",
            "    op.execute(\"ALTER TYPE status RENAME VALUE 'SCHEDULED' TO 'scheduled'\")",
        ],
    ],
)
def test_what_is_no_finding(bodies: list[str]) -> None:
    assert found(*bodies) == []


def test_lists_are_left_alone() -> None:
    body = "    op.add_column('bookings', sa.Column('status', sa.String(50), server_default='{}'))"
    assert found(body, model=replace(STATUS, is_array=True)) == []
