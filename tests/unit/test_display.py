"""The live line, rendered for terminals of several widths, and how amounts and times read."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from handrail.cli.display import Display, Row, elapsed, how_far
from handrail.workflows.run import Amount


def rendered(amount: Amount | None, columns: int, text: str = "backing up to /srv/backups") -> str:
    row = Row("backup", text)
    row.amount = amount
    console = Console(file=io.StringIO(), width=columns, force_terminal=True, color_system=None, _environ={})
    with console.capture() as captured:
        console.print(row)
    return captured.get()


def test_a_known_amount_is_a_bar_with_its_percentage() -> None:
    line = "… backup       ━━━━━━━━             42 % of 1.0 GB  0 s  backing up to /srv/backups"
    assert rendered(Amount(424_000_000, 1_000_000_000, "bytes"), 100).rstrip() == line


def test_a_narrow_terminal_cuts_the_text_only() -> None:
    line = "… backup       ━━━━━━━━━━           revision 2 of 2  0 s  backing up to /srv…"
    assert rendered(Amount(1, 2, "revisions"), 80).rstrip() == line


def test_without_an_amount_the_bar_pulses_over_the_whole_width() -> None:
    head, _, tail = rendered(None, 100).rstrip().partition(" 0 s  ")
    assert (head[:15], len(head), tail) == ("… backup       ", 35, "backing up to /srv/backups")


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (Amount(5_000_000, 100_000_000, "bytes"), " 5 % of 100.0 MB"),
        (Amount(120_000_000, 100_000_000, "bytes"), "120.0 MB"),
        (Amount(7, None, "bytes"), "7 bytes"),
        (Amount(0, 0, "bytes"), "0 bytes"),
        (Amount(1_400, 3_500, "rows"), "40 % of 3,500 rows"),
        (Amount(3_500, 3_500, "rows"), "3,500 rows"),
        (Amount(0, 3, "revisions"), "revision 1 of 3"),
        (Amount(0, 1, "revisions"), ""),
        (Amount(40, 100, "percent"), "40 %"),
    ],
)
def test_amounts(amount: Amount, text: str) -> None:
    assert how_far(amount) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (59.9, "59 s"), (60, "1:00"), (754, "12:34"), (7261, "2:01:01")]
)
def test_times(seconds: float, text: str) -> None:
    assert elapsed(seconds) == text


def test_news_of_another_step_are_none() -> None:
    display = Display(Console, is_live=False)
    display.begin("rehearse", "running")
    display.move("restore copy", "", Amount(1, 2, "bytes"))
    assert display.step == "rehearse"
    display.end()
    display.move("rehearse", "", Amount(1, 2, "bytes"))
    assert display.step == ""
