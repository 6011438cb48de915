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
