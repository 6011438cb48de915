"""What models import for enum columns: one line makes a plain `sqlalchemy.Enum`, or a SQLModel field with one.

All of them store the same text, the member's value, whichever way the database checks it; so a column can go from one
strategy to another without a row being rewritten. Models and scripts only ever get stock SQLAlchemy types.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, TypedDict, TypeVar, Unpack, cast, get_args, overload

import sqlalchemy as sa

from handrail.errors import EnumColumnError, EnumTypeError, MissingLibrary

E = TypeVar("E", bound=enum.Enum)
Store = Literal["value", "name"]
StrategyName = Literal["varchar", "native", "check"]

#: What PostgreSQL takes of a label and of a name, in bytes.
_LIMIT = 63
_NOT_GIVEN: Any = object()


class TypeOptions(TypedDict, total=False):
    """How the type of an enum column is made; see `varchar_enum` and `native_enum`."""

    store: Store
    length: int
    name: str | None
    schema: str | None


class EnumFieldOptions(TypeOptions, total=False):
    """The type's options, and those of `sqlmodel.Field` that make sense for an enum column."""

    default_factory: Callable[[], Any]
    nullable: bool
    index: bool
    unique: bool
    primary_key: bool
    foreign_key: str
    ondelete: Literal["CASCADE", "SET NULL", "RESTRICT"]
    title: str
    description: str
    alias: str
    validation_alias: str
    serialization_alias: str
    exclude: bool
    repr: bool
    sa_column_args: Sequence[Any]
    sa_column_kwargs: Mapping[str, Any]
    schema_extra: dict[str, Any]


def stored_values(enum_class: type[enum.Enum]) -> list[str]:
    """The text of each member, in the order of the class: the `values_callable` of all types made here.

    It is public and at the top of a module because a pickled type, or metadata, holds a reference to it.
    """
    return [member.value for member in enum_class]


def varchar_enum(
    enum_class: type[enum.Enum], *, store: Store = "value", length: int = 50, name: str | None = None
) -> sa.Enum:
    """Text that only Python checks: VARCHAR(length) on every database; a new member needs no migration.

    `store="name"` adopts a database that holds the members' names. A text longer than `length` is refused. The database
    never sees `name`; it is what the type is called in scripts, by default the class's in snake_case.
    """
    return _type(enum_class, "varchar", {"store": store, "length": length, "name": name})


def native_enum(
    enum_class: type[enum.Enum],
    *,
    store: Store = "value",
    length: int = 50,
    name: str | None = None,
    schema: str | None = None,
) -> sa.Enum:
    """A type of PostgreSQL's, called `name` (the class's in snake_case) in `schema`; a new member needs a migration.

    SQLite has no such types: there it is VARCHAR(length) with a CHECK, so that it refuses what PostgreSQL does.
    """
    return _type(enum_class, "native", {"store": store, "length": length, "name": name, "schema": schema})


def check_enum(
    enum_class: type[enum.Enum], *, store: Store = "value", length: int = 50, name: str | None = None
) -> sa.Enum:
    """VARCHAR(length) with a CHECK called `name` (the class's in snake_case); a new member needs a new CHECK.

    Two columns of one table need two names. A naming convention for "ck" finds the name as `constraint_name`.
    """
    return _type(enum_class, "check", {"store": store, "length": length, "name": name})


@overload
def enum_field(
    enum_class: type[E],
    strategy: StrategyName = ...,
    *,
    default: E = ...,
    server_default: E | None = ...,
    **options: Unpack[EnumFieldOptions],
) -> E: ...


@overload
def enum_field(
    enum_class: type[E],
    strategy: StrategyName = ...,
    *,
    default: None,
    server_default: E | None = ...,
    **options: Unpack[EnumFieldOptions],
) -> E | None: ...


def enum_field(
    enum_class: type[E],
    strategy: StrategyName = "varchar",
    *,
    default: E | None = _NOT_GIVEN,
    server_default: E | None = _NOT_GIVEN,
    **options: Unpack[EnumFieldOptions],
) -> E | None:
    """A field of a SQLModel: `status: Status = enum_field(Status, "check", default=Status.SCHEDULED)`.

    The database gets the default, too, in the text that the column stores; so a new column can be added to a table
    that has rows. `server_default=None` leaves it out; another member makes the two differ. With `default=None` the
    column may be null. What else `sqlmodel.Field` takes is handed on.
    """
    field = _sqlmodel_field()
    given: dict[str, Any] = dict(options)
    _refuse_other_types(given)
    type_options = {key: given.pop(key) for key in TypeOptions.__annotations__ if key in given}
    column_type = _type(enum_class, strategy, cast(TypeOptions, type_options))
    if default is not _NOT_GIVEN:
        given["default"] = _member(enum_class, default, "default")
        if default is None:
            given.setdefault("nullable", True)
    filled = default if server_default is _NOT_GIVEN else server_default
    if filled is not _NOT_GIVEN and _member(enum_class, filled, "server_default") is not None:
        text = _text(cast(enum.Enum, filled), type_options.get("store", "value"))
        given["sa_column_kwargs"] = {**given.get("sa_column_kwargs", {}), "server_default": text}
    return cast("E | None", field(sa_type=column_type, **given))


def _sqlmodel_field() -> Callable[..., Any]:
    try:
        from sqlmodel import Field
    except ImportError as error:
        raise MissingLibrary(
            "enum_field() makes fields of SQLModel, which is not installed",
            hint="pip install sqlmodel, or write mapped_column(varchar_enum(…)) in models of SQLAlchemy",
        ) from error
    return Field


