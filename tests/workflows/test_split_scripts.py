"""Repairs that make several revisions, in files: what follows what afterwards, what is refused, and kills in between."""

from __future__ import annotations

import errno
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from handrail.errors import UsageError
from handrail.lint.finding import Finding, NextRevision, Severity
from handrail.lint.next_revisions import new_script, repointed, unclear
from handrail.lint.settings import LintSettings
from handrail.migrations.identity import identify
from handrail.migrations.revision import Revision
from handrail.migrator import script_files
from handrail.migrator.script_files import ScriptFile, read_files, write_together
from handrail.workflows.lint_scripts import lint_files
from handrail.workflows.repair_scripts import Repairs, judge_history, repair_all

ENGINES = frozenset({"postgresql", "sqlite"})
ADD = "    op.add_column('bookings', sa.Column('seats', sa.Integer(), nullable=False))\n"
SHOWN = "bookings.seats is NOT NULL without a server_default"
FILL, REQUIRE = "2e31858b2957", "2b22c91c51dd"
NAMES = [f"{FILL}_fill_bookings_seats.py", f"{REQUIRE}_require_bookings_seats.py"]


def text(id_: str, down: str, body: str = "    op.execute('SELECT 1')\n", more: str = "") -> str:
    said = down.partition(")")[0].replace("'", "").strip("(")
    return (
        f'"""{id_}\n\nRevision ID: {id_}\nRevises: {said}\n\n"""\nfrom alembic import op\n'
        f"import sqlalchemy as sa\n\nrevision = '{id_}'\ndown_revision = {down}\n{more}\n\ndef upgrade():\n{body}\n\n"
        f"def downgrade():\n    op.drop_column('bookings', 'seats')\n"
    )


@dataclass
class History:
    """Scripts in a folder, by file name."""

    folder: Path

    def put(self, **texts: str) -> None:
        for name, content in texts.items():
            (self.folder / f"{name}.py").write_bytes(content.encode())

    def files(self) -> tuple[ScriptFile, ...]:
        return read_files([self.folder], self.folder)

    def texts(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in self.folder.iterdir()}

    def repairs(self, *names: str) -> Repairs:
        files = self.files()
        chosen = [one for one in files if not names or one.file.name in names]
        return repair_all(chosen, files, LintSettings(), ENGINES)

    def fix(self) -> Repairs:
        repairs = self.repairs()
        write_together(repairs.added, [(one.script, one.source) for one in repairs.changed])
        return repairs

    def downs(self) -> dict[str, tuple[str, ...]]:
        return {one.revision.id: one.revision.down_revisions for one in self.files()}

    def findings(self) -> list[str]:
        return [str(one) for one in lint_files(self.files(), LintSettings(), ENGINES, is_whole=True).findings]


@pytest.fixture
def history(tmp_path: Path) -> History:
    made = History(tmp_path)
    made.put(a1=text("a1", "None"), c3=text("c3", "'a1'", ADD))
    return made


def test_the_last_revision_becomes_three(history: History) -> None:
    repairs = history.fix()
    assert [one.message for one in repairs.gone] == [SHOWN]
    assert [one.file.name for one in repairs.added] == NAMES
    assert repairs.todo == (
        f'{NAMES[0]}: VALUES["bookings.seats"]: the SQL of its value in the rows that are there, unless there are none',
    )
    assert history.downs() == {"a1": (), "c3": ("a1",), FILL: ("c3",), REQUIRE: (FILL,)}
    assert (history.folder / "c3.py").read_text() == text("c3", "'a1'", ADD.replace("False", "True"))
    assert history.findings() == []
    assert history.repairs() == Repairs()


def test_what_followed_the_split_script_follows_the_last_new_one(history: History) -> None:
    merge = "('x8', 'c3')  # both\nbranch_labels = None\ndepends_on = ['c3', 'x9']"
    history.put(
        d4=text("d4", "'c3'"), x8=text("x8", "'a1'"), x9=text("x9", "'x8'"), m5=text("m5", "'d4'"), e6=text("e6", merge)
    )
    before = history.texts()
    repairs = history.fix()
    assert [one.script.file.name for one in repairs.changed] == ["d4.py", "e6.py", "c3.py"]
    after = history.texts()
    assert after["d4.py"].decode() == text("d4", "'c3'").replace("'c3'", f'"{REQUIRE}"').replace(
        "Revises: c3", f"Revises: {REQUIRE}"
    )
    assert after["e6.py"].decode() == text("e6", merge).replace("'c3'", f'"{REQUIRE}"').replace(
        "Revises: x8, c3", f"Revises: x8, {REQUIRE}"
    )
    same = ("a1.py", "x8.py", "x9.py", "m5.py")
    assert {name: after[name] for name in same} == {name: before[name] for name in same}
    assert history.downs()["e6"] == ("x8", REQUIRE)
    assert not [line for line in history.findings() if "HR-PR101" not in line]


