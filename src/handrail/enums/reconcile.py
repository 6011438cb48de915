"""What brings a database's enum columns to what the models declare: changes for each engine, with reasons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from handrail.enums.changes import ChangeColumn, ChangeLabels, EnumChange, MakeType, RenameType, TableCheck, Values
from handrail.enums.history import TypeHistory
from handrail.enums.plan import Coming, EnumPlan, PlannedChange, Refused, Wishes
from handrail.enums.postgres_steps import is_swap, postgres_steps
from handrail.enums.sqlite_steps import sqlite_steps
from handrail.enums.states import ColumnName, EnumReading, ModelEnum, StoredEnum, Strategy, Usage
from handrail.enums.steps import check_name
from handrail.enums.wording import column_difference, difference, of_columns, order_note
from handrail.facts import TableName


def state_of(model: ModelEnum, engine: str) -> StoredEnum:
    """How the database holds a column when all is as the model says."""
    strategy = strategy_on(model, engine)
    return StoredEnum(
        model.column,
        strategy,
        labels=() if strategy is Strategy.VARCHAR else model.labels,
        type_name=model.type_name if strategy is Strategy.NATIVE else "",
        type_schema=model.type_schema if strategy is Strategy.NATIVE else None,
        check_name=check_name(model.column) if strategy is Strategy.CHECK else "",
        length=model.length,
        nullable=model.nullable,
        default=model.default,
        default_sql=model.default_sql,
        is_array=model.is_array,
    )


def strategy_on(model: ModelEnum, engine: str) -> Strategy:
    """How an engine holds a column of the model: a native type without `create_constraint` is plain text on SQLite."""
    found = model.strategy.on(engine)
    return Strategy.VARCHAR if found is Strategy.CHECK and not model.is_bound else found


def plan_changes(reading: EnumReading, wishes: Wishes, coming: Coming, history: TypeHistory | None = None) -> EnumPlan:
    """The changes that bring the database, and the ones of the other engines, to the models.

    `history` tells of the engine that was not read: PostgreSQL's types, SQLite's CHECKs."""
    engines = wishes.engines or frozenset({reading.engine})
    sides = [_Side(engine, reading, wishes, history or TypeHistory()) for engine in sorted(engines)]
    found = _Found()
    for side in sides:
        side.collect(found, coming)
    return found.plan(wishes, engines)


@dataclass(slots=True)
class _Found:
    """Changes collected so far: by phase, and in it by what they belong to."""

    first: dict[str, PlannedChange] = field(default_factory=dict)
    last: dict[str, PlannedChange] = field(default_factory=dict)
    handled: set[ColumnName] = field(default_factory=set)
    refused: dict[ColumnName, Refused] = field(default_factory=dict)
    notes: dict[str, None] = field(default_factory=dict)
    used: set[tuple[str, str]] = field(default_factory=set)

    def add(
        self,
        phase: dict[str, PlannedChange],
        key: str,
        title: str,
        engine: str,
        *found: EnumChange,
        rewrites: bool = False,
    ) -> None:
        for one in found:
            if isinstance(one, ChangeLabels | ChangeColumn):
                self.used |= set(one.values.texts().items())
        known = phase.get(key, PlannedChange(title, {}))
        changes = {**known.changes, engine: (*known.changes.get(engine, ()), *found)}
        columns = [*known.columns, *(column for one in found if rewrites for column in _columns(one))]
        phase[key] = PlannedChange(known.title, changes, tuple(dict.fromkeys(columns)))

    def plan(self, wishes: Wishes, engines: frozenset[str]) -> EnumPlan:
        """All that was found; a change says of each engine what it is there, be it nothing."""
        for phase in (self.first, self.last):
            for key, one in phase.items():
                everywhere = {engine: one.changes.get(engine, ()) for engine in sorted(engines)}
                phase[key] = replace(one, changes=everywhere)
        wanted = [*wishes.renames.items(), *wishes.mapping.items()]
        return EnumPlan(
            tuple(self.first.values()),
            tuple(self.last.values()),
            frozenset(self.handled),
            tuple(self.refused.values()),
            tuple(self.notes),
            tuple(f"{old}={new}" for old, new in wanted if (old, new) not in self.used),
        )


def _columns(change: EnumChange) -> Sequence[ColumnName]:
    match change:
        case ChangeColumn():
            return [change.column]
        case ChangeLabels():
            return [user.column for user in change.users]
    return []


class _Side:
    """One engine's view: what it holds now, and what it is to hold."""

    def __init__(self, engine: str, reading: EnumReading, wishes: Wishes, history: TypeHistory) -> None:
        self.engine = engine
        self.wishes = wishes
        self.models = {model.column: model for model in reading.models if model.column in reading.stored}
        self.all_models = reading.models
        self.is_here = engine == reading.engine
        self.usages = reading.usages if self.is_here else {}
        self.history = history
        self.natives = _natives(reading, history) if "postgresql" in wishes.engines else set()
        self.stored = dict(reading.stored) if self.is_here else self._translated(reading)
        self.types = dict(reading.types) if self.is_here else self._types_of_history()

    def collect(self, found: _Found, coming: Coming) -> None:
        """Add this engine's changes, in the order in which they have to run."""
        self._rename_types(found)
        self._make_types(found, coming)
        self._change_types(found)
        for model in self.models.values():
            self._change_column(found, model)
        self._leave(found, coming)
        for model in coming.added:
            self._check_new(found, model)
        for model in coming.created:
            if strategy_on(model, self.engine) is Strategy.CHECK and model.strategy is Strategy.NATIVE:
                self._table_check(found, TableCheck(state_of(model, self.engine)))

    # what the other engine holds

    def _translated(self, reading: EnumReading) -> dict[ColumnName, StoredEnum]:
        return {column: self._other(stored) for column, stored in reading.stored.items()}

    def _other(self, stored: StoredEnum) -> StoredEnum:
        """A column of the database that was read, as this engine will hold it when the same scripts have run."""
        type_ = self.history.columns.get(stored.column)
        if self.engine == "postgresql" and type_ is not None:
            model = self.models.get(stored.column)
            labels = stored.labels or self.history.types.get(type_, ())
            schema = model.type_schema if model is not None else None
            return replace(
                stored, strategy=Strategy.NATIVE, labels=labels, type_name=type_, type_schema=schema, check_name=""
            )
        if stored.strategy is Strategy.NATIVE:
            bare = replace(stored, strategy=Strategy.VARCHAR, labels=(), type_name="", type_schema=None)
            check = self.history.checks.columns.get(stored.column)
            if check is None:
                return bare
            return replace(bare, strategy=Strategy.CHECK, labels=check.labels, check_name=check.name or None)
        return stored

    def _types_of_history(self) -> dict[TableName, tuple[str, ...]]:
        schemas = {model.type_name: model.type_schema for model in self.all_models if model.type_name}
        return {TableName(name, schemas.get(name)): labels for name, labels in self.history.types.items()}

    # types

    def _wanted_types(self) -> dict[TableName, list[ModelEnum]]:
        found: dict[TableName, list[ModelEnum]] = {}
        if self.engine == "postgresql":
            for model in self.all_models:
                if model.strategy is Strategy.NATIVE and not model.is_string:
                    found.setdefault(_type_of(model), []).append(model)
        return found

    def _rename_types(self, found: _Found) -> None:
        """A type whose class has another name now, when all its columns go with it."""
        wanted = self._wanted_types()
        for new, models in wanted.items():
            olds = {_stored_type(self.stored[model.column]) for model in models if model.column in self.stored}
            if new in self.types or len(olds) != 1 or (old := olds.pop()) is None:
                continue
            users = {column for column, stored in self.stored.items() if _stored_type(stored) == old}
            users |= {user for column in users for user in self._usage(column).users}
            if old in wanted or not users <= {model.column for model in models} or old.schema != new.schema:
                continue
            found.add(
                found.first, f"name {new}", f"type {old} is called {new.name} now", self.engine, RenameType(old, new)
            )
            self.types[new] = self.types.pop(old, ())
            for column in users & set(self.stored):
                self.stored[column] = replace(self.stored[column], type_name=new.name)

    def _make_types(self, found: _Found, coming: Coming) -> None:
        coming_now = {model.column for model in (*coming.added, *coming.created)}
        for type_, models in self._wanted_types().items():
            uses = [model for model in models if model.column in self.stored or model.column in coming_now]
            if type_ not in self.types and uses:
                labels = uses[0].labels
                found.add(found.first, f"type {type_}", f"type {type_}", self.engine, MakeType(type_, labels))
                self.types[type_] = labels

    def _change_types(self, found: _Found) -> None:
        for type_, models in self._wanted_types().items():
            users = [model for model in models if _stored_type(self.stored.get(model.column)) == type_]
            if not users:
                continue
            stored = [self.stored[model.column] for model in users]
            after = [state_of(model, self.engine) for model in users]
            before, labels = stored[0].labels, users[0].labels
            values = self._values(stored[0], users[0])
            change = ChangeLabels(type_, before, labels, tuple(stored), tuple(after), values, self.wishes.reorders)
            has_default = [_keep_default(old, new) for old, new in zip(stored, after, strict=True)]
            change = replace(change, users_after=tuple(has_default))
            found.handled |= {model.column for model in users}
            if before == labels and change.users == change.users_after:
                continue
            if set(before) == set(labels) and before != labels and not self.wishes.reorders and not values.texts():
                found.notes[order_note(type_, before, labels)] = None
                change = replace(change, after=before)
            if not postgres_steps(change):
                continue
            if is_swap(change):
                self._refuse_dependents(found, change)
            title = f"{of_columns(users)}: {difference(change)}"
            key = f"labels {users[0].column}"
            found.add(found.first, key, title, self.engine, change, rewrites=is_swap(change) or bool(values.texts()))

    def _refuse_dependents(self, found: _Found, change: ChangeLabels | ChangeColumn) -> None:
        for column in _columns(change):
            dependents = self._usage(column).dependents
            if dependents:
                found.refused[column] = Refused(
                    column,
                    f"its type cannot change while {', '.join(dependents)} depend{'s' * (len(dependents) == 1)} on it",
                    "drop what depends on it in a script before, and make it again in one after",
                )

    # columns

    def _change_column(self, found: _Found, model: ModelEnum) -> None:
        stored, wanted = self.stored[model.column], state_of(model, self.engine)
        if model.is_string or _is_same_native(stored, wanted):
            return
        if stored.strategy is Strategy.CHECK is wanted.strategy:
            wanted = _keep_check(stored, wanted)
        wanted = _keep_default(stored, replace(wanted, nullable=stored.nullable))
        if Strategy.NATIVE not in {stored.strategy, wanted.strategy}:
            wanted = replace(wanted, length=stored.length)
        values = self._values(stored, model)
        found.handled.add(model.column)
        change = ChangeColumn(stored, wanted, values)
        steps = postgres_steps(change) if self.engine == "postgresql" else sqlite_steps(change)
        if not steps:
            return
        is_retyped = Strategy.NATIVE in {stored.strategy, wanted.strategy}
        if is_retyped:
            self._refuse_dependents(found, change)
        key = f"labels {self._first_user(model)}" if model.strategy is Strategy.NATIVE else f"column {model.column}"
        title = f"{model.column}: {column_difference(stored, wanted, values)}"
        rewrites = is_retyped or bool(values.texts())
        found.add(found.first, key, title, self.engine, change, rewrites=rewrites)

    def _first_user(self, model: ModelEnum) -> ColumnName:
        users = [one.column for one in self.models.values() if _type_of(one) == _type_of(model)]
        return users[0] if users else model.column

    def _check_new(self, found: _Found, model: ModelEnum) -> None:
        """The CHECK of a column that the script adds."""
        wanted = state_of(model, self.engine)
        if wanted.strategy is Strategy.CHECK:
            bare = replace(wanted, strategy=Strategy.VARCHAR, labels=wanted.labels, check_name="")
            title = f"{model.column}: only its members"
            found.add(found.last, f"check {model.column}", title, self.engine, ChangeColumn(bare, wanted))

    def _table_check(self, found: _Found, change: TableCheck) -> None:
        column = change.column.column
        phase = found.first if change.is_gone else found.last
        found.add(phase, f"check {column}", f"{column}: only its members", self.engine, change)

    def _leave(self, found: _Found, coming: Coming) -> None:
        """CHECKs that stand in the way of a DROP COLUMN, and types that nobody uses any more."""
        for column in coming.dropped:
            stored = self.stored.get(column)
            if stored is not None and stored.strategy is Strategy.CHECK and stored.check_name:
                bare = replace(stored, strategy=Strategy.VARCHAR, check_name="")
                title = f"{column}: its CHECK goes first"
                found.handled.add(column)
                found.add(found.first, f"check {column}", title, self.engine, ChangeColumn(stored, bare))
        for column in coming.gone:
            stored = self.stored.get(column)
            if stored is not None and stored.strategy is Strategy.CHECK and column in self.natives:
                name = stored.check_name or check_name(column)
                self._table_check(found, TableCheck(replace(stored, check_name=name), is_gone=True))
        wanted, kept = self._wanted_types(), self._kept_users({*coming.dropped, *coming.gone})
        for type_, labels in self._left_types().items():
            if type_ not in wanted and type_ not in kept:
                found.add(found.last, f"gone {type_}", f"type {type_} has no column any more", self.engine,
                          MakeType(type_, labels, is_gone=True))  # fmt: skip

    def _left_types(self) -> dict[TableName, tuple[str, ...]]:
        """The types of columns that the database or the history knows, as they are now."""
        found: dict[TableName, tuple[str, ...]] = {}
        for stored in self.stored.values():
            type_ = _stored_type(stored)
            if type_ is not None and type_ in self.types:
                found[type_] = stored.labels
        return found

    def _kept_users(self, leaving: set[ColumnName]) -> set[TableName]:
        """Types that a column still has when the script has run."""
        kept = set()
        for column, stored in self.stored.items():
            type_ = _stored_type(stored)
            others = set(self._usage(column).users) or {column}
            others = {user for user in others if user not in leaving and user not in self.models}
            model = self.models.get(column)
            stays = model is not None and state_of(model, self.engine).type_name == stored.type_name
            if type_ is not None and (others or stays):
                kept.add(type_)
        return kept

    # values

    def _usage(self, column: ColumnName) -> Usage:
        return self.usages.get(column, Usage())

    def _values(self, stored: StoredEnum, model: ModelEnum) -> Values:
        """What rows of the column have to change: as wished, or from names to values and back, which is no guess."""
        counts = self._usage(model.column).counts or {}
        before = stored.labels or tuple(counts)
        others = {member.text: (member.name, member.value) for member in model.members}
        pairs = {other: text for text, both in others.items() for other in both if other not in {"", text}}
        unknown = set(before) - set(model.labels)
        if unknown and unknown <= set(pairs):
            return Values({other: text for other, text in pairs.items() if other in before})
        if stored.labels:
            return Values(self.wishes.renames, self.wishes.mapping).within(stored.labels, model.labels)
        known = set(model.labels)
        renames = {old: new for old, new in self.wishes.renames.items() if new in known and old not in known}
        mapping = {old: new for old, new in self.wishes.mapping.items() if new in known and old not in known}
        return Values(renames, mapping)


