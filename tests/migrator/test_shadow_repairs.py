"""Type changes through a second column, on real servers: what comes out, what runs beside it, up, down and up again."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from handrail.databases.postgres.database import PostgresDatabase
from handrail.facts import DatabaseFacts
from handrail.lint.settings import LintSettings
from handrail.migrator.alembic import AlembicMigrator
from handrail.migrator.migrator import MigrationFailed
from handrail.migrator.script_files import write_together
from handrail.workflows.lint_path import judge_path
from handrail.workflows.lint_scripts import lint_files
from handrail.workflows.repair_scripts import Repairs, repair_all
from migrator.test_dependents import HANGING
from migrator.test_split_repairs import LAST, Place, alembic
from support.calling import handrail
from support.postgres import PostgresServer
from support.projects import Script

#: `make test-servers` runs it on the others.
ONLY_NEWEST_SERVER = True
pytestmark = pytest.mark.story
POSTGRES = frozenset({"postgresql"})
FIRST = Script(
    "a1",
    None,
    """
    op.create_table(
        "bookings",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("seats", sa.Integer(), server_default="7", nullable=False),
        sa.Column("topic", sa.String(100)),
    )
    """,
    'op.drop_table("bookings")',
)
SEATS = 'op.alter_column("bookings", "seats", existing_type={}, type_={}, existing_nullable=False)'
WIDER = Script(
    "b2", "a1", SEATS.format("sa.Integer()", "sa.BigInteger()"), SEATS.format("sa.BigInteger()", "sa.Integer()")
)
TOPIC = 'op.alter_column("bookings", "topic", type_={}, postgresql_using={!r})'
NUMBER = Script(
    "b2",
    "a1",
    TOPIC.format("sa.Integer()", "nullif(topic, '')::integer"),
    TOPIC.format("sa.String(100)", "topic::text"),
)
ROWS = "INSERT INTO bookings (id, seats, topic) SELECT n, n * 3, n FROM generate_series(1, 20000) n"


@pytest.fixture
def place(tmp_path: Path, postgres_server: PostgresServer) -> Iterator[Place]:
    address = postgres_server.clone()
    yield Place(tmp_path, address, postgres_server)
    postgres_server.drop(address.database)


def start(place: Place, *scripts: Script, rows: str = ROWS) -> None:
    """The first script has run, and its table is large."""
    place.make(*scripts)
    place.run(scripts[0].id)
    place.execute(rows, "ANALYZE")


def fix(place: Place) -> Repairs:
    """What `handrail lint --live --fix` does; a second time it does nothing."""
    found: list[Repairs] = []
    for _ in range(2):
        project, database = AlembicMigrator(place.folder).describe("head"), PostgresDatabase(place.address)
        assert project.path is not None
        pending = {one.id for one in project.path.revisions}
        judged = judge_path(project, project.path, database, database.facts(), LintSettings())
        files = place.files()
        chosen = [one for one in files if one.revision.id in pending]
        repairs = repair_all(chosen, files, LintSettings(), POSTGRES, judged=judged)
        write_together(repairs.added, [(one.script, one.source) for one in repairs.changed])
        found.append(repairs)
    assert found[1] == Repairs()
    added = {one.revision.path for one in found[0].added} | {one.script.revision.path for one in found[0].changed}
    findings = lint_files(place.files(), LintSettings(), POSTGRES, is_whole=True).findings
    assert [one for one in findings if one.file in added and one.rule != "HR-PR104"] == []
    return found[0]


def ids(repairs: Repairs) -> list[str]:
    return [one.revision.id for one in repairs.added]


def shape(facts: DatabaseFacts) -> tuple[object, ...]:
    """The schema, but for the columns' order."""
    tables = [replace(one, columns=tuple(sorted(one.columns, key=lambda one: one.name))) for one in facts.tables]
    return (tables, facts.objects)


@dataclass(frozen=True)
class Kind:
    """A table with a column that becomes another type: its definition, the arguments on both ways, some values."""

    column: str
    there: str
    back: str
    values: tuple[str, ...]
    name: str = "c"
    table: tuple[str, ...] = ()


