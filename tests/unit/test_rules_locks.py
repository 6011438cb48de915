"""The rules on locks, scans and rewrites: their edits, what they count, what they make of the catalog."""

from __future__ import annotations

from dataclasses import replace

import pytest

from handrail.facts import ColumnFacts, DatabaseFacts, ObjectKind, Question, SchemaObject, TableFacts, TableName
from handrail.lint.change_rule import ChangeRule
from handrail.lint.engine import check
from handrail.lint.executed import rehearsed
from handrail.lint.finding import Finding, Severity, apply_edits
from handrail.lint.repairs import one_line
from handrail.lint.rule import Case, LintContext
from handrail.lint.rules import RULES
from handrail.lint.settings import LintSettings
from handrail.lint.type_changes import Effect, catalog_type, effect
from handrail.migrations.operations import RevisionRun, SourcePosition, StatementRun
from handrail.migrations.reading import read_script
from handrail.migrations.sql_names import quoted
from unit.building import facts, revision, script, table, thing

CODES = {"HR-TX101", "HR-DD102", "HR-MF101", *(f"HR-LK{number}" for number in range(101, 119))}
OURS = {rule.code: rule for rule in RULES if isinstance(rule, ChangeRule) and rule.code in CODES}
BAD = [pytest.param(rule.code, case, id=f"{rule.code}: {case.title}") for rule in OURS.values() for case in rule.BAD]
REPAIRED = {"HR-LK101", "HR-LK104", "HR-LK106", "HR-LK108", "HR-LK109", "HR-LK110", "HR-LK113", "HR-TX101"}


def context_of(source: str, known: DatabaseFacts | None = None) -> LintContext:
    return LintContext((read_script(revision(source)),), known)


def found(code: str, body: str, known: DatabaseFacts | None = None, **answers: int) -> list[Finding]:
    context = context_of(script(f"    {body}").source, known)
    if answers:
        questions = OURS[code].questions(context)
        context = replace(context, answers={question: answers["rows"] for question in questions})
    return list(check(context, [OURS[code]]))


def column(name: str, type_: str, *, nullable: bool = True) -> ColumnFacts:
    return ColumnFacts(name, type_, nullable)


def postgres(*tables: TableFacts, objects: tuple[SchemaObject, ...] = ()) -> DatabaseFacts:
    return replace(facts(*tables, objects=objects), engine="postgresql")


@pytest.mark.parametrize(("code", "case"), BAD)
def test_the_edits_repair_what_was_found(code: str, case: Case) -> None:
    for source in case.sources.values():
        before = check(context_of(source))
        edits = {edit for finding in before if finding.rule == code for edit in finding.edits}
        if not edits:
            continue
        repaired = apply_edits(source, list(edits))
        after = check(context_of(repaired))
        left = [finding for finding in before if finding.rule == code and not finding.edits]
        assert len([finding for finding in after if finding.rule == code]) == len(left)
        assert {finding.rule for finding in after} <= {finding.rule for finding in before}
        assert repaired != source


def test_which_rules_repair() -> None:
    repairing = {
        code
        for code, rule in OURS.items()
        for case in rule.BAD
        for source in case.sources.values()
        if any(finding.rule == code and finding.edits for finding in check(context_of(source)))
    }
    assert repairing == REPAIRED & OURS.keys()


def test_concurrently_is_put_into_an_autocommit_block() -> None:
    body = "op.create_index('ix', 'bookings', ['topic'], postgresql_concurrently=True)"
    (finding,) = found("HR-TX101", body)
    assert finding.message == "building index ix on bookings CONCURRENTLY inside a transaction fails"
    assert (
        apply_edits(script(f"    {body}").source, finding.edits)
        == script(f"    with op.get_context().autocommit_block():\n        {body}").source
    )


def test_a_transaction_that_the_script_ended_is_not_spoken_of() -> None:
    body = "op.execute('COMMIT')\n    op.execute('DROP INDEX CONCURRENTLY ix')"
    assert found("HR-TX101", body) == []
    assert len(found("HR-TX101", body.replace("'COMMIT'", "'BEGIN'"))) == 1


