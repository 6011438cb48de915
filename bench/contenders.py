"""What the tools of both contests have in common: a tool described by its commands, and handrail called as users call it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.measuring import program
from bench.sample import copy_sample
from bench.watched import Command, Step

HANDRAIL = program("handrail")


def nothing(number: int) -> Sequence[Step]:
    """The verify of a tool that has none."""
    return ()


@dataclass(slots=True)
class Commands:
    """A tool as commands (`bench.contest.Tool`): each function gives the steps for the backup of that number."""

    name: str
    family: str
    store: Path
    make: Callable[[int], Sequence[Step]]
    restore: Callable[[int, Path], Sequence[Step]]
    check: Callable[[Path], str]
    verify: Callable[[int], Sequence[Step]] = nothing
    is_engine: bool = False
    is_packed: bool = False
    is_ours: bool = False
    is_whole: bool = True
    note: str = ""


@dataclass(slots=True)
class Handrail:
    """One of our methods, in a project and a store of its own. `first` is the method of the backup it begins with."""

    method: str
    family: str
    project: Path
    url: str
    check: Callable[[Path], str]
    first: str = ""
    note: str = ""
    #: A dump becomes a new database of this name instead of a file or a folder.
    new_name: str = ""
    is_engine: bool = False
    is_packed: bool = True
    is_ours: bool = True

    def __post_init__(self) -> None:
        copy_sample(self.project)

    @property
    def name(self) -> str:
        return f"handrail {self.first or self.method}" + (f", then {self.method}" if self.first else "")

    @property
    def is_whole(self) -> bool:
        return not self.first

    @property
    def store(self) -> Path:
        return self.project / ".handrail" / "store"

    def make(self, number: int) -> Sequence[Step]:
        method = self.first if self.first and number == 0 else self.method
        return [self._called("create", "--no-verify", "--method", method)]

    def restore(self, number: int, target: Path) -> Sequence[Step]:
        return [self._called("restore", "latest", "--no-compare", "--into", self.new_name or str(target))]

    def verify(self, number: int) -> Sequence[Step]:
        return [self._called("verify")]

    def proven(self) -> Sequence[Step]:
        """A backup as it is made by default: with its proof."""
        return [self._called("create", "--method", self.method)]

    def _called(self, *words: str) -> Command:
        environment = {"ENV": "production", "DATABASE_URL": self.url}
        return Command([HANDRAIL, "backup", *words], environment, self.project)


def removed(target: Path) -> None:
    """Remove a file with what SQLite leaves beside it, or a folder."""
    if target.is_dir():
        shutil.rmtree(target)
    for end in ("", "-wal", "-shm", "-journal", ".tmp-shm", ".tmp-wal"):
        target.with_name(target.name + end).unlink(missing_ok=True)


def emptied(folder: Path) -> Callable[[], object]:
    """A step that makes the folder anew, with nothing in it."""

    def step() -> None:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)

    return step
