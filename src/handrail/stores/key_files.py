"""Keys in files: recipients from the configuration or a file, the identity from a file outside of the store."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from handrail.errors import ConfigError
from handrail.stores.age import checked_recipient, read_identity
from handrail.stores.keys import Identity, KeyUnusable, missing_identity

VARIABLE = "HANDRAIL_IDENTITY"
#: No file of keys is longer.
_LONGEST = 1 << 16


@dataclass(frozen=True, slots=True)
class KeySettings:
    """What the configuration says about keys; paths in it are relative to `root`. `identity` is a path or "env:NAME",
    `stores` are all places of the backups."""

    environment: str
    root: Path
    stores: tuple[str, ...]
    recipients: tuple[str, ...] = ()
    recipients_file: str | None = None
    identity: str | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class _Place:
    """A file of private keys, and who named it."""

    path: Path
    named_by: str

    @classmethod
    def below(cls, folder: Path, name: str | Path, named_by: str) -> _Place:
        return cls(Path(os.path.normpath(folder / name)), named_by)


class KeyFiles:
    """The keys of one environment. The file of private keys is the one given by an option, else the one that
    HANDRAIL_IDENTITY names, else the configured one."""

    def __init__(self, settings: KeySettings, environ: Mapping[str, str], given: Path | None = None) -> None:
        if "SECRET-KEY-1" in settings.note.upper():
            raise ConfigError(
                f"`identity_note` of the environment {settings.environment} holds a private key",
                why="it is printed on recovery sheets, which lie beside the backups (the key is not shown)",
                hint="say where the key is kept, and make a new one",
            )
        self._settings = settings
        self._environ = environ
        self._given = given
        self._recipients: tuple[str, ...] | None = None
        self._identity: Identity | None = None

    @property
    def note(self) -> str:
        return self._settings.note

    def recipients(self) -> tuple[str, ...]:
        if self._recipients is None:
            found = [*self._named_recipients(), *self._filed_recipients()]
            self._recipients = tuple(dict.fromkeys(found))
        return self._recipients

    def identity(self) -> Identity:
        if self._identity is None:
            self._identity = self._read(self._place())
        return self._identity

    def _named_recipients(self) -> list[str]:
        where = f"`recipients` of the environment {self._settings.environment}"
        return [checked_recipient(one, where=where) for one in self._settings.recipients]

    def _filed_recipients(self) -> list[str]:
        name = self._settings.recipients_file
        if name is None:
            return []
        path = self._settings.root / Path(name).expanduser()
        try:
            lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(
                f"the recipients in {path} cannot be read",
                why=(error.strerror if isinstance(error, OSError) else "") or str(error),
                hint=f"correct `recipients_file` of the environment {self._settings.environment}",
            ) from error
        found = [checked_recipient(line, where=str(path)) for line in lines if line and not line.startswith("#")]
        if not found:
            raise ConfigError(
                f"there is no recipient in {path}",
                why="backups would not be encrypted, although `recipients_file` says so",
                hint="write a public key on each line (age1…, ssh-ed25519 …)",
            )
        return found

    def _place(self) -> _Place:
        if self._given is not None:
            return _Place.below(Path.cwd(), _path(str(self._given), "--identity"), "--identity")
        if named := self._environ.get(VARIABLE):
            return _Place.below(Path.cwd(), _path(named, VARIABLE), VARIABLE)
        configured = self._settings.identity
        if not configured:
            raise missing_identity()
        named_by = f"`identity` of the environment {self._settings.environment}"
        if configured.startswith("env:"):
            variable = configured.removeprefix("env:")
            configured = self._environ.get(variable, "")
            if not configured:
                raise missing_identity(f"{named_by} takes it from the variable {variable}, which is not set")
            named_by = variable
        return _Place.below(self._settings.root, _path(configured, named_by), named_by)

    def _read(self, place: _Place) -> Identity:
        self._refuse_beside_backups(place)
        try:
            with place.path.open("rb") as file:
                data = file.read(_LONGEST + 1)
                mode = os.fstat(file.fileno()).st_mode
        except OSError as error:
            raise KeyUnusable(
                f"the identity {place.path} cannot be read",
                why=f"{error.strerror or error}; {place.named_by} names it",
                hint="name the file with the private key: --identity FILE",
                code="HR542",
            ) from error
        is_open = stat.S_ISREG(mode) and stat.S_IMODE(mode) & 0o077
        remark = f"others may read the identity {place.path} (mode {stat.S_IMODE(mode):04o}): chmod 600 {place.path}"
        return read_identity(data[:_LONGEST], str(place.path), (remark,) if is_open else ())

    def _refuse_beside_backups(self, place: _Place) -> None:
        """Both as they are named and where links lead."""
        for store in (Path(one) for one in self._settings.stores if "://" not in one):
            named, real = place.path, place.path.resolve()
            if named.is_relative_to(os.path.normpath(store)) or real.is_relative_to(store.resolve()):
                raise KeyUnusable(
                    f"the identity {place.path} lies in the store {store}",
                    why="keys are never kept beside what they open: whoever gets the store would have both",
                    hint=f"move it, make a new key if others can read the store, and correct {place.named_by}",
                    code="HR543",
                )


def _path(text: str, named_by: str) -> Path:
    if "AGE-SECRET-KEY-" in text.upper() or "-----BEGIN" in text:  # a file may well be called secret-key.txt
        raise KeyUnusable(
            f"{named_by} holds a private key itself",
            why="it is to name a file: others see the words of commands, variables and configuration (it is not shown)",
            hint="write the key into a file of mode 0600 and name that one",
            code="HR542",
        )
    return Path(text).expanduser()