@pytest.mark.parametrize(
    "default", ["now()", "'random()'", "CURRENT_TIMESTAMP", "uuid_generate_v5('a', 'b')", "1", "lower('A')"]
)
def test_defaults_that_are_the_same_for_all_rows(default: str) -> None:
    assert found("HR-DD102", f"op.execute({f'ALTER TABLE t ADD a text DEFAULT {default}'!r})") == []


def test_nulls_are_counted() -> None:
    body = "op.alter_column('users', 'email', nullable=False)"
    known = postgres(table("users", column("email", "text"), rows=1_000))
    context = context_of(script(f"    {body}").source, known)
    assert list(OURS["HR-MF101"].questions(context)) == [Question(TableName("users"), "email IS NULL")]
    (finding,) = found("HR-MF101", body, known, rows=412)
    assert (finding.message, finding.severity) == ("412 NULLs in users.email: NOT NULL is refused", Severity.ERROR)
    assert found("HR-MF101", body, known, rows=0) == []
    assert found("HR-MF101", body)[0].severity is Severity.INFO  # a guess, beside HR-LK106


def test_nothing_is_counted_where_it_would_say_nothing() -> None:
    alter = "op.alter_column('users', 'email', nullable=False)"
    filled = f"op.execute(\"UPDATE users SET email = 'x' WHERE email IS NULL\")\n    {alter}"
    known = postgres(table("users", column("email", "text"), column("id", "integer", nullable=False), rows=1_000))
    for body in (filled, alter.replace("email", "id"), alter.replace("email", "new"), alter.replace("users", "other")):
        assert list(OURS["HR-MF101"].questions(context_of(script(f"    {body}").source, known))) == []
    assert found("HR-MF101", filled, known) == found("HR-MF101", alter.replace("email", "id"), known) == []


def test_a_column_filled_by_an_earlier_script_may_be_required() -> None:
    fill = read_script(script("    op.execute(\"UPDATE users SET email = 'x'\")", id_="0001"))
    alter = read_script(script("    op.alter_column('users', 'email', nullable=False)", id_="0002"))
    assert check(LintContext((fill, alter), is_path=False), [OURS["HR-MF101"]]) == ()


def test_not_null_needs_no_scan_where_a_check_says_so() -> None:
    body = "op.alter_column('users', 'email', nullable=False)"
    objects = (thing(ObjectKind.CONSTRAINT, "ck", "users", "CHECK ((email IS NOT NULL) AND (id IS NOT NULL))"),)
    users = table("users", column("email", "text"), rows=5_000_000)
    assert found("HR-LK106", body, postgres(users, objects=objects)) == []
    assert [one.severity for one in found("HR-LK106", body, postgres(users))] == [Severity.ERROR]
    unchecked = (replace(objects[0], is_valid=False),)
    assert len(found("HR-LK106", body, postgres(users, objects=unchecked))) == 1


def test_the_repair_of_set_not_null() -> None:
    (finding,) = found("HR-LK106", "op.alter_column('user', 'Email', nullable=False)")
    assert finding.fix_hint.splitlines() == [
        "op.create_check_constraint(op.f('ck_user_Email_not_null'), 'user', '\"Email\" IS NOT NULL', postgresql_not_valid=True)",
        "with op.get_context().autocommit_block():",
        '    op.execute(\'ALTER TABLE "user" VALIDATE CONSTRAINT "ck_user_Email_not_null"\')',
        "op.alter_column('user', 'Email', nullable=False)",
        "op.drop_constraint(op.f('ck_user_Email_not_null'), 'user', type_='check')",
    ]
    assert finding.edits


LONG_INDEX = """\
op.create_index(
        "ix_a",
        "bookings",
        ["a"],
    )"""
LONG_INDEX_REPAIRED = """\
    with op.get_context().autocommit_block():
        op.create_index(
            "ix_a",
            "bookings",
            ["a"], postgresql_concurrently=True, if_not_exists=True,
        )
"""
LONG_ALTER = """\
op.alter_column(
        'bookings',
        'seats',
        nullable=False,
    )"""
