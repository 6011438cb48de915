"""A change of enum columns as an operation of Alembic's: turned around with the others, written as stock code."""

from __future__ import annotations

from typing import Any

from alembic.autogenerate.api import AutogenContext
from alembic.autogenerate.render import renderers
from alembic.operations.ops import MigrateOperation

from handrail.enums.code import source_lines
from handrail.enums.plan import PlannedChange


class EnumOp(MigrateOperation):
    """A planned change; scripts never hold it, only the code that it is written as."""

    def __init__(self, planned: PlannedChange) -> None:
        self.planned = planned

    def reverse(self) -> EnumOp:
        return EnumOp(self.planned.reversed())

    def to_diff_tuple(self) -> tuple[Any, ...]:
        return ("change_enum", self.planned.title)


@renderers.dispatch_for(EnumOp)
def _render(_: AutogenContext, operation: EnumOp) -> list[str]:
    return source_lines(operation.planned)
