"""What is taken out of texts that others wrote."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handrail.redaction import printable, redacted

WORDS = st.text(alphabet="abcxyz-%0", min_size=4, max_size=12)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("deploy --to postgresql://me:hush@db/x now", "deploy --to postgresql://me:***@db/x now"),
        ("redis://:hush@cache", "redis://:***@cache"),
        ("https://example.com:8080/a@b", "https://example.com:8080/a@b"),
        ("a token-1234 and token-12345", "a *** and ***"),
        ("abc", "abc"),
    ],
)
def test_redacted(text: str, expected: str) -> None:
    assert redacted(text, ("token-1234", "token-12345", "abc", "")) == expected


@given(WORDS, WORDS, WORDS)
def test_no_password_of_a_url_is_left(user: str, password: str, rest: str) -> None:
    assert (
        redacted(f"{rest} postgresql://{user}:{password}@host/{rest}") == f"{rest} postgresql://{user}:***@host/{rest}"
    )


def test_printable() -> None:
    assert printable("\x1b[1;32mgreen\x1b[0m\tand\x07 on") == "green\tand on"
    assert printable(" 1 %\r 2 %\r") == " 2 %"