LONG_ALTER_REPAIRED = """\
    op.create_check_constraint(op.f('ck_bookings_seats_not_null'), 'bookings', 'seats IS NOT NULL', postgresql_not_valid=True)
    with op.get_context().autocommit_block():
        op.execute('ALTER TABLE bookings VALIDATE CONSTRAINT ck_bookings_seats_not_null')
    op.alter_column(
        'bookings',
        'seats',
        nullable=False,
    )
    op.drop_constraint(op.f('ck_bookings_seats_not_null'), 'bookings', type_='check')
"""
LESS_INDENTED = """\
op.create_index("ix_a", "bookings",
["a"])"""
LESS_INDENTED_REPAIRED = """\
    with op.get_context().autocommit_block():
        op.create_index("ix_a", "bookings",
        ["a"], postgresql_concurrently=True, if_not_exists=True)
"""


@pytest.mark.parametrize("block", ["conn.begin_nested()", "op.get_bind().begin()", "open() as file, session.begin()"])
@pytest.mark.parametrize(
    ("code", "body"),
    [
        ("HR-LK101", "op.create_index('ix_a', 'bookings', ['a'])"),
        ("HR-LK104", "op.drop_index('ix_a', 'bookings')"),
        ("HR-LK106", "op.alter_column('bookings', 'seats', nullable=False)"),
        ("HR-LK108", "op.create_foreign_key('fk_a', 'bookings', 'rooms', ['a'], ['id'])"),
        ("HR-LK109", "op.create_check_constraint('ck_a', 'bookings', 'a > 0')"),
        ("HR-LK109", "op.execute('ALTER TABLE bookings ADD CONSTRAINT ck_a CHECK (a > 0)')"),
        ("HR-LK110", "op.create_unique_constraint('uq_a', 'bookings', ['a'])"),
    ],
)
def test_no_autocommit_block_is_put_into_a_transaction_of_the_script(code: str, body: str, block: str) -> None:
    (finding,) = found(code, f"with {block}:\n        {body}")
    assert finding.edits == ()
    (finding,) = found(code, f"with {block}:\n        pass\n    {body}")
    assert finding.edits


@pytest.mark.parametrize(
    ("code", "body", "wanted"),
    [
        ("HR-LK101", LONG_INDEX, LONG_INDEX_REPAIRED),
        ("HR-LK106", LONG_ALTER, LONG_ALTER_REPAIRED),
        ("HR-LK101", LESS_INDENTED, LESS_INDENTED_REPAIRED),
    ],
)
def test_calls_of_several_lines_keep_their_indentation(code: str, body: str, wanted: str) -> None:
    (finding,) = found(code, body)
    assert wanted in apply_edits(script(f"    {body}").source, finding.edits)


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("character varying(50)", "varchar(100)", Effect.KEEPS),
        ("character varying(50)", "varchar", Effect.KEEPS),
        ("text", "varchar", Effect.KEEPS),
        ("text", "varchar(10)", Effect.REWRITES),
        ("character varying(100)", "varchar(50)", Effect.REWRITES),
        ("character(5)", "varchar(5)", Effect.REWRITES),
        ("numeric(12,2)", "numeric(14,2)", Effect.KEEPS),
        ("numeric(12,2)", "numeric", Effect.KEEPS),
        ("numeric(12)", "numeric(14,0)", Effect.KEEPS),
        ("numeric(12,2)", "numeric(14,3)", Effect.REWRITES),
        ("numeric", "numeric(14,3)", Effect.REWRITES),
        ("integer", "bigint", Effect.REWRITES),
        ("integer", "text", Effect.REWRITES),
        ("json", "jsonb", Effect.REWRITES),
        ("double precision", "float", Effect.KEEPS),
        ("real", "float", Effect.REWRITES),
        ("timestamp without time zone", "timestamptz", Effect.KEEPS_IN_UTC),
        ("timestamp(3) without time zone", "timestamp", Effect.KEEPS),
        ("timestamp with time zone", "timestamptz(3)", Effect.REWRITES),
        ("interval", "interval", Effect.KEEPS),
        ("cidr", "inet", Effect.KEEPS),
        ("bit varying(3)", "bit varying(5)", Effect.KEEPS),
        ("citext", "text", Effect.UNKNOWN),
        ("serial", "integer", Effect.KEEPS),
    ],
)  # fmt: skip
def test_what_a_change_of_type_does(old: str, new: str, what: Effect) -> None:
    wanted = catalog_type(new)
    assert wanted is not None
    assert effect(catalog_type(old), wanted, None) is what