def _natives(reading: EnumReading, history: TypeHistory) -> set[ColumnName]:
    """The columns that have an enum type on PostgreSQL now."""
    if reading.engine == "postgresql":
        return {column for column, stored in reading.stored.items() if stored.strategy is Strategy.NATIVE}
    return set(history.columns)


def _type_of(model: ModelEnum) -> TableName:
    return TableName(model.type_name, model.type_schema)


def _stored_type(stored: StoredEnum | None) -> TableName | None:
    if stored is None or stored.strategy is not Strategy.NATIVE:
        return None
    return TableName(stored.type_name, stored.type_schema)


def _is_same_native(stored: StoredEnum, wanted: StoredEnum) -> bool:
    return _stored_type(stored) is not None and _stored_type(stored) == _stored_type(wanted)


def _keep_default(stored: StoredEnum, wanted: StoredEnum) -> StoredEnum:
    """The wanted state with the default that is there, where the model says nothing of one."""
    if wanted.default is None and wanted.default_sql is None:
        return replace(wanted, default=stored.default, default_sql=stored.default_sql)
    if wanted.default is not None and wanted.default == stored.default:
        return replace(wanted, default_sql=stored.default_sql)
    return wanted


def _keep_check(stored: StoredEnum, wanted: StoredEnum) -> StoredEnum:
    """The wanted state with the name that the CHECK has, and the order of its values, which says nothing there."""
    is_same = set(stored.labels) == set(wanted.labels)
    labels = stored.labels if is_same else wanted.labels
    return replace(wanted, check_name=stored.check_name or wanted.check_name, labels=labels)
