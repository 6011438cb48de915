"""Rules on data and process: their edits repair, live facts and markers weigh them, a downgrade is not an accident."""

from __future__ import annotations

from dataclasses import replace

import pytest

from handrail.facts import ColumnFacts, DatabaseFacts, ObjectKind, Question, TableName
from handrail.lint.engine import check, context_of, lint, questions_of
from handrail.lint.finding import Finding, Severity, apply_edits
from handrail.lint.rule import Case, Rule
from handrail.lint.rules import RULES
from handrail.migrations.revision import Direction, Revision
from unit.building import facts, path_of, revision, script, table, thing

BY_CODE = {rule.code: rule for rule in RULES}
MINE = [
    "BC101",
    "BC102",
    "DD103",
    "DL101",
    "DL102",
    "DL103",
    "DL104",
    "DL105",
    "EN101",
    "EN102",
    "EN103",
    "EN104",
    "MF102",
    "MF103",
    "MF104",
    "MF105",
    "PR103",
    "PR104",
    "PR105",
    "PR106",
    "PR107",
    "TX102",
    "TX103",
]
BAD = [
    pytest.param(BY_CODE[f"HR-{code}"], case, id=f"{code}: {case.title}")
    for code in MINE
    for case in BY_CODE[f"HR-{code}"].BAD
]


def found(code: str, body: str, known: DatabaseFacts | None = None, **more: str) -> tuple[Finding, ...]:
    return lint(path_of(script(body, **more)), facts=known, rules=[BY_CODE[f"HR-{code}"]])


def counted(code: str, one: Revision, known: DatabaseFacts, *numbers: int) -> tuple[list[Question], list[Finding]]:
    """What the rule asks of a database, and what it says of these answers."""
    rules = [BY_CODE[f"HR-{code}"]]
    context = context_of(path_of(one), None, known, engine="postgresql")
    asked = list(questions_of(context, rules))
    answers = dict(zip(asked, numbers, strict=True))
    return asked, list(check(replace(context, answers=answers), rules))


def all_of(source: str) -> list[Finding]:
    return list(lint(path_of(revision(source))))


@pytest.mark.parametrize(("rule", "case"), BAD)
def test_edits_repair_and_bring_nothing_new(rule: Rule, case: Case) -> None:
    for source in case.sources.values():
        before = all_of(source)
        edits = [edit for one in before if one.rule == rule.code for edit in one.edits]
        if not edits:
            continue
        after = apply_edits(source, edits)
        codes = {one.rule for one in all_of(after)}
        assert rule.code not in codes
        assert codes - getattr(rule, "brings", frozenset()) <= {one.rule for one in before}


def test_some_rules_have_edits() -> None:
    """So that the test above tests something."""
    with_edits = {
        one.rule for param in BAD for source in param.values[1].sources.values()  # type: ignore[union-attr]
        for one in all_of(source) if one.edits
    }  # fmt: skip
    assert {"HR-TX102", "HR-EN103", "HR-EN104"} <= with_edits


ROWS = facts(table("bookings", ColumnFacts("id", "integer", False), ColumnFacts("topic", "text", True), rows=2))
EMPTY = facts(table("bookings", "id", "topic", rows=0))
DROP = "    op.drop_column('bookings', 'topic')"


def test_a_dropped_column_is_as_bad_as_the_values_in_it() -> None:
    asked, errors = counted("DL101", script(DROP), ROWS, 2)
    assert asked == [Question(TableName("bookings"), '"topic" IS NOT NULL')]
    assert [(one.severity, one.message) for one in errors] == [
        (Severity.ERROR, "drops bookings.topic with 2 values")
    ]  # fmt: skip
    assert [one.severity for one in counted("DL101", script(DROP), ROWS, 0)[1]] == [Severity.INFO]
    assert [one.severity for one in found("DL101", DROP)] == [Severity.WARNING]
    assert [one.severity for one in found("DL101", DROP, EMPTY)] == [Severity.INFO]
    said = script(f"    # handrail: drops bookings.topic\n{DROP}")
    assert [one.severity for one in counted("DL101", said, ROWS, 2)[1]] == [Severity.INFO]


