"""One contest of backup tools on one database: every tool in turn does each thing, with a writer running; then a table.

First backup, restore, verify; 1 % of the rows changed in one range, a second backup; 1 % scattered, a third; a restore
of the last. A tool that stores everything each time makes the first only.
"""

from __future__ import annotations

import shutil
import statistics
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Protocol

from bench.measuring import Figure, Measured, Table
from bench.watched import Command, ProgramFailed, Step, run_steps

MB = 1_000_000
_HEAD = (
    "tool", "first s", "x engine", "MB", "peak MiB", "longest wait ms", "restore s", "x engine", "verify s",
    "second, one range: s", "MB more", "second, scattered: s", "MB more", "restore of the last s", "",
)  # fmt: skip


class Tool(Protocol):
    """A tool as its users call it. `family` is what it makes ("copy", "dump", "base"); an engine's own program `is_engine`;
    one that compresses what it makes, as ours do, `is_packed`; one that stores everything each time `is_whole`. `store` holds all that it keeps."""

    @property
    def name(self) -> str: ...
    @property
    def family(self) -> str: ...
    @property
    def is_engine(self) -> bool: ...
    @property
    def is_packed(self) -> bool: ...
    @property
    def is_ours(self) -> bool: ...
    @property
    def is_whole(self) -> bool: ...
    @property
    def note(self) -> str: ...
    @property
    def store(self) -> Path: ...

    def make(self, number: int) -> Sequence[Step]:
        """The backup of that number, 0 the first."""

    def restore(self, number: int, target: Path) -> Sequence[Step]:
        """Into a place that does not exist yet."""

    def check(self, target: Path) -> str:
        """What is wrong with the restored copy, "" when nothing is seen; removes it."""

    def verify(self, number: int) -> Sequence[Step]:
        """Its own way to check the last backup; () when it has none."""


@dataclass(slots=True)
class Arena:
    """The database of a contest. `waiting` runs an action beside a writer and tells the writer's longest wait in ms;
    `change` alters 1 % of the rows, in one range or scattered."""

    title: str
    work: Path
    tools: Sequence[Tool]
    waiting: Callable[[Tool, Callable[[], object]], float]
    change: Callable[[bool], object]
    remarks: Sequence[str] = ()
    rounds: int = 1
    cells: dict[tuple[str, str], list[float]] = field(default_factory=lambda: defaultdict(list))
    failed: dict[str, str] = field(default_factory=dict)
    wrong: dict[str, str] = field(default_factory=dict)

    def run(self) -> Iterator[Table | Figure]:
        """Every phase for all tools in turn; a tool that fails is out, and its row says why."""
        for _ in range(self.rounds):
            self._round()
        yield self.table()
        yield from goals(self)
        for tool in self.tools:
            self._clear(tool)

    def _round(self) -> None:
        for tool in self.tools:
            self._clear(tool)
            self._attempt(tool, self._first)
        with_increments = [tool for tool in self.tools if not tool.is_whole]
        for number, scattered in ((1, False), (2, True)):
            self.change(scattered)
            for tool in with_increments:
                self._attempt(tool, partial(self._again, number=number))
        for tool in with_increments:
            self._attempt(tool, partial(self._restored, number=2, what="last"))

    def value(self, tool: Tool, what: str) -> float | None:
        """The median of all rounds; of waits and peaks the highest of all its backups."""
        found = self.cells.get((tool.name, what))
        if not found:
            return None
        return max(found) if what == "wait" or what.endswith("peak") else statistics.median(found)

    def _attempt(self, tool: Tool, action: Callable[[Tool], None]) -> None:
        if tool.name in self.failed:
            return
        try:
            action(tool)
        except (ProgramFailed, OSError) as problem:
            self.failed[tool.name] = f"{problem}".replace("\n", " ")

    def _clear(self, tool: Tool) -> None:
        shutil.rmtree(tool.store, ignore_errors=True)

    def _note(self, tool: Tool, **values: float) -> None:
        for what, value in values.items():
            self.cells[tool.name, what].append(value)

    def _first(self, tool: Tool) -> None:
        done, wait = self._made(tool, 0)
        self._note(tool, first=done.seconds, size=stored(tool.store), peak=done.peak_mib, wait=wait)
        self._restored(tool, 0, "restore")
        steps = tool.verify(0)
        if steps:
            checked = run_steps(steps, self.work / "log")
            self._note(tool, verify=checked.seconds, verify_peak=checked.peak_mib)

    def _again(self, tool: Tool, number: int) -> None:
        before = stored(tool.store)
        done, wait = self._made(tool, number)
        names = ("range", "range_more") if number == 1 else ("scattered", "scattered_more")
        self._note(tool, peak=done.peak_mib, wait=wait)
        self._note(tool, **dict(zip(names, (done.seconds, stored(tool.store) - before), strict=True)))

    def _made(self, tool: Tool, number: int) -> tuple[Measured, float]:
        """A tool's own preparations (an empty repository, a path) come before the writer, and are not timed."""
        done: list[Measured] = []
        steps = list(tool.make(number))
        while steps and not isinstance(steps[0], Command):
            run_steps([steps.pop(0)], self.work / "log")
        wait = self.waiting(tool, lambda: done.append(run_steps(steps, self.work / "log")))
        return done[0], wait

    def _restored(self, tool: Tool, number: int, what: str) -> None:
        target = self.work / "restored"
        done = run_steps(tool.restore(number, target), self.work / "log")
        self._note(tool, **{what: done.seconds, f"{what}_peak": done.peak_mib})
        if wrong := tool.check(target):
            self.wrong[tool.name] = f"restored, but {wrong}"

    def engine(self, family: str, what: str, *, packed: bool = False) -> float | None:
        """The fastest of the engine's own programs that make the same kind of backup; or of those that compress it."""
        engines = [tool for tool in self.tools if tool.is_engine and tool.family == family]
        found = [self.value(tool, what) for tool in engines if tool.is_packed or not packed]
        return min((one for one in found if one is not None), default=None)

    def table(self) -> Table:
        rows = [self._row(tool) for tool in self.tools]
        details: Mapping[str, object] = {
            f"{name}: {what}": [round(value, 3) for value in values] for (name, what), values in self.cells.items()
        }
        return Table(self.title, _HEAD, rows, tuple(self.remarks), details)

    def _row(self, tool: Tool) -> tuple[str, ...]:
        def shown(what: str, form: str = "{:.2f}", scale: float = 1) -> str:
            value = self.value(tool, what)
            return "" if value is None else form.format(value / scale)

        def against(what: str) -> str:
            mine, engine = self.value(tool, what), self.engine(tool.family, what)
            return "" if mine is None or engine is None else f"{mine / engine:.2f}"

        again: tuple[str, ...] = ("as the first", "", "", "")
        if not tool.is_whole:
            more = [(shown(one), shown(f"{one}_more", "{:.1f}", MB)) for one in ("range", "scattered")]
            again = (*more[0], *more[1])
        said = "; ".join(word for word in (tool.note, self.wrong.get(tool.name), self.failed.get(tool.name)) if word)
        return (
            tool.name, shown("first"), against("first"), shown("size", "{:.0f}", MB), shown("peak", "{:.0f}"),
            shown("wait", "{:.0f}"), shown("restore"), against("restore"), shown("verify"),
            *again, shown("last"), said,
        )  # fmt: skip


