"""How the values of one enum column differ: members, labels or CHECK, and rows, three sets side by side."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from handrail.amounts import count
from handrail.enums.meaning import meant
from handrail.enums.states import Member, ModelEnum, StoredEnum, Strategy
from handrail.enums.words import AUTOGENERATE, Drift, DriftKind, holder, listed


def value_drifts(model: ModelEnum, stored: StoredEnum, counts: Mapping[str, int]) -> Iterator[Drift]:
    """What the column's values differ in; `counts` are rows by stored text."""
    unknown = [label for label in stored.labels if label not in model.labels]
    strays = [text for text in counts if text not in model.labels and text not in stored.labels]
    spelt = {text: member for text in (*unknown, *strays) if (member := meant(model, text)) is not None}
    if spelt:
        yield _spelt(model, spelt, counts)
    here = {member.text for member in spelt.values()}
    missing = [label for label in model.labels if stored.labels and label not in (*stored.labels, *here)]
    if missing:
        yield _missing(model, stored, missing)
    gone = [label for label in unknown if label not in spelt]
    if gone:
        yield _gone(model, stored, gone, counts)
    lost = [text for text in strays if text not in spelt]
    if lost:
        yield _lost(model, lost, counts)
    is_ordered = stored.strategy is not Strategy.NATIVE or stored.labels == model.labels
    if not is_ordered and set(stored.labels) == set(model.labels):
        yield _order(model, stored)


def _spelt(model: ModelEnum, spelt: Mapping[str, Member], counts: Mapping[str, int]) -> Drift:
    """The database has members under other words than the models."""
    pairs = spelt.items()
    if all(text == member.name for text, member in pairs):
        what = "the names of members where the models store their values"
    elif all(text == member.value for text, member in pairs):
        what = "the values of members where the models store their names"
    else:
        what = "other spellings than the models"
    named = [f"{text!r} for {member.text!r}{_rows(counts, text)}" for text, member in pairs]
    message = f"{model.column} has {what}: {', '.join(named)}{_fails(model, counts, tuple(spelt))}"
    old, member = next(iter(pairs))
    write = f'handrail enum rename {model.column} "{old}" "{member.text}"'
    if all(text == member.name for text, member in pairs):
        write = f"{AUTOGENERATE} writes the values"
    elif all(text == member.value for text, member in pairs):
        write = f'in the model write store="value", or {write}'
    return Drift(DriftKind.NAMES_AND_VALUES, model.column, message, _after_repair(model, write))


def _missing(model: ModelEnum, stored: StoredEnum, missing: Sequence[str]) -> Drift:
    message = f"{model.column}: {_keeper(stored)} lacks {listed(missing)}, so writing {_it(missing)} fails"
    return Drift(DriftKind.MISSING_VALUE, model.column, message, AUTOGENERATE)


def _gone(model: ModelEnum, stored: StoredEnum, gone: Sequence[str], counts: Mapping[str, int]) -> Drift:
    held = [text for text in gone if counts.get(text)]
    named = ", ".join(f"{text!r}{_rows(counts, text)}" for text in gone)
    message = f"{model.column}: {_keeper(stored)} allows {named}, no member of {holder(model)}"
    if not held:
        return Drift(DriftKind.UNKNOWN_VALUE, model.column, message, f"{AUTOGENERATE} takes {_it(gone)} out")
    message += _fails(model, counts, held)
    return Drift(DriftKind.UNKNOWN_VALUE, model.column, message, _for_rows(model, held[0]))


def _lost(model: ModelEnum, lost: Sequence[str], counts: Mapping[str, int]) -> Drift:
    rows = sum(counts.get(text, 0) for text in lost)
    named = ", ".join(f"{text!r}{_rows(counts, text)}" for text in lost[:8])
    message = (
        f"{model.column}: {count(rows, 'row')} hold{'s' * (rows == 1)} a text that is no member of {holder(model)}: "
    )
    message += f"{named}{_fails(model, counts, lost)}"
    return Drift(DriftKind.UNKNOWN_ROWS, model.column, message, _for_rows(model, lost[0]))


def _order(model: ModelEnum, stored: StoredEnum) -> Drift:
    message = (
        f"{model.column}: the type {stored.type_name} sorts {listed(stored.labels)}, and the members of "
        f"{holder(model)} stand as {listed(model.labels)}"
    )
    hint = f"{AUTOGENERATE} --reorder writes it (with every row of its tables anew); or write the members in that order"
    return Drift(DriftKind.ORDER, model.column, message, hint)


def _keeper(stored: StoredEnum) -> str:
    if stored.strategy is Strategy.NATIVE:
        return f"the type {stored.type_name}"
    return f"the CHECK {stored.check_name}" if stored.check_name else "its CHECK"


def _rows(counts: Mapping[str, int], text: str) -> str:
    return f" ({count(counts[text], 'row')})" if counts.get(text) else ""


def _fails(model: ModelEnum, counts: Mapping[str, int], texts: Sequence[str]) -> str:
    """What reading such rows does."""
    if model.is_string or not any(counts.get(text) for text in texts):
        return ""
    return "; a query that reads such a row fails"


def _it(texts: Sequence[str]) -> str:
    return "it" if len(texts) == 1 else "them"


def _for_rows(model: ModelEnum, text: str) -> str:
    """What helps when rows hold a text that goes away."""
    member = model.members[0].text if model.members else "…"
    write = (
        f'give {holder(model)} a member for it; or {AUTOGENERATE} --map "{text}={member}" gives these rows '
        "another value, --rename where it is the same value under another text"
    )
    return _after_repair(model, write)


def _after_repair(model: ModelEnum, write: str) -> str:
    return f"make it an enum column first (see there), then {write}" if model.is_string else write
