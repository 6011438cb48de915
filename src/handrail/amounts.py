"""How amounts are written for people and read from them: counts with their noun, sizes of bytes, bytes a second."""

from __future__ import annotations

import re

_RATE = re.compile(r"(\d+(?:\.\d+)?)\s*(kB|MB|GB|KiB|MiB|GiB)/s")
_UNITS = {"kB": 1e3, "MB": 1e6, "GB": 1e9, "KiB": 2.0**10, "MiB": 2.0**20, "GiB": 2.0**30}


def parse_rate(value: object) -> float:
    """Bytes a second of "20MB/s" (powers of ten; "20MiB/s" of two), or of a bare number. ValueError otherwise."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    found = _RATE.fullmatch(str(value).strip())
    if not found:
        raise ValueError('a rate is written like "500kB/s", "20MB/s" or "1GB/s"')
    return float(found[1]) * _UNITS[found[2]]


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