def test_a_using_that_says_nothing_new() -> None:
    wanted = catalog_type("text")
    assert wanted is not None
    words = [None, "topic", "topic::text", '"topic"::character varying(50)', "lower(topic)", "topic || ''"]
    effects = [effect(catalog_type("varchar(5)"), wanted, using) for using in words]
    assert effects == [Effect.KEEPS] * 4 + [Effect.REWRITES] * 2


def test_the_catalog_knows_the_old_type() -> None:
    body = "op.alter_column('t', 'a', existing_type=sa.Integer(), type_=sa.String(50))"
    small = postgres(table("t", column("a", "character varying(50)"), rows=10))
    assert found("HR-LK107", body, small) == []
    assert [one.severity for one in found("HR-LK107", body, postgres(table("t", "a", rows=10)))] == [Severity.INFO]
    large = postgres(table("t", column("a", "integer"), rows=3_000_000))
    assert [one.severity for one in found("HR-LK107", body, large)] == [Severity.ERROR]
    unknown = found("HR-LK107", "op.alter_column('t', 'a', type_=sa.BigInteger())")
    assert [(one.severity, one.message) for one in unknown] == [
        (Severity.WARNING, "changing t.a from a type that is not known to bigint may rewrite the table")
    ]


def test_an_enum_of_the_same_name_is_no_change() -> None:
    body = "op.alter_column('t', 'a', type_=sa.Enum('x', 'y', name='kind'))"
    assert found("HR-LK107", body, postgres(table("t", column("a", "kind"), rows=10))) == []
    assert len(found("HR-LK107", body, postgres(table("t", column("a", "text"), rows=10)))) == 1


def test_a_constraint_in_a_loop_is_told_of_but_not_edited() -> None:
    body = "for t in ('a', 'b'):\n        op.create_foreign_key(f'fk_{t}', t, 'p', ['x'], ['id'])"
    assert [(one.message.split(" checks")[0], one.edits) for one in found("HR-LK108", body)] == [
        ("adding foreign key fk_a", ()),
        ("adding foreign key fk_b", ()),
    ]


def test_the_repair_of_a_foreign_key() -> None:
    body = "op.create_foreign_key('fk', 'a', 'p', ['x'], ['id'])"
    (finding,) = found("HR-LK108", body)
    assert one_line(finding.fix_hint) == (
        "op.create_foreign_key('fk', 'a', 'p', ['x'], ['id'], postgresql_not_valid=True) "
        "with op.get_context().autocommit_block(): op.execute('ALTER TABLE a VALIDATE CONSTRAINT fk')"
    )


def test_the_repair_of_a_unique_constraint() -> None:
    (finding,) = found("HR-LK110", "op.create_unique_constraint('uq', 'a', ['x', 'y'])")
    assert one_line(finding.fix_hint) == (
        "with op.get_context().autocommit_block(): op.create_index('uq', 'a', ['x', 'y'], unique=True, "
        "postgresql_concurrently=True, if_not_exists=True) "
        "op.execute('ALTER TABLE a ADD CONSTRAINT uq UNIQUE USING INDEX uq')"
    )
    assert found("HR-LK110", "op.create_unique_constraint('uq', 'a', ['x'], deferrable=True)")[0].edits == ()


def test_names_are_quoted_where_they_must_be() -> None:
    assert [quoted(name) for name in ("a_1", "user", "Mixed", 'a"b')] == ["a_1", '"user"', '"Mixed"', '"a""b"']


