"""The edits of HR-DL103: a rename in both functions, and what keeps them from being offered; nothing without a yes."""

from __future__ import annotations

from pathlib import Path

import pytest

from handrail.lint.engine import check
from handrail.lint.finding import Finding, apply_edits
from handrail.lint.rule import LintContext
from handrail.lint.rules.rename_as_drop import RenameAsDrop
from handrail.lint.settings import LintSettings
from handrail.migrations.reading import read_script
from handrail.migrator.script_files import ScriptFile
from handrail.workflows.lint_scripts import nobody, repair
from handrail.workflows.repair_scripts import repair_all
from unit.building import HEADER, revision

BOTH = frozenset({"postgresql", "sqlite"})
ADD, DROP = "{op}add_column({t}sa.Column('{c}', {more}))", "{op}drop_column({t}'{c}')"
STRING = "sa.String(length=50)"


def whole(up: list[str], down: list[str]) -> str:
    bodies = ["".join(f"    {line}\n" for line in lines) for lines in (up, down)]
    return f"{HEADER}def upgrade() -> None:\n{bodies[0]}\n\ndef downgrade() -> None:\n{bodies[1]}"


def added(column: str, more: str = STRING) -> str:
    return f"op.add_column('t', sa.Column('{column}', {more}))"


def dropped(column: str) -> str:
    return f"op.drop_column('t', '{column}')"


def confirmed(source: str, answer: bool = True) -> tuple[str, list[str]]:
    """The text when the question is answered so, and what was asked."""
    asked: list[str] = []

    def confirm(finding: Finding) -> bool:
        asked.append(finding.message)
        return answer

    found = repair([ScriptFile(Path("x.py"), revision(source))], LintSettings(), BOTH, confirm=confirm)
    return (found[0].source if found else source), asked


def one_finding(source: str) -> Finding:
    context = LintContext((read_script(revision(source)),), engines=BOTH)
    (finding,) = check(context, [RenameAsDrop()])
    return finding


RENAME = "op.alter_column('t', 'topic', new_column_name='subject')"
BATCH = "with op.batch_alter_table('t', schema=None) as batch_op:"
SAID = "drops t.topic and adds t.subject with the same type: a rename keeps the values"
RENAMED = [
    (
        whole([added("subject"), dropped("topic")], [added("topic"), dropped("subject")]),
        whole(
            ["op.alter_column('t', 'topic', new_column_name='subject')"],
            ["op.alter_column('t', 'subject', new_column_name='topic')"],
        ),
    ),
    (
        whole(
            [BATCH, "    batch_op.drop_column('topic')  # gone", f"    batch_op.add_column(sa.Column('subject', {STRING}))"],
            [BATCH, f"    batch_op.add_column(sa.Column('topic', {STRING}))", "    batch_op.drop_column('subject')"],
        ),
        whole(
            [BATCH, "    batch_op.alter_column('topic', new_column_name='subject')  # gone"],
            [BATCH, "    batch_op.alter_column('subject', new_column_name='topic')"],
        ),
    ),
    (
        whole(
            [BATCH, f"    batch_op.add_column(sa.Column('subject', {STRING}, server_default='x', nullable=True))",
             "    batch_op.drop_column('topic')"],
            [BATCH, f"    batch_op.add_column(sa.Column('topic', {STRING}, nullable=True))",
             "    batch_op.drop_column('subject')"],
        ),
        whole(
            [BATCH, "    batch_op.alter_column('topic', new_column_name='subject', "
             f"existing_type={STRING}, server_default='x', existing_server_default=None)"],
            [BATCH, "    batch_op.alter_column('subject', new_column_name='topic', "
             f"existing_type={STRING}, server_default=None, existing_server_default='x')"],
        ),
    ),
    (
        whole(
            ["op.add_column('t', sa.Column('subject', sa.Text()))", "op.create_index('ix', 'u', ['a'])", dropped("topic")],
            ["op.drop_index('ix', table_name='u')", added("topic", "sa.Text()"), dropped("subject")],
        ).replace("op.create_index('ix', 'u', ['a'])", "op.add_column('u', sa.Column('a', sa.Text()))")
        .replace("op.drop_index('ix', table_name='u')", "op.drop_column('u', 'a')"),
        whole(
            ["op.alter_column('t', 'topic', new_column_name='subject')", "op.add_column('u', sa.Column('a', sa.Text()))"],
            ["op.drop_column('u', 'a')", "op.alter_column('t', 'subject', new_column_name='topic')"],
        ),
    ),
]  # fmt: skip


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
@pytest.mark.parametrize(("before", "after"), RENAMED)
def test_a_confirmed_rename(before: str, after: str, ends: str) -> None:
    before, after = before.replace("\n", ends), after.replace("\n", ends)
    assert confirmed(before) == (after, [SAID])
    assert confirmed(before, answer=False) == (before, [SAID])
    assert repair([ScriptFile(Path("x.py"), revision(before))], LintSettings(), BOTH, confirm=nobody) == ()


def test_a_table() -> None:
    def made(name: str) -> str:
        return f"op.create_table('{name}', sa.Column('id', sa.Integer(), primary_key=True), sa.Column('a', sa.Text()))"

    before = whole([made("visits"), "op.drop_table('t')"], [made("t"), "op.drop_table('visits')"])
    after = whole(["op.rename_table('t', 'visits')"], ["op.rename_table('visits', 't')"])
    said = "drops table t and makes visits with the same columns: a rename loses no row"
    assert confirmed(before) == (after, [said])
    for other in ("sa.Column('a', sa.Integer())", "sa.Column('a', sa.Text(), unique=True)"):
        changed = before.replace("sa.Column('a', sa.Text())", other, 1)
        assert confirmed(changed) == (changed, [])


