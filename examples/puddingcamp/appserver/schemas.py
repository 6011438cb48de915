"""Field types that the schemas of all parts share."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field


def _without_nul(text: str) -> str:
    if "\0" in text:
        raise ValueError("a text cannot hold the character NUL")
    return text


#: PostgreSQL refuses NUL in a text, so the API does so first.
Text = Annotated[str, AfterValidator(_without_nul)]
#: What an INTEGER column can hold.
Id = Annotated[int, Field(ge=1, le=2**31 - 1)]
