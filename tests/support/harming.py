"""Harms a backup's stored bytes at random, and counts by which check each harm was found."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

_LONGEST_BLOCK = 4096


@dataclass(frozen=True, slots=True)
class Harm:
    """One harm: what was done, and the bytes as they are now."""

    how: str
    data: bytes


def _flipped(chance: random.Random, data: bytes, _: bytes) -> bytes:
    place = chance.randrange(len(data))
    return data[:place] + bytes([data[place] ^ chance.randrange(1, 256)]) + data[place + 1 :]


def _cut(chance: random.Random, data: bytes, _: bytes) -> bytes:
    return data[: chance.randrange(len(data))]


def _extended(chance: random.Random, data: bytes, _: bytes) -> bytes:
    return data + chance.choice((bytes, chance.randbytes))(chance.randint(1, 64))


def _swapped(chance: random.Random, data: bytes, _: bytes) -> bytes:
    size = chance.randint(1, max(1, min(_LONGEST_BLOCK, len(data) // 2)))
    first = chance.randint(0, len(data) - size)
    second = chance.randint(0, len(data) - size)
    first, second = min(first, second), max(first, second)
    if second < first + size:
        return data
    between = data[first + size : second]
    return data[:first] + data[second : second + size] + between + data[first : first + size] + data[second + size :]


def _zeroed(chance: random.Random, data: bytes, _: bytes) -> bytes:
    size = chance.randint(1, min(_LONGEST_BLOCK, len(data)))
    place = chance.randint(0, len(data) - size)
    return data[:place] + bytes(size) + data[place + size :]


def _of_another(_: random.Random, __: bytes, other: bytes) -> bytes:
    return other


#: A flipped byte twice as often as each of the others; of these there is one backup to take it from.
_WAYS: tuple[tuple[str, int, Callable[[random.Random, bytes, bytes], bytes]], ...] = (
    ("one byte flipped", 40, _flipped),
    ("cut", 15, _cut),
    ("extended", 15, _extended),
    ("two blocks swapped", 14, _swapped),
    ("a block zeroed", 14, _zeroed),
    ("another backup's", 2, _of_another),
)


def harmed(chance: random.Random, data: bytes, other: bytes) -> Harm:
    """The bytes with one harm that changes them; `other` are another backup's."""
    while True:
        how, _, harm = chance.choices(_WAYS, [weight for _, weight, _ in _WAYS])[0]
        now = harm(chance, data, other)
        if now != data:
            return Harm(how, now)


@dataclass(slots=True)
class Tally:
    """Harms counted by what was harmed (a row), what was done to it, and what found it (a column)."""

    found: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    ways: Counter[str] = field(default_factory=Counter)

    def add(self, what: str, how: str, by: str) -> None:
        self.found[what][by] += 1
        self.ways[how] += 1

    @property
    def total(self) -> int:
        return sum(counter.total() for counter in self.found.values())

    def lines(self) -> Iterator[str]:
        """Markdown, to be printed."""
        by = sorted({name for counter in self.found.values() for name in counter})
        yield f"| what | harms | {' | '.join(by)} |"
        yield f"|---|---|{'---|' * len(by)}"
        for what, counter in self.found.items():
            yield f"| {what} | {counter.total()} | {' | '.join(str(counter[name]) for name in by)} |"
        yield ""
        yield f"{self.total} harms: {', '.join(f'{how} {number}' for how, number in self.ways.most_common())}"
