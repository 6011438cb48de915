"""Lines of a stream: the same whatever the pieces it comes in."""

from __future__ import annotations

import io

from hypothesis import given
from hypothesis import strategies as st

from handrail.databases.lines import lines


@given(st.lists(st.sampled_from([b"", b"a", b"\n", b"b\n", b"\nc\n\n", b"d"])))
def test_pieces_do_not_matter(pieces: list[bytes]) -> None:
    assert list(lines(pieces)) == list(io.BytesIO(b"".join(pieces)))


def test_a_line_of_many_pieces_is_put_together_once() -> None:
    """200 MB in 20,000 pieces: copied anew for each it would be 2 TB."""
    assert [len(line) for line in lines(bytes(10_000) for _ in range(20_000))] == [200_000_000]
