"""How models and database differ in enum columns: every kind in its whole words, and nothing where they agree."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handrail.enums.drift import columns_of, drifts
from handrail.enums.reconcile import state_of
from handrail.enums.states import ColumnName, EnumReading, Member, ModelEnum, StoredEnum, Strategy, Usage
from handrail.enums.words import Drift, DriftKind
from handrail.facts import TableName

STATUS = ColumnName(TableName("bookings"), "status")
MEMBERS = (Member("SCHEDULED", "scheduled", value=""), Member("NO_SHOW", "no_show"))
NATIVE = ModelEnum(
    STATUS, "app.Status", MEMBERS, Strategy.NATIVE, "status", length=50, nullable=False, default="scheduled"
)
CHECK = replace(NATIVE, strategy=Strategy.CHECK)
VARCHAR = replace(NATIVE, strategy=Strategy.VARCHAR, is_bound=False)
STRING = replace(VARCHAR, is_string=True, type_name="", python_default="scheduled")
TYPE = TableName("status")


def reading(*models: ModelEnum, engine: str = "postgresql", **counts: int) -> EnumReading:
    """A database that holds what the models say; `counts` are rows of the first."""
    stored = {model.column: state_of(model, engine) for model in models}
    users: dict[TableName, tuple[ColumnName, ...]] = {}
    types = {}
    for one in stored.values():
        if one.strategy is Strategy.NATIVE:
            name = TableName(one.type_name, one.type_schema)
            users[name] = (*users.get(name, ()), one.column)
            types[name] = one.labels
    usages = {column: Usage(counts={}) for column in stored}
    if models:
        usages[models[0].column] = Usage(counts=counts)
    return EnumReading(engine, models, stored, usages, types, users)


def held(found: EnumReading, **changed: object) -> EnumReading:
    """The reading with another state of its first column."""
    column = found.models[0].column
    return replace(found, stored={**found.stored, column: replace(found.stored[column], **changed)})  # type: ignore[arg-type]


ROOM = replace(NATIVE, column=ColumnName(TableName("rooms"), "state"), enum="app.RoomState")
FIELD = "in the model write status: Status = enum_field(Status, default=Status.SCHEDULED)"
AUTO = "handrail revision --autogenerate"
#: What was read, and kind, message and hint of each difference.
CASES: list[tuple[EnumReading, list[tuple[str, str, str]]]] = [
    (
        held(reading(NATIVE), labels=("scheduled",)),
        [("missing value", "bookings.status: the type status lacks 'no_show', so writing it fails", AUTO)],
    ),
    (
        held(reading(CHECK), labels=("scheduled", "late"), check_name="ck_status"),
        [
            ("missing value", "bookings.status: the CHECK ck_status lacks 'no_show', so writing it fails", AUTO),
            (
                "unknown value",
                "bookings.status: the CHECK ck_status allows 'late', no member of Status",
                f"{AUTO} takes it out",
            ),
        ],
    ),
    (
        held(reading(NATIVE, late=3), labels=("scheduled", "no_show", "late", "old")),
        [
            (
                "unknown value",
                "bookings.status: the type status allows 'late' (3 rows), 'old', no member of Status; a query that reads "
                "such a row fails",
                f'give Status a member for it; or {AUTO} --map "late=scheduled" gives these rows another value, --rename '
                "where it is the same value under another text",
            )
        ],
    ),
    (
        reading(VARCHAR, late=1, scheduled=2),
        [
            (
                "unknown rows",
                "bookings.status: 1 row holds a text that is no member of Status: 'late' (1 row); a query that reads "
                "such a row fails",
                f'give Status a member for it; or {AUTO} --map "late=scheduled" gives these rows another value, --rename '
                "where it is the same value under another text",
            )
        ],
    ),
    (
        held(reading(NATIVE, NO_SHOW=2), labels=("SCHEDULED", "NO_SHOW")),
        [
            (
                "names and values",
                "bookings.status has the names of members where the models store their values: 'SCHEDULED' for "
                "'scheduled', 'NO_SHOW' for 'no_show' (2 rows); a query that reads such a row fails",
                f"{AUTO} writes the values",
            )
        ],
    ),
    (
        reading(replace(VARCHAR, members=(Member("OPEN", "OPEN", value="open now"),), default=None), **{"open now": 1}),  # type: ignore[arg-type]
        [
            (
                "names and values",
                "bookings.status has the values of members where the models store their names: 'open now' for 'OPEN' "
                "(1 row); a query that reads such a row fails",
                'in the model write store="value", or handrail enum rename bookings.status "open now" "OPEN"',
            )
        ],
    ),
    (
        reading(VARCHAR, **{"No-Show": 1}),  # type: ignore[arg-type]
        [
            (
                "names and values",
                "bookings.status has other spellings than the models: 'No-Show' for 'no_show' (1 row); a query that "
                "reads such a row fails",
                'handrail enum rename bookings.status "No-Show" "no_show"',
            )
        ],
    ),
    (
        held(reading(NATIVE), labels=("no_show", "scheduled")),
        [
            (
                "order",
                "bookings.status: the type status sorts 'no_show', 'scheduled', and the members of Status stand as "
                "'scheduled', 'no_show'",
                f"{AUTO} --reorder writes it (with every row of its tables anew); or write the members in that order",
            )
        ],
    ),
    (
        reading(replace(VARCHAR, default="SCHEDULED")),
        [
            (
                "default",
                "bookings.status has the server default 'SCHEDULED', the name of the member that is stored as "
                "'scheduled': rows that get it have a text that no member has",
                f"in the model write server_default='scheduled' (enum_field makes it from default=…), then {AUTO}",
            )
        ],
    ),
    (
        reading(replace(VARCHAR, default="late")),
        [
            (
                "default",
                "bookings.status has the server default 'late', which is no member of Status ('scheduled', 'no_show')",
                "in the model write server_default=one of 'scheduled', 'no_show' (enum_field makes it from default=…), "
                f"then {AUTO}",
            )
        ],
    ),
    (
        held(reading(VARCHAR), default="no show"),
        [
            (
                "default",
                "bookings.status has in the database the default 'no show', another spelling of 'no_show': rows that get "
                "it have a text that no member has",
                AUTO,
            )
        ],
    ),
    (
        held(reading(VARCHAR), default="no_show"),
        [
            (
                "default",
                "bookings.status has the default 'scheduled' in the models, the default 'no_show' in the database",
                AUTO,
            )
        ],
    ),
    (
        held(reading(VARCHAR), default=None),
        [("default", "bookings.status has the default 'scheduled' in the models, no default in the database", AUTO)],
    ),
    (
        held(reading(replace(VARCHAR, default=None, default_sql="lower('A')")), default_sql=None),
        [("default", "bookings.status has the default lower('A') in the models, no default in the database", AUTO)],
    ),
    (
        replace(reading(NATIVE), stored={STATUS: state_of(VARCHAR, "postgresql")}, types={}, users={}),
        [
            (
                "strategy",
                "bookings.status is native in the models, varchar in the database",
                f"{AUTO} writes the change, or keep it: in the model write varchar_enum(Status)",
            )
        ],
    ),
    (
        held(reading(NATIVE, engine="sqlite"), strategy=Strategy.VARCHAR, labels=()),
        [
            (
                "strategy",
                "bookings.status is native in the models (on SQLite: check), varchar in the database",
                f"{AUTO} writes the change, or keep it: in the model write varchar_enum(Status)",
            )
        ],
    ),
    (
        replace(
            held(reading(NATIVE), type_name="state"),
            types={TableName("state"): NATIVE.labels},
            users={TableName("state"): (STATUS,)},
        ),
        [
            (
                "type name",
                "bookings.status has the type state in the database, and status in the models",
                f'{AUTO} writes the change, or keep it: in the model write native_enum(Status, name="state")',
            )
        ],
    ),
    (
        held(reading(CHECK), is_checked=False, check_name="ck_s"),
        [
            (
                "not validated",
                "the CHECK ck_s of bookings.status is NOT VALID: the rows from before it were never checked",
                'handrail revision -m "validate ck_s", and in it op.execute("ALTER TABLE bookings VALIDATE CONSTRAINT '
                'ck_s")',
            )
        ],
    ),
    (
        held(reading(CHECK), check_name=None),
        [
            (
                "unnamed check",
                "bookings.status has a CHECK without a name, which is lost when the table is copied (batch mode)",
                f"{AUTO} makes one with a name",
            )
        ],
    ),
    (
        held(reading(VARCHAR), length=7),
        [
            (
                "length",
                "bookings.status takes 7 characters in the database, 'scheduled' has 9",
                AUTO,
            )
        ],
    ),
    (
        reading(replace(VARCHAR, length=7)),
        [
            (
                "length",
                "bookings.status takes 7 characters in the database, 'scheduled' has 9",
                f"in the model write length=9 or more, then {AUTO}",
            )
        ],
    ),
    (
        replace(reading(VARCHAR), stored={}),
        [
            (
                "missing column",
                "bookings.status is not in the database",
                f"handrail upgrade; if no script adds it: {AUTO}",
            )
        ],
    ),
    (
        reading(STRING, late=1),
        [
            (
                "plain string",
                "bookings.status is a plain string column under the annotation Status: it reads back str, not a member, "
                "and nothing validates what is assigned to it",
                FIELD,
            ),
            (
                "unknown rows",
                "bookings.status: 1 row holds a text that is no member of Status: 'late' (1 row)",
                f"make it an enum column first (see there), then give Status a member for it; or {AUTO} --map "
                '"late=scheduled" gives these rows another value, --rename where it is the same value under another text',
            ),
        ],
    ),
    (
        reading(CHECK, replace(CHECK, column=ColumnName(TableName("bookings"), "before"))),
        [
            (
                "same check name",
                "the CHECKs of bookings.status and bookings.before have one name, status: PostgreSQL refuses the table "
                "when the models create it",
                'give the type of bookings.before a name: name="bookings_before"',
            )
        ],
    ),
    (
        reading(NATIVE, ROOM),
        [
            (
                "shared type",
                "the type status is shared by bookings.status (Status) and rooms.state (RoomState): it has the values of "
                "one class only",
                f'give the type of rooms.state a name of its own (name="…"), then {AUTO}',
            )
        ],
    ),
    (
        replace(reading(VARCHAR), types={TableName("mood", "x"): ("a", "b")}),
        [
            (
                "orphan type",
                "no column has the type x.mood ('a', 'b')",
                'handrail revision -m "drop x.mood", and in it op.execute("DROP TYPE x.mood")',
            )
        ],
    ),
]


@pytest.mark.parametrize(("found", "told"), CASES)
def test_every_kind_in_its_words(found: EnumReading, told: list[tuple[str, str, str]]) -> None:
    assert [(str(one.kind), one.message, one.hint) for one in drifts(found)] == told


def test_every_kind_has_a_case() -> None:
    assert {one.kind for found, _ in CASES for one in drifts(found)} == set(DriftKind)


def test_the_guides_own_model() -> None:
    found = reading(replace(STRING, default="SCHEDULED"), SCHEDULED=2, no_show=1)
    assert [one.kind for one in drifts(found)] == ["plain string", "names and values", "default"]
    assert columns_of(drifts(found)) == (STATUS,)


words = st.text("abc_XY'é 한", min_size=1, max_size=6)


@st.composite
def models(draw: st.DrawFn) -> tuple[ModelEnum, ...]:
    found = []
    for number in range(draw(st.integers(0, 3))):
        texts = draw(st.lists(words, min_size=1, max_size=4, unique=True))
        strategy = draw(st.sampled_from(list(Strategy)))
        found.append(
            ModelEnum(
                ColumnName(TableName(f"t{number}"), "status"),
                f"app.Status{number}",
                tuple(Member(text.upper(), text) for text in texts),
                strategy,
                f"status{number}",
                length=50,
                default=draw(st.sampled_from([None, *texts])),
                is_bound=strategy is not Strategy.VARCHAR,
            )
        )
    return tuple(found)


def changed(stored: StoredEnum, model: ModelEnum, draw: Callable[[st.SearchStrategy[str]], str]) -> StoredEnum:
    """The column in another state than the model's."""
    ways: dict[str, StoredEnum] = {}
    if stored.labels:
        ways["more"] = replace(stored, labels=(*stored.labels, "ZZZ"))
        ways["less"] = replace(stored, labels=("ZZZ", *stored.labels[1:]))
    if len(stored.labels) > 1 and stored.strategy is Strategy.NATIVE:
        ways["order"] = replace(stored, labels=stored.labels[::-1])
    if stored.strategy is Strategy.CHECK:
        ways["checked"] = replace(stored, is_checked=False)
    ways["default"] = replace(stored, default="ZZZ")
    other = Strategy.VARCHAR if stored.strategy is not Strategy.VARCHAR else Strategy.CHECK
    ways["strategy"] = replace(stored, strategy=other, labels=() if other is Strategy.VARCHAR else model.labels)
    return ways[draw(st.sampled_from(sorted(ways)))]