def test_a_dropped_table_is_as_bad_as_its_rows() -> None:
    body = "    op.drop_table('bookings')"
    _, errors = counted("DL102", script(body), ROWS, 2)
    assert [(one.severity, one.message) for one in errors] == [(Severity.ERROR, "drops table bookings with 2 rows")]
    said = f"    # handrail: drops bookings\n{body}"
    assert [one.severity for one in found("DL102", said, ROWS)] == [Severity.INFO]


def test_what_a_downgrade_drops_was_asked_for() -> None:
    for statement in ("op.drop_column('bookings', 'topic')", "op.drop_table('bookings')"):
        back = script("    pass", down=f"    {statement}\n")
        context = context_of(path_of(back, direction=Direction.DOWNGRADE), None, ROWS)
        answers = dict.fromkeys(questions_of(context), 2)
        rules = [BY_CODE["HR-DL101"], BY_CODE["HR-DL102"]]
        severities = [one.severity for one in check(replace(context, answers=answers), rules)]
        assert severities == [Severity.WARNING]


def test_a_rename_is_offered_by_the_type_that_the_catalog_knows() -> None:
    known = facts(table("bookings", ColumnFacts("topic", "character varying(50)", True), rows=2))
    body = "    op.add_column('bookings', sa.Column('subject', sa.String({})))\n" + DROP
    (finding,) = found("DL103", body.format(50), known)
    assert finding.severity is Severity.ERROR
    assert finding.fix_hint == "op.alter_column('bookings', 'topic', new_column_name='subject')"
    assert found("DL103", body.format(80), known) == ()
    assert [one.rule for one in found("DL101", body.format(80), known)] == ["HR-DL101"]
    assert found("DL101", body.format(50), known) == ()


def test_the_likest_names_are_paired() -> None:
    down = (
        "    op.add_column('t', sa.Column('first_name', sa.TEXT()))\n"
        "    op.add_column('t', sa.Column('last_name', sa.TEXT()))\n"
    )
    body = (
        "    op.add_column('t', sa.Column('name_last', sa.Text()))\n"
        "    op.add_column('t', sa.Column('firstname', sa.Text()))\n"
        "    op.drop_column('t', 'first_name')\n    op.drop_column('t', 'last_name')"
    )
    hints = [one.fix_hint for one in found("DL103", body, down=down)]
    assert hints == [
        "op.alter_column('t', 'first_name', new_column_name='firstname')",
        "op.alter_column('t', 'last_name', new_column_name='name_last')",
    ]


DELETE = "    op.execute('DELETE FROM bookings')"


def test_an_unscoped_write_is_weighed_by_rows_and_marker() -> None:
    _, errors = counted("DL104", script(DELETE), ROWS, 412)
    assert [str(one) for one in errors] == [
        "versions/1a2b.py:6:4: error HR-DL104 DELETE without WHERE deletes every row of bookings (412 rows)"
    ]
    assert counted("DL104", script(DELETE), ROWS, 0)[1] == []
    assert [one.severity for one in found("DL104", DELETE)] == [Severity.ERROR]
    assert [one.severity for one in found("DL104", f"    # handrail: changes bookings\n{DELETE}")] == [Severity.INFO]
    update = "    # handrail: changes bookings.topic\n    op.execute('UPDATE bookings SET topic = NULL')"
    assert [one.severity for one in found("DL104", update)] == [Severity.INFO]
    other = update.replace("bookings.topic", "bookings.id")
    assert [one.severity for one in found("DL104", other)] == [Severity.ERROR]
    assert found("DL104", DELETE, head='"""handrail: changes bookings"""\n') != ()


UNIQUE = "    op.create_index('uq', 'bookings', ['topic'], unique=True)"


