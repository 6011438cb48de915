"""The `handrail` program."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from io import TextIOWrapper


def run() -> None:
    """Entry point of the installed script. Typer would send colours into a pipe on some CI machines: not ours."""
    if not sys.stdout.isatty():
        os.environ.setdefault("NO_COLOR", "1")
    if isinstance(sys.stdout, TextIOWrapper):  # a sign that it cannot show must not end a call, as on stderr
        sys.stdout.reconfigure(errors="backslashreplace")
    words = sys.argv[1:]
    if is_plain_lint(words):
        from handrail.cli.reviewing import Asked, review

        review(Asked(tuple(words[1:])))
        return
    from handrail.cli.commands import looks_at_project

    if looks_at_project(words):
        from handrail.cli import early

        early.begin()
    from handrail.cli.app import app_for

    app_for(words)()


def is_plain_lint(words: Sequence[str]) -> bool:
    """Whether the words are `lint` and names, as hooks and editors call it for each file. Then there is no option to
    parse, and Typer, which takes longer to import than all that a review needs, stays away. On Windows it expands
    patterns, as shells do elsewhere."""
    is_lint = words[:1] == ["lint"] and not any(word.startswith("-") for word in words)
    return is_lint and os.name != "nt"


if __name__ == "__main__":
    run()
