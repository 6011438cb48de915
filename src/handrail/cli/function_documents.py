"""What `handrail lambda` prints as documents."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from handrail.workflows.cleaning import Cleaned


@dataclass(frozen=True, slots=True)
class Packed:
    """The zip that was written: its bytes, their BLAKE3 digest, the handler's name and the modules in it."""

    file: str
    size: int
    digest: str
    handler: str
    modules: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CleaningLine:
    """One snapshot. `verdict` is "delete", "archive" or "adopt", with " later" when the cap leaves it for another run;
    "keep"; or "not ours" for what is not judged."""

    verdict: str
    snapshot: str
    arn: str
    instance: str
    created_at: datetime | None
    reason: str


@dataclass(frozen=True, slots=True)
class CleaningDocument:
    """What the function would do: the deeds in their order, then what is kept, then what is not judged."""

    snapshots: tuple[CleaningLine, ...]
    remarks: tuple[str, ...]

    @classmethod
    def of(cls, found: Cleaned) -> CleaningDocument:
        plan = found.plan
        lines = [
            CleaningLine(
                f"{action.deed}{later}",
                action.snapshot.id,
                action.snapshot.arn,
                action.snapshot.instance,
                action.snapshot.created_at,
                action.reason,
            )
            for actions, later in ((plan.actions, ""), (plan.waiting, " later"))
            for action in actions
        ]
        seen = {line.arn for line in lines}
        lines += [
            CleaningLine(
                "keep",
                one.candidate.id.rpartition(":")[2],
                one.candidate.id,
                one.candidate.target.partition(" ")[0],
                one.candidate.created_at,
                one.text,
            )
            for one in plan.decisions
            if one.candidate.id not in seen
        ]
        lines += [
            CleaningLine("not ours", one.id, one.arn, one.instance, one.created_at, why) for one, why in plan.outside
        ]
        return cls(tuple(lines), found.remarks)
