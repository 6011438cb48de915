"""The rules about SQLite with a catalog and with counted rows, and the edits they offer."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from handrail.facts import ColumnFacts, DatabaseFacts, ObjectKind, Question, TableName
from handrail.lint.engine import check
from handrail.lint.finding import Finding, Severity, apply_edits
from handrail.lint.rule import LintContext
from handrail.lint.rules import RULES
from handrail.migrations.reading import read_script
from handrail.migrations.revision import Revision
from unit.building import facts, revision, script, table, thing

SQLITE_RULES = [rule for rule in RULES if rule.code.startswith("HR-SQ")]
COPY = "    with op.batch_alter_table('users') as batch_op:\n        batch_op.alter_column('name', nullable=False)"
C, V, T, X = ObjectKind.CONSTRAINT, ObjectKind.VIEW, ObjectKind.TRIGGER, ObjectKind.INDEX


def found(
    body: str | Revision,
    known: DatabaseFacts | None = None,
    answers: Mapping[Question, int] | None = None,
    engines: Sequence[str] = ("sqlite",),
) -> tuple[Finding, ...]:
    read = read_script(script(body) if isinstance(body, str) else body)
    context = LintContext((read,), known, engines=frozenset(engines), answers=answers or {})
    return check(context, SQLITE_RULES)


def said(findings: Sequence[Finding]) -> list[tuple[str, str, str]]:
    return [(one.rule, one.severity.value, one.message) for one in findings]


def test_children_that_the_catalog_knows() -> None:
    users, bookings = table("users", "id", "name"), table("bookings", "id", "user_id")
    key = "FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE"
    known = facts(users, bookings, objects=[thing(C, key, "bookings", key)])
    message = "copying users with foreign_keys on would delete or unlink the rows of bookings"
    assert said(found(COPY, known)) == [("HR-SQ101", "warning", message)]
    assert found(COPY, facts(users, bookings)) == ()
    assert found(COPY) == ()
    on = "    op.execute('PRAGMA foreign_keys = ON')\n" + COPY
    assert [one.severity for one in found(on, known)] == [Severity.ERROR]
    assert found(on, facts(users, bookings)) == ()
    assert found("    op.drop_table('bookings')\n    op.drop_table('users')", known) == ()
    assert [one.rule for one in found("    op.drop_table('users')", known)] == ["HR-SQ101"]


def test_a_table_that_points_to_itself_is_its_own_copy() -> None:
    key = "FOREIGN KEY (boss) REFERENCES users (id)"
    assert found(COPY, facts(table("users", "id", "name"), objects=[thing(C, key, "users", key)])) == ()


def test_leftovers_that_the_catalog_knows() -> None:
    users, copy = table("users", "id", "name"), table("_alembic_tmp_users", "id", "name")
    message = "_alembic_tmp_users is there from a run that failed: copying users ends with an error"
    assert said(found(COPY, facts(users, copy))) == [("HR-SQ102", "error", message)]
    drop = "    op.execute('DROP TABLE IF EXISTS _alembic_tmp_users')\n"
    assert found(drop + COPY, facts(users, copy)) == ()
    assert found(drop, facts(users)) == ()
    assert [one.severity for one in found(drop, facts(copy))] == [Severity.ERROR]


def test_what_a_copy_would_lose() -> None:
    name = ColumnFacts("name", "TEXT", True, collation="NOCASE")
    check_of_name = "CHECK (name <> '')"
    objects = [
        thing(C, "AUTOINCREMENT", "users", "AUTOINCREMENT (id)"),
        thing(C, check_of_name, "users", check_of_name),
        thing(C, "named", "users", "CHECK (id > 0)"),
        thing(X, "ix_low", "users", "CREATE INDEX ix_low ON users (lower (name))"),
        thing(X, "ix_back", "users", "CREATE INDEX ix_back ON users (name DESC)"),
        thing(X, "ix_name", "users", 'CREATE INDEX ix_name ON users (id, "name") WHERE id > 1'),
        thing(T, "touch", "users", "CREATE TRIGGER touch AFTER INSERT ON users BEGIN SELECT 1; END"),
        thing(T, "other", "notes", "CREATE TRIGGER other AFTER INSERT ON notes BEGIN SELECT 1; END"),
    ]
    known = facts(table("users", "id", name), objects=objects)
    message = (
        "copying users loses AUTOINCREMENT, COLLATE NOCASE of name, DESC of index ix_back, "
        "index ix_low on (lower (name)), the unnamed CHECK (name <> ''), trigger touch"
    )
    assert said(found(COPY, known)) == [("HR-SQ103", "warning", message)]
    given = COPY.replace("'users')", "'users', copy_from=users)")
    assert found(given, known) == ()
    kept = COPY.replace("'users')", "'users', table_kwargs={'sqlite_autoincrement': True}, table_args=(ck,))")
    (finding,) = found(kept, known)
    assert "AUTOINCREMENT" not in finding.message
    assert "CHECK" not in finding.message
    (finding,) = found("    op.execute('DROP TRIGGER touch')\n    op.drop_index('ix_low')\n" + COPY, known)
    assert "touch" not in finding.message
    assert "ix_low" not in finding.message


def test_views_and_generated_columns_that_the_catalog_knows() -> None:
    twice = ColumnFacts("twice", "INTEGER", True, generated=True)
    known = facts(table("users", "id", "name", twice), objects=[thing(V, "names", None, "CREATE VIEW names AS SELECT name FROM users")])  # fmt: skip
    assert said(found(COPY, known)) == [
        ("HR-SQ104", "error", "copying users fails on SQLite: view names reads it"),
        ("HR-SQ105", "error", "copying users fails on SQLite: twice is a generated column"),
    ]
    around = "    op.execute('DROP VIEW names')\n" + COPY + "\n        batch_op.drop_column('twice')"
    assert found(around, known) == ()
    other = facts(table("users", "id"), objects=[thing(V, "v", None, "CREATE VIEW v AS SELECT 1 FROM users_old")])
    assert found(COPY, other) == ()


def test_values_that_a_cast_would_change_are_counted() -> None:
    body = (
        "    with op.batch_alter_table('users') as batch_op:\n        batch_op.alter_column('age', type_=sa.Integer())"
    )
    known = facts(table("users", "id", ColumnFacts("age", "VARCHAR(20)", True)))
    read = read_script(script(body))
    context = LintContext((read,), known, engines=frozenset({"sqlite"}))
    rule = next(rule for rule in SQLITE_RULES if rule.code == "HR-SQ106")
    (question,) = rule.questions(context)  # type: ignore[attr-defined]
    assert question == Question(TableName("users"), '"age" IS NOT NULL AND NOT (CAST("age" AS INTEGER) = "age")')
    what = "users.age is copied through CAST from varchar to integer on SQLite"
    assert said(found(body, known, {question: 2})) == [("HR-SQ106", "error", f"{what}: 2 values would change")]
    assert found(body, known, {question: 0}) == ()
    assert [one.severity for one in found(body, known)] == [Severity.WARNING]
    assert found(body) == ()
    assert list(rule.questions(replace(context, facts=replace(known, engine="postgresql")))) == []  # type: ignore[attr-defined]


def test_a_column_that_the_catalog_knows_to_be_used() -> None:
    unique, key = "UNIQUE (name)", "PRIMARY KEY (id)"
    objects = [
        thing(C, unique, "users", unique),
        thing(C, key, "users", key),
        thing(X, "ix_age", "users", "CREATE INDEX ix_age ON users (age)"),
    ]
    known = facts(table("users", "id", "name", "age", "note"), objects=objects)
    message = "dropping users.name fails on SQLite: UNIQUE (name) uses it"
    assert said(found("    op.drop_column('users', 'name')", known)) == [("HR-SQ110", "error", message)]
    assert [one.rule for one in found("    op.execute('ALTER TABLE users DROP COLUMN age')", known)] == ["HR-SQ110"]
    assert found("    op.drop_index('ix_age')\n    op.drop_column('users', 'age')", known) == ()
    assert found("    op.drop_column('users', 'note')", known) == ()


def test_what_other_engines_made_before_does_not_count() -> None:
    made = """\
    if op.get_bind().dialect.name == "postgresql":
        op.execute("CREATE TRIGGER touch AFTER INSERT ON users EXECUTE FUNCTION f()")
        op.execute("CREATE VIEW names AS SELECT name FROM users")
        op.add_column("users", sa.Column("twice", sa.Integer(), sa.Computed("id * 2", persisted=True)))
        op.create_index("ix", "users", ["age"])
