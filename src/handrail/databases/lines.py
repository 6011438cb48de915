"""The lines of a stream of SQL text, for any engine."""

from __future__ import annotations

from collections.abc import Iterable, Iterator


def lines(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Each line with its end, the last one without where it has none. A line may span many pieces: it is put together
    once."""
    begun: list[bytes] = []
    for piece in pieces:
        first, *rest = piece.split(b"\n")
        begun.append(first)
        for part in rest:
            yield b"".join(begun) + b"\n"
            begun = [part]
    if last := b"".join(begun):
        yield last
