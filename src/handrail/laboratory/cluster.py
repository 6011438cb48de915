"""One server of the laboratory: its folder stays when it ends, and it ends with us."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from handrail.databases.postgres.binaries import ServerBinaries
from handrail.databases.postgres.cluster import ThrowawayCluster
from handrail.facts import DatabaseAddress

#: RDS's own superuser and its database, which nobody else may use.
ADMIN = "rdsadmin"
#: Reads until the laboratory closes the pipe or dies, then ends the server ($1): at first in order, then at once.
_WATCH = """read -r _; kill -INT "$1" 2>/dev/null; n=0
while kill -0 "$1" 2>/dev/null; do sleep 0.1; n=$((n+1))
[ $n -eq 100 ] && kill -QUIT "$1" 2>/dev/null; [ $n -eq 200 ] && exit; done"""


def passable(folder: Path) -> Path:
    """Make a folder that the server's account can get through, whatever the umask, and not list."""
    folder.mkdir(exist_ok=True)
    folder.chmod(0o711)
    return folder


class LabCluster(ThrowawayCluster):
    """A server whose folder stays when it ends; `address` is of RDS's own superuser, by the socket."""

    def __init__(
        self, binaries: ServerBinaries, folder: Path, sockets: Path, port: int, settings: Sequence[str] = ()
    ) -> None:
        super().__init__(binaries, folder, settings)
        self._sockets = sockets
        self._wanted = port

    @property
    def address(self) -> DatabaseAddress:
        return DatabaseAddress("postgresql", ADMIN, str(self._sockets), self.port, ADMIN, "")

    @property
    def socket_folder(self) -> Path:
        return self._sockets

    def run(self) -> None:
        """Start on what lies in the folder. DatabaseUnavailable."""
        try:
            self._start()
        except BaseException:
            self._end()
            raise

    @property
    def is_alive(self) -> bool:
        """Whether the server has not ended by itself."""
        return self._server is not None and self._server.poll() is None

    def stop(self) -> None:
        """End the server; its folder stays."""
        self._end()

    def program(self, *words: str) -> None:
        """Run a program of the server as its account. DatabaseUnavailable with what it said."""
        done = subprocess.run(
            [str(self.binaries.bin_dir / words[0]), *words[1:]],
            capture_output=True, text=True, check=False, cwd=self._folder, **self._as_account(),
        )  # fmt: skip
        if done.returncode:
            raise self._failed(f"{words[0]} failed", done.stderr)

    def _choose_port(self) -> int:
        return self._wanted

    def _watch_over(self, server: int) -> None:
        self._watch = subprocess.Popen(
            ["/bin/sh", "-c", _WATCH, "handrail-watch", str(server)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def hand_over(self, folder: Path) -> None:
        """Give a folder and all in it to the account that the server runs as."""
        if self._account is not None:
            for path in (folder, *folder.rglob("*")):
                os.chown(path, self._account.pw_uid, self._account.pw_gid, follow_symlinks=False)

    def reachable(self) -> ServerBinaries:
        """The programs where the server's account gets at them: a copy in the folder if need be."""
        return ServerBinaries(self._reachable_programs(), self.binaries.version, self.binaries.release)
