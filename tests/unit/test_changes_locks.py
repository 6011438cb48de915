"""What the rules on locks need to know of a change: generated columns, tables that are vacuumed."""

from __future__ import annotations

import pytest

from handrail.migrations.changes import AddColumn, Command, DropTable, NotAnalysable
from handrail.migrations.reading import read_script
from unit.building import script


@pytest.mark.parametrize(
    ("filler", "what"),
    [
        ("sa.Computed('a * 2', persisted=True)", "computed"),
        ("sa.Computed('a * 2')", "computed"),
        ("sa.Computed('a * 2', persisted=False)", "computed virtual"),
        ("sa.Identity()", "identity"),
        ("sa.ForeignKey('b.id')", ""),
    ],
)
def test_what_fills_a_column(filler: str, what: str) -> None:
    source = script(f"    op.add_column('t', sa.Column('b', sa.Integer(), {filler}))")
    (change,) = read_script(source).upgrade.changes
    assert isinstance(change, AddColumn)
    assert change.column.filled_by == what


@pytest.mark.parametrize("words", ["", "ANALYZE", "FULL VERBOSE", "(FULL, ANALYZE)", "FREEZE VERBOSE ANALYZE"])
def test_the_table_that_is_vacuumed(words: str) -> None:
    (change,) = read_script(script(f"    op.execute('VACUUM {words} bookings')")).upgrade.changes
    assert isinstance(change, Command)
    assert (change.words, str(change.table)) == ("VACUUM FULL" if "FULL" in words else "VACUUM", "bookings")


def test_a_name_that_two_branches_bind_is_not_known() -> None:
    body = (
        "    rows = op.get_bind().execute(sa.text('SELECT id FROM t'))\n"
        "    if rows:\n        rows = rows.fetchall()\n    else:\n        rows = []\n"
        "    for row in rows:\n        op.execute(f'UPDATE t SET a = 1 WHERE id = {row.id}')"
    )
    found = read_script(script(body)).upgrade.changes
    assert any(isinstance(change, NotAnalysable) for change in found)


def test_a_name_that_both_branches_leave_alone_is_known() -> None:
    body = "    table = 't'\n    if sa.flag:\n        other = 'x'\n    op.drop_table(table)"
    (change,) = read_script(script(body)).upgrade.changes
    assert isinstance(change, DropTable)
    assert str(change.table) == "t"


@pytest.mark.parametrize("call", ["fill(op.get_bind())", "Base.metadata.create_all(bind=op.get_bind())"])
def test_a_call_is_not_known_by_its_argument(call: str) -> None:
    reading = read_script(script(f"    {call}"))
    (change,) = reading.upgrade.changes
    assert isinstance(change, NotAnalysable)
    assert len(reading.upgrade.not_understood) == 1


@pytest.mark.parametrize(
    "call", ["op.get_bind().execute(sa.text('SELECT 1'))", "op.get_bind().execute(sa.text('SELECT 1')).fetchall()"]
)
def test_a_call_is_known_by_what_it_is_made_on(call: str) -> None:
    assert read_script(script(f"    {call}")).upgrade.not_understood == ()