def stored(folder: Path) -> int:
    """Bytes of all files in there."""
    total = 0
    for path in folder.rglob("*"):
        with suppress(OSError):  # a server's or a tool's own file may go meanwhile
            if path.is_file() and not path.is_symlink():
                total += path.stat().st_size
    return total


def goals(arena: Arena) -> Iterator[Figure]:
    """What we want of each of our own ways, judged by the same figures as in the table."""
    for tool in (one for one in arena.tools if one.is_ours):
        name, value = f"{arena.title}: {tool.name}", partial(arena.value, tool)
        if problem := arena.failed.get(tool.name) or arena.wrong.get(tool.name):
            yield Figure(name, "FAILED", limit=problem)
            continue
        for done, what in (("made", "first"), ("restored", "restore")):
            for against, packed in (("fastest engine", False), ("fastest that compresses", True)):
                engine = arena.engine(tool.family, what, packed=packed)
                yield from _judged(f"{name}: {done} : {against}", value(what), engine, 1.1)
        yield from _judged(f"{name}: verified : restored", value("verify"), value("restore"), 1.5)
        peak = max(value(one) or 0 for one in ("peak", "restore_peak", "verify_peak", "last_peak"))
        yield Figure(f"{name}: peak memory", f"{peak:.0f} MiB", peak / 200, 1.0, "200 MiB, of make, restore and verify")
        wait = value("wait")
        if wait is not None:
            yield Figure(f"{name}: longest wait of a writer", f"{wait:.0f} ms", wait / 60, 1.0, "60 ms")
        if not tool.is_whole:
            yield from _of_increments(name, value)


def _of_increments(name: str, value: Callable[[str], float | None]) -> Iterator[Figure]:
    for kind, what in (("range", "in one range"), ("scattered", "scattered")):
        yield from _judged(f"{name}: second after 1 % {what} : first", value(kind), value("first"), 0.5)
        more, size = value(f"{kind}_more"), value("size")
        if more is not None and size:
            yield Figure(
                f"{name}: size of the second after 1 % {what} : first",
                f"{more / MB:.1f} MB : {size / MB:.1f} MB", more / size, 0.1,
            )  # fmt: skip


def _judged(name: str, ours: float | None, theirs: float | None, target: float) -> Iterator[Figure]:
    if ours is not None and theirs:
        yield Figure(name, f"{ours:.2f} s : {theirs:.2f} s", ours / theirs, target)
