"""Barman's program: called with bounded patience, and its JSON read as values."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from handrail.backups.moments import ArchiveError
from handrail.databases.postgres import wal
from handrail.errors import UsageError
from handrail.pages import page

#: The oldest that the tests pass on: with 3.13 a backup waits for ever for WAL that an idle server does not write.
FLOOR: Final = (3, 19)
_SECONDS: Final = 120
_RESTORE_SECONDS: Final = 24 * 3600
_INSTALL: Final = f"pip install barman; then {page('archives-postgresql')}"


@dataclass(frozen=True, slots=True)
class Listed:
    """A backup in Barman's list: when it ended, cut to the second, and how large it is with its WAL, in bytes."""

    id: str
    ended: float
    size: int


@dataclass(frozen=True, slots=True)
class Held:
    """A backup that Barman holds whole. `system` is the server's own identifier; `ended` the first moment that it can
    be recovered to; `version` the server's major version; `segment` how large its WAL segments are."""

    id: str
    system: str
    ended: datetime
    begin_wal: str
    version: int
    segment: int
    tablespaces: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Live:
    """What Barman says of the server that it backs up. `position` is where the server writes now, None when Barman
    cannot ask it; in `folders` lies WAL that is not archived yet."""

    position: int | None
    folders: tuple[Path, ...]


