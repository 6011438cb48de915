"""A type change through a second column: what the three scripts say, and what keeps from writing them."""

from __future__ import annotations

from dataclasses import replace
from textwrap import dedent, indent

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handrail.facts import ColumnFacts, DatabaseFacts, ObjectKind, TableFacts, TableName
from handrail.lint.column_steps import MAX_NAME, free_name
from handrail.lint.engine import lint
from handrail.lint.finding import Finding, apply_edits
from handrail.lint.next_revisions import new_script
from handrail.lint.shadow_column import ShadowColumn
from handrail.migrations.revision import Revision
from unit.building import facts, path_of, script, thing

CHANGE = "op.alter_column('bookings', 'seats', existing_type=sa.Integer(), type_=sa.BigInteger())"
BACK = "op.alter_column('bookings', 'seats', type_=sa.Integer())"
HINT = (
    "op.add_column('bookings', sa.Column('seats_new', sa.BigInteger())); keep it in step by a trigger, fill it in batches,"
    " and exchange the names in a later revision"
)
SEATS = ColumnFacts("seats", "integer", nullable=False, default="7", carries=())
TOPIC = ColumnFacts("topic", "text", nullable=True, carries=())
BOOKINGS = TableFacts(TableName("bookings"), (SEATS, TOPIC), rows_estimate=20_000, size_bytes=1_000_000)


def known(*tables: TableFacts) -> DatabaseFacts:
    return replace(facts(*(tables or (BOOKINGS,))), engine="postgresql", version="18.1")


def having(column: ColumnFacts, **more: object) -> TableFacts:
    others = [one for one in BOOKINGS.columns if one.name != column.name]
    return replace(BOOKINGS, columns=(column, *others), **more)  # type: ignore[arg-type]


def body(text: str) -> str:
    return indent(dedent(text).strip(), "    ") + "\n"


def found(
    change: str = CHANGE, back: str = BACK, on: DatabaseFacts | None = None, *before: Revision
) -> tuple[Revision, Finding]:
    """The script, and what HR-LK107 says of it where the catalog is known."""
    written = script(body(change), down=body(back))
    (finding,) = [one for one in lint(path_of(*before, written), None, on or known()) if one.rule == "HR-LK107"]
    return written, finding


def test_the_script_adds_the_second_column_and_takes_it_away_again() -> None:
    written, finding = found()
    assert (finding.is_repairable, finding.fix_hint) == (True, f"{HINT} (handrail lint --live --fix writes all of it)")
    assert (
        apply_edits(written.source, finding.edits)
        == script(
            body(
                """
            # beside bookings.seats and kept equal to it by a trigger; the next revisions fill it and exchange the two
            op.add_column("bookings", sa.Column("seats_new", sa.BigInteger(), nullable=True))
            op.execute("EXPLAIN UPDATE bookings SET seats_new = seats")
            op.execute(
                "CREATE FUNCTION keep_bookings_seats_new() RETURNS trigger LANGUAGE plpgsql AS $keep$ "
                "#variable_conflict use_column BEGIN NEW.seats_new := NEW.seats; RETURN NEW; END $keep$"
            )
            op.execute(
                "CREATE TRIGGER keep_bookings_seats_new BEFORE INSERT OR UPDATE OF seats, seats_new ON "
                "bookings FOR EACH ROW EXECUTE FUNCTION keep_bookings_seats_new()"
            )
            op.execute("ALTER TABLE bookings ENABLE ALWAYS TRIGGER keep_bookings_seats_new")
            """
            ),
            down=body(
                """
            op.execute("DROP TRIGGER keep_bookings_seats_new ON bookings")
            op.execute("DROP FUNCTION keep_bookings_seats_new()")
            op.drop_column("bookings", "seats_new")
            """
            ),
        ).source
    )


def test_two_revisions_follow() -> None:
    written, finding = found()
    fill, exchange = finding.revisions
    assert (fill.message, fill.upgrade, fill.todo) == ("fill bookings.seats_new", 'fill("bookings", "seats_new")', ())
    assert fill.head[:2] == (
        "# handrail: changes bookings.seats_new",
        "# The SQL of a new column's value in each row, by the row's other columns.\n"
        'VALUES = {\n    "bookings.seats_new": "seats",\n}',
    )
    assert exchange.head[0] == "# handrail: drops bookings.seats"
    assert exchange.message == "exchange bookings.seats"
    assert f"{exchange.upgrade}\n" == dedent(
        """\
        # a try that failed may have left them
        op.execute("ALTER TABLE bookings DROP CONSTRAINT IF EXISTS ck_bookings_seats_new_not_null")
        op.create_check_constraint(op.f("ck_bookings_seats_new_not_null"), "bookings", "seats_new IS NOT NULL", postgresql_not_valid=True)
        with op.get_context().autocommit_block():
            op.execute("ALTER TABLE bookings VALIDATE CONSTRAINT ck_bookings_seats_new_not_null")
        op.execute("DROP TRIGGER keep_bookings_seats_new ON bookings")
        op.execute("DROP FUNCTION keep_bookings_seats_new()")
        op.drop_column("bookings", "seats")
        op.alter_column("bookings", "seats_new", new_column_name="seats")
        op.alter_column("bookings", "seats", nullable=False, server_default=sa.text("7"))
        op.drop_constraint(op.f("ck_bookings_seats_new_not_null"), "bookings", type_="check")
        """
    )
    following = new_script(new_script(written, fill), exchange)
    assert compile(following.source, "x.py", "exec")


