"""What a planned change says of itself: in the comment over its code, in a plan, in a note."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from handrail.enums.changes import ChangeLabels, Values
from handrail.enums.states import ModelEnum, StoredEnum
from handrail.facts import TableName


def order_note(type_: TableName, before: tuple[str, ...], after: tuple[str, ...]) -> str:
    """Why labels in another order were left alone, and how to have them put right."""
    return (
        f"type {type_} sorts {', '.join(before)} and the members stand as {', '.join(after)}: left as it is, since "
        "another order writes every table anew; handrail revision --reorder writes it"
    )


def of_columns(users: Sequence[ModelEnum]) -> str:
    """The columns of a type, the first three by name."""
    return ", ".join(str(model.column) for model in users[:3]) + (" …" if len(users) > 3 else "")


def difference(change: ChangeLabels) -> str:
    """What becomes of a type's labels: 'a' becomes 'b', + 'c', - 'd'; or of its columns' defaults."""
    parts = list(_parts(change.before, change.after, change.values))
    if not parts and change.before == change.after:
        parts = [_default(*pair) for pair in zip(change.users, change.users_after, strict=True) if pair[0] != pair[1]]
    return ", ".join(parts) or "order of values"


def _default(before: StoredEnum, after: StoredEnum) -> str:
    return f"default {before.default!r} becomes {after.default!r}"


def _parts(before: Sequence[str], after: Sequence[str], values: Values) -> Iterator[str]:
    moved = values.texts()
    yield from (f"{old!r} becomes {new!r}" for old, new in moved.items())
    yield from (f"+ {label!r}" for label in after if label not in before and label not in moved.values())
    yield from (f"- {label!r}" for label in before if label not in after and label not in moved)


def column_difference(stored: StoredEnum, wanted: StoredEnum, values: Values) -> str:
    """What becomes of a column: its strategy, its values, or its default."""
    if stored.strategy is not wanted.strategy:
        return f"{stored.strategy.value} becomes {wanted.strategy.value}"
    parts = list(_parts(stored.labels, wanted.labels, values))
    if not parts and stored.default != wanted.default:
        parts = [_default(stored, wanted)]
    return ", ".join(parts) or "its CHECK"
