"""Pins and notes of backups: documents written once beside the manifest, under the lock, so that no prune runs then."""

from __future__ import annotations

from datetime import datetime

from handrail.backups.catalog import mark_key
from handrail.backups.manifest import write_mark
from handrail.backups.record import Headline, Mark, MarkKind
from handrail.errors import BackupError, UsageError
from handrail.workflows.catalog import Found, find
from handrail.workflows.copies import write_beside
from handrail.workflows.run import Run


def pin(run: Run, wanted: str, reason: str, until: datetime | None) -> Found:
    """Keep a backup whatever the policy says, until a moment or (None) until `unpin`."""
    record, now = find(run.equipment, wanted)[0], run.equipment.clock()
    if until is not None and until <= now:
        raise UsageError(f"a pin until {until:%Y-%m-%d %H:%M} would have ended already", hint="choose a later --until")
    return _marked(run, record, Mark(run.id, now, MarkKind.PIN, reason, until))


def unpin(run: Run, wanted: str) -> Found:
    """Take back every pin of a backup. BackupError when it has none."""
    record = find(run.equipment, wanted)[0]
    if not record.pins:
        raise BackupError(
            f"backup {record.id} is not pinned",
            hint="handrail backup list shows which are",
            code="HR544",
        )
    lifts = tuple(mark.id for mark in record.pins)
    return _marked(run, record, Mark(run.id, run.equipment.clock(), MarkKind.UNPIN, lifts=lifts))


def note(run: Run, wanted: str, text: str, milestone: str) -> Found:
    """Say something about a backup, and perhaps that it is a milestone."""
    record = find(run.equipment, wanted)[0]
    return _marked(run, record, Mark(run.id, run.equipment.clock(), MarkKind.NOTE, text, milestone=milestone))


def _marked(run: Run, record: Headline, mark: Mark) -> Found:
    kit = run.equipment
    write_beside(run, record, mark_key(kit.environment, record.id, mark.id), write_mark(mark))
    return find(kit, record.id)