KINDS: dict[str, Kind] = {
    "wider": Kind("integer NOT NULL DEFAULT 7", "type_=sa.BigInteger()", "type_=sa.Integer()", ("1", "-5")),
    "nullable": Kind("integer DEFAULT 7", "type_=sa.BigInteger()", "type_=sa.Integer()", ("1", "NULL")),
    "shorter": Kind("varchar(20)", "type_=sa.String(5)", "type_=sa.String(20)", ("'a'", "NULL", "'äöü%:'")),
    "scale": Kind(
        "numeric(8,4) NOT NULL DEFAULT 1.5", "type_=sa.Numeric(8, 2)", "type_=sa.Numeric(8, 4)", ("1.2550", "0")
    ),
    "text": Kind(
        "integer NOT NULL DEFAULT 3",
        "type_=sa.Text(), postgresql_using='c::text'",
        "type_=sa.Integer(), postgresql_using='c::integer'",
        ("1", "22"),
    ),
    "using": Kind(
        "text",
        "type_=sa.Integer(), postgresql_using='nullif(t_using.c, \\'none\\')::integer + length(note)'",
        "type_=sa.Text(), postgresql_using='(c - length(note))::text'",
        ("'1'", "NULL", "'none'"),
    ),
    "odd text": Kind(
        "text DEFAULT ' :x %'",
        "type_=sa.Text(), postgresql_using=\"lower(c) || ' :y'\"",
        "type_=sa.Text(), postgresql_using=\"replace(c, ' :y', '')\"",
        ("'a'", "NULL", "' :b'"),
    ),
    "json": Kind("json", "type_=postgresql.JSONB()", "type_=sa.JSON()", ("'{\"a\": [1]}'", "NULL", "'null'")),
    "times": Kind(
        "date NOT NULL DEFAULT '2020-02-29'",
        "type_=sa.DateTime(timezone=True)",
        "type_=sa.Date()",
        ("'2024-12-31'", "'1999-01-01'"),
    ),
    "names": Kind(
        "integer NOT NULL DEFAULT 7",
        "type_=sa.BigInteger()",
        "type_=sa.Integer()",
        ("1",),
        'Number of "Seats": a name that is so long that another word makes it too long'[:63],
        ("Shop", "Book ings"),
    ),
    "found": Kind("integer", "type_=sa.Text(), postgresql_using='found'", "type_=sa.Integer(), postgresql_using='found::int'", ("4",), "found"),
}  # fmt: skip


def of(name: str) -> tuple[tuple[str, ...], Kind]:
    """The kind's table, with its schema where it has one."""
    return KINDS[name].table or (f"t_{name}",), KINDS[name]


def call(name: str, arguments: str) -> str:
    table, kind = of(name)
    schema = f", schema={table[0]!r}" if len(table) > 1 else ""
    return f"op.alter_column({table[-1]!r}, {kind.name!r}, {arguments}{schema})"


def quoted(*names: str) -> str:
    return ".".join('"' + name.replace('"', '""') + '"' for name in names)


def rows_of_kinds(place: Place) -> dict[str, list[tuple[object, ...]]]:
    found = {}
    for name in KINDS:
        table, kind = of(name)
        found[name] = place.rows(f"SELECT id, {quoted(kind.name)}::text, note FROM {quoted(*table)} ORDER BY id")
    return found


def test_it_leads_where_the_plain_change_leads(place: Place) -> None:
    there = "\n".join(call(name, kind.there) for name, kind in KINDS.items())
    back = "\n".join(call(name, kind.back) for name, kind in KINDS.items())
    plain = Script("b2", "a1", there, back, head="from sqlalchemy.dialects import postgresql")
    place.make(Script("a1", None), plain, LAST)
    place.execute('CREATE SCHEMA "Shop"')
    for name in KINDS:
        table, kind = of(name)
        place.execute(
            f"CREATE TABLE {quoted(*table)} (id serial PRIMARY KEY, {quoted(kind.name)} {kind.column},"
            " note text NOT NULL DEFAULT 'n')",
            *(
                f"INSERT INTO {quoted(*table)} ({quoted(kind.name)}) SELECT {value} FROM generate_series(1, {12_000 // len(kind.values)})"
                for value in kind.values
            ),
        )
    place.run("a1")
    first = shape(place.facts())
    place.run("b2")
    wanted = (shape(place.facts()), rows_of_kinds(place))
    place.run("a1")
    before = (shape(place.facts()), rows_of_kinds(place))
    assert before[0] == first
    place.execute("ANALYZE")
    repairs = fix(place)
    assert (len(repairs.gone), repairs.left) == (len(KINDS), ())
    fill, exchange = ids(repairs)
    for target, expected in ((exchange, wanted), (fill, None), (exchange, wanted), ("a1", before), (exchange, wanted)):
        place.run(target)
        if expected is not None:
            assert shape(place.facts()) == expected[0]
            assert rows_of_kinds(place) == expected[1]
    place.run("a1")
    assert place.rows("SELECT proname FROM pg_proc WHERE proname LIKE 'keep_%'") == []


