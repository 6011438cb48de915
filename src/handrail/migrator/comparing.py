"""Models against database: Alembic's comparison, each difference in a line of its own; and their enum columns."""

from __future__ import annotations

from typing import Any

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from handrail.enums.states import EnumReading
from handrail.errors import NoModels
from handrail.facts import REPLICATOR_TABLES
from handrail.migrator.places import ENGINES
from handrail.migrator.redirect import unsupported


def differences(context: MigrationContext) -> list[str]:
    """Readable lines; [] when models and database agree. NoModels when env.py names none."""
    metadata = _models(context)
    return [
        line for found in compare_metadata(context, metadata) if not _is_replicators(found) for line in _lines(found)
    ]


def _is_replicators(difference: Any) -> bool:
    """A table that a replicator made for itself: models never have it."""
    return difference[0] == "remove_table" and difference[1].name in REPLICATOR_TABLES


def enums(context: MigrationContext) -> EnumReading:
    """The enum columns of models and database. NoModels when env.py names none; refuses on another engine."""
    from handrail.migrator.enum_models import model_enums
    from handrail.migrator.enum_reading import read_enums

    metadata = _models(context)
    if context.connection is None or context.dialect.name not in ENGINES:
        raise unsupported(context.dialect.name)
    return read_enums(context.connection, model_enums(metadata), counts="all")


def _models(context: MigrationContext) -> Any:
    metadata = context.opts.get("target_metadata")
    if metadata is None:
        raise NoModels(
            "env.py names no models to compare with",
            why="target_metadata is None",
            hint="in env.py set target_metadata = Base.metadata (or SQLModel.metadata), with all models imported",
        )
    return metadata


def _lines(difference: Any) -> list[str]:
    if isinstance(difference, list):  # the changes of one column
        return [line for part in difference for line in _lines(part)]
    what, *parts = difference
    words = str(what).replace("_", " ")
    if str(what).startswith("modify_"):
        schema, table, column, _, old, new = parts
        place = ".".join(str(part) for part in (schema, table, column) if part is not None)
        return [f"{words} of {place}: {old!r} in the database, {new!r} in the models"]
    return [f"{words} {_named(parts)}"]


def _named(parts: list[Any]) -> str:
    thing = parts[-1]
    table = getattr(thing, "table", None)
    owner = parts[1] if len(parts) > 1 and isinstance(parts[1], str) else getattr(table, "fullname", None)
    name = getattr(thing, "fullname", None) or getattr(thing, "name", None) or str(thing)
    return f"{owner}.{name}" if owner and owner != name else str(name)
