"""What every journal promises (handrail.journal.journal), and what only a file can suffer."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from handrail.journal.file import FileJournal
from handrail.journal.journal import EventKind, Journal, JournalError, JournalEvent, JournalledRun
from handrail.journal.memory import MemoryJournal
from support.children import Child

START = datetime(2026, 2, 18, 3, 0, tzinfo=UTC)


@pytest.fixture(params=["file", "memory"])
def journal(request: pytest.FixtureRequest, tmp_path: Path) -> Journal:
    return FileJournal(tmp_path / "journal") if request.param == "file" else MemoryJournal()


def event(run: str, minute: int, kind: EventKind, step: str = "", **data: str) -> JournalEvent:
    return JournalEvent(run, START + timedelta(minutes=minute), kind, step, data)


STORY = [
    event("r1", 0, EventKind.RUN_STARTED, database="sqlite:////srv/local.db", revision="c3a1"),
    event("r1", 1, EventKind.STEP_STARTED, "backup"),
    event("r1", 2, EventKind.STEP_DONE, "backup", backup="r1"),
    event("r1", 3, EventKind.STEP_STARTED, "apply"),
]


def test_events_are_read_as_they_were_appended(journal: Journal) -> None:
    assert journal.runs() == ()
    assert journal.open_runs() == ()
    for one in STORY:
        journal.append(one)
    assert journal.runs() == (JournalledRun("r1", tuple(STORY)),)


@pytest.mark.parametrize("kind", list(EventKind))
def test_every_kind_is_kept(journal: Journal, kind: EventKind) -> None:
    one = event("r1", 0, kind, "apply", why="because")
    journal.append(one)
    assert journal.runs() == (JournalledRun("r1", (one,)),)


TEXTS = [
    "",
    "한글 🍮",
    "two\nlines\r\n",
    "a\u2028b\u2029c\x85d\x0be\x0cf\x1cg",
    '"quoted" \\',
    "\udcff undecodable",
    "\0",
]


@pytest.mark.parametrize("text", TEXTS, ids=ascii)
def test_any_text_is_kept(journal: Journal, text: str) -> None:
    first, second = event("r1", 0, EventKind.RUN_STARTED, why=text), event("r1", 1, EventKind.RUN_ENDED, text)
    journal.append(first)
    journal.append(second)
    assert journal.runs() == (JournalledRun("r1", (first, second)),)


def test_a_run_is_open_until_it_ended(journal: Journal) -> None:
    for one in STORY:
        journal.append(one)
    assert [run.run_id for run in journal.open_runs()] == ["r1"]
    journal.append(event("r1", 4, EventKind.WITHHELD, "apply"))
    assert [run.run_id for run in journal.open_runs()] == ["r1"]
    journal.append(event("r1", 5, EventKind.RUN_ENDED))
    assert journal.open_runs() == ()
    assert len(journal.runs()) == 1


def test_a_run_is_held_within_the_block(journal: Journal) -> None:
    for run in ("r1", "r2"):
        journal.append(event(run, 0, EventKind.RUN_STARTED))
    with journal.held("r1"):
        journal.append(event("r1", 1, EventKind.STEP_STARTED, "restore"))
        assert [journal.is_held(run) for run in ("r1", "r2", "r3")] == [True, False, False]
    assert not journal.is_held("r1")


def test_a_run_is_held_before_its_first_event(journal: Journal) -> None:
    with journal.held("r1"):
        assert (journal.is_held("r1"), journal.runs()) == (True, ())
        journal.append(event("r1", 0, EventKind.RUN_STARTED))
        assert [run.run_id for run in journal.open_runs()] == ["r1"]
    assert not journal.is_held("r1")


def test_a_run_is_held_also_when_somebody_asks_at_that_instant(tmp_path: Path) -> None:
    journal = FileJournal(tmp_path)
    journal.append(event("r1", 0, EventKind.RUN_STARTED))
    is_held = threading.Event()

    def hold() -> None:
        with journal.held("r1"):
            is_held.set()
            done.wait(60)

    done = threading.Event()
    thread = threading.Thread(target=hold)
    with (tmp_path / "r1.jsonl").open("rb") as asking:
        fcntl.flock(asking, fcntl.LOCK_EX)
        thread.start()
        assert not is_held.wait(0.2)  # it waits for whoever asks
    try:
        assert is_held.wait(60)
        assert journal.is_held("r1")
    finally:
        done.set()
        thread.join()


def test_a_killed_process_holds_no_run(tmp_path: Path) -> None:
    journal = FileJournal(tmp_path)
    journal.append(event("r1", 0, EventKind.RUN_STARTED))
    words = (
        "import pathlib, sys, time; from handrail.journal.file import FileJournal\n"
        "with FileJournal(pathlib.Path(sys.argv[1])).held('r1'): print('held', flush=True); time.sleep(300)"
    )
    with Child([sys.executable, "-c", words, str(tmp_path)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert journal.is_held("r1")
        process.kill()
        process.wait()
    assert not journal.is_held("r1")


def test_runs_are_told_oldest_first_whatever_their_names(journal: Journal) -> None:
    for run, minute in (("b", 2), ("a", 3), ("z", 1), ("b", 4)):
        journal.append(event(run, minute, EventKind.RUN_STARTED))
    assert [run.run_id for run in journal.runs()] == ["z", "b", "a"]
    assert [run.run_id for run in journal.open_runs()] == ["z", "b", "a"]


def test_the_last_event_of_a_kind() -> None:
    run = JournalledRun("r1", (*STORY, event("r1", 9, EventKind.STEP_STARTED, "prove")))
    assert run.started == STORY[0]
    assert run.last(EventKind.STEP_STARTED) == event("r1", 9, EventKind.STEP_STARTED, "prove")
    assert run.last(EventKind.STEP_STARTED, "backup") == STORY[1]
    assert run.last(EventKind.RUN_ENDED) is None


# --- what only a file can suffer --------------------------------------------------------------------------------


@pytest.fixture
def told(tmp_path: Path) -> tuple[FileJournal, Path]:
    """A journal in which STORY was appended, and its file."""
    journal = FileJournal(tmp_path / "journal")
    for one in STORY:
        journal.append(one)
    return journal, tmp_path / "journal" / "r1.jsonl"


def test_the_journal_is_private(told: tuple[FileJournal, Path]) -> None:
    _, path = told
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_cut_anywhere_it_tells_the_whole_lines(told: tuple[FileJournal, Path]) -> None:
    journal, path = told
    data = path.read_bytes()
    for length in range(len(data)):
        path.write_bytes(data[:length])
        whole = tuple(STORY[: data[:length].count(b"\n")])
        assert journal.runs() == ((JournalledRun("r1", whole),) if whole else ())


@pytest.mark.parametrize("torn", [b"{", b'{"run": "r1", "at": "2026', '{"run": "한'.encode()[:-1], b"\0" * 700])
def test_a_torn_line_is_not_continued_by_the_next_event(told: tuple[FileJournal, Path], torn: bytes) -> None:
    """`recover` appends to the file that the power cut tore: its events must be read."""
    journal, path = told
    with path.open("ab") as out:
        out.write(torn)
    end = event("r1", 9, EventKind.RUN_ENDED)
    journal.append(end)
    assert journal.runs() == (JournalledRun("r1", (*STORY, end)),)
    assert journal.open_runs() == ()


def test_a_failed_append_is_told_and_leaves_nothing(
    told: tuple[FileJournal, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk takes half of the line; the event was not acknowledged and must not be read, and the next one is."""
    journal, path = told
    write = os.write

    def half_then_full(descriptor: int, data: bytes) -> int:
        if len(data) < 40:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(descriptor, bytes(data)[: len(data) // 2])

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", half_then_full)
        with pytest.raises(JournalError) as caught:
            journal.append(event("r1", 8, EventKind.STEP_DONE, "apply"))
    assert caught.value.message == f"the journal {path} cannot be written"
    assert caught.value.why == "No space left on device"
    end = event("r1", 9, EventKind.RUN_ENDED)
    journal.append(end)
    assert journal.runs() == (JournalledRun("r1", (*STORY, end)),)


@pytest.mark.parametrize("line", [b"", b"[]", b"5", b"{}", b'{"run": "r1"}', b"\xff\xfe", b'{"kind": "danced"}'])
def test_a_damaged_line_in_the_middle_is_refused(told: tuple[FileJournal, Path], line: bytes) -> None:
    """Skipping it could make a run that needs `recover` look as if nothing had happened."""
    journal, path = told
    lines = path.read_bytes().split(b"\n")
    lines[1] = line
    path.write_bytes(b"\n".join(lines))
    with pytest.raises(JournalError) as caught:
        journal.open_runs()
    assert caught.value.message == f"line 2 of the journal {path} cannot be read"


def test_the_new_file_and_each_line_are_flushed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flushed: list[str] = []
    monkeypatch.setattr(os, "fsync", lambda fd: flushed.append(Path(f"/proc/self/fd/{fd}").readlink().name))
    journal = FileJournal(tmp_path / "journal")
    with journal.held("r1"):  # which makes the file
        for one in STORY[:2]:
            journal.append(one)
    assert flushed == ["r1.jsonl", "journal", "r1.jsonl"]


def test_a_journal_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(JournalError, match="cannot be written") as caught:
        FileJournal(tmp_path / "file").append(STORY[0])
    assert caught.value.hint == (
        "a run without a journal could not be recovered: make room or rights there and try again"
    )