@dataclass
class Served:
    """What sessions that read and write all the time waited for, at most, and what they wrote."""

    waits: dict[str, float] = field(default_factory=dict)
    written: dict[int, int] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)


@contextmanager
def served(place: Place) -> Iterator[Served]:
    """A session that reads and one that inserts and updates, as code does that knows one column `seats`."""
    seen, ended = Served(), threading.Event()

    def work(name: str, step: int) -> None:
        assert place.server is not None
        try:
            with place.server.connect(place.address) as connection:
                connection.prepare_threshold = None  # a prepared statement fails once its result has another type
                number = 10_000_000 * step
                while not ended.is_set():
                    begun = time.monotonic()
                    if step == 0:
                        connection.execute("SELECT id, seats, topic FROM bookings WHERE id = 7").fetchone()
                    else:
                        number += 1
                        connection.execute("INSERT INTO bookings (id, seats) VALUES (%s, %s)", [number, number % 9])
                        connection.execute("UPDATE bookings SET seats = seats + 1 WHERE id IN (%s, 5)", [number])
                        seen.written[number] = number % 9 + 1
                    seen.waits[name] = max(seen.waits.get(name, 0), time.monotonic() - begun)
                    time.sleep(0.002)
        except Exception as fault:
            seen.faults.append(f"{name}: {fault}")

    threads = [threading.Thread(target=work, args=(name, step)) for step, name in enumerate(("reads", "writes"))]
    for thread in threads:
        thread.start()
    try:
        yield seen
    finally:
        ended.set()
        for thread in threads:
            thread.join()


def test_code_that_runs_meanwhile_waits_for_nothing_and_is_converted(place: Place) -> None:
    many = ROWS.replace("20000", "90000")
    start(place, FIRST, WIDER, LAST, rows=many)
    fix(place)
    with served(place) as seen:
        for target in ("head", "a1", "head"):
            before = len(seen.written)
            place.run(target)
            assert len(seen.written) > before + 5
    assert seen.faults == []
    assert max(seen.waits.values()) < 1
    rows = place.rows("SELECT id, seats FROM bookings WHERE id > 100000 ORDER BY id")
    assert rows == sorted(seen.written.items())
    assert place.rows("SELECT seats FROM bookings WHERE id = 5") == [(15 + len(seen.written),)]
    assert place.rows("SELECT count(*) FROM bookings WHERE id <= 90000 AND id <> 5 AND seats = id * 3") == [(89_999,)]


def test_no_lock_is_held_while_rows_are_written(place: Place) -> None:
    start(place, FIRST, WIDER, LAST, rows=ROWS.replace("20000", "90000"))
    fix(place)
    expand, fill, exchange, _ = place.run("head")
    modes = {lock.mode for one in fill.statements for lock in one.locks if lock.table.name == "bookings"}
    assert modes <= {"AccessShare", "RowExclusive"}
    assert len([one for one in fill.statements if one.sql.startswith("UPDATE")]) >= 3
    assert [one.rewritten for run in (expand, fill, exchange) for one in run.statements if one.rewritten] == []
    assert [one.locks for one in exchange.statements if "VALIDATE" in one.sql] == [()]


def test_guarded_all_of_it_is_proven(place: Place) -> None:
    start(place, FIRST, WIDER, LAST)
    said = handrail(place.folder, "lint", "--live", "--fix")
    assert (said.code, said.out) == (0, "4 scripts: nothing found\n")
    assert said.err.splitlines() == [
        "repaired migrations/versions/b2_script.py:10 HR-LK107 changing bookings.seats from integer to bigint rewrites "
        "the table (20,000 rows, 1.4 MB)",
        "wrote migrations/versions/40ce68e9e0aa_fill_bookings_seats_new.py",
        "wrote migrations/versions/e6b12e60e69a_exchange_bookings_seats.py",
        "follows another revision now: migrations/versions/c3_script.py",
    ]
    said = handrail(place.folder, "upgrade", "--yes", "--json")
    result = json.loads(said.out)["result"]
    assert (said.code, result["warnings"], result["rehearsal"]["downgrade_proven"]) == (0, [], True)
    assert place.rows("SELECT pg_typeof(seats)::text, sum(seats) FROM bookings GROUP BY 1") == [("bigint", 600_030_000)]
    said = handrail(place.folder, "downgrade", "a1", "--yes", "--json")
    assert (said.code, json.loads(said.out)["result"]["warnings"]) == (0, [])
    assert place.rows("SELECT pg_typeof(seats)::text, sum(seats) FROM bookings GROUP BY 1") == [
        ("integer", 600_030_000)
    ]


