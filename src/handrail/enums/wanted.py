"""What `enum rename` and `enum convert` ask for, checked against models and database before a script is written."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

from handrail.amounts import count
from handrail.enums.meaning import meant
from handrail.enums.model_lines import converted, field_line, type_line
from handrail.enums.reconcile import strategy_on
from handrail.enums.states import EnumReading, ModelEnum, StoredEnum, Strategy, Usage
from handrail.enums.words import AUTOGENERATE, holder, listed
from handrail.errors import UsageError
from handrail.facts import TableName

#: What PostgreSQL takes of a label, in bytes.
_LABEL = 63


def find(models: Sequence[ModelEnum], word: str) -> ModelEnum:
    """The enum column that is meant by "bookings.status", or by "status" where no other has that name. UsageError."""
    ends = [one for one in models if str(one.column) == word] or [
        one for one in models if str(one.column).endswith(f".{word}")
    ]
    if len(ends) == 1:
        return ends[0]
    names = [str(one.column) for one in models]
    if ends:
        shown = ", ".join(str(one.column) for one in ends)
        raise UsageError(
            f"several tables have an enum column {word}", why=shown, hint=f"name one of them: {ends[0].column}"
        )
    near = get_close_matches(word, names, 1, cutoff=0.8)
    raise UsageError(
        f"the models have no enum column {word}",
        why=f"their enum columns are {', '.join(names[:8])}{' …' if len(names) > 8 else ''}"
        if names
        else "they have none",
        hint=f"did you mean {near[0]}?" if near else "handrail enum list shows the columns there are",
    )


def check_rename(reading: EnumReading, model: ModelEnum, old: str, new: str) -> tuple[str, ...]:
    """Refuse what is no rename of a value, with the edit of the class that is missing; else what is to be told."""
    _refuse_string(model)
    if new not in model.labels:
        raise _no_member(model, old, new)
    stored = _stored(reading, model)
    if old in model.labels:
        raise UsageError(
            f"{old!r} and {new!r} are both members of {holder(model)}",
            why="a rename is one value under another text",
            hint=f'to give up {old!r}, take it out of the class, then: {AUTOGENERATE} --map "{old}={new}"',
        )
    if stored.labels and old not in stored.labels:
        raise UsageError(
            f"the database does not know {old!r} in {model.column}",
            why=f"its values are {listed(stored.labels)}",
            hint="handrail enum list shows each value, and the rows that hold it",
        )
    if new in stored.labels:
        raise UsageError(
            f"the database has both {old!r} and {new!r} in {model.column}",
            why="rows of both would be one value, and no downgrade could tell them apart again",
            hint=f'if that is meant: {AUTOGENERATE} --map "{old}={new}"',
        )
    is_held = bool(stored.labels) or bool(_counts(reading, model).get(old))
    return (
        ()
        if is_held
        else (f"no row of {model.column} holds {old!r} here: the script changes those of other databases",)
    )


def check_convert(reading: EnumReading, model: ModelEnum, to: Strategy, engines: frozenset[str]) -> tuple[str, ...]:
    """Refuse what cannot be converted, or is so already; else what is to be told. `engines` are those that the script
    is for."""
    stored = _stored(reading, model)
    if model.is_array:
        raise UsageError(
            f"{model.column} holds lists, which only a native type checks",
            hint="write the change by hand: handrail revision -m …",
        )
    wanted = converted(model, to)
    here = strategy_on(wanted, reading.engine)
    if stored.strategy is here and engines <= {reading.engine}:
        raise _is_so_already(wanted, here)
    if to is Strategy.VARCHAR:
        return ()
    _refuse_rows(model, stored, _counts(reading, model))
    if to is Strategy.NATIVE:
        _refuse_type(reading, wanted)
        if "sqlite" in engines | {reading.engine}:
            return (f"SQLite has no enum types: there {model.column} has a CHECK",)
    return ()


def _refuse_string(model: ModelEnum) -> None:
    if model.is_string:
        raise UsageError(
            f"{model.column} is a plain string column under the annotation {model.class_name}",
            why="its type says nothing of the enum, so no script can be written from it",
            hint=f"in the model write {field_line(model)}",
        )


def _no_member(model: ModelEnum, old: str, new: str) -> UsageError:
    error = UsageError(
        f"no member of {holder(model)} is stored as {new!r}", why=f"they are stored as {listed(model.labels)}"
    )
    held = next((member for member in model.members if member.text == old), None)
    near = meant(model, new)
    if near is not None and near is not held:
        error.hint = f"{near.name} is stored as {near.text!r}: name that"
    elif held is None:
        error.hint = f'first write the member into {holder(model)}: … = "{new}"'
    elif held.value or held.text != held.name:
        error.hint = f'first write {held.name} = "{new}" in {holder(model)}, in place of "{old}"'
    else:
        error.hint = f'first write {new} in place of {old} in {holder(model)} (stored as "{new}")'
    return error


def _stored(reading: EnumReading, model: ModelEnum) -> StoredEnum:
    stored = reading.stored.get(model.column)
    if stored is None:
        raise UsageError(
            f"{model.column} is not in the database",
            why="a script is written from what models and database differ in",
            hint=f"handrail upgrade; if no script adds it yet: {AUTOGENERATE}",
        )
    return stored


def _counts(reading: EnumReading, model: ModelEnum) -> dict[str, int]:
    return dict(reading.usages.get(model.column, Usage()).counts or {})


def _is_so_already(wanted: ModelEnum, here: Strategy) -> UsageError:
    why = "SQLite has no enum types, and a CHECK stands in for one" if here is not wanted.strategy else ""
    return UsageError(
        f"{wanted.column} is {here.value} in the database already",
        why=why,
        hint=f"in the model write {type_line(wanted)}",
    )


def _refuse_rows(model: ModelEnum, stored: StoredEnum, counts: dict[str, int]) -> None:
    """Rows that no member has would stop the script; names in place of values it rewrites."""
    strays = [text for text in counts if text not in model.labels]
    is_named = {*strays, *stored.labels} - set(model.labels) <= {one.name for one in model.members}
    if not strays or is_named:
        return
    rows = sum(counts[text] for text in strays)
    shown = ", ".join(f"{text!r} ({count(counts[text], 'row')})" for text in strays[:8])
    raise UsageError(
        f"{count(rows, 'row')} of {model.column} hold{'s' * (rows == 1)} a text that is no member of {holder(model)}",
        why=shown,
        hint=f'give them a text of a member first: {AUTOGENERATE} --map "{strays[0]}={model.labels[0]}", and upgrade',
    )


def _refuse_type(reading: EnumReading, wanted: ModelEnum) -> None:
    long = next((label for label in wanted.labels if len(label.encode()) > _LABEL), None)
    if long is not None:
        raise UsageError(
            f"{long!r} has {len(long.encode())} bytes; PostgreSQL takes {_LABEL} for a label of an enum type",
            hint=f"handrail enum convert {wanted.column} --to check",
        )
    labels = reading.types.get(TableName(wanted.type_name, wanted.type_schema))
    if labels is not None and set(labels) != set(wanted.labels):
        raise UsageError(
            f"the database has a type {wanted.type_name} with other values: {listed(labels)}",
            why=f"{holder(wanted)} has {listed(wanted.labels)}",
            hint=f'bring that type up to date first ({AUTOGENERATE}), or write another name="…" in the model',
        )
