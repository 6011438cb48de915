"""The contest on SQLite: handrail beside cp, the shell's .backup, restic and Litestream."""

from __future__ import annotations

import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from bench.contenders import Commands, Handrail, emptied, removed
from bench.contest import Arena, Tool
from bench.dumping import longest_wait
from bench.measuring import Figure, Table
from bench.rivals import tool
from bench.sample import MB, make_database
from bench.watched import Command, ProgramFailed, Step, run_watched

_UNENDING = 10.0
_CHANGE = """UPDATE bookings SET description =
 substr(description, 1, length(description) - 8) || printf('%08x', abs(random()) % 4294967296) WHERE """
_OPENED = ("cp", "sqlite3 .backup")  # SQLite can look at what they made
_MORE = """INSERT INTO bookings (topic, description, "when", user_id)
 SELECT topic, description, "when", user_id FROM bookings LIMIT ?"""
_READ = "BEGIN; SELECT count(*) FROM sqlite_schema;"
_UNSAFE = "unsafe beside a writer: the file may be torn"
_NOT_ENDING = (
    f"plain `.backup` begins anew at each commit of others and did not end beside this writer in {_UNENDING:.0f} s"
)
_REMARKS = (
    "The writer commits a row of `users` every 5 ms (WAL, synchronous = NORMAL); its longest commit is the wait.",
    "x engine: against the faster of cp and .backup. cp and the straight restic are quick because they read a file that changes.",
    "restic: a repository of its own with its defaults (compression auto), verified by `check --read-data`; before it,"
    " `.backup` writes the file that it reads, in the time too.",
    "Litestream: `replicate -once` to a folder, of a copy of the database of its own, since it keeps a folder and tables"
    " in it. It has no verify; it is `restore -integrity-check quick`.",
)


