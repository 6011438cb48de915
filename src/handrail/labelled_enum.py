"""Enums of text whose members also have a name for people: in user interfaces, and in OpenAPI documents."""

from __future__ import annotations

import enum
import inspect
from typing import Any, Self

from handrail.errors import EnumTypeError


class LabelledEnum(enum.StrEnum):
    """A `StrEnum` whose members may carry a label: `SCHEDULED = "SCHEDULED", "예정"`.

    The value is what is stored and sent; the label is for people and may change at any time. `enum.auto()` makes the
    value as in every StrEnum: the name in lower case. Pydantic's JSON Schema, and so FastAPI's OpenAPI document, lists
    the labels as `x-enum-descriptions` and the members' names as `x-enum-varnames`, which client generators read; the
    description lists values and labels for people.
    """

    _value_: str
    _label: str

    def __new__(cls, value: str, label: str = "") -> Self:
        for what, given in (("value", value), ("label", label)):
            if not isinstance(given, str):
                raise EnumTypeError(
                    f"a member of {cls.__name__} has the {what} {given!r} ({type(given).__name__}), which is no string",
                    hint='write it as SCHEDULED = "SCHEDULED", "planned": first the value, then the label',
                )
        member = str.__new__(cls, value)
        member._value_ = value
        member._label = label
        return member

    @enum.property
    def label(self) -> str:
        """What people call the member; its name where it has no label."""
        return self._label or self.name

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: Any, handler: Any) -> Any:
        """Adds names and labels to what Pydantic writes; called by Pydantic, which handrail need not import for it."""
        json_schema = handler(core_schema)
        handler.resolve_ref_schema(json_schema).update(_schema_additions(cls))
        return json_schema


def _schema_additions(cls: type[LabelledEnum]) -> dict[str, Any]:
    members = list(cls)
    additions: dict[str, Any] = {"x-enum-varnames": [member.name for member in members]}
    if any(member._label for member in members):
        listed = "\n".join(f"- `{member.value}`: {member.label}" for member in members)
        own = inspect.cleandoc(cls.__dict__.get("__doc__") or "")
        additions["x-enum-descriptions"] = [member.label for member in members]
        additions["description"] = f"{own}\n\n{listed}" if own else listed
    return additions