def _type(enum_class: type[enum.Enum], strategy: StrategyName, options: TypeOptions) -> sa.Enum:
    """The type, after everything that a database would refuse or spoil later has been refused here."""
    _one_of("strategy", strategy, get_args(StrategyName))
    store = options.get("store", "value")
    _one_of("store", store, get_args(Store))
    members = _members(enum_class)
    texts = {member: _text(member, store) for member in members}
    length = options.get("length", 50)
    for member, text in texts.items():
        _check_text(member, text, store, length, is_native=strategy == "native")
    given = options.get("name")
    name = _snake_case(enum_class.__name__) if given is None else given
    _check_name(enum_class, name)
    schema = options.get("schema")
    if schema is not None and strategy != "native":
        raise EnumColumnError(
            f"schema={schema!r} belongs to no {strategy} column",
            why="only a native type stands in a schema of its own; a CHECK stands in that of its table",
            hint='leave schema out, or use the strategy "native"',
        )
    return sa.Enum(
        enum_class,
        name=name,
        schema=schema,
        native_enum=strategy == "native",
        create_constraint=strategy != "varchar",
        length=length,
        values_callable=stored_values if store == "value" else None,
        validate_strings=True,
    )


def _members(enum_class: type[enum.Enum]) -> list[enum.Enum]:
    if not (isinstance(enum_class, type) and issubclass(enum_class, enum.Enum)):
        raise EnumTypeError(
            f"{enum_class!r} ({type(enum_class).__name__}) is no enum class",
            why="an enum column takes its texts from the members of a class",
            hint="write class Status(enum.StrEnum) with its members, and give that class",
        )
    owner = enum_class.__name__
    members = list(enum_class)
    if not members:
        raise EnumColumnError(
            f"{owner} has no members",
            why="a column of it could hold nothing",
            hint=f'write at least one into the class {owner}, such as SCHEDULED = "SCHEDULED"',
        )
    for alias, member in enum_class.__members__.items():
        if alias != member.name:
            raise EnumColumnError(
                f"{owner}.{member.name} and {owner}.{alias} have one value, {member.value!r}",
                why=f"Python makes {alias} a second name of {member.name}, so it would never be stored or read",
                hint=f"give {alias} a value of its own, or take it out of the class",
            )
    return members


def _text(member: enum.Enum, store: Store) -> str:
    if store == "name":
        return member.name
    if not isinstance(member.value, str):
        kind, owner = type(member.value).__name__, type(member).__name__
        raise EnumTypeError(
            f"{owner}.{member.name} has the value {member.value!r} ({kind}), which is no string",
            why="the column stores the member's value, as text",
            hint=f'write {member.name} = "{member.name}" in a class {owner}(enum.StrEnum), or store="name"',
        )
    return member.value


def _check_text(member: enum.Enum, text: str, store: Store, length: int, *, is_native: bool) -> None:
    what = f"the {store} of {type(member).__name__}.{member.name}, {text!r},"
    if len(text) > length:
        raise EnumColumnError(
            f"{what} has {len(text)} characters; the column takes {length}",
            hint=f"write a shorter {store}, or length={len(text)} (an existing column then needs a migration)",
        )
    if is_native and len(text.encode()) > _LIMIT:
        raise EnumColumnError(
            f"{what} has {len(text.encode())} bytes; PostgreSQL takes {_LIMIT} for a label of an enum type",
            hint=f"write a shorter {store}, or use varchar_enum or check_enum",
        )


def _check_name(enum_class: type[enum.Enum], name: str) -> None:
    if not 0 < len(name.encode()) <= _LIMIT:
        raise EnumColumnError(
            f"the name {name!r} of the type of {enum_class.__name__} has {len(name.encode())} bytes",
            why=f"PostgreSQL takes names of 1 to {_LIMIT} bytes",
            hint='write name="…" with a shorter one' if name else "leave name out, or write one",
        )


def _one_of(what: str, given: object, allowed: tuple[str, ...]) -> None:
    if given not in allowed:
        listed = ", ".join(f'"{one}"' for one in allowed)
        raise EnumColumnError(f"there is no {what} {given!r}", hint=f"write one of {listed}")


def _member(enum_class: type[E], given: E | None, what: str) -> E | None:
    """`given`, if it is a member or None. A string is none, even an equal one: the model would hold a bare str."""
    if given is None or isinstance(given, enum_class):
        return given
    owner = enum_class.__name__
    folded = str(given).casefold()  # auto() makes values lower case, so the name in capitals is the usual mistake
    meant = [member for member in enum_class if folded in (str(member.value).casefold(), member.name.casefold())]
    names = [f"{what}={owner}.{member.name}" for member in meant or enum_class]
    raise EnumTypeError(
        f"{what}={given!r} ({type(given).__name__}) is no member of {owner}",
        why="a default is a member; the text that the column stores is made from it",
        hint=f"write {names[0]}" if meant else f"write one of {', '.join(names)}",
    )


def _refuse_other_types(given: Mapping[str, Any]) -> None:
    for name in ("sa_type", "sa_column"):
        if name in given:
            raise EnumColumnError(
                f"enum_field() makes the column's type itself, so it takes no {name}",
                hint=f"leave {name} out, or write sqlmodel.Field({name}=…) with varchar_enum(…) in it",
            )
    if "server_default" in given.get("sa_column_kwargs", {}):
        raise EnumColumnError(
            "the server_default is in sa_column_kwargs, where nobody compares it with the members",
            hint="write server_default=… with a member, or None for no default in the database",
        )


def _snake_case(name: str) -> str:
    """`AttendanceStatus` as `attendance_status`, `HTTPStatus` as `http_status`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()