def test_what_is_broken_off_is_taken_up(place: Place) -> None:
    start(place, FIRST, NUMBER, LAST, rows=ROWS.replace("20000", "60000"))
    fill, _ = ids(fix(place))
    place.execute("UPDATE bookings SET topic = 'x' WHERE id = 60000", "UPDATE bookings SET topic = '' WHERE id = 1")
    with pytest.raises(MigrationFailed) as failed:
        place.run("head")
    assert 'invalid input syntax for type integer: "x"' in failed.value.why
    done = place.rows("SELECT count(*) FROM bookings WHERE topic_new = topic::integer AND topic <> 'x' AND topic <> ''")
    assert place.rows("SELECT version_num FROM alembic_version") == [("b2",)]
    assert isinstance(done[0][0], int)
    assert 20_000 < done[0][0] < 60_000
    place.execute("UPDATE bookings SET topic = '-4' WHERE id = 60000")
    first, *_ = place.run("head")
    assert first.revision == fill
    assert sum(one.rows for one in first.statements if one.sql.startswith("UPDATE")) < 60_000 - done[0][0]
    assert place.rows("SELECT count(*), count(topic), min(topic), sum(topic) FROM bookings") == [
        (60_000, 59_999, -4, 1_799_969_999 - 4)
    ]


def test_a_session_that_is_ended_while_it_fills_is_followed_by_another(place: Place) -> None:
    start(place, FIRST, WIDER, LAST, rows=ROWS.replace("20000", "90000"))
    fix(place)
    place.run("b2")
    place.execute(
        "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(5); RETURN NULL; END'",
        "CREATE TRIGGER slow AFTER UPDATE ON bookings FOR EACH ROW WHEN (NEW.id = 80000) EXECUTE FUNCTION slow()",
    )
    failed: list[MigrationFailed] = []

    def run() -> None:
        try:
            place.run("head")
        except MigrationFailed as fault:
            failed.append(fault)

    thread = threading.Thread(target=run)
    thread.start()
    end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
    while thread.is_alive() and not place.rows(end):
        time.sleep(0.01)
    thread.join()
    assert len(failed) == 1
    place.execute("DROP TRIGGER slow ON bookings")
    (left,) = place.rows("SELECT count(*) FROM bookings WHERE seats_new IS NULL")
    assert isinstance(left[0], int)
    assert 0 < left[0] < 60_000
    place.run("head")
    assert place.rows("SELECT pg_typeof(seats)::text, sum(seats) FROM bookings GROUP BY 1") == [
        ("bigint", 3 * 45_000 * 90_001)
    ]


HINDERED = {
    "shown": "its comment",
    "granted": "its privileges",
    "counted": "its options, its statistics target",
    "measured": "statistics object public.both_of_them",
    "guarded": "policy some_rows on table public.t",
    "used": "function public.used_sum()",
    "ruled": "rule kept on table public.loose",
    "owned": "sequence public.counter",
    "joined": "view named_otherwise",
    "n": "sequence public.t_n_seq",
    "plain": "index ix_plain, statistics object public.both_of_them",
}


def test_what_hangs_on_a_column_is_told_and_nothing_is_written(place: Place) -> None:
    change = "\n".join(f"op.alter_column('t', '{name}', type_=sa.BigInteger())" for name in HINDERED)
    place.make(Script("a1", None), Script("b2", "a1", change, change.replace("Big", "")), LAST)
    filled = "INSERT INTO t (shown) SELECT generate_series(1, 20000)"
    place.execute(*HANGING, filled, "CREATE INDEX ix_plain ON t (plain)", "ANALYZE")
    try:
        place.run("a1")
        before = {path: path.read_bytes() for path in place.folder.rglob("*.py")}
        assert fix(place) == Repairs()
        assert {path: path.read_bytes() for path in place.folder.rglob("*.py")} == before
        said = json.loads(handrail(place.folder, "lint", "--live", "--json").out)["result"]["findings"]
        hints = {one["message"].split()[1]: one["fix_hint"] for one in said if one["rule"] == "HR-LK107"}
        told = {name: hint.partition("; to be made anew on it beforehand: ")[2] for name, hint in hints.items()}
        assert told == {f"t.{name}": hanging for name, hanging in HINDERED.items()}
    finally:
        place.execute("DROP OWNED BY reader_of_a_column", "DROP ROLE reader_of_a_column")