def test_a_conversion_is_pinned_to_the_session_that_made_the_trigger() -> None:
    change = (
        "op.alter_column('bookings', 'topic', type_=sa.Integer(), postgresql_using='length(topic) + bookings.seats')"
    )
    back = "op.alter_column('bookings', 'topic', type_=sa.Text())"
    written, finding = found(change, back)
    texts = apply_edits(written.source, finding.edits).replace('"\n        "', "")
    assert (
        "plpgsql SET search_path FROM CURRENT SET timezone FROM CURRENT SET datestyle FROM CURRENT SET intervalstyle FROM "
        "CURRENT SET bytea_output FROM CURRENT SET extra_float_digits FROM CURRENT AS $keep$ #variable_conflict use_column "
        "BEGIN SELECT length(topic) + bookings.seats INTO NEW.topic_new FROM (SELECT NEW.*) AS bookings; RETURN NEW; END"
    ) in texts
    assert "UPDATE OF topic, seats, topic_new ON bookings" in texts
    check = 'create_check_constraint(op.f("ck_bookings_topic_new_filled"), "bookings", "(topic_new IS NULL) = ((length(topic) + '
    assert f'{check}bookings.seats) IS NULL)"' in finding.revisions[1].upgrade


def test_a_name_that_is_taken_gets_a_number() -> None:
    column = ColumnFacts("seats_new", "integer", nullable=True, carries=())
    _, finding = found(on=known(replace(BOOKINGS, columns=(*BOOKINGS.columns, column))))
    assert isinstance(finding.split, ShadowColumn)
    assert finding.split.shadow == "seats_new2"


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=70), st.data())
def test_a_free_name_is_short_and_free(name: str, data: st.DataObject) -> None:
    taken: set[str] = set()
    for _ in range(data.draw(st.integers(0, 4))):
        taken.add(free_name(name, "_new", taken))
    assert free_name(name, "_new", taken) == free_name(name, "_new", taken)
    assert free_name(name, "_new", taken) not in taken
    assert len(free_name(name, "_new", taken).encode()) <= MAX_NAME


def without_live(finding: Finding) -> bool:
    return not finding.edits and finding.split is None and finding.revisions == ()


def test_nothing_is_repaired_without_the_catalog_and_on_small_tables() -> None:
    (finding,) = [one for one in lint(path_of(script(body(CHANGE), down=body(BACK)))) if one.rule == "HR-LK107"]
    assert without_live(finding)
    assert (
        finding.fix_hint == f"{HINT} (handrail lint --live --fix writes all of it, where nothing hangs on the column)"
    )
    _, finding = found(on=known(replace(BOOKINGS, rows_estimate=9_000)))
    assert without_live(finding)
    assert finding.fix_hint == HINT


