"""What is equal in many tables is one object, and stays equal to what it stands for."""

from __future__ import annotations

import weakref

from handrail.facts import (
    ColumnFacts,
    GroupDigest,
    ObjectKind,
    SchemaObject,
    Sharing,
    TableFacts,
    TableFingerprint,
    TableName,
)


def named(text: str) -> TableName:
    """Made anew each time, as a reader makes it."""
    return TableName("".join(text), "".join("app"))


def columns() -> tuple[ColumnFacts, ...]:
    return tuple(ColumnFacts(name, "integer", False) for name in ("id", "topic"))


def test_what_is_equal_is_held_once() -> None:
    shared = Sharing()
    one = shared.table(TableFacts(named("one"), columns(), ("id",)))
    two = shared.table(TableFacts(named("two"), columns(), tuple(["id"])))
    key = shared.object(SchemaObject(ObjectKind.CONSTRAINT, "pk", named("one"), "PRIMARY KEY (id)"))
    prints = [
        shared.fingerprint(TableFingerprint(named(name), 1, (GroupDigest(tuple(["id"]), "aa"),)))
        for name in ("one", "two", "three")
    ]
    assert one == TableFacts(named("one"), columns(), ("id",))
    assert two.columns is one.columns
    assert two.primary_key is one.primary_key
    assert key.table is one.name
    assert [each.table for each in prints] == [named("one"), named("two"), named("three")]
    assert (prints[0].table is one.name, prints[1].table is two.name) == (True, True)
    assert prints[1].digests[0].columns is prints[0].digests[0].columns is one.primary_key


class Watched(TableName):
    """A name of which can be told whether somebody still has it."""

    __slots__ = ("__weakref__",)


def test_the_name_that_was_asked_for_is_let_go() -> None:
    """Of 100,000 tables it would be as much again."""
    shared, asked = Sharing(), Watched("one", "app")
    has_it = weakref.ref(asked)
    known = shared.name(asked)
    del asked
    assert (known, has_it()) == (named("one"), None)
