"""How amounts are written for people: counts with their noun, sizes of bytes."""

from __future__ import annotations


def count(number: int, noun: str) -> str:
    """ "1 revision", "1,200 rows"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def size(number: float) -> str:
    """Bytes as people read them: "12.3 MB" (powers of ten)."""
    if number < 1000:
        return f"{number:.0f} bytes"
    for unit in ("kB", "MB"):
        number /= 1000
        if number < 1000:
            return f"{number:.1f} {unit}"
    return f"{number / 1000:.1f} GB"


def span(seconds: float) -> str:
    """A time as people read it, in its two largest units: "12.3 s", "3 min 20 s", "6 h 12 min", "3 days 4 h"."""
    if seconds < 60:
        return f"{seconds:.1f} s".replace(".0 s", " s")
    unit, part, words = next(one for one in _SPANS if seconds >= one[0])
    whole, rest = int(seconds // unit), int(seconds % unit // part)
    first = count(whole, "day") if unit == 86400 else f"{whole} {words[0]}"
    return f"{first} {rest} {words[1]}" if rest else first


_SPANS = ((86400, 3600, ("day", "h")), (3600, 60, ("h", "min")), (60, 1, ("min", "s")))
