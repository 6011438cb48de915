"""How models and database differ in enum columns, in words, each with what to type next.

Some differences break nothing today (an order, a CHECK that is not validated), others fail the query that reads the
row: all are told. No drift is told exactly when the database holds what the models say.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from handrail.amounts import count
from handrail.enums.meaning import meant, which
from handrail.enums.model_lines import field_line, type_line
from handrail.enums.reconcile import strategy_on
from handrail.enums.states import ColumnName, EnumReading, ModelEnum, StoredEnum, Strategy, Usage
from handrail.enums.value_drift import value_drifts
from handrail.enums.words import AUTOGENERATE, Drift, DriftKind, holder, listed


def drifts(reading: EnumReading) -> tuple[Drift, ...]:
    """Every difference: column by column in the order of the models, then what concerns several columns or none."""
    found = [drift for model in reading.models for drift in _of_column(reading, model)]
    return (*found, *_same_check_names(reading.models), *_shared_types(reading), *_orphan_types(reading))


def _of_column(reading: EnumReading, model: ModelEnum) -> Iterator[Drift]:
    if model.is_string:
        yield _plain_string(model)
    stored = reading.stored.get(model.column)
    if stored is None:
        yield from _default_of_model(model)
        yield _missing(model)
        return
    usage = reading.usages.get(model.column, Usage())
    yield from _strategy(model, stored, reading.engine)
    yield from value_drifts(model, stored, usage.counts or {})
    yield from _defaults(model, stored)
    yield from _length(model, stored)
    yield from _check(model, stored)


def _plain_string(model: ModelEnum) -> Drift:
    message = (
        f"{model.column} is a plain string column under the annotation {model.class_name}: it reads back str, not a "
        f"member, and nothing validates what is assigned to it"
    )
    return Drift(DriftKind.PLAIN_STRING, model.column, message, f"in the model write {field_line(model)}")


def _missing(model: ModelEnum) -> Drift:
    message = f"{model.column} is not in the database"
    return Drift(
        DriftKind.MISSING_COLUMN, model.column, message, f"handrail upgrade; if no script adds it: {AUTOGENERATE}"
    )


def _strategy(model: ModelEnum, stored: StoredEnum, engine: str) -> Iterator[Drift]:
    wanted = strategy_on(model, engine)
    if stored.strategy is not wanted:
        here = f" (on SQLite: {wanted.value})" if wanted is not model.strategy else ""
        message = (
            f"{model.column} is {model.strategy.value} in the models{here}, {stored.strategy.value} in the database"
        )
        keep = "" if model.is_string else f", or keep it: in the model write {type_line(_as(model, stored))}"
        hint = f"{AUTOGENERATE} writes the change{keep}"
        yield Drift(DriftKind.STRATEGY, model.column, message, hint)
    elif wanted is Strategy.NATIVE and (stored.type_name, stored.type_schema) != (model.type_name, model.type_schema):
        old, new = _type_name(stored.type_name, stored.type_schema), _type_name(model.type_name, model.type_schema)
        message = f"{model.column} has the type {old} in the database, and {new} in the models"
        hint = f"{AUTOGENERATE} writes the change, or keep it: in the model write {type_line(_as(model, stored))}"
        yield Drift(DriftKind.TYPE_NAME, model.column, message, hint)


def _as(model: ModelEnum, stored: StoredEnum) -> ModelEnum:
    """The model as it would have to be for the column that is there."""
    name, schema = stored.type_name or model.type_name, stored.type_schema
    return replace(model, strategy=stored.strategy, type_name=name, type_schema=schema, length=stored.length)


def _type_name(name: str, schema: str | None) -> str:
    return name if schema is None else f"{schema}.{name}"


def _defaults(model: ModelEnum, stored: StoredEnum) -> Iterator[Drift]:
    if model.is_array:
        return
    yield from _default_of_model(model)
    is_known = model.default is None or model.default in model.labels
    if stored.default is not None and stored.default not in model.labels and stored.default != model.default:
        message = f"{model.column} has in the database the default {_described(model, stored.default)}"
        hint = AUTOGENERATE if model.default is not None and not model.is_string else _repair(model, stored.default)
        yield Drift(DriftKind.DEFAULT, model.column, message, hint)
    elif is_known and _is_other_default(model, stored):
        here, there = _default(model.default, model.default_sql), _default(stored.default, stored.default_sql)
        message = f"{model.column} has {here} in the models, {there} in the database"
        yield Drift(DriftKind.DEFAULT, model.column, message, AUTOGENERATE)


def _default(text: str | None, sql: str | None) -> str:
    return f"the default {repr(text) if text is not None else sql}" if text is not None or sql else "no default"


def _is_other_default(model: ModelEnum, stored: StoredEnum) -> bool:
    """Two expressions cannot be compared from here, and a model that says nothing of a default leaves it alone."""
    if model.default is not None:
        return stored.default != model.default
    return model.default_sql is not None and stored.default_sql is None and stored.default is None


def _default_of_model(model: ModelEnum) -> Iterator[Drift]:
    if model.default is None or model.default in model.labels or model.is_array:
        return
    message = f"{model.column} has the server default {_described(model, model.default)}"
    yield Drift(DriftKind.DEFAULT, model.column, message, _repair(model, model.default))


def _described(model: ModelEnum, text: str) -> str:
    member = meant(model, text)
    if member is None:
        return f"{text!r}, which is no member of {holder(model)} ({listed(model.labels)})"
    return f"{text!r}, {which(member, text)}: rows that get it have a text that no member has"


def _repair(model: ModelEnum, text: str) -> str:
    member = meant(model, text)
    right = repr(member.text) if member is not None else f"one of {listed(model.labels)}"
    return f"in the model write server_default={right} (enum_field makes it from default=…), then {AUTOGENERATE}"


def _length(model: ModelEnum, stored: StoredEnum) -> Iterator[Drift]:
    longest = max(model.labels, key=len, default="")
    if stored.strategy is Strategy.NATIVE or stored.length is None or len(longest) <= stored.length:
        return
    message = (
        f"{model.column} takes {count(stored.length, 'character')} in the database, {longest!r} has {len(longest)}"
    )
    is_longer = model.length is None or model.length >= len(longest)
    longer = "" if is_longer else f"in the model write length={len(longest)} or more, then "
    yield Drift(DriftKind.LENGTH, model.column, message, f"{longer}{AUTOGENERATE}")


def _check(model: ModelEnum, stored: StoredEnum) -> Iterator[Drift]:
    if stored.strategy is not Strategy.CHECK:
        return
    if stored.check_name is None:
        message = f"{model.column} has a CHECK without a name, which is lost when the table is copied (batch mode)"
        yield Drift(DriftKind.UNNAMED_CHECK, model.column, message, f"{AUTOGENERATE} makes one with a name")
    if not stored.is_checked:
        message = (
            f"the CHECK {stored.check_name} of {model.column} is NOT VALID: the rows from before it were never checked"
        )
        sql = f"ALTER TABLE {model.column.table} VALIDATE CONSTRAINT {stored.check_name}"
        hint = f'handrail revision -m "validate {stored.check_name}", and in it op.execute("{sql}")'
        yield Drift(DriftKind.NOT_VALIDATED, model.column, message, hint)


# several columns


def _same_check_names(models: Iterable[ModelEnum]) -> Iterator[Drift]:
    seen: dict[tuple[object, str], ModelEnum] = {}
    for model in models:
        if model.strategy is not Strategy.CHECK or not model.is_bound:
            continue
        first = seen.setdefault((model.column.table, model.type_name), model)
        if first is not model:
            message = (
                f"the CHECKs of {first.column} and {model.column} have one name, {model.type_name}: PostgreSQL refuses "
                "the table when the models create it"
            )
            hint = f'give the type of {model.column} a name: name="{model.column.table.name}_{model.column.name}"'
            yield Drift(DriftKind.SAME_CHECK_NAME, model.column, message, hint)


def _shared_types(reading: EnumReading) -> Iterator[Drift]:
    """One type under columns of several classes: by the models, or in the database."""
    users: dict[tuple[str, str | None], list[ModelEnum]] = {}
    for model in reading.models:
        stored = reading.stored.get(model.column)
        names = {(model.type_name, model.type_schema)} if model.strategy is Strategy.NATIVE else set()
        if stored is not None and stored.strategy is Strategy.NATIVE:
            names.add((stored.type_name, stored.type_schema))
        for name in names:
            users.setdefault(name, []).append(model)
    for (type_name, schema), models in users.items():
        first = models[0]
        for model in models:
            if model.enum != first.enum:
                yield _shared(_type_name(type_name, schema), first, model)
                break


def _shared(type_: str, first: ModelEnum, model: ModelEnum) -> Drift:
    message = (
        f"the type {type_} is shared by {first.column} ({holder(first)}) and {model.column} ({holder(model)}): it has "
        "the values of one class only"
    )
    hint = f'give the type of {model.column} a name of its own (name="…"), then {AUTOGENERATE}'
    return Drift(DriftKind.SHARED_TYPE, model.column, message, hint)


def _orphan_types(reading: EnumReading) -> Iterator[Drift]:
    wanted = {(one.type_name, one.type_schema) for one in reading.models if one.strategy is Strategy.NATIVE}
    for type_, labels in reading.types.items():
        if not reading.users.get(type_) and (type_.name, type_.schema) not in wanted:
            message = f"no column has the type {type_} ({listed(labels)})"
            hint = f'handrail revision -m "drop {type_}", and in it op.execute("DROP TYPE {type_}")'
            yield Drift(DriftKind.ORPHAN_TYPE, None, message, hint)


def columns_of(found: Iterable[Drift]) -> tuple[ColumnName, ...]:
    """The columns that differ, each once."""
    return tuple(dict.fromkeys(drift.column for drift in found if drift.column is not None))