"""
    assert found(made + COPY + "\n    op.drop_column('users', 'age')") == ()
    assert {one.rule for one in found(made.replace("postgresql", "sqlite") + COPY)} >= {"HR-SQ103", "HR-SQ104"}


EDITED = [
    (
        "    op.create_foreign_key('fk', 'b', 'users', ['u'], ['id'], ondelete='SET NULL')",
        "    with op.batch_alter_table('b') as batch_op:\n"
        "        batch_op.create_foreign_key('fk', 'users', ['u'], ['id'], ondelete='SET NULL')",
    ),
    (
        "    if True:\n        op.alter_column(table_name='b', column_name='x', nullable=False, schema='app')  # why",
        "    if True:\n        with op.batch_alter_table('b', schema='app') as batch_op:\n"
        "            batch_op.alter_column(column_name='x', nullable=False)  # why",
    ),
    (
        "    for name in ('x',):\n        op.drop_constraint(f'ck_{name}', 'b', type_='check')",
        "    for name in ('x',):\n        with op.batch_alter_table('b') as batch_op:\n"
        "            batch_op.drop_constraint(f'ck_{name}', type_='check')",
    ),
]


@pytest.mark.parametrize(("before", "after"), EDITED)
def test_an_alter_moves_into_a_batch(before: str, after: str) -> None:
    source = script(before).source
    (finding,) = found(revision(source))
    fixed = apply_edits(source, finding.edits)
    assert fixed == script(after).source
    assert found(revision(fixed)) == ()


def test_no_edit_where_more_has_to_be_decided() -> None:
    for body in (
        "    op.create_unique_constraint('a', 'b', ['x'])\n    op.create_check_constraint('c', 'b', 'x > 0')",
        "    op.alter_column('b', 'x', type_=sa.Integer())",
        "    op.create_foreign_key(None, 'b', 'users', ['u'], ['id'])",
        "    for x in ('c', 'd'):\n        op.alter_column('b', x, nullable=False)",
        "    op.execute('ALTER TABLE b DROP CONSTRAINT x')",
        "    op.create_check_constraint('c', 'b', '''x\n> 0''')",
    ):
        findings = found(body)
        assert {one.rule for one in findings} == {"HR-SQ108"}
        assert all(one.edits == () and one.fix_hint for one in findings), body


def rules_of(source: str) -> list[str]:
    """What all rules say, for both engines."""
    return sorted(finding.rule for finding in check(LintContext((read_script(revision(source)),))))


def test_edits_of_every_bad_case_take_its_finding_away() -> None:
    edited = 0
    for rule in SQLITE_RULES:
        for source in (text for case in rule.BAD for text in case.sources.values()):
            for finding in check(LintContext((read_script(revision(source)),)), [rule]):
                if not finding.edits:
                    continue
                edited += 1
                fixed = apply_edits(source, finding.edits)
                ast.parse(fixed)
                assert not any(one.rule == rule.code for one in found(revision(fixed)))
                assert not set(rules_of(fixed)) - set(rules_of(source))
    assert edited >= 1


def test_the_rules_are_silent_for_postgresql() -> None:
    for rule in SQLITE_RULES:
        for case in rule.BAD:
            for source in case.sources.values():
                assert found(revision(source), engines=("postgresql",)) == ()


@pytest.mark.parametrize(
    ("default", "is_refused"),
    [
        ("'now()'", False),
        ("sa.text(\"'{}'\")", False),
        ("sa.text('(0)')", False),
        ("sa.text('-1')", False),
        ("sa.false()", False),
        ("settings.default()", False),
        ("DEFAULT", False),
        ("sa.func.now()", True),
        ("sa.text('CURRENT_DATE')", True),
        ("sa.text('(1 + 1)')", True),
        ("sa.text(\"strftime('%s', 'now')\")", True),
    ],
)
def test_which_defaults_sqlite_refuses(default: str, is_refused: bool) -> None:
    body = f"    op.add_column('users', sa.Column('a', sa.Text(), server_default={default}))"
    assert [one.rule for one in found(body)] == (["HR-SQ109"] if is_refused else [])
