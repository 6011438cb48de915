"""Throwaway servers on the files of another one."""

from __future__ import annotations

import os
import secrets
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from handrail.databases.postgres.binaries import ServerBinaries
from handrail.databases.postgres.cluster import ThrowawayCluster
from handrail.databases.postgres.connection import opened
from handrail.databases.postgres.quoting import identifier, literal
from handrail.facts import DatabaseAddress

#: What says that a folder belongs to a standby or recovers from an archive, and what ALTER SYSTEM set on the source.
_OF_THE_SOURCE = ("standby.signal", "recovery.signal", "postgresql.auto.conf")
_ACCESS = "local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n"


class RevivedCluster(ThrowawayCluster):
    """A throwaway server on the files that `_lay` puts into its folder. `address` leads to the database that was asked
    for, as the role of the source, whose password is another one here. Nothing of the source's configuration is taken
    over: libraries that it preloads are missing, and it archives nowhere."""

    def __init__(
        self,
        binaries: ServerBinaries,
        origin: DatabaseAddress,
        folder: Path | None = None,
        settings: Sequence[str] = (),
    ) -> None:
        super().__init__(binaries, folder)
        access = {name: f"{self._folder / name}.conf" for name in ("hba", "ident", "config")}
        own = (f"{name}_file={path}" for name, path in access.items())
        self._settings = (*own, "archive_mode=off", *settings)
        self._origin = origin
        self._word = secrets.token_urlsafe(18)

    @property
    def address(self) -> DatabaseAddress:
        return replace(self._origin, host="127.0.0.1", port=self.port, password=self._word, options=())

    @property
    def by_socket(self) -> DatabaseAddress:
        """The same database for whoever may open the folder, without a password."""
        return replace(self.address, host=str(self.socket_folder))

    def revive(self) -> None:
        """Lay the files and start the server, which recovers. DatabaseUnavailable, and what `_lay` raises."""
        self._make()
        self._start()
        self._open_door()

    def _open_door(self) -> None:
        """Give the role its password of here."""
        with opened(self.by_socket, "handrail") as query:
            role = identifier(str(query("SELECT current_user::text")[0][0]))
            query(f"ALTER ROLE {role} PASSWORD {literal(self._word)}")

    def _lay(self, folder: Path) -> None:
        """Make the data folder, which is not there yet."""
        raise NotImplementedError

    def _fill(self, secret: Path) -> None:
        folder = self._folder / "d"
        self._lay(folder)
        for name in _OF_THE_SOURCE:
            (folder / name).unlink(missing_ok=True)
        for name, text in {"hba": _ACCESS, "ident": "", "config": ""}.items():
            (self._folder / f"{name}.conf").write_text(text)
        self._hand_over(self._folder)

    def _hand_over(self, folder: Path) -> None:
        """Give a folder with all that is in it to the account that the server runs as."""
        if self._account is not None:
            for path in (folder, *folder.rglob("*")):
                os.chown(path, self._account.pw_uid, self._account.pw_gid, follow_symlinks=False)