def grown(work: Path, size: int) -> Path:
    """The sample's database in WAL mode, of about that size: an eighth of it made up, then repeated (no tool here finds
    repeats that far apart, since row ids and pages differ)."""
    path = make_database(work, size // 8)
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("PRAGMA journal_mode = WAL")
        raw.execute("PRAGMA synchronous = OFF")
        (rows,) = raw.execute("SELECT count(*) FROM bookings").fetchone()
        for _ in range(7):
            raw.execute(_MORE, (rows,))
            raw.commit()
        raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path


def measure_sqlite_backups(work: Path, size: int, rounds: int) -> Iterator[Figure | Table]:
    """The table, then our goals."""
    shell = shutil.which("sqlite3")
    if shell is None:
        yield Figure("backups of SQLite", "not measured: no shell sqlite3 at hand")
        return
    path = grown(work, size)
    place = _Place(work, path, work / "litestream.db", shell, _rows(path))
    missing = [f"{name}: not measured, it could not be had." for name in ("restic", "litestream") if not tool(name)]
    yield from Arena(
        f"SQLite, {path.stat().st_size / MB:.0f} MB", work, place.tools(), place.waiting, place.change,
        [*_REMARKS, *missing, place.noise()], rounds,
    ).run()  # fmt: skip


def _rows(path: Path) -> int:
    with closing(sqlite3.connect(path)) as raw:
        return int(raw.execute("SELECT count(*) FROM bookings NOT INDEXED").fetchone()[0])


@dataclass(slots=True)
class _Place:
    """The databases, and every tool on them. `other` is Litestream's."""

    work: Path
    path: Path
    other: Path
    shell: str
    rows: int

    def tools(self) -> Sequence[Tool]:
        found: list[Tool] = [*self._engines()]
        if restic := tool("restic"):
            found += [self._restic(restic, straight=False), self._restic(restic, straight=True)]
        if litestream := tool("litestream"):
            shutil.copy(self.path, self.other)
            found.append(self._litestream(litestream))
        url = f"sqlite:///{self.path}"
        found.append(Handrail("copy", "copy", self.work / "copy", url, self.check))
        found.append(Handrail("increment", "copy", self.work / "increment", url, self.check, first="copy"))
        found.append(Handrail("dump", "dump", self.work / "dump", url, self.check))
        return found

    def waiting(self, chosen: Tool, action: Callable[[], object]) -> float:
        path = self.other if chosen.name.startswith("Litestream") else self.path
        return longest_wait(path, action)[0]

    def noise(self) -> str:
        wait, count = longest_wait(self.path, lambda: time.sleep(5))
        return f"With no backup at all the longest of {count} commits in 5 s took {wait:.0f} ms."

    def change(self, scattered: bool) -> None:
        """1 % of the rows get another end of their text, of the same length; what was written is checkpointed."""
        first = self.rows // 3
        which = "id % 100 = 7" if scattered else f"id >= {first} AND id < {first + self.rows // 100}"
        for path in (one for one in (self.path, self.other) if one.exists()):
            with closing(sqlite3.connect(path, isolation_level=None)) as raw:
                raw.execute(_CHANGE + which)
                raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def check(self, target: Path) -> str:
        try:
            found = _rows(target)
        except sqlite3.Error as problem:
            return f"SQLite says: {problem}"
        finally:
            removed(target)
        return "" if found == self.rows else f"it has {found:,} rows of {self.rows:,}"

    def _engines(self) -> Iterator[Tool]:
        source = str(self.path)
        for name, note, words in (
            ("cp", f"{_UNSAFE}, and what is in the WAL is missing", lambda file: ["cp", "--reflink=never", source, file]),
            ("sqlite3 .backup", f"in a transaction; {_NOT_ENDING}" if self._never_ends() else "in a transaction",
             lambda file: [self.shell, source, _READ, f".backup {file}", "COMMIT"]),
        ):  # fmt: skip
            yield self._file(name, "copy", note, words, lambda file, new: Command(["cp", "--reflink=never", file, new]))
        packed = f'"$1" "$2" "{_READ}" ".backup $3.db" COMMIT && zstd -q -1 -T2 --rm "$3.db" -o "$3"'
        yield self._file(
            "sqlite3 .backup, then zstd -1 -T2", "copy", "", lambda file: ["sh", "-c", packed, "sh", self.shell, source, file],
            lambda file, new: Command(["zstd", "-dq", file, "-o", new]),
        )  # fmt: skip
        text = 'exec "$1" "$2" .dump | zstd -q -1 -T2 -o "$3"'
        yield self._file(
            "sqlite3 .dump | zstd -1 -T2", "dump", "doubles and text with NUL may change",
            lambda file: ["sh", "-c", text, "sh", self.shell, source, file],
            lambda file, new: Command(["sh", "-c", 'zstd -dcq "$1" | "$2" "$3"', "sh", file, self.shell, new]),
        )  # fmt: skip

    def _file(
        self, name: str, family: str, note: str, words: Callable[[str], list[str]], back: Callable[[str, str], Command]
    ) -> Tool:
        store = self.work / name.replace(" ", "_").replace("|", "_")
        file = str(store / "backup")

        def check(number: int) -> Sequence[Step]:
            return [Command([self.shell, file, "PRAGMA quick_check"])] if name in _OPENED else ()

        return Commands(
            name, family, store, lambda number: [emptied(store), Command(words(file))],
            lambda number, target: [back(file, str(target))], self.check, check, is_engine=True,
            is_packed="zstd" in name, note=note,
        )  # fmt: skip

    def _never_ends(self) -> bool:
        """Whether the plain .backup still runs after a while beside the writer."""
        file = self.work / "unending"
        command = Command([self.shell, str(self.path), f".backup {file}"], seconds=_UNENDING)
        try:
            longest_wait(self.path, lambda: run_watched(command, self.work / "log"))
        except ProgramFailed:
            return True
        finally:
            removed(file)
        return False

    def _restic(self, restic: str, *, straight: bool) -> Tool:
        name = "restic, straight of the file" if straight else "sqlite3 .backup, then restic"
        place = self.work / ("restic-straight" if straight else "restic")
        store, file = place / "repository", place / "app.db"
        source = self.path if straight else file
        variables = {
            "RESTIC_PASSWORD": "bench",
            "RESTIC_CACHE_DIR": str(place / "cache"),
            "RESTIC_REPOSITORY": str(store),
        }

        def called(*words: str) -> Command:
            return Command([restic, "-q", *words], variables)

        def make(number: int) -> Sequence[Step]:
            new: list[Step] = [emptied(place), lambda: self._run(called("init"))] if number == 0 else []
            copied = Command([self.shell, str(self.path), _READ, f".backup {file}", "COMMIT"])
            return [*new, *([] if straight else [copied]), called("backup", str(source))]

        def restore(number: int, target: Path) -> Sequence[Step]:
            folder = place / "back"
            inside = folder / source.relative_to("/")
            moved = [lambda: inside.rename(target), lambda: shutil.rmtree(folder)]
            return [called("restore", "latest", "--target", str(folder)), *moved]

        return Commands(
            name, "copy", store, make, restore, self.check, lambda number: [called("check", "--read-data")],
            is_whole=False, note=_UNSAFE if straight else "",
        )  # fmt: skip

    def _run(self, command: Command) -> None:
        run_watched(command, self.work / "log")

    def _litestream(self, litestream: str) -> Tool:
        store = self.work / "litestream"
        url = f"file://{store}"
        kept = self.other.with_name(f".{self.other.name}-litestream")

        def make(number: int) -> Sequence[Step]:
            new = [lambda: shutil.rmtree(kept, ignore_errors=True), emptied(store)] if number == 0 else []
            return [*new, Command([litestream, "replicate", "-once", str(self.other), url])]

        def restore(number: int, target: Path) -> Sequence[Step]:
            return [Command([litestream, "restore", "-o", str(target), url])]

        def verify(number: int) -> Sequence[Step]:
            target = self.work / "litestream-verified"
            words = [litestream, "restore", "-integrity-check", "quick", "-o", str(target), url]
            return [Command(words), lambda: removed(target)]

        return Commands(
            "Litestream -once", "copy", store, make, restore, self.check, verify, is_whole=False,
            note="whole again when others have checkpointed the WAL between two runs",
        )  # fmt: skip
