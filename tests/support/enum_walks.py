"""What every change of enum columns is put through."""

from __future__ import annotations

from handrail.enums.plan import Wishes
from support.enum_cells import Change, metadata, on
from support.enum_lab import Lab

ENGINES = frozenset({"postgresql", "sqlite"})


def walk_one(lab: Lab, change: Change) -> None:
    """The change step by step, then the whole history from nothing and back, in one transaction and in several."""
    before, after = metadata(change.before), metadata(change.after)
    lab.autogenerate(before)
    lab.upgrade()
    assert lab.differences(before) == []
    rows = change.rows()
    lab.insert(before, rows)
    lab.autogenerate(after, change.wishes)
    upgraded = change.upgraded(rows)
    for _ in range(2):
        lab.upgrade()
        assert lab.differences(after) == []
        assert lab.rows(after) == upgraded
        lab.downgrade()
        assert lab.differences(before) == []
        rows = change.downgraded(upgraded)
        assert lab.rows(before) == rows
        upgraded = change.upgraded(rows)
    for is_alone in (False, True):
        lab.config.attributes["transaction_per_migration"] = is_alone
        lab.downgrade("base")
        assert lab.left() == []
        lab.upgrade()
        assert lab.differences(after) == []


def walk_both(writer: Lab, other: Lab, change: Change) -> None:
    """Step by step on both with rows in place, down and up again, then the whole history from nothing."""
    both = (writer, other)
    change = on(change, *ENGINES)
    before, after = metadata(change.before), metadata(change.after)
    writer.autogenerate(before, Wishes(engines=ENGINES))
    rows = change.rows()
    for lab in both:
        lab.upgrade()
        assert lab.differences(before) == []
        lab.insert(before, rows)
    writer.autogenerate(after, change.wishes)
    upgraded = change.upgraded(rows)
    downgraded = change.downgraded(upgraded)
    for lab in both:
        lab.upgrade()
        assert lab.differences(after) == []
        assert lab.rows(after) == upgraded
        lab.downgrade()
        assert lab.differences(before) == []
        assert lab.rows(before) == downgraded
        lab.downgrade("base")
        assert lab.left() == []
        lab.upgrade()
        assert lab.differences(after) == []
    assert writer.differences(after) == []
