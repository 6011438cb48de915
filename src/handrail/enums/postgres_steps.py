"""The steps of enum changes on PostgreSQL, with the locks that they take kept short.

Facts (measured on PostgreSQL 15; docs/enums.md): ADD VALUE blocks nobody, but the value can be used only after its
commit; RENAME VALUE is instant; there is no DROP VALUE, so a value goes away by another type, which writes the tables
anew under ACCESS EXCLUSIVE. A CHECK that is added NOT VALID is instant, and is validated in a transaction of its own
under SHARE UPDATE EXCLUSIVE.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from handrail.enums.changes import ChangeColumn, ChangeLabels, EnumChange, MakeType, RenameType, Values
from handrail.enums.states import StoredEnum, Strategy
from handrail.enums.steps import RefuseRows, Statement, Step, condition, literal, literals, shortened, type_sql
from handrail.facts import TableName
from handrail.migrations.sql_names import quoted, quoted_table

#: Waits at most this long for a lock, unless whoever runs the script has bounded the wait already.
LOCK_TIMEOUT = Statement("SELECT set_config('lock_timeout', '5s', true) WHERE current_setting('lock_timeout') = '0'")


def postgres_steps(change: EnumChange) -> tuple[Step, ...]:
    """What the change is on PostgreSQL; () when it is nothing there."""
    match change:
        case MakeType(is_gone=True):
            return (Statement(f"DROP TYPE {type_sql(change.type)}"),)
        case MakeType():
            return (_make_type(change.type, change.labels),)
        case RenameType():
            return (Statement(f"ALTER TYPE {type_sql(change.type)} RENAME TO {quoted(change.new.name)}"),)
        case ChangeLabels():
            return tuple(_labels(change))
        case ChangeColumn():
            return tuple(_column(change))
    return ()


def is_swap(change: ChangeLabels) -> bool:
    """Whether the labels can only change by another type in place of this one."""
    renamed = _renamed(change)
    if not set(renamed) <= set(change.after):
        return True
    return change.reorders and [label for label in change.after if label in renamed] != list(renamed)


def _renamed(change: ChangeLabels) -> tuple[str, ...]:
    return tuple(change.values.renames.get(label, label) for label in change.before)


def _make_type(type_: TableName, labels: tuple[str, ...]) -> Statement:
    return Statement(f"CREATE TYPE {type_sql(type_)} AS ENUM ({literals(labels)})")


def _labels(change: ChangeLabels) -> Iterator[Step]:
    if is_swap(change):
        yield from _swap(change)
        return
    name = type_sql(change.type)
    for old, new in change.values.renames.items():
        yield Statement(f"ALTER TYPE {name} RENAME VALUE {literal(old)} TO {literal(new)}")
    yield from _added(name, _renamed(change), change.after)
    yield from _defaults(change.users, change.users_after, change.values)


def _added(name: str, before: tuple[str, ...], after: tuple[str, ...]) -> Iterator[Statement]:
    """ADD VALUE for each new label, at its place; each is committed on its own, or it could not be used."""
    there = list(before)
    for place, label in enumerate(after):
        if label in there:
            continue
        if place == 0:
            where, at = f" BEFORE {literal(there[0])}", 0
        else:
            at = there.index(after[place - 1]) + 1
            where = f" AFTER {literal(after[place - 1])}" if at < len(there) else ""
        there.insert(at, label)
        yield Statement(f"ALTER TYPE {name} ADD VALUE IF NOT EXISTS {literal(label)}{where}", is_alone=True)


def _defaults(users: Sequence[StoredEnum], after: Sequence[StoredEnum], values: Values) -> Iterator[Statement]:
    """SET DEFAULT where a default changes beyond what RENAME VALUE does to it."""
    for old, new in zip(users, after, strict=True):
        was = old.default if old.default is None else values.renames.get(old.default, old.default)
        if (was is None) != (new.default is None) or was != new.default:
            yield _set_default(new)


def _set_default(column: StoredEnum) -> Statement:
    return Statement(f"ALTER TABLE {quoted_table(column.column.table)} {_default_action(column)}")


def _default_action(column: StoredEnum) -> str:
    sql = literal(column.default) if column.default is not None else column.default_sql
    what = "DROP DEFAULT" if sql is None else f"SET DEFAULT {sql}"
    return f"ALTER COLUMN {quoted(column.column.name)} {what}"


def _swap(change: ChangeLabels) -> Iterator[Step]:
    """Another type in place of this one, for all its columns."""
    kept = tuple(label for label in change.before if change.values.texts().get(label, label) in change.after)
    gone = [label for label in change.before if label not in kept]
    yield LOCK_TIMEOUT
    if gone:
        yield from (RefuseRows(user.column, kept, user.is_array) for user in change.users)
    old = TableName(shortened(change.type.name, "_old"), change.type.schema)
    yield Statement(f"ALTER TYPE {type_sql(change.type)} RENAME TO {quoted(old.name)}")
    yield _make_type(change.type, change.after)
    for user, after in zip(change.users, change.users_after, strict=True):
        yield _retyped(user, after, type_sql(change.type), change.values)
    yield Statement(f"DROP TYPE {type_sql(old)}")


def _retyped(before: StoredEnum, after: StoredEnum, type_: str, values: Values, *first: str) -> Statement:
    """ALTER TABLE that gives a column another type: without its default, which could not be converted."""
    name = quoted(before.column.name)
    ending = "[]" if after.is_array else ""
    has_default = before.default_sql is not None or before.default is not None
    sets = after.default is not None or after.default_sql is not None
    actions = [
        *first,
        *([f"ALTER COLUMN {name} DROP DEFAULT"] if has_default else []),
        f"ALTER COLUMN {name} TYPE {type_}{ending} USING {_converted(name, type_, values, is_array=after.is_array)}",
        *([_default_action(after)] if sets else []),
    ]
    return Statement(f"ALTER TABLE {quoted_table(before.column.table)} {', '.join(actions)}")


def _converted(name: str, type_: str, values: Values, *, is_array: bool) -> str:
    """The SQL of the new value of a column."""
    if is_array:
        text = f"CAST({name} AS text[])"
        for old, new in values.texts().items():
            text = f"array_replace({text}, {literal(old)}, {literal(new)})"
        return f"CAST({text} AS {type_}[])"
    text = f"CAST({name} AS text)"
    if values.texts():
        cases = " ".join(f"WHEN {literal(old)} THEN {literal(new)}" for old, new in values.texts().items())
        text = f"CASE {text} {cases} ELSE {text} END"
    return f"CAST({text} AS {type_})"


def _column(change: ChangeColumn) -> Iterator[Step]:
    before, after = change.before, change.after
    if Strategy.NATIVE in {before.strategy, after.strategy} and not _is_same_type(before, after):
        yield from _to_or_from_native(change)
        return
    moves = change.values.texts()
    if after.strategy is Strategy.CHECK and (before.strategy, before.labels) != (after.strategy, after.labels):
        yield from _new_check(change)
    else:
        if before.strategy is Strategy.CHECK and after.strategy is Strategy.VARCHAR:
            yield _drop_check(before)
        if moves and after.strategy is Strategy.VARCHAR:
            yield from moved_rows(before, moves)
        if before.strategy is Strategy.CHECK is after.strategy and not before.is_checked:
            yield _validate(before)
    if (before.default, before.default_sql) != (after.default, after.default_sql):
        yield _set_default(after)


def _is_same_type(before: StoredEnum, after: StoredEnum) -> bool:
    return (before.strategy, before.type_name, before.type_schema) == (
        after.strategy,
        after.type_name,
        after.type_schema,
    )


def _to_or_from_native(change: ChangeColumn) -> Iterator[Step]:
    """The column gets an enum type, or plain text in place of one: every row is written anew."""
    before, after = change.before, change.after
    yield LOCK_TIMEOUT
    yield from _refusal(change)
    drops = [f"DROP CONSTRAINT {quoted(before.check_name)}"] if before.check_name else []
    if after.strategy is Strategy.NATIVE:
        type_ = type_sql(TableName(after.type_name, after.type_schema))
    else:
        type_ = f"VARCHAR({after.length})" if after.length else "VARCHAR"
    yield _retyped(before, after, type_, change.values, *drops)
    if after.strategy is Strategy.CHECK:
        yield from _checked(after)


def _refusal(change: ChangeColumn) -> Iterator[RefuseRows]:
    """Stop at rows whose text the new labels do not allow; what has labels now holds no other text."""
    before, after = change.before, change.after
    moves = change.values.texts()
    if after.strategy is Strategy.VARCHAR:
        return
    gone = [label for label in before.labels if moves.get(label, label) not in after.labels]
    if gone or not before.labels:
        moved = tuple(old for old in moves if old not in after.labels)
        yield RefuseRows(before.column, (*after.labels, *moved), before.is_array)


def _new_check(change: ChangeColumn) -> Iterator[Step]:
    """A CHECK with other values: at first for new rows only, which is instant, then validated on its own."""
    before, after = change.before, change.after
    moves = change.values.texts()
    yield from _refusal(change)
    there = before
    if moves and before.strategy is Strategy.CHECK:
        wide = tuple(dict.fromkeys((*before.labels, *after.labels)))
        yield _replaced_check(before, after, wide, is_alone=True)
        there = after
    if moves:
        yield from moved_rows(before, moves)
    yield _replaced_check(there, after, after.labels)
    yield _validate(after)


def _checked(after: StoredEnum) -> Iterator[Step]:
    yield _replaced_check(StoredEnum(after.column, Strategy.VARCHAR), after, after.labels)
    yield _validate(after)


def _replaced_check(
    before: StoredEnum, after: StoredEnum, allowed: tuple[str, ...], *, is_alone: bool = False
) -> Statement:
    drop = f"DROP CONSTRAINT {quoted(before.check_name)}, " if before.check_name else ""
    check = f"CHECK ({condition(after.column.name, allowed)}) NOT VALID"
    table, name = quoted_table(after.column.table), quoted(after.check_name or "")
    return Statement(f"ALTER TABLE {table} {drop}ADD CONSTRAINT {name} {check}", is_alone)


def _validate(after: StoredEnum) -> Statement:
    name = quoted(after.check_name or "")
    return Statement(f"ALTER TABLE {quoted_table(after.column.table)} VALIDATE CONSTRAINT {name}", is_alone=True)


def _drop_check(before: StoredEnum) -> Statement:
    return Statement(
        f"ALTER TABLE {quoted_table(before.column.table)} DROP CONSTRAINT {quoted(before.check_name or '')}"
    )


def moved_rows(column: StoredEnum, moves: dict[str, str]) -> Iterator[Statement]:
    """One UPDATE for each text that becomes another; in an order in which no row is moved twice, where there is one."""
    table, name = quoted_table(column.column.table), quoted(column.column.name)
    if set(moves) & set(moves.values()):
        cases = " ".join(f"WHEN {literal(old)} THEN {literal(new)}" for old, new in moves.items())
        yield Statement(
            f"UPDATE {table} SET {name} = CASE {name} {cases} ELSE {name} END"
            f" WHERE {name} IN ({literals(tuple(moves))})"
        )
        return
    for old, new in moves.items():
        yield Statement(f"UPDATE {table} SET {name} = {literal(new)} WHERE {name} = {literal(old)}")
