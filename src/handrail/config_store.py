"""Where backups are kept, as a configuration names it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

if TYPE_CHECKING:
    from pydantic_core import CoreSchema


@dataclass(frozen=True, slots=True)
class _Place:
    def schema(self) -> CoreSchema:
        """An empty text would be the project's own folder, and handrail's files would lie among its sources."""
        from pydantic_core import core_schema as core

        def read(value: str) -> str:
            if not value.removeprefix("file://").strip():
                raise ValueError(
                    'a place for backups is a folder, "." being that of the project, or a URL like "s3://bucket/prefix"'
                )
            return value

        return core.no_info_after_validator_function(read, core.str_schema())


Place = Annotated[str, _Place()]