def test_rows_that_were_not_filled_keep_the_old_column(place: Place) -> None:
    start(place, FIRST, NUMBER, LAST)
    fill, _ = ids(fix(place))
    place.run("b2")
    place.execute(f"UPDATE alembic_version SET version_num = '{fill}'")
    for _ in range(2):
        with pytest.raises(MigrationFailed) as failed:
            place.run("head")
        assert 'check constraint "ck_bookings_topic_new_filled" of relation "bookings" is violated' in failed.value.why
        assert place.rows("SELECT count(topic), count(topic_new) FROM bookings") == [(20_000, 0)]
    place.execute("UPDATE alembic_version SET version_num = 'b2'")
    place.run("head")
    assert place.rows("SELECT sum(topic) FROM bookings") == [(200_010_000,)]
    assert place.rows("SELECT conname FROM pg_constraint WHERE conname LIKE 'ck_%'") == []


def test_a_way_back_that_fails_keeps_nobody_from_writing(place: Place) -> None:
    start(place, FIRST, WIDER, LAST)
    fill, exchange = ids(fix(place))
    place.run("head")
    place.execute("UPDATE bookings SET seats = 5000000000 WHERE id = 19000")
    for _ in range(2):
        with pytest.raises(MigrationFailed) as failed:
            place.run(fill)
        assert "integer out of range" in failed.value.why
        place.execute("UPDATE bookings SET seats = 6000000000 WHERE id = 18999")
        assert place.rows("SELECT version_num FROM alembic_version") == [(exchange,)]
    place.execute("UPDATE bookings SET seats = -1 WHERE seats > 100000")
    place.run("a1")
    assert place.rows("SELECT sum(seats), pg_typeof(min(seats))::text FROM bookings") == [
        (600_030_000 - 3 * 37_999 - 2, "integer")
    ]


def test_several_changes_of_one_script_and_what_follows(place: Place) -> None:
    both = Script(
        "b2",
        "a1",
        f"{WIDER.upgrade}\nwith op.batch_alter_table('bookings') as batch:\n    batch.alter_column('topic', "
        "type_=sa.Integer(), postgresql_using='topic::integer')",
        f"{WIDER.downgrade}\n{NUMBER.downgrade}",
    )
    merge = Script("d4", ("c3", "x9"))
    start(place, FIRST, both, LAST, Script("x9", "b2"), merge)
    repairs = fix(place)
    assert [one.revision.message for one in repairs.added] == [
        "fill bookings.seats_new, bookings.topic_new",
        "exchange bookings.seats, bookings.topic",
    ]
    downs = {one.revision.id: one.revision.down_revisions for one in place.files()}
    fill, exchange = ids(repairs)
    assert downs == {
        "a1": (), "b2": ("a1",), fill: ("b2",), exchange: (fill,),
        "c3": (exchange,), "x9": (exchange,), "d4": ("c3", "x9"),
    }  # fmt: skip
    for _ in range(2):
        place.run("head")
        assert place.rows("SELECT sum(seats), sum(topic) FROM bookings") == [(600_030_000, 200_010_000)]
        place.run("a1")
        assert place.rows("SELECT sum(seats), max(topic) FROM bookings") == [(600_030_000, "9999")]


def test_alembic_alone_runs_and_writes_out_what_handrail_wrote(place: Place) -> None:
    """Nothing of handrail is in the scripts; env.py has one transaction for all of them, as in Alembic's template."""
    start(place, FIRST, WIDER, LAST)
    fix(place)
    written = alembic(place, "upgrade", "a1:head", "--sql")
    assert "UPDATE bookings SET seats_new=seats WHERE bookings.seats_new IS NULL AND (seats) IS NOT NULL" in written
    alembic(place, "upgrade", "head")
    assert place.rows("SELECT pg_typeof(seats)::text, sum(seats) FROM bookings GROUP BY 1") == [("bigint", 600_030_000)]
    alembic(place, "downgrade", "a1")
    assert place.rows("SELECT pg_typeof(seats)::text, sum(seats) FROM bookings GROUP BY 1") == [
        ("integer", 600_030_000)
    ]
