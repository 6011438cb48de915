"""Where the project's pages are read: an installed handrail brings none of them."""

from __future__ import annotations

from typing import Final

#: All of them; pyproject.toml names it, too.
DOCUMENTATION: Final = "https://github.com/puddingcamp/handrail/tree/main/docs"


def page(name: str) -> str:
    """The address of one page by its name in docs/, as it is written in hints: "stores", "rules/HR-LK101"."""
    return f"{DOCUMENTATION.replace('/tree/', '/blob/')}/{name}.md"
