"""Files that a command writes for people to keep: never over something else without a yes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from handrail.cli.call import asker, confirmed
from handrail.errors import UsageError

if TYPE_CHECKING:
    from handrail.cli.output import Output


def write_file(output: Output, path: Path, text: str, *, yes: bool) -> None:
    """Write it, and say whether it was there. One that says something else is replaced only after a yes."""
    try:
        is_there = path.is_file()
        if is_there and path.read_text(encoding="utf-8") == text:
            output.lines(f"unchanged  {path}")
            return
        if is_there:
            confirmed(asker(output, yes), f"replace {path}, which says something else?")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror or str(error) if isinstance(error, OSError) else "it is no text, and not of handrail"
        raise UsageError(f"{path} cannot be written", why=why, hint="move it away, or give it write rights") from error
    output.lines(f"{'replaced ' if is_there else 'written  '}  {path}")