BETWEEN = [
    # Said between the two, the old name keeps the rename back until the drop, the new one calls it forward.
    ([added("subject"), "op.execute(\"UPDATE t SET n = 5 WHERE Topic = 'a'\")", dropped("topic")],
     ["op.execute(\"UPDATE t SET n = 5 WHERE Topic = 'a'\")", RENAME]),
    ([dropped("topic"), "op.create_index('ix', 't', ['n'])", added("subject"), "op.execute('VACUUM t /* subject */')"],
     [RENAME, "op.create_index('ix', 't', ['n'])", "op.execute('VACUUM t /* subject */')"]),
    ([added("subject"), "op.create_index('ix_topic', 't', ['subject'])", dropped("topic")],
     [RENAME, "op.create_index('ix_topic', 't', ['subject'])"]),
    ([added("subject"), "op.alter_column('u', 'topic', nullable=True)", dropped("topic")],
     [RENAME, "op.alter_column('u', 'topic', nullable=True)"]),
    ([added("subject"), "op.create_foreign_key('fk', 'u', 't', ['a'], ['topic'])", dropped("topic")],
     ["op.create_foreign_key('fk', 'u', 't', ['a'], ['topic'])", RENAME]),
]  # fmt: skip


@pytest.mark.parametrize(("up", "after"), BETWEEN)
def test_the_rename_stands_where_no_other_statement_needs_the_other_name(up: list[str], after: list[str]) -> None:
    down = [added("topic"), dropped("subject")]
    back = ["op.alter_column('t', 'subject', new_column_name='topic')"]
    finding = one_finding(whole(up, down))
    assert apply_edits(whole(up, down), finding.edits) == whole(after, back)


KEPT = [
    ([added("subject", f"{STRING}, unique=True"), dropped("topic")], [added("topic"), dropped("subject")]),
    ([added("subject", f"{STRING}, sa.ForeignKey('u.id')"), dropped("topic")], [added("topic"), dropped("subject")]),
    ([added("subject", f"{STRING}, index=True"), dropped("topic")], [added("topic"), dropped("subject")]),
    ([added("subject", f"{STRING}, comment='c'"), dropped("topic")], [added("topic"), dropped("subject")]),
    ([added("subject"), dropped("topic")], ["raise NotImplementedError"]),
    ([added("subject"), "if op.get_bind():", f"    {dropped('topic')}"], [added("topic"), dropped("subject")]),
    ([BATCH, f"    batch_op.add_column(sa.Column('subject', {STRING}))", dropped("topic")],
     [added("topic"), dropped("subject")]),
    ([BATCH, f"    batch_op.add_column(sa.Column('subject', {STRING}))", "    batch_op.drop_column('topic')",
      "    batch_op.create_unique_constraint('uq', ['subject'])"],
     [BATCH, f"    batch_op.add_column(sa.Column('topic', {STRING}))", "    batch_op.drop_column('subject')"]),
    (["op.execute('ALTER TABLE t ADD COLUMN subject varchar(50)')", "op.execute('ALTER TABLE t DROP COLUMN topic')"],
     [added("topic"), dropped("subject")]),
    ([added("subject"), "op.execute('UPDATE t SET n = 1 WHERE topic IS NULL')", "op.create_index('i', 't', ['subject'])",
      dropped("topic")], [added("topic"), dropped("subject")]),
    ([added("subject"), "op.alter_column('t', 'topic', nullable=True, existing_nullable=False)", dropped("topic")],
     [added("topic"), dropped("subject")]),
    ([added("subject"), dropped("topic"), "op.execute('UPDATE t SET n = 1 WHERE topic IS NULL')"],
     [added("topic"), dropped("subject")]),
    ([BATCH, f"    batch_op.add_column(sa.Column('subject', {STRING}))", "    batch_op.drop_column('topic')",
      "    batch_op.alter_column('subject', nullable=True)"],
     [BATCH, f"    batch_op.add_column(sa.Column('topic', {STRING}))", "    batch_op.drop_column('subject')"]),
    ([f"{added('subject')}; {dropped('topic')}"], [added("topic"), dropped("subject")]),
]  # fmt: skip


@pytest.mark.parametrize(("up", "down"), KEPT)
def test_where_a_rename_is_not_all_nothing_is_asked(up: list[str], down: list[str]) -> None:
    _, asked = confirmed(whole(up, down))
    assert asked == []


def test_while_the_question_is_open_its_lines_are_left_alone() -> None:
    """Given a default, the column could no longer be made the old one by a later yes; what is beside it is repaired."""
    down = [added("topic", f"{STRING}, nullable=False"), dropped("subject")]
    before = whole([added("subject", f"{STRING}, nullable=False"), dropped("topic"),
                    "op.add_column('u', sa.Column('a', sa.Integer(), default=3, nullable=False))"], down)  # fmt: skip
    after = before.replace("default=3, nullable", "default=3, server_default='3', nullable")
    repaired = repair_all([file := ScriptFile(Path("x.py"), revision(before))], [file], LintSettings(), BOTH)
    assert [(one.source, [gone.rule for gone in one.gone]) for one in repaired.changed] == [(after, ["HR-DD101"])]
    assert repaired.added == ()