@given(models(), st.sampled_from(["postgresql", "sqlite"]), st.data())
def test_nothing_is_told_exactly_when_they_agree(
    found: tuple[ModelEnum, ...], engine: str, data: st.DataObject
) -> None:
    agreed = reading(*found, engine=engine)
    if found:
        counts = {text: 1 for text in found[0].labels}
        agreed = replace(agreed, usages={**agreed.usages, found[0].column: Usage(counts=counts)})
    assert drifts(agreed) == ()
    if not found:
        return
    model = data.draw(st.sampled_from(found))
    other = changed(agreed.stored[model.column], model, data.draw)
    told = drifts(replace(agreed, stored={**agreed.stored, model.column: other}))
    assert told
    assert {one.column for one in told} <= {model.column, None}
    strays = replace(agreed, usages={**agreed.usages, model.column: Usage(counts={"ZZZ": 2})})
    assert [one.kind for one in drifts(strays)] == [DriftKind.UNKNOWN_ROWS]


def test_a_drift_is_a_value() -> None:
    assert drifts(reading(STRING))[0] == Drift(
        DriftKind.PLAIN_STRING,
        STATUS,
        "bookings.status is a plain string column under the annotation Status: it reads back str, not a member, and "
        "nothing validates what is assigned to it",
        FIELD,
    )
