"""The names of snapshots and instances: AWS's rules, and the names that handrail gives.

Rules: AWS API reference, CreateDBSnapshot and CreateDBInstance (measured with moto: the same texts).
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final

from handrail.errors import UsageError

_LONGEST_SNAPSHOT: Final = 255
LONGEST_INSTANCE: Final = 63
_RULES: Final = "letters, digits and single hyphens; a letter first, no hyphen last"
_GOOD: Final = re.compile(r"[A-Za-z][A-Za-z0-9]*(-[A-Za-z0-9]+)*")
#: AWS keeps them for itself.
_RESERVED: Final = ("rds-", "awsbackup-", "rds:", "awsbackup:")


def check_snapshot_name(name: str) -> str:
    """The name in lower case, as AWS stores it. UsageError when it cannot be one."""
    return _checked(name, "snapshot", _LONGEST_SNAPSHOT)


def check_instance_name(name: str) -> str:
    """The same for an instance."""
    return _checked(name, "instance", LONGEST_INSTANCE)


def _checked(name: str, what: str, longest: int) -> str:
    if len(name) > longest or not _GOOD.fullmatch(name) or name.lower().startswith(_RESERVED):
        raise UsageError(
            f"{name!r} cannot be the name of {'an' if what == 'instance' else 'a'} {what}",
            why=f"AWS allows up to {longest} characters: {_RULES}; what begins with rds- or awsbackup- is its own",
            hint="choose another name",
        )
    return name.lower()


def snapshot_name(prefix: str, at: datetime, revision: str) -> str:
    """A name such as "before-migration-20260218-152501-c3a1b2d4e5f6": the moment in UTC, then the revision. With the
    seconds in it, so that the second migration of a day has another name (G4.3)."""
    return _joined((prefix, f"{at:%Y%m%d-%H%M%S}", revision), _LONGEST_SNAPSHOT)


def instance_name(instance: str, what: str, run_id: str) -> str:
    """The name of an instance that is made beside another one: "shop-rehearsal-20260218-152501-9f3a2c". What is too
    long is cut from the old instance's name, never from the run id."""
    end = _joined((what, run_id), LONGEST_INSTANCE - 2)
    return _joined((instance[: LONGEST_INSTANCE - len(end) - 1], end), LONGEST_INSTANCE)


def _joined(parts: tuple[str, ...], longest: int) -> str:
    """What AWS allows of the parts: anything else becomes a hyphen, and a letter is put first where none is."""
    text = re.sub(r"[^A-Za-z0-9]+", "-", "-".join(part for part in parts if part)).strip("-").lower()
    text = text if text[:1].isalpha() else f"s-{text}"
    return text[:longest].strip("-")