def test_several_scripts_of_one_history_are_split_at_once(history: History) -> None:
    history.put(d4=text("d4", "'c3'", ADD.replace("seats", "room")), e5=text("e5", "'d4'"))
    assert len(history.fix().gone) == 2
    downs = {one.revision.message: one.revision for one in history.files()}
    assert [downs[name].down_revisions for name in ("d4", "fill bookings.room", "require bookings.room", "e5")] == [
        (REQUIRE,),
        ("d4",),
        (downs["fill bookings.room"].id,),
        (downs["require bookings.room"].id,),
    ]
    assert history.findings() == []


def test_marks_line_ends_and_modes_are_those_of_the_split_script(history: History) -> None:
    dos = b"\xef\xbb\xbf" + text("c3", "'a1'", ADD).replace("\n", "\r\n").encode()
    (history.folder / "c3.py").write_bytes(dos)
    (history.folder / "c3.py").chmod(0o640)
    history.fix()
    assert (history.folder / "c3.py").read_bytes() == dos.replace(b"nullable=False", b"nullable=True")
    for name in NAMES:
        path = history.folder / name
        data = path.read_bytes()
        assert data.startswith(b'\xef\xbb\xbf"""')
        assert data.count(b"\r\n") == data.count(b"\n") > 20
        assert path.stat().st_mode & 0o777 == 0o640
    assert history.findings() == []


@pytest.mark.parametrize(
    ("child", "why"),
    [
        (text("d4", "before()", more="def before():\n    import os\n    return os.environ['X']"), "down_revision of d4.py is not written out"),
        (text("d4", "'c' + '3'"), "down_revision of d4.py is not written out"),
        (text("d4", "PARENT").replace("revision = 'd4'", "PARENT = 'c3'\nrevision = 'd4'"), "down_revision of d4.py is not written out"),
        (text("d4", "'c3'", more="depends_on = list('ab')"), "depends_on of d4.py is not written out"),
        (text("d4", "'c3'", more="down_revision = 'a1'"), "down_revision of d4.py is not written out"),
        (text("d4", "'c3'").replace("def upgrade", "def upgrade("), "d4.py cannot be read, and may follow it"),
        (text("c3", "'a1'"), "its revision id is not its own"),
        ("# -*- coding: latin-1 -*-\n" + text("d4", "'c3'"), ""),
    ],
)  # fmt: skip
def test_what_is_not_certain_is_not_split(history: History, child: str, why: str) -> None:
    is_latin = child.startswith("#")
    (history.folder / "d4.py").write_bytes(child.encode() + (b"# \xe9\n" if is_latin else b""))
    before = history.texts()
    repairs = history.fix()
    place = f"c3.py:15 HR-DD101 {SHOWN}"
    assert repairs == Repairs(left=(f"{place}: {why or 'd4.py follows it and is not UTF-8'}",))
    assert history.texts() == before


def test_a_script_that_is_not_of_the_project_is_not_split(history: History) -> None:
    files = history.files()
    repairs = repair_all(files, files[:1], LintSettings(), ENGINES)
    assert repairs == Repairs()


def test_a_split_that_would_bring_another_finding_is_not_made(history: History) -> None:
    files, judged = history.files(), judge_history(LintSettings(), ENGINES)

    def strict(scripts: Sequence[Revision]) -> tuple[Finding, ...]:
        more = (Finding("HR-XX101", Severity.INFO, one.path, 1, 0, "too long", "why") for one in scripts[3:])
        return (*judged(scripts), *more)

    repairs = repair_all(files, files, LintSettings(), ENGINES, judged=strict)
    assert repairs == Repairs(
        left=(
            f"c3.py:15 HR-DD101 {SHOWN}: split, it would have another finding: {NAMES[1]}:1:0: info HR-XX101 too long",
        )
    )