def test_duplicates_are_counted() -> None:
    asked, errors = counted("MF102", script(UNIQUE), ROWS, 4)
    assert asked == [Question(TableName("bookings"), columns=("topic",), duplicates=True)]
    assert [(one.severity, one.message) for one in errors] == [
        (Severity.ERROR, "unique on bookings (topic): 4 rows share a value")
    ]
    assert counted("MF102", script(UNIQUE), ROWS, 0)[1] == []
    assert [one.severity for one in found("MF102", UNIQUE)] == [Severity.INFO]
    assert found("MF102", UNIQUE, EMPTY) == ()
    keyed = facts(table("bookings", "topic", key=("topic",), rows=2))
    assert found("MF102", UNIQUE, keyed) == ()


def test_rows_that_the_script_corrects_first_are_not_counted() -> None:
    for code, body in (
        ("MF102", UNIQUE),
        ("MF104", "    op.create_check_constraint('ck', 'bookings', 'id > 0')"),
        ("MF103", "    op.create_foreign_key('fk', 'bookings', 'bookings', ['id'], ['id'])"),
    ):
        corrected = script(f"    op.execute('DELETE FROM bookings WHERE id < 0')\n{body}")
        asked, findings = counted(code, corrected, ROWS)
        assert asked == []
        assert [one.severity for one in findings] == [Severity.INFO]


def test_orphans_and_refused_rows_are_counted() -> None:
    known = facts(*ROWS.tables, table("rooms", "id", rows=1))
    key = script("    op.create_foreign_key('fk', 'bookings', 'rooms', ['topic'], ['id'])")
    asked, errors = counted("MF103", key, known, 1)
    assert asked == [
        Question(TableName("bookings"), columns=("topic",), parent=TableName("rooms"), parent_columns=("id",))
    ]
    assert [(one.severity, one.message) for one in errors] == [
        (Severity.ERROR, "foreign key from bookings (topic) to rooms: 1 row without a parent")
    ]
    assert counted("MF103", key, known, 0)[1] == []
    check_ = script("    op.create_check_constraint('ck', 'bookings', 'id > 0')")
    asked, errors = counted("MF104", check_, known, 3)
    assert asked == [Question(TableName("bookings"), "NOT (id > 0)")]
    assert errors[0].message == "CHECK ck on bookings (id > 0): 3 rows do not meet it"
    python = script("    op.create_check_constraint('ck', 'bookings', sa.and_(sa.column('id') > 0))")
    assert counted("MF104", python, known)[0] == []


@pytest.mark.parametrize(
    ("old", "new", "condition"),
    [
        ("text", "sa.String(10)", 'length("topic"::text) > 10'),
        ("character varying(20)", "sa.String(10)", 'length("topic"::text) > 10'),
        ("character varying(10)", "sa.String(10)", None),
        ("bigint", "sa.Integer()", '"topic"::numeric NOT BETWEEN -2147483648 AND 2147483647'),
        ("smallint", "sa.Integer()", None),
        ("numeric(12,2)", "sa.Numeric(8, 2)", 'abs(round("topic"::numeric, 2)) >= 1e6'),
        ("numeric(8,2)", "sa.Numeric(12, 2)", None),
        ("text", "sa.Text()", None),
    ],
)
def test_a_narrowed_type_by_the_catalog(old: str, new: str, condition: str | None) -> None:
    known = facts(table("bookings", ColumnFacts("topic", old, True), rows=2))
    one = script(f"    op.alter_column('bookings', 'topic', type_={new})")
    if condition is None:
        assert counted("MF105", one, known) == ([], [])
        return
    asked, errors = counted("MF105", one, known, 5)
    assert asked == [Question(TableName("bookings"), condition)]
    assert [one.severity for one in errors] == [Severity.ERROR]
    assert counted("MF105", one, known, 0)[1] == []


