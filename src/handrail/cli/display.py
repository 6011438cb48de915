"""The live line on a terminal: which step is under way, how far, for how long; drawn once it lasts over a second."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Lock, Timer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.live import Live

    from handrail.workflows.run import Amount

_DELAY = 1.0
_BAR = 20


class Display:
    """At most one live line, below what is printed. It is taken away without a trace, and the cursor stays visible:
    a terminal needs no repair even after kill -9. `console` is called when there is something to draw, never before;
    without `is_live` nothing ever is."""

    def __init__(self, console: Callable[[], Console], *, is_live: bool) -> None:
        self.is_live = is_live
        self._console = console
        self._lock = Lock()
        self._row: Row | None = None
        self._timer: Timer | None = None
        self._live: Live | None = None

    @property
    def step(self) -> str:
        """The step under way, "" when there is none."""
        return self._row.step if self._row else ""

    def begin(self, step: str, text: str) -> None:
        """A step is under way; unless it ends before, it is drawn in a second."""
        self.end()
        row = self._row = Row(step, text)
        if self.is_live:
            self._timer = Timer(_DELAY, self._draw, (row,))
            self._timer.daemon = True
            self._timer.start()

    def move(self, step: str, text: str, amount: Amount | None) -> None:
        """News of the step under way; those of another are none."""
        if self._row is not None and self._row.step == step:
            self._row.text = text or self._row.text
            self._row.amount = amount or self._row.amount

    def end(self) -> None:
        """Take the line away."""
        with self._lock:
            self._row = None
            if self._timer is not None:
                self._timer.cancel()
            live, self._timer, self._live = self._live, None, None
        if live is not None:
            live.stop()

    def _draw(self, row: Row) -> None:
        from rich.live import Live

        with self._lock:
            if self._row is row:
                console = self._console()
                self._live = Live(
                    row,
                    console=console,
                    refresh_per_second=8,
                    transient=True,
                    redirect_stdout=False,
                    redirect_stderr=False,
                )
                self._live.start()
                console.show_cursor(True)


class Row:
    """The line itself, rendered anew from what is known at each refresh."""

    def __init__(self, step: str, text: str) -> None:
        self.step = step
        self.text = text
        self.amount: Amount | None = None
        self._begun = time.monotonic()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        amount = self.amount
        total = amount.total if amount and amount.total and amount.done < amount.total else None
        bar = ProgressBar(
            total=total,
            completed=amount.done if amount else 0,
            width=_BAR,
            pulse=total is None,
            animation_time=time.monotonic(),
        )
        seconds = elapsed(time.monotonic() - self._begun)
        facts = "  ".join(filter(None, (how_far(amount) if amount else "", seconds)))
        grid = Table.grid(padding=(0, 1, 0, 0))
        grid.width = options.max_width - len("^C") - 1  # with the terminal's echo it is one line still
        for width in (14, _BAR, len(facts)):
            grid.add_column(width=width, no_wrap=True)
        grid.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
        grid.add_row(Text(f"… {self.step}"), bar, Text(facts), Text(f" {self.text}", style="dim"))
        yield grid


def how_far(amount: Amount) -> str:
    """ "41 % of 998.2 MB", "41 % of 3,500 rows", "revision 2 of 7", "40 %"; or the amount alone where its total is
    not known or was reached."""
    from handrail.amounts import size

    done, total = amount.done, amount.total
    if amount.unit == "percent":
        return f"{done} %"
    if amount.unit != "revisions":
        written = size if amount.unit == "bytes" else "{:,} rows".format
        return f"{100 * done // total:2} % of {written(total)}" if total and done < total else written(done)
    if not total or total == 1:
        return ""
    return f"{amount.unit.removesuffix('s')} {min(done + 1, total)} of {total}"


def elapsed(seconds: float) -> str:
    """ "7 s", "1:07", "2:01:07"."""
    whole = int(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