def test_what_cannot_be_split_together_is_split_one_by_one_where_it_can(history: History) -> None:
    def never_room(scripts: Sequence[Revision]) -> tuple[Finding, ...]:
        found = judge_history(LintSettings(), ENGINES)(scripts)
        more = (one for one in scripts if one.message.startswith("fill") and "room" in one.message)
        return (*found, *(Finding("HR-XX101", Severity.INFO, one.path, 1, 0, "no rooms", "why") for one in more))

    history.put(c3=text("c3", "'a1'", ADD.replace("seats", "room") + ADD))
    files = history.files()
    repairs = repair_all(files, files, LintSettings(), ENGINES, judged=never_room)
    assert [one.revision.message for one in repairs.added] == ["fill bookings.seats", "require bookings.seats"]
    assert len(repairs.left) == 1
    assert repairs.changed[-1].source == text("c3", "'a1'", ADD.replace("seats", "room") + ADD.replace("False", "True"))

    loop = "    for name in ('room', 'seats'):\n    " + ADD.replace("'seats'", "name")
    history.put(c3=text("c3", "'a1'", loop))
    files = history.files()
    repairs = repair_all(files, files, LintSettings(), ENGINES, judged=never_room)
    assert (repairs.changed, repairs.added) == ((), ())
    assert [line.rpartition(": ")[2] for line in repairs.left] == [
        "info HR-XX101 no rooms",
        "what adds it adds another column too",
    ]


@pytest.mark.parametrize(
    "body",
    [
        f"    if op.get_bind().engine.echo:\n    {ADD}",
        "    column = sa.Column('seats', sa.Integer(), nullable=False)\n    op.add_column('bookings', column)\n",
        ADD + "    op.rename_table('bookings', 'visits')\n",
        ADD + "    op.create_primary_key('pk', 'bookings', ['seats'])\n",
        ADD + "    op.alter_column('bookings', 'seats', new_column_name='chairs')\n",
        "    op.create_table('rooms', sa.Column('id', sa.Integer()))\n"
        "    for table in ('bookings', 'rooms'):\n    " + ADD.replace("'bookings'", "table"),
    ],
)
def test_what_does_more_than_add_the_column_gets_words_only(history: History, body: str) -> None:
    history.put(c3=text("c3", "'a1'", body))
    repairs = history.fix()
    assert (repairs.added, repairs.left) == ((), ())
    assert any(f"error HR-DD101 {SHOWN}" in line for line in history.findings())


def test_a_loop_over_tables_is_split_for_each(history: History) -> None:
    body = "    for table in ('bookings', 'rooms'):\n    " + ADD.replace("'bookings'", "table")
    history.put(c3=text("c3", "'a1'", body))
    (fill, require) = history.fix().added
    assert fill.revision.message == "fill bookings.seats, rooms.seats"
    assert 'fill("bookings", "seats")\n    fill("rooms", "seats")\n' in fill.source
    assert 'batch_alter_table("rooms")' in require.source
    assert history.findings() == []


@pytest.mark.parametrize(
    ("column", "postgresql", "both"),
    [
        ("sa.Uuid(), default=uuid.uuid4", "gen_random_uuid()", None),
        ("sa.Uuid(), default=lambda: uuid4()", "gen_random_uuid()", None),
        ("sa.String(36), default=uuid4", None, None),
        ("sa.DateTime(), default=datetime.utcnow", "CURRENT_TIMESTAMP", "CURRENT_TIMESTAMP"),
        ("sa.DateTime(), default=lambda: datetime.now(UTC)", "CURRENT_TIMESTAMP", "CURRENT_TIMESTAMP"),
        ("sa.DateTime(), default=sa.func.now()", "CURRENT_TIMESTAMP", "CURRENT_TIMESTAMP"),
        ("sa.Date(), default=date.today", "CURRENT_DATE", "CURRENT_DATE"),
        ("sa.Integer(), default=next_number", None, None),
    ],
)
def test_a_default_that_sql_knows_is_the_value(
    history: History, column: str, postgresql: str | None, both: str | None
) -> None:
    history.put(c3=text("c3", "'a1'", ADD.replace("sa.Integer()", column)))
    for engines, value in ((frozenset({"postgresql"}), postgresql), (ENGINES, both)):
        repairs = repair_all(history.files(), history.files(), LintSettings(), engines)
        line = f'    "bookings.seats": {f"{chr(34)}{value}{chr(34)}" if value else None},\n'
        assert line in repairs.added[0].source
        assert bool(repairs.todo) is (value is None)


