"""The contract of keys: to whom an environment's backups are encrypted, and what opens them.

* **Recipients** are public keys; they may be shown, and a backup's manifest names those it was encrypted to.
* **An identity** is one or more private keys, read from one file that lies outside of the store. It is held in memory
  only, and is in no message, journal, manifest or `repr`.
* Both are read when they are asked for: a command that needs neither needs no file and no library.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from handrail.errors import BackupError


class KeyUnusable(BackupError):
    """A backup is encrypted, or is to be, and there is no identity here that opens it."""

    code = "HR540"


@dataclass(frozen=True, slots=True)
class Identity:
    """What opens encrypted backups. `where` says which file it was read from, `remarks` what is wrong with that file
    though it can be used."""

    where: str
    keys: tuple[object, ...] = field(repr=False)
    remarks: tuple[str, ...] = ()


class Keys(Protocol):
    """The keys of one environment."""

    @property
    def note(self) -> str:
        """Where people find the identity, in the words of the configuration; "" when it does not say."""
        ...

    def recipients(self) -> tuple[str, ...]:
        """Public keys to encrypt to, each written in one way only; () when backups are not encrypted. Raises
        ConfigError for one that cannot be used."""
        ...

    def identity(self) -> Identity:
        """Read once per call of handrail. Raises KeyUnusable when there is none here, or when it cannot be used."""
        ...


class NoKeys:
    """An environment whose backups are not encrypted."""

    note = ""

    def recipients(self) -> tuple[str, ...]:
        return ()

    def identity(self) -> Identity:
        raise missing_identity()


def missing_identity(
    why: str = "none is given by --identity, HANDRAIL_IDENTITY or `identity` of the environment",
) -> KeyUnusable:
    """The error where no private key is named; `why` says where it was looked for."""
    return KeyUnusable(
        "no identity is at hand to open encrypted backups",
        why=why,
        hint="name the file with the private key: --identity FILE",
    )
