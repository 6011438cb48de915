"""What judging every finding on real histories taught: idioms that were false alarms, re-created in words of ours.

docs/lint-histories.md has the figures. Each is read alone and for both engines, as `handrail lint FILE` reads a script.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from handrail.lint.engine import check, read_all
from handrail.lint.finding import Finding, Severity
from handrail.lint.rule import LintContext
from handrail.lint.settings import LintSettings
from handrail.migrations.revision import Revision
from handrail.migrator.script_files import ScriptFile
from handrail.workflows.lint_scripts import repair
from unit.building import script

BOTH = frozenset({"postgresql", "sqlite"})
ONE_COLUMN = "sa.Column('id', sa.Integer(), primary_key=True)"


def told(*bodies: str, head: str = "", down: str = "    raise NotImplementedError\n") -> list[Finding]:
    """The findings of warning or worse about the last of these upgrades; those before it are older scripts."""
    scripts = [script(body, id_=f"{number}a", head=head, down=down) for number, body in enumerate(bodies)]
    return all_told(*scripts)


def all_told(*scripts: Revision) -> list[Finding]:
    found = check(LintContext(read_all(scripts), is_path=False, engines=BOTH))
    last = scripts[-1].path
    return [one for one in found if one.file == last and one.severity is not Severity.INFO]


def codes(found: list[Finding]) -> list[str]:
    return [one.rule for one in found]


@pytest.mark.parametrize(
    "test",
    [
        "'postgresql' in inspector.dialect.dialect_description",
        "'postgres' in sa.inspect(op.get_bind()).dialect.dialect_description",
        "'sqlite' not in inspector.dialect.dialect_description",
        "'postgresql' in op.get_bind().dialect.name",
    ],
)
def test_a_branch_may_ask_for_a_part_of_the_engines_name(test: str) -> None:
    body = f"    if {test}:\n        op.alter_column('rooms', 'floor', type_=sa.Text())\n"
    assert told(body) == []
    assert codes(told(body.replace(" not in ", " == ").replace(" in ", " not in "))) != []


def test_a_script_that_leaves_on_other_engines_is_not_told_of_them() -> None:
    body = (
        "    inspector = sa.inspect(op.get_bind())\n"
        "    if 'sqlite' not in inspector.dialect.dialect_description:\n        return\n"
        "    op.create_index('ix_floor', 'rooms', ['floor'])\n"
    )
    assert told(body) == []


def test_what_one_branch_does_says_nothing_of_the_other() -> None:
    """The NOT NULL of the SQLite branch does not make the column NOT NULL on PostgreSQL."""
    body = (
        "    if op.get_bind().dialect.name == 'sqlite':\n"
        "        with op.batch_alter_table('rooms') as batch_op:\n"
        "            batch_op.alter_column('floor', existing_type=sa.Integer(), nullable=False)\n"
        "    else:\n"
        "        op.alter_column('rooms', 'floor', existing_type=sa.Integer(), nullable=False)\n"
    )
    assert codes([one for one in told(body) if one.rule == "HR-LK106"]) == ["HR-LK106"]
    locks = (
        "    if op.get_bind().dialect.name == 'postgresql':\n        op.add_column('halls', sa.Column('a', sa.Text()))\n"
        "    else:\n        op.execute('UPDATE rooms SET floor = 1 WHERE floor IS NULL')\n"
    )
    assert told(locks) == []


def test_an_enum_type_named_by_its_class_is_made_by_hand() -> None:
    head = "import enum\n\nclass Room:\n    class RoomState(enum.Enum):\n        ON = 1\n        OFF = 2\n"
    body = (
        "    {}.create(op.get_bind(), checkfirst=True)\n"
        "    op.add_column('rooms', sa.Column('state', sa.Enum('ON', 'OFF', name='roomstate')))\n"
    )
    assert told(body.format("sa.Enum(Room.RoomState)"), head=head) == []
    assert codes(told(body.format("sa.Enum(Room.Other)"), head=head)) == ["HR-EN104"]
    assert codes(told("    op.add_column('rooms', sa.Column('state', sa.Enum(State)))\n")) == ["HR-EN104"]


def test_a_type_that_the_column_has_already_is_there_but_gets_no_new_values() -> None:
    change = (
        "    with op.batch_alter_table('rooms') as batch_op:\n"
        "        batch_op.alter_column('state', type_=sa.Enum({}, name='roomstate'),\n"
        "                              existing_type=sa.Enum('on', 'off', name='roomstate'))\n"
    )
    assert told(change.format("'on', 'off'")) == []
    (finding,) = told(change.format("'on', 'off', 'late'"))
    assert (finding.rule, finding.severity) == ("HR-EN104", Severity.WARNING)
    assert "does not add 'late'" in finding.message
    assert finding.fix_hint == "op.execute(\"ALTER TYPE roomstate ADD VALUE IF NOT EXISTS 'late'\")"
    added = "    op.execute(\"ALTER TYPE roomstate ADD VALUE IF NOT EXISTS 'late' AFTER 'on'\")\n"
    assert "HR-EN104" not in codes(told(added + change.format("'on', 'off', 'late'")))


@pytest.mark.parametrize(
    "emptied",
    [
        "    op.execute('DELETE FROM rooms')\n",
        "    session = sa.orm.Session(bind=op.get_bind())\n"
        "    try:\n        session.query(Room).delete()\n        session.commit()\n"
        "    except Exception:\n        session.rollback()\n        raise\n",
        "    op.execute('DELETE FROM halls')\n    op.rename_table('halls', 'rooms')\n",
    ],
)
def test_an_emptied_table_takes_not_null_and_loses_nothing_more(emptied: str) -> None:
    head = "class Room(Base):\n    __tablename__ = 'rooms'\n"
    body = (
        "    with op.batch_alter_table('rooms') as batch_op:\n"
        "        batch_op.add_column(sa.Column('wing', sa.Integer(), nullable=False))\n"
        "        batch_op.drop_column('floor')\n"
    )
    assert not {"HR-DD101", "HR-DL101", "HR-DL103"} & set(codes(told(emptied + body, head=head)))
    assert "HR-DD101" in codes(told(body, head=head))


def test_an_emptied_table_may_be_filled_again() -> None:
    add = "    op.add_column('rooms', sa.Column('wing', sa.Integer(), nullable=False))\n"
    empty = "    op.execute('DELETE FROM rooms')\n"
    for more in ("    op.execute('INSERT INTO rooms SELECT * FROM halls')\n", "    fill_rooms()\n"):
        assert "HR-DD101" in codes(told(empty + more + add))
    perhaps = "    if sa.inspect(op.get_bind()).has_table('rooms'):\n        op.execute('DELETE FROM rooms')\n"
    swallowed = "    try:\n        op.execute('DELETE FROM rooms')\n    except Exception:\n        pass\n"
    assert "HR-DD101" in codes(told(perhaps + add))
    assert "HR-DD101" in codes(told(swallowed + add))


def test_a_counted_key_needs_no_default() -> None:
    body = "    op.add_column('rooms', sa.Column('id', sa.BigInteger(), primary_key=True{}))\n"
    for more in ("", ", autoincrement=True"):
        assert "HR-DD101" not in codes(told(body.format(more)))
        assert "HR-LK102" in codes(told(body.format(more)))
    assert "HR-DD101" in codes(told(body.format(", autoincrement=False")))


@pytest.mark.parametrize(
    ("new", "is_told"),
    [("sa.Text()", False), ("sa.Float(precision=53)", False), ("sa.Boolean()", False), ("sa.BigInteger()", True)],
)
def test_a_type_of_which_nobody_knows_what_it_was(new: str, is_told: bool) -> None:
    body = f"    with op.batch_alter_table('rooms') as batch_op:\n        batch_op.alter_column('a', type_={new})\n"
    assert codes(told(body)) == (["HR-LK107"] if is_told else [])
    renamed = body.replace("type_", "new_column_name='b', type_")
    assert codes(told(renamed)) == ["HR-BC101"]
    known = body.replace("type_", "existing_type=sa.JSON(), type_")
    assert codes(told(known)) == ["HR-LK107"]


def test_not_null_is_told_once_without_a_database() -> None:
    body = "    op.alter_column('rooms', 'a', existing_type=sa.Text(), nullable=False)\n"
    assert codes([one for one in told(body) if one.rule in {"HR-LK106", "HR-MF101"}]) == ["HR-LK106"]
    context = LintContext(read_all([script(body)]), is_path=False, engines=frozenset({"sqlite"}))
    assert [one.severity for one in check(context) if one.rule == "HR-MF101"] == [Severity.WARNING]


def test_a_column_of_a_primary_key_is_not_null_already() -> None:
    body = "    op.alter_column('rooms', 'a', type_=sa.Text(), nullable=False)\n"
    keyed = "    op.create_primary_key('pk', 'rooms', ['id', 'a'])\n"
    made = "    op.create_table('rooms', sa.Column('a', sa.Text()), sa.PrimaryKeyConstraint('a'))\n"
    for before in (keyed, made):
        assert "HR-LK106" not in codes(told(before, body))
    assert "HR-LK106" in codes(told(keyed, body.replace("'a'", "'b'")))


def test_a_foreign_key_that_cascades_already() -> None:
    made = (
        f"    op.create_table('rooms', {ONE_COLUMN}, sa.Column('hall', sa.Integer()),\n"
        "        sa.ForeignKeyConstraint(['hall'], ['halls.id'], name='fk', ondelete='{}'))\n"
    )
    anew = (
        "    op.drop_constraint('fk', 'rooms', type_='foreignkey')\n"
        "    op.create_foreign_key('fk', 'rooms', 'halls', ['hall'], ['id'], ondelete='CASCADE')\n"
    )
    assert "HR-DL105" not in codes(told(made.format("CASCADE"), anew))
    assert "HR-DL105" in codes(told(made.format("SET NULL"), anew))
    in_column = (
        made.replace(
            "sa.Column('hall', sa.Integer())",
            "sa.Column('hall', sa.Integer(), sa.ForeignKey('halls.id', ondelete='CASCADE'))",
        )
        .partition("\n")[0]
        .rstrip(",")
        + ")\n"
    )
    assert "HR-DL105" not in codes(told(in_column, anew))


@pytest.mark.parametrize("engine", ["mysql", "mssql"])
def test_nothing_is_to_be_taken_back_when_only_another_engine_is_changed(engine: str) -> None:
    body = (
        "    try:\n"
        f"        if op.get_bind().engine.name == '{engine}':\n"
        "            op.alter_column('rooms', 'note', existing_type=sa.TEXT, type_=sa.JSON())\n"
        "    except Exception as e:\n        print(e)\n"
    )
    assert told(body, down="    pass\n") == []
    assert codes(told(body.replace(engine, "postgresql"), down="    pass\n")) == ["HR-PR104", "HR-LK107"]


def test_a_column_of_a_table_that_goes_is_not_told_of_on_its_own() -> None:
    drop, rename = "op.drop_column('rooms', 'note')", "op.alter_column('rooms', 'a', new_column_name='b')"
    for one in (drop, rename):
        copied = f"    {one}\n    op.execute('INSERT INTO halls SELECT * FROM rooms')\n    op.drop_table('rooms')\n"
        assert codes(told(copied)) == ["HR-DL102"]
        perhaps = copied.replace("op.drop_table", "if left():\n        op.drop_table")
        assert len(told(perhaps)) == 2


def test_a_generated_column_made_anew_loses_nothing() -> None:
    body = (
        "    if op.get_bind().dialect.name == 'sqlite':\n"
        "        with op.batch_alter_table('rooms') as batch_op:\n"
        "            batch_op.drop_column('area')\n"
        "            batch_op.add_column(sa.Column('area', sa.Integer(){}))\n"
    )
    assert "HR-DL101" not in codes(told(body.format(", sa.Computed('width * depth', persisted=True)")))
    assert "HR-DL101" in codes(told(body.format("")))


@pytest.mark.parametrize(
    ("line", "use", "is_told"),
    [
        ("from shop.store.dbmodels.models import Room", "Room.__tablename__", True),
        ("from shop.entities.room import STAGE", "STAGE", True),
        ("from shop.rooms import Room", "op.get_bind().execute(sa.select(Room.id))", True),
        ("from shop.rooms import table as old", "op.execute(old.update().where(old.c.a == 1).values(a=2))", True),
        ("from shop.db import Base", "Base.metadata.create_all(op.get_bind())", True),
        ("from shop.study import Direction", "Direction.UP", False),
        ("from shop.errors import ShopError", "ShopError", False),
        ("from shop.storage.migration.utils import has_table", "has_table('rooms')", False),
        ("from shop.migrations.shared import models", "models", False),
        ("from shop.db_types import UtcTime", "UtcTime()", False),
        ("import shop", "shop.types.UUID()", False),
    ],
)
def test_imports_are_told_of_when_they_follow_the_schema(line: str, use: str, is_told: bool) -> None:
    found = told(f"    {use}\n", head=f"{line}\n")
    assert ("HR-PR105" in codes(found)) is is_told


@pytest.mark.parametrize(
    "table",
    ["Room.__tablename__", "NAME", "f'{NAME}'", "f'shop_{Room.__tablename__}'", "name_of('rooms')", "names['rooms']"],
)
def test_an_index_on_a_table_of_the_same_script(table: str) -> None:
    head = "NAME = 'rooms'\nnames = {'rooms': 'rooms'}\n\ndef name_of(word):\n    return f'shop_{word}'\n"
    make = f"    op.create_table({table}, {ONE_COLUMN}, sa.Column('floor', sa.Integer()))\n"
    indexes = (
        f"    op.create_index(f'ix_{{NAME}}', {table}, ['floor'])\n",
        f"    with op.batch_alter_table({table}) as batch_op:\n        batch_op.create_index('ix', ['floor'])\n",
    )
    is_known = "{Room" not in table
    for index in indexes:
        assert told(make + index, head=head) == []
        if is_known:
            assert codes(told(index, head=head)) == ["HR-LK101"]
    helper = f"{head}\ndef index(table, *columns):\n    op.create_index('ix', table, list(columns))\n"
    assert told(f"{make}    index({table}, 'floor')\n", head=helper) == []
    unless = make.replace("    op", "    if not sa.inspect(op.get_bind()).has_table('x'):\n        op")
    assert told(unless + indexes[0], head=head) == []


def test_indexes_are_repaired_together() -> None:
    """One of them in an autocommit block would leave a script that cannot be run again half-way (HR-PR107)."""
    body = "    op.create_index('ix_a', 'rooms', ['a'])\n    op.create_index('ix_b', 'rooms', ['b'])\n"
    repaired = repair([ScriptFile(Path("x.py"), script(body))], LintSettings(), BOTH)
    assert [sorted(codes(list(one.gone))) for one in repaired] == [["HR-LK101", "HR-LK101", "HR-PR104"]]
    assert repaired[0].source.count("autocommit_block") == 3
    changed = ScriptFile(Path("x.py"), script(body + "    op.add_column('rooms', sa.Column('c', sa.Text()))\n"))
    assert [codes(list(one.gone)) for one in repair([changed], LintSettings(), BOTH)] == [["HR-PR104"]]


def test_repairs_that_meet_are_made_one_after_the_other() -> None:
    enum = "sa.Column('{0}', sa.Enum('on', 'off', name='{0}'))"
    made = f"    op.create_table('rooms', {enum.format('state')}, {enum.format('light')})\n"
    one = ScriptFile(Path("x.py"), script(made, down="    op.drop_table('rooms')\n"))
    (repaired,) = repair([one], LintSettings(), BOTH)
    assert codes(list(repaired.gone)) == ["HR-EN103", "HR-EN103"]
    assert repaired.source.count("checkfirst=True") == 2