class Killed(BaseException):
    """The end of the process: nothing is undone."""


def killed_after(count: int) -> Callable[[Path, bytes, int], None]:
    """Write that many files, then die."""
    real, written = script_files._replace, itertools.count()

    def replace(target: Path, data: bytes, mode: int) -> None:
        if next(written) == count:
            raise Killed
        real(target, data, mode)

    return replace


def test_a_kill_between_the_writes_leaves_a_whole_history_which_the_same_command_repairs(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    history.put(d4=text("d4", "'c3'"))
    before = history.texts()
    wanted = dict.fromkeys(before, b"")
    history.fix()
    wanted = history.texts()
    seen = set()
    for count in itertools.count():
        for path in history.folder.iterdir():
            path.unlink()
        for name, data in before.items():
            (history.folder / name).write_bytes(data)
        with monkeypatch.context() as patch:
            patch.setattr(script_files, "_replace", killed_after(count))
            patch.setattr(script_files, "_undo", lambda _: None)
            try:
                history.fix()
            except Killed:
                pass
            else:
                break
        downs = history.downs()
        assert all(down in downs for downs_of in downs.values() for down in downs_of)
        heads = set(downs) - {down for downs_of in downs.values() for down in downs_of}
        seen.add(tuple(sorted(heads)))
        history.fix()
        assert history.texts() == wanted
    assert count == 4
    assert seen == {("d4",), (FILL, "d4"), (REQUIRE, "d4")}


def test_values_written_before_the_repair_was_taken_up_again_are_kept(history: History) -> None:
    files, repairs = history.texts(), history.fix()
    fill = history.folder / NAMES[0]
    chosen = fill.read_text().replace("None,", '"1",')
    fill.write_text(chosen)
    (history.folder / NAMES[1]).unlink()
    (history.folder / "c3.py").write_bytes(files["c3.py"])
    again = history.fix()
    assert [one.file.name for one in again.added] == NAMES[1:]
    assert (fill.read_text(), again.gone) == (chosen, repairs.gone)
    assert history.findings() == []


@pytest.mark.parametrize("failing", range(4))
def test_a_failed_write_leaves_everything_as_it_was(
    history: History, failing: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    history.put(d4=text("d4", "'c3'"))
    before, real, left = history.texts(), script_files._replace, [failing]

    def replace(target: Path, data: bytes, mode: int) -> None:
        left[0] -= 1
        if left[0] == -1:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(target, data, mode)

    monkeypatch.setattr(script_files, "_replace", replace)
    with pytest.raises(UsageError) as failed:
        history.fix()
    name = [*NAMES, "d4.py", "c3.py"][failing]
    assert failed.value.message == f"{history.folder / name} cannot be written"
    assert failed.value.why == "No space left on device"
    assert history.texts() == before


def test_a_file_of_that_name_is_never_overwritten(history: History) -> None:
    repairs, before = history.repairs(), history.texts()
    (history.folder / NAMES[1]).write_text("mine")
    with pytest.raises(UsageError) as failed:
        write_together(repairs.added, [(one.script, one.source) for one in repairs.changed])
    assert failed.value.message == f"{history.folder / NAMES[1]} is there already"
    assert history.texts() == {**before, NAMES[1]: b"mine"}


def test_ids_are_those_of_parent_and_message() -> None:
    parent = identify("versions/a.py", "revision = 'a1'\ndown_revision = None\n")
    made = [new_script(parent, NextRevision(message, "pass", "pass")) for message in ('fill "x".y', "fill z", "fill z")]
    assert len({one.id for one in made}) == 2
    assert made[0].path == f"versions/{made[0].id}_fill_x_y.py"
    long = new_script(parent, NextRevision("fill " + "many_words " * 9, "pass", "pass"))
    assert long.path == f"versions/{long.id}_fill_many_words_many_words_many_words_.py"
    for one in made:
        again = identify(one.path, one.source)
        assert (again.id, again.down_revisions, again.message) == (one.id, ("a1",), one.message)
        assert unclear([again]) == ""
        assert repointed(again, "a1", "xyz").count("xyz") == 2
        assert repointed(again, "zz", "b2") == again.source
