"""The rules: their own cases, the fix point, severities, and the engine's order."""

from __future__ import annotations

import ast
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handrail.lint.engine import Stamp, check, lint, lint_history
from handrail.lint.finding import Finding, Severity, apply_edits, remaining
from handrail.lint.next_revisions import new_script
from handrail.lint.rule import Case, LintContext, Rule
from handrail.lint.rules import RULES
from handrail.lint.rules.not_null_without_default import NotNullWithoutDefault
from handrail.lint.rules.several_heads import SeveralHeads
from handrail.lint.rules.unknown_revision import UnknownRevision
from handrail.migrations.identity import identify
from handrail.migrations.reading import read_script
from handrail.migrations.revision import Direction
from unit.building import HEADER, facts, path_of, revision, script, table

UNSAFE = (
    "    op.add_column('bookings', sa.Column('attendance_status', "
    "sa.Enum('SCHEDULED', 'ATTENDED', name='attendancestatus'), nullable=False))"
)
#: The tests of the engine ask few rules, so that a new one changes nothing here.
FEW = (NotNullWithoutDefault(), SeveralHeads(), UnknownRevision())
CASES = [
    pytest.param(rule, case, is_bad, id=f"{rule.code}: {case.title}")
    for rule in RULES
    for is_bad, cases in ((True, rule.BAD), (False, rule.GOOD))
    for case in cases
]


def context_of(case: Case) -> LintContext:
    is_whole = any("revision = " in source for source in case.sources.values())
    named = [
        identify(name, source) if is_whole else revision(source, name, name) for name, source in case.sources.items()
    ]
    readings = tuple(read_script(one) for one in named)
    return LintContext(
        readings, heads=case.heads, current=case.current, unknown=case.unknown, is_whole=is_whole, enums=case.enums
    )


@pytest.mark.parametrize(("rule", "case", "is_bad"), CASES)
def test_every_case_of_every_rule(rule: Rule, case: Case, is_bad: bool) -> None:
    assert bool(check(context_of(case), [rule])) is is_bad


def test_a_finding_is_the_corrected_code() -> None:
    (finding,) = lint(path_of(script(UNSAFE)), rules=FEW)
    call = (
        "op.add_column('bookings', sa.Column('attendance_status', sa.Enum('SCHEDULED', 'ATTENDED', "
        "name='attendancestatus'), {}))"
    )
    corrected = (
        f"{call.format('nullable=True')}; a next revision fills it, a third sets NOT NULL (handrail lint --fix writes "
        f"both). Or, with one value for all rows: {call.format(f'server_default={chr(39)}SCHEDULED{chr(39)}, nullable=False')}"
    )
    assert finding == Finding(
        rule="HR-DD101",
        severity=Severity.ERROR,
        file="versions/1a2b.py",
        line=6,
        column=4,
        message="bookings.attendance_status is NOT NULL without a server_default",
        why=NotNullWithoutDefault.why,
        fix_hint=corrected,
    )
    assert finding.lines() == (
        f"versions/1a2b.py:6:4: error HR-DD101 {finding.message}",
        f"  why: {finding.why}",
        f"  write: {corrected}",
    )


types = st.sampled_from(
    ["sa.Integer()", "sa.Boolean()", "sa.String(50)", "sa.Enum('예정', \"it's\", name='e')", "sa.DateTime()", "sa.Date",
     "sa.JSON()", "sa.Uuid()", "sqlmodel.sql.sqltypes.AutoString(length=50)", "Vector(3)", "sa.ForeignKey('t.id')"]
)  # fmt: skip
tails = st.sampled_from(
    [
        "nullable=False",
        "server_default=None, nullable=False",
        "nullable=False, comment='출석'",
        "nullable=False,\n        ",
    ]
)


@given(types, tails, st.booleans(), st.booleans())
def test_the_corrected_code_has_no_finding(type_: str, tail: str, is_batch: bool, by_variable: bool) -> None:
    column = f"sa.Column('상태', {type_}, {tail})"
    argument = "column" if by_variable else column
    body = f"    column = {column}\n" if by_variable else ""
    if is_batch:
        body += f"    with op.batch_alter_table('t') as batch:\n        batch.add_column({argument})"
    else:
        body += f"    op.add_column('t', {argument})"
    found = lint(path_of(script(body)), rules=FEW)
    assert [finding.rule for finding in found] == ["HR-DD101"]
    before = script(body).source
    after = apply_edits(before, found[0].edits)
    assert lint(path_of(revision(after)), rules=FEW) == ()
    assert found[0].fix_hint.partition("; a next revision")[0] in " ".join(line.strip() for line in after.splitlines())
    ast.parse(after)
    parent = revision(after)
    for following in found[0].revisions:
        parent = new_script(parent, following)
        assert lint(path_of(parent), rules=FEW) == ()
        assert identify("", parent.source).id == parent.id


def test_severity_follows_the_rows_that_are_there() -> None:
    path = path_of(script(UNSAFE))
    with_rows, empty = facts(table("bookings", "id", rows=2)), facts(table("bookings", "id", rows=0))
    severities = [lint(path, None, known, FEW)[0].severity for known in (None, with_rows, empty, facts())]
    assert severities == [Severity.ERROR, Severity.ERROR, Severity.INFO, Severity.INFO]


def test_a_table_made_on_the_way_is_empty_until_it_is_filled() -> None:
    create = script("    op.create_table('bookings', sa.Column('id', sa.Integer()))", id_="0001")
    fill = script('    op.execute("INSERT INTO bookings SELECT 1")', id_="0002")
    rename = script("    op.rename_table('bookings', 'old')\n    op.rename_table('old', 'bookings')", id_="0003")
    unsafe = script(UNSAFE, id_="0004")
    assert lint(path_of(create, unsafe), rules=FEW) == ()
    assert lint(path_of(create, rename, unsafe), rules=FEW) == ()
    assert [finding.rule for finding in lint(path_of(create, fill, unsafe), rules=FEW)] == ["HR-DD101"]
    assert [finding.rule for finding in lint_history([create, unsafe], rules=FEW)] == ["HR-DD101"]


def test_history_and_stamp() -> None:
    stamp = Stamp(heads=("1a2b", "3c4d"), current=("dead",), unknown=("dead",))
    found = lint(path_of(script("    pass")), stamp, rules=FEW)
    assert [str(finding) for finding in found] == [
        "error HR-PR101 the history has 2 heads: 1a2b, 3c4d",
        "error HR-PR102 the database is stamped with dead, which no script has",
    ]
    assert [
        finding.rule
        for finding in lint_history([replace(revision(HEADER + "def upgrade(): ...\n"), is_head=True)], rules=FEW)
    ] == []


def test_a_downgrade_is_judged_by_its_own_function() -> None:
    back = script("    pass", down="    op.add_column('t', sa.Column('a', sa.Integer(), nullable=False))\n")
    assert lint(path_of(back), rules=FEW) == ()
    assert [finding.rule for finding in lint(path_of(back, direction=Direction.DOWNGRADE), rules=FEW)] == ["HR-DD101"]


def test_remaining_is_by_level() -> None:
    findings = [Finding("R", severity, "f", 1, 0, "m", "w") for severity in Severity]
    kept = {level: [finding.severity.value for finding in remaining(findings, level)] for level in
            ("off", "error", "warning", "info")}  # fmt: skip
    assert kept == {
        "off": [],
        "error": ["error"],
        "warning": ["warning", "error"],
        "info": ["info", "warning", "error"],
    }