def test_what_ran_outside_the_transaction_is_known_in_a_rehearsal() -> None:
    body = (
        "    def validate():\n"
        "        op.execute('ALTER TABLE a VALIDATE CONSTRAINT fk')\n"
        "    op.execute('ALTER TABLE a ADD CONSTRAINT fk FOREIGN KEY (x) REFERENCES p NOT VALID')\n"
        "    with op.get_context().autocommit_block():\n"
        "        validate()\n"
        "        op.execute('DROP INDEX CONCURRENTLY ix')\n"
    )
    read = read_script(script(body))
    statements = [
        StatementRun("1a2b", SourcePosition("versions/1a2b.py", one.place.line), sql, 0.1, -1)
        for one, sql in zip(
            read.upgrade.changes,
            [
                "ALTER TABLE a ADD CONSTRAINT fk FOREIGN KEY (x) REFERENCES p NOT VALID",
                "ALTER TABLE a VALIDATE CONSTRAINT fk",
                "DROP INDEX CONCURRENTLY ix",
            ],
            strict=True,
        )
    ]
    run = RevisionRun("1a2b", "upgrade", 0.3, statements=tuple(statements))
    context = LintContext((read,), engines=frozenset({"postgresql"}))
    found_then = rehearsed(context, [run], LintSettings(), [])
    assert {one.rule for one in found_then} & {"HR-TX101", "HR-LK113"} == set()


def test_a_renamed_table_is_as_large_as_it_was() -> None:
    body = "op.rename_table('old', 'new')\n    op.create_index('ix', 'new', ['a'])"
    known = postgres(table("old", column("a", "text"), rows=3_000_000))
    (finding,) = found("HR-LK101", body, known)
    assert (finding.severity, finding.message) == (
        Severity.ERROR,
        "building index ix on new locks out writers (3,000,000 rows)",
    )


def test_the_default_schema_may_be_written() -> None:
    known = postgres(table("t", column("a", "text"), rows=3_000_000))
    body = "op.execute('CREATE INDEX ix ON public.t (a)')"
    assert [one.severity for one in found("HR-LK101", body, known)] == [Severity.ERROR]
    assert found("HR-LK101", f"op.create_table('t', sa.Column('a', sa.Text()))\n    {body}") == []


def test_a_generated_column_is_virtual_since_18() -> None:
    body = "op.add_column('t', sa.Column('b', sa.Integer(), sa.Computed('a * 2')))"
    known = postgres(table("t", column("a", "integer"), rows=100_000))
    assert len(found("HR-LK103", body)) == 1
    assert len(found("HR-LK103", body, replace(known, version="17.2"))) == 1
    assert found("HR-LK103", body, replace(known, version="18.0")) == []


@pytest.mark.parametrize(
    ("definition", "is_enough"),
    [
        ("CREATE INDEX ix ON public.a USING btree (x, y)", True),
        ("CREATE INDEX ix ON public.a USING btree (y, x)", False),
        ("CREATE INDEX ix ON public.a USING btree (lower(x))", False),
        ('CREATE UNIQUE INDEX ix ON "a" ("x")', True),
    ],
)
def test_an_index_that_the_catalog_has(definition: str, is_enough: bool) -> None:
    body = "op.create_foreign_key('fk', 'a', 'p', ['x'], ['id'])"
    known = postgres(table("a", "x", "y", rows=100), objects=(thing(ObjectKind.INDEX, "ix", "a", definition),))
    assert (found("HR-LK115", body, known) == []) is is_enough
    key = postgres(table("a", "x", "y", key=("x", "y"), rows=100))
    assert found("HR-LK115", body, key) == []


def test_an_index_that_sql_drops_by_its_name() -> None:
    objects = (thing(ObjectKind.INDEX, "ix", "a", "CREATE INDEX ix ON a (x)"),)
    known = postgres(table("a", "x", rows=3_000_000), objects=objects)
    (finding,) = found("HR-LK104", "op.execute('DROP INDEX ix')", known)
    assert finding.severity is Severity.WARNING
    assert finding.message == ("dropping index ix of a waits for its table and makes all others wait (3,000,000 rows)")


def test_a_revision_is_told_once_of_work_under_a_lock() -> None:
    body = "\n    ".join(f"op.create_index('ix_{name}', '{name}', ['x'])" for name in ("a", "b", "c"))
    (finding,) = found("HR-LK113", body)
    assert finding.message == "a, locked since line 6, stays locked while the rows of b and c are worked on"