def test_a_backfill_is_as_bad_as_the_table_is_large() -> None:
    body = (
        "    op.add_column('bookings', sa.Column('seats', sa.Integer()))\n"
        "    op.execute('UPDATE bookings SET seats = 1')\n    op.alter_column('bookings', 'seats', nullable=False)"
    )
    sizes = (None, (100, 8_000), (3_000_000, 500_000_000))
    severities = []
    for size in sizes:
        known = None
        if size is not None:
            sized = replace(table("bookings", "id", rows=size[0]), size_bytes=size[1])
            known = replace(facts(sized), engine="postgresql")
        severities += [one.severity for one in found("TX103", body, known)]
    assert severities == [Severity.WARNING, Severity.INFO, Severity.ERROR]


def test_a_new_value_of_a_type_of_the_same_transaction() -> None:
    body = (
        "    op.execute(\"CREATE TYPE mood AS ENUM ('good')\")\n    op.execute(\"ALTER TYPE mood ADD VALUE 'bad'\")\n"
        "    op.execute(\"ALTER TABLE bookings ADD COLUMN mood mood DEFAULT 'bad'\")"
    )
    versions = {
        version: [one.severity for one in found("EN101", body, replace(ROWS, engine="postgresql", version=version))]
        for version in ("15.18", "18.1")
    }
    assert versions == {"15.18": [Severity.ERROR], "18.1": []}


def test_an_enum_type_that_the_catalog_knows() -> None:
    known = replace(
        facts(
            table("bookings", ColumnFacts("state", "state", True), rows=1),
            objects=[thing(ObjectKind.ENUM, "state", None, "on\noff")],
        ),
        engine="postgresql",
    )
    (finding,) = found("EN103", "    op.drop_column('bookings', 'state')", known)
    assert finding.message == "drops bookings.state and leaves its enum type state behind"
    both = replace(known, tables=(*known.tables, table("rooms", ColumnFacts("state", "state", True))))
    assert found("EN103", "    op.drop_column('bookings', 'state')", both) == ()


def test_a_cascade_that_is_there_already() -> None:
    key = thing(ObjectKind.CONSTRAINT, "fk", "bookings", "FOREIGN KEY (room_id) REFERENCES rooms(id) ON DELETE CASCADE")
    known = facts(table("bookings", "room_id", rows=1), objects=[key])
    body = "    op.create_foreign_key('fk2', 'bookings', 'rooms', ['room_id'], ['id'], ondelete='CASCADE')"
    assert found("DL105", body, known) == ()
    assert [one.severity for one in found("DL105", body)] == [Severity.WARNING]


def test_what_cannot_be_analysed_is_said_once() -> None:
    body = "    for one in ('a', 'b'):\n        op.execute(sql_of(one))"
    findings = found("PR103", body)
    assert [(one.severity, one.message) for one in findings] == [
        (Severity.INFO, "not analysable: execute: the SQL is known only when the script runs")
    ]


def test_names_that_no_output_takes_are_shown_as_escapes() -> None:
    (finding,) = found("DL102", "    op.drop_table('\\ud800')")
    assert finding.message == "drops table \\ud800"


def test_an_enum_type_made_by_an_earlier_script() -> None:
    made = script("    op.create_table('t', sa.Column('s', sa.Enum('on', name='state')))", id_="0001")
    added = script("    op.add_column('u', sa.Column('s', sa.Enum('on', name='state')))", id_="0002")
    rules = [BY_CODE["HR-EN104"]]
    assert lint(path_of(made, added), rules=rules) == ()
    assert [one.severity for one in lint(path_of(added), rules=rules)] == [Severity.WARNING]
    known = replace(ROWS, engine="postgresql")
    assert [one.severity for one in lint(path_of(added), facts=known, rules=rules)] == [Severity.ERROR]


def test_a_downgrade_that_leaves_only_rows() -> None:
    rows = "    op.execute(\"UPDATE bookings SET topic = 'a' WHERE topic = 'b'\")"
    assert [one.severity for one in found("PR104", rows)] == [Severity.INFO]
    assert found("PR104", rows, down="    raise NotImplementedError\n") == ()
