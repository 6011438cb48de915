"""Recovery of a server's files to a moment, from WAL that lies in a folder: by the server itself, on a port of its own.

How a moment is reached. PostgreSQL compares the moment with the times at which transactions ended, and only stops when
it sees a later one. WAL that holds no later one ends before the target, and the server refuses to go on. That is right
where WAL is missing, and too strict where nothing happened since. Then all WAL is replayed (in which nothing is later
than the moment), and the position that was reached says whether anything is missing.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from handrail.backups.moments import ArchiveError, written
from handrail.databases.postgres import wal
from handrail.databases.postgres.binaries import ServerBinaries
from handrail.databases.postgres.connection import opened
from handrail.databases.postgres.revived import RevivedCluster
from handrail.errors import DatabaseUnavailable
from handrail.facts import DatabaseAddress

#: The folder with the segments, in the data folder.
WAL = "barman_wal"
_SHORT = "recovery ended before configured recovery target was reached"
_FATAL = re.compile(r"FATAL:\s+(.*)")
#: Recovery from many segments takes long; a server that cannot recover ends by itself, and at once.
_SECONDS = 86_400.0
_OF_RECOVERY = re.compile(r"\s*(restore_command|recovery_\w+|archive_cleanup_command)\s*=")
#: Files that are kept are written durably.
_DURABLE = ("fsync=on", "full_page_writes=on")


@dataclass(frozen=True, slots=True)
class Recovered:
    """How far it went: `position` is behind the last record; `ended` is when the last transaction ended that is there,
    None when none ended since the backup. `is_all`: all WAL was replayed, since none of it is later than the moment."""

    position: int
    ended: datetime | None
    is_all: bool


class RecoveringCluster(RevivedCluster):
    """A server on files that `lay` puts into the folder it is given (with WAL in a folder WAL of it), recovered to a
    moment, or to the end of its WAL. `is_kept`: written durably, for `take`."""

    start_seconds = _SECONDS

    def __init__(
        self,
        binaries: ServerBinaries,
        origin: DatabaseAddress,
        lay: Callable[[Path], None],
        *,
        moment: datetime | None,
        folder: Path,
        is_kept: bool = False,
    ) -> None:
        super().__init__(binaries, origin, folder, _DURABLE if is_kept else ())
        self._lay_files = lay
        self._moment = moment
        self._own = self._settings
        self._kept_settings = ""
        self._is_kept = is_kept

    @property
    def data_folder(self) -> Path:
        return self._folder / "d"

    def recover(self) -> Recovered:
        """Lay the files, start the server, wait until it has recovered. ArchiveError."""
        self._require_reachable()
        is_all = self._moment is None
        self._settings = self._recovering(self._moment)
        try:
            self.revive()
        except DatabaseUnavailable as error:
            if is_all or _SHORT not in error.why:
                raise _not_recovered(error, self._moment) from error
            is_all = True
            self._recover_all()
        with opened(self.by_socket, "handrail") as query:
            lsn, ended = query("SELECT pg_last_wal_replay_lsn()::text, pg_last_xact_replay_timestamp()")[0]
        return Recovered(wal.position(str(lsn)), ended.astimezone(UTC) if ended else None, is_all)

    def _require_reachable(self) -> None:
        """Root's server becomes another user, who has to get into the folder."""
        account = self._account
        if account is None:
            return
        for folder in self._folder.parents:
            status = folder.stat()
            if not status.st_mode & (0o100 if status.st_uid == account.pw_uid else 0o001):
                raise ArchiveError(
                    f"no server can be started in {self._folder.parent}",
                    why=f"it would run as {account.pw_name}, and {folder} is closed to others",
                    hint="choose a folder that PostgreSQL's account can reach",
                    code="HR566",
                )

    def take(self, target: Path) -> None:
        """End the server and move its files to `target`, which is not there or an empty folder. OSError."""
        self._end()
        data = self.data_folder
        settings = data / "postgresql.auto.conf"
        settings.write_text(self._kept_settings)
        settings.chmod(0o600)
        self._hand_over(data)
        data.rename(target)

    def _recovering(self, moment: datetime | None) -> tuple[str, ...]:
        folder = shlex.quote(str(self.data_folder / WAL).replace("%", "%%"))  # the server's own signs begin with %
        settings = [*self._own, "hot_standby=off", f"restore_command=cp {folder}/%f %p"]
        if moment is not None:
            settings += [f"recovery_target_time={moment.astimezone(UTC).isoformat()}", "recovery_target_action=promote"]
        return tuple(settings)

    def _recover_all(self) -> None:
        self._settings = self._recovering(None)
        try:
            self._start()
            self._open_door()
        except DatabaseUnavailable as error:
            raise _not_recovered(error, self._moment) from error

    def _open_door(self) -> None:
        if not self._is_kept:  # passwords belong to what is kept
            super()._open_door()

    def _lay(self, folder: Path) -> None:
        self._lay_files(folder)
        settings = folder / "postgresql.auto.conf"
        lines = settings.read_text().splitlines(keepends=True) if settings.is_file() else []
        self._kept_settings = "".join(line for line in lines if not _OF_RECOVERY.match(line))

    def _fill(self, secret: Path) -> None:
        super()._fill(secret)
        (self.data_folder / "recovery.signal").touch(mode=0o600)
        self._hand_over(self.data_folder)


def _not_recovered(error: DatabaseUnavailable, moment: datetime | None) -> ArchiveError:
    said = _FATAL.findall(error.why)
    return ArchiveError(
        f"No server recovers to {written(moment) if moment else 'the newest moment'} from this archive.",
        why=said[-1].rstrip(".") + "." if said else f"{error.message} {error.why}",
        hint="Try another moment, or Barman's own `barman restore` into a folder, where the server's log tells more.",
        code="HR568",
    )