def test_nulls_that_unread_code_may_fill() -> None:
    known = postgres(table("users", column("email", "text"), rows=1_000))
    body = "fill(op.get_bind())\n    op.alter_column('users', 'email', nullable=False)"
    (finding,) = found("HR-MF101", body, known, rows=3)
    assert finding.severity is Severity.WARNING
    assert found("HR-MF101", body) == []


def test_what_an_earlier_script_made_is_known() -> None:
    make = read_script(script("    op.create_table('t', sa.Column('a', sa.Integer(), nullable=False))", id_="0001"))
    alter = script("    op.alter_column('t', 'a', type_=sa.BigInteger(), nullable=False)", id_="0002")
    history = LintContext((make, read_script(alter)), is_path=False)
    assert check(history, [OURS["HR-LK106"], OURS["HR-MF101"]]) == ()
    assert [one.message for one in check(history, [OURS["HR-LK107"]])] == [
        "changing t.a from integer to bigint rewrites the table"
    ]


def test_a_domain_made_by_the_same_script() -> None:
    body = "op.execute('CREATE DOMAIN d AS text')\n    op.execute(\"ALTER DOMAIN d ADD CHECK (VALUE <> '')\")"
    assert found("HR-LK118", body) == []


@pytest.mark.parametrize(
    ("written", "repaired"),
    [
        ("'ALTER TABLE a ADD CONSTRAINT c CHECK (x > 0)'", "'ALTER TABLE a ADD CONSTRAINT c CHECK (x > 0) NOT VALID'"),
        ('"ALTER TABLE a ADD CONSTRAINT c CHECK (x)  ; "', '"ALTER TABLE a ADD CONSTRAINT c CHECK (x) NOT VALID  ; "'),
        (
            "sa.text(\'\'\'\n  ALTER TABLE a\n  ADD CONSTRAINT c CHECK (x <> \'é\')\n\'\'\')",
            "sa.text(\'\'\'\n  ALTER TABLE a\n  ADD CONSTRAINT c CHECK (x <> \'é\') NOT VALID\n\'\'\')",
        ),
        (
            "\n        'ALTER TABLE a ADD CONSTRAINT c'  # some text\n        \" CHECK (x > 'é')\"\n    ",
            "\n        'ALTER TABLE a ADD CONSTRAINT c'  # some text\n        \" CHECK (x > 'é') NOT VALID\"\n    ",
        ),
    ],
)  # fmt: skip
def test_sql_is_repaired_in_place(written: str, repaired: str) -> None:
    source = script(f"    op.execute({written})  # mine").source
    (finding,) = check(context_of(source), [OURS["HR-LK109"]])
    after = apply_edits(source, finding.edits)
    block = "\n    with op.get_context().autocommit_block():\n        op.execute('ALTER TABLE a VALIDATE CONSTRAINT c')"
    assert after == script(f"    op.execute({repaired}){block}  # mine").source
    assert check(context_of(after), OURS.values()) == ()


@pytest.mark.parametrize(
    "written",
    [
        "'ALTER TABLE a ADD CONSTRAINT c CHECK (x > 0), ADD y integer'",
        "'ALTER TABLE a ADD CHECK (x > 0)'",
        "'ALTER TABLE a ADD CONSTRAINT c CHECK (x > 0) -- done'",
        "f'ALTER TABLE a ADD CONSTRAINT c CHECK (x > {5})'",
        "'ALTER TABLE a ADD CONSTRAINT c'\n        ' CHECK (x > 0), ADD y integer'",
    ],
)
def test_sql_that_is_not_repaired_in_place(written: str) -> None:
    for finding in found("HR-LK109", f"op.execute({written})"):
        assert finding.edits == ()


def test_the_name_of_a_batch_is_no_sql() -> None:
    body = """with op.batch_alter_table("bookings") as batch:
        batch.create_check_constraint(
            "ck"
            "_a", "a > 0")"""
    for finding in found("HR-LK109", body):
        assert finding.edits == ()
