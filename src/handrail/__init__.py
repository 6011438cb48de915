"""handrail: the safety system for Alembic migrations.

What models import for enum columns is here, too. It is loaded when it is first asked for: SQLAlchemy takes longer to
import than most commands take to run, and is not needed to read a script.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["LabelledEnum", "check_enum", "enum_field", "native_enum", "varchar_enum"]

if TYPE_CHECKING:
    from handrail.enum_types import check_enum, enum_field, native_enum, varchar_enum
    from handrail.labelled_enum import LabelledEnum
else:

    def __getattr__(name: str) -> Any:
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        if "alembic.autogenerate" in sys.modules:  # the models of a project whose scripts are being written
            import_module("handrail.plugin").register_without_entry_points()
        module = "handrail.labelled_enum" if name == "LabelledEnum" else "handrail.enum_types"
        return getattr(import_module(module), name)

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