HINDERED = {
    "computed": (CHANGE, BACK, known(having(replace(SEATS, generated=True))), "seats is computed, or of a type that is "
        "not known"),
    "not looked up": (CHANGE, BACK, known(having(replace(SEATS, carries=None))), "the catalog does not tell what hangs on "
        "bookings.seats"),
    "a comment": (CHANGE, BACK, known(having(replace(SEATS, carries=("its comment", "publication p")))), "to be made anew "
        "on it beforehand: its comment, publication p"),
    "a collation": (CHANGE, BACK, known(having(replace(SEATS, collation="C"))), "to be made anew on it beforehand: "
        "collation C"),
    "an index": (CHANGE, BACK, replace(known(), objects=(thing(ObjectKind.INDEX, "ix", "bookings", "CREATE INDEX ix ON "
        "public.bookings USING btree (seats)"),)), "to be made anew on it beforehand: index ix"),
    "values that may not fit": (CHANGE.replace("BigInteger", "SmallInteger"), BACK, None, "the values of seats have to fit "
        "smallint before, and not all may"),
    "no way back": (CHANGE, "pass", None, "downgrade() does not give seats its old type back by one op.alter_column"),
    "two ways back": (CHANGE, f"{BACK}\n{BACK}", None, "downgrade() does not give seats its old type back by one "
        "op.alter_column"),
    "another way back": (CHANGE, BACK.replace("Integer", "SmallInteger"), None, "downgrade() gives it the type smallint, "
        "and the database has integer"),
    "SQL": ("op.execute('ALTER TABLE bookings ALTER seats TYPE bigint')", BACK, None, "line 6 is SQL; op.alter_column "
        "could be repaired"),
    "SQL back": (CHANGE, "op.execute('ALTER TABLE bookings ALTER seats TYPE integer')", None, "line 10 is SQL; "
        "op.alter_column could be repaired"),
    "more in the call": (CHANGE.replace("type_", "nullable=True, type_"), BACK, None, "line 6 also says nullable; let "
        "another call say it"),
    "a comment in the call": (CHANGE, BACK.replace("type_", "comment='x', existing_comment='y', type_"), None, "line 10 "
        "also says comment, existing_comment; let another call say it"),
    "conditional": (f"if sa.__version__ > '2':\n    {CHANGE}", BACK, None, "line 7 changes several columns, or does not "
        "always run in the script's transaction"),
    "in a loop": ("for name in ['seats', 'topic']:\n    op.alter_column('bookings', name, type_=sa.BigInteger())", BACK,
        known(replace(BOOKINGS, columns=(SEATS,))), "line 7 changes several columns, or does not always run in the "
        "script's transaction"),
    "not alone on its line": (f"{CHANGE}; x = 1", BACK, None, "its call, or that of downgrade(), is no statement of its "
        "own"),
    "a type from elsewhere": (f"wide = sa.BigInteger()\n{CHANGE.replace('sa.BigInteger()', 'wide')}", BACK, None, "its "
        "type is not written out in the call, or `import sqlalchemy as sa` is missing"),
    "an index made too": (f"{CHANGE}\nop.create_index('ix', 'bookings', ['seats'])", BACK, None, "line 7 of the script "
        "works on bookings too, or may"),
    "rows written too": (f"{CHANGE}\nop.execute('UPDATE bookings SET seats = 5000000000')", BACK, None, "line 7 of the "
        "script works on bookings too, or may"),
    "unknown SQL": (f"op.execute(sa.__version__)\n{CHANGE}", BACK, None, "line 6 of the script works on bookings too, or "
        "may"),
    "renamed": (f"op.rename_table('bookings', 'visits')\n{CHANGE.replace('bookings', 'visits')}", BACK, None, "line 6 of "
        "the script works on visits too, or may"),
    "a conversion unknown": (CHANGE.replace("BigInteger", "Boolean"), BACK + "", None, "PostgreSQL may not convert "
        "integer to boolean by itself; say postgresql_using"),
    "a way back unknown": (CHANGE.replace("BigInteger", "Text"), BACK, None, "PostgreSQL may not convert text to integer "
        "by itself; say postgresql_using"),
    "another value each time": (CHANGE.replace("type_", "postgresql_using='seats + random()', type_"), BACK, None, "its "
        "USING (seats + random()) may give another value each time, or is no expression"),
    "a query": (CHANGE.replace("type_", "postgresql_using='(SELECT 1)', type_"), BACK, None, "its USING ((SELECT 1)) may "
        "give another value each time, or is no expression"),
    "the whole row": (CHANGE.replace("type_", "postgresql_using='f(bookings)', type_"), BACK, None, "its USING "
        "(f(bookings)) names the table otherwise than bookings.seats"),
    "a percent sign": (CHANGE.replace("type_", "postgresql_using='seats % 5', type_"), BACK, None, "its USING (seats % 5) "
        "holds a %, which drivers read in ways of their own"),
    "USING known later": (CHANGE.replace("type_", "postgresql_using=sa.__version__, type_"), BACK, None, "the "
        "postgresql_using of line 6 is known only when the script runs"),
    "a default of another kind": (CHANGE.replace("type_=sa.BigInteger()", "type_=sa.Boolean(), postgresql_using='seats > "
        "0'"), BACK.replace("type_", "postgresql_using='seats::integer', type_"), None, "the default 7 may not be one of "
        "the new type"),
    "a type with a CHECK": (CHANGE.replace("sa.BigInteger()", "sa.Enum('1', name='x', native_enum=False, "
        "create_constraint=True)"), BACK.replace("type_", "postgresql_using='seats::integer', type_"), None, "the type "
        "makes a CHECK"),
}  # fmt: skip


@pytest.mark.parametrize(("change", "back", "on", "why"), HINDERED.values(), ids=HINDERED.keys())
def test_what_is_in_the_way_is_told(change: str, back: str, on: DatabaseFacts | None, why: str) -> None:
    found_ = [
        one
        for one in lint(path_of(script(body(change), down=body(back))), None, on or known())
        if one.rule == "HR-LK107" and "seats" in one.message
    ]
    assert [(without_live(one), one.fix_hint.partition("; ")[2].partition("later revision")[2]) for one in found_] == [
        (True, f"; {why}")
    ]


def test_what_runs_before_may_be_in_the_way() -> None:
    before = script("    op.create_index('ix', 'bookings', ['seats'])\n", id_="0a0a")
    _, finding = found(CHANGE, BACK, None, before)
    assert finding.fix_hint == f"{HINT}; versions/0a0a.py, which runs before, works on bookings too, or may"
    rows = script("    op.execute('UPDATE bookings SET seats = 1')\n", id_="0a0a")
    elsewhere = script("    op.drop_column('rooms', 'seats')\n", id_="0b0b")
    assert found(CHANGE, BACK, None, rows, elsewhere)[1].is_repairable