class BarmanProgram:
    """Barman, asked of one of its servers. `program` is a name or a path, `config` its configuration file ("": the
    usual one)."""

    def __init__(self, program: str, config: str, server: str, environ: Mapping[str, str]) -> None:
        self._program, self._config, self.server = program, config, server
        self._environ = dict(environ)

    def path(self) -> str:
        """UsageError when it is not installed."""
        found = shutil.which(self._program, path=self._environ.get("PATH"))
        if found is None:
            raise UsageError(
                f"{self._program} was not found",
                why="PostgreSQL's archive is kept by Barman, which is not part of handrail",
                hint=_INSTALL,
                code="HR564",
            )
        return found

    def release(self) -> str:
        """ "3.19.1". UsageError for one that is too old or cannot be asked."""
        said, _ = self._run(["--version"], _SECONDS)
        found = re.search(r"(\d+)\.(\d+)[.\d]*", said)
        if found is None or tuple(map(int, found.groups())) < FLOOR:
            raise UsageError(
                f"Barman {said.split()[0] if said else '?'} is too old",
                why=f"handrail works with {'.'.join(map(str, FLOOR))} and newer",
                hint="pip install --upgrade barman",
                code="HR564",
            )
        return found[0]

    def live(self) -> Live:
        told = self._of_server("show-server")
        at = told.get("current_lsn")
        position = wal.position(at) if isinstance(at, str) and "/" in at else None
        folders = (told.get("streaming_wals_directory"), told.get("incoming_wals_directory"))
        return Live(position, tuple(Path(folder) for folder in folders if isinstance(folder, str)))

    def failing(self) -> tuple[str, ...]:
        """What `barman check` finds wrong, in its words."""
        told = self._of_server("check", may_fail=True)
        found = {
            name: f"{name.replace('_', ' ')}: {' '.join(str(one.get('hint') or 'failed').split())}"
            for name, one in sorted(told.items())
            if isinstance(one, dict) and one.get("status") != "OK"
        }
        # Where the server does not answer, what was asked of it fails as well, and says nothing new.
        if "postgresql" in found:
            return (f"PostgreSQL does not answer Barman: {self._hint()}",)
        return tuple(found.values())

    def listed(self) -> tuple[Listed, ...]:
        """The backups that are whole, oldest first."""
        told = self._json("list-backups", self.server).get(self.server)
        try:
            found = [
                Listed(
                    str(one["backup_id"]),
                    float(one["end_time_timestamp"]),
                    int(one["size_bytes"]) + int(one["wal_size_bytes"]),
                )
                for one in (told if isinstance(told, list) else ())
                if one["status"] == "DONE"
            ]
        except (KeyError, TypeError, ValueError) as error:
            raise self._strange("list-backups", error) from error
        return tuple(sorted(found, key=lambda one: one.ended))

    def held(self, backup_id: str) -> Held:
        told = self._of_server("show-backup", backup_id)
        try:
            base = told["base_backup_information"]
            begin = str(base["begin_wal"])
            starts_at = wal.position(base["begin_lsn"]) - int(base["begin_offset"])
            return Held(
                backup_id,
                str(told["system_id"]),
                datetime.fromisoformat(base["end_time"]).astimezone(UTC),
                begin,
                int(told["postgresql_version"]) // 10000,
                wal.segment_bytes(begin, starts_at),
                tuple(str(one["name"]) for one in told["tablespaces"] or ()),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise self._strange("show-backup", error) from error

    def segments(self, backup_id: str) -> tuple[Path, ...]:
        """The archived segments since a backup began, in order, as Barman has noted them down."""
        listed = self._json("list-files", "--target", "wal", self.server, backup_id).get("_INFO", [])
        paths = (Path(str(one)) for one in (listed if isinstance(listed, list) else [listed]))
        return tuple(sorted((path for path in paths if wal.is_segment(path.name)), key=lambda path: path.name))

    def fetch(self, name: str, folder: Path) -> Path | None:
        """A segment, decompressed, also one that is still being received; None when Barman has none of that name."""
        said, code = self._run(
            [*self._options(), "get-wal", "--partial", "-o", str(folder), self.server, name], _SECONDS
        )
        path = folder / name
        if code == 0 and path.is_file():
            return path
        path.unlink(missing_ok=True)
        if "not found" in said:
            return None
        raise ArchiveError(f"Barman cannot give the WAL segment {name}", why=_words(said))

    def restore(self, backup_id: str, folder: Path, moment: datetime | None) -> None:
        """Lay the files of a backup into a folder, and all archived WAL since into its folder `barman_wal`."""
        until = moment.astimezone(UTC).isoformat() if moment else ""
        target = ["--target-time", until, "--target-action", "promote"] if moment else ["--target-tli", "latest"]
        self._json("restore", "--no-get-wal", *target, self.server, backup_id, str(folder), seconds=_RESTORE_SECONDS)

    def user(self) -> str:
        """The account that Barman runs as."""
        told = self._json("diagnose", as_json=False)
        try:
            return str(told["global"]["config"]["barman_user"])
        except (KeyError, TypeError) as error:
            raise self._strange("diagnose", error) from error

    def _of_server(self, command: str, *words: str, may_fail: bool = False) -> dict[str, Any]:
        told = self._json(command, self.server, *words, may_fail=may_fail).get(self.server)
        if not isinstance(told, dict):
            raise self._strange(command, f"nothing about {self.server}")
        return told

    def _json(
        self, command: str, *words: str, may_fail: bool = False, as_json: bool = True, seconds: int = _SECONDS
    ) -> dict[str, Any]:
        """What a command answers. ArchiveError with Barman's words when it fails."""
        form = ["-f", "json"] if as_json else []
        said, code = self._run([*self._options(), *form, command, *words], seconds)
        try:
            told = json.loads(said)
        except ValueError:
            told = None
        if not isinstance(told, dict):
            raise ArchiveError(f"`barman {command}` failed", why=_words(said), hint=self._hint())
        wrong = told.get("_ERROR") or told.get("_EXCEPTION")
        if wrong or (code and not may_fail):
            why = "; ".join(map(str, wrong)) if isinstance(wrong, list) else str(wrong or f"exit code {code}")
            raise ArchiveError(f"`barman {command}` failed", why=_words(why), hint=self._hint())
        return told

    def _options(self) -> tuple[str, ...]:
        return ("-c", self._config) if self._config else ()

    def _hint(self) -> str:
        return f"barman check {self.server}"

    def _strange(self, command: str, why: object) -> ArchiveError:
        return ArchiveError(f"what `barman {command}` answers cannot be read", why=str(why))

    def _run(self, words: list[str], seconds: int) -> tuple[str, int]:
        """Everything it says, and its exit code. It gets a session of its own, so that its rsync ends with it."""
        environ = {**self._environ, "LC_ALL": "C.UTF-8"}
        try:
            process = subprocess.Popen(
                [self.path(), *words],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=environ,
                text=True,
                start_new_session=True,
            )
        except OSError as error:
            raise ArchiveError("Barman cannot be started", why=error.strerror or str(error)) from error
        with process:
            try:
                out, errors = process.communicate(timeout=seconds)
            except BaseException as error:
                os.killpg(process.pid, signal.SIGKILL)
                if isinstance(error, subprocess.TimeoutExpired):
                    why = f"it took over {seconds} s"
                    raise ArchiveError("Barman does not answer", why=why) from error
                raise
        return out if out.strip() else errors, process.returncode


def _words(said: str) -> str:
    """Its complaint, in one line."""
    lines = list(_complaints(said)) or said.split("\n")
    return " ".join(" ".join(lines).split())[:500]


def _complaints(said: str) -> Iterator[str]:
    for line in said.splitlines():
        head, _, rest = line.partition(": ")
        if head in ("ERROR", "EXCEPTION"):
            yield rest
