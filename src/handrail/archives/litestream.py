"""SQLite's archive by Litestream: its configuration written, its state told, copies restored as of a moment."""

from __future__ import annotations

import os
import secrets
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from time import monotonic, sleep
from urllib.parse import quote

from handrail.archives.archive import Copy, Instruction, Reached
from handrail.archives.chain import Chain, read_chain
from handrail.archives.litestream_position import position
from handrail.archives.litestream_program import Program, keep_running, keeper
from handrail.archives.litestream_texts import configuration, service
from handrail.backups.moments import ArchiveError, ArchiveState, Window, written
from handrail.errors import HandrailError, UsageError
from handrail.facts import DatabaseAddress

#: How long a change may be on its way until the archive counts as behind; Litestream looks once a second.
_PATIENCE = 4.0
_COMPANIONS = ("-wal", "-shm", "-journal", ".tmp")


@dataclass(frozen=True, slots=True)
class LitestreamSettings:
    """Of one environment. `place` is an absolute folder or a URL; `folder` takes the configuration and the lock,
    `work_dir` throwaway copies; `program` is how `user` starts handrail. Within `fine` moments are told apart to the
    second, within `keep` they can be had; changes are sent every `sync` seconds."""

    environment: str
    database: Path
    place: str
    folder: Path
    work_dir: Path
    project: Path
    program: str
    user: str
    keep: timedelta
    fine: timedelta
    sync: float


@dataclass(frozen=True, slots=True)
class _Look:
    """The files of the replica, and whether everything had arrived in them at a moment; None: that cannot be told.
    `is_lost`: Litestream runs, and has no WAL to read."""

    chain: Chain
    has_arrived: bool | None
    at: datetime
    is_lost: bool = False

    @property
    def window(self) -> Window | None:
        window = self.chain.window
        if window is None or not self.has_arrived:
            return window
        return Window(window.oldest, max(window.newest, self.at.replace(microsecond=0)))

    @property
    def behind(self) -> float | None:
        """Seconds since the last moment for which everything has arrived: at most that much would be lost."""
        window = self.chain.window
        if window is None or self.has_arrived is None:
            return None
        return 0.0 if self.has_arrived else max(0.0, (self.at - window.newest).total_seconds())


class LitestreamArchive:
    """The archive of one SQLite file. `environ` is what Litestream is started with: its secrets are there and nowhere
    else, and the endpoint of a store that is not Amazon's (AWS_ENDPOINT_URL_S3 or AWS_ENDPOINT_URL)."""

    def __init__(self, settings: LitestreamSettings, environ: Mapping[str, str], clock: Callable[[], datetime]) -> None:
        self._settings = settings
        self._environ = environ
        self._clock = clock
        self._program = Program(environ)

    @property
    def place(self) -> str:
        return self._settings.place

    def state(self) -> ArchiveState:
        place, problems = self.place, list(self._live_problems())
        try:
            release = self._program.release()
            look = self._looked()
        except HandrailError as error:
            told = ": ".join(filter(None, (error.message, error.why, error.hint)))
            return ArchiveState("litestream", "", place, problems=(told, *problems))
        if look.is_lost:
            again = "end handrail archive run, and start it again"
            problems.append(
                f"litestream reads another file than {self._settings.database}, which was replaced: {again}"
            )
        problems += (*look.chain.holes(), *look.chain.disorder())
        return ArchiveState(
            "litestream",
            release,
            place,
            look.window,
            look.behind,
            look.chain.size,
            tuple(problems),
            tuple(self._remarks()),
        )

    def _live_problems(self) -> Iterator[str]:
        """What keeps Litestream from working on the live file."""
        file = self._settings.database
        if not file.exists():
            return
        mode = _journal_mode(file)
        if mode not in ("wal", ""):
            yield f"{file} is in {mode} mode, and Litestream needs WAL: {_to_wal(file)}"
        if keeper(self._settings.folder) is None:
            yield "nothing keeps the archive now: handrail archive run"

    def _remarks(self) -> Iterator[str]:
        hours = self._settings.fine.total_seconds() / 3600
        yield (
            f"a moment holds what was committed a second or more before it, and nothing from after it; older than"
            f" {hours:g} h, moments are told apart to half a minute"
        )

    def _looked(self) -> _Look:
        """What was written only now is given the time to arrive."""
        end = monotonic() + _PATIENCE
        while True:
            looked_at, has_arrived, is_lost = self._clock(), None, False
            there = position(self._settings.database) if self._settings.database.exists() else None
            chain, is_kept = self._chain(), keeper(self._settings.folder) is not None
            if there is not None:
                has_arrived = there.is_current if chain.last >= there.transaction else False
                is_lost = has_arrived is None and is_kept
            if has_arrived or there is None or not is_kept or monotonic() > end:
                return _Look(chain, has_arrived, looked_at, is_lost)
            sleep(0.25)

    def _chain(self) -> Chain:
        said = self._called("ltx", "-level", "all", "-json", str(self._settings.database))
        try:
            return read_chain(said)
        except ValueError as error:
            raise ArchiveError(f"what litestream lists of {self.place} cannot be read", why=str(error)) from error

    def _called(self, command: str, *words: str, what: str = "") -> str:
        """Let Litestream do something with our configuration; ArchiveError with its words."""
        return self._program.call([command, *self._options(), *words], what or f"litestream cannot read {self.place}")

    def _options(self) -> tuple[str, ...]:
        return ("-config", str(self._configured()), "-no-expand-env")

    def _configured(self) -> Path:
        """The configuration file, written anew where it says something else; only this user can read it."""
        folder = self._settings.folder
        path, text = folder / "litestream.yml", self._configuration()
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not path.is_file() or path.read_text(encoding="utf-8") != text:
                # Of one name, so that what a killed call has left is the next one's; two at once write the same.
                new = folder / "litestream.yml.new"
                with os.fdopen(
                    os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8"
                ) as out:
                    out.write(text)
                with suppress(FileNotFoundError):
                    new.replace(path)
        except OSError as error:
            raise UsageError(f"{path} cannot be written", why=error.strerror or str(error), code="HR565") from error
        return path

    def _configuration(self) -> str:
        endpoint = self._environ.get("AWS_ENDPOINT_URL_S3") or self._environ.get("AWS_ENDPOINT_URL") or ""
        one = self._settings
        return configuration(
            one.environment, one.database, one.place, endpoint, keep=one.keep, fine=one.fine, sync=one.sync
        )

    @contextmanager
    def copy(self, moment: datetime | None, run_id: str) -> Iterator[Copy]:
        self._settings.work_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self._settings.work_dir.resolve() / f"handrail-scratch.{run_id}.{secrets.token_hex(4)}.sqlite"
        try:
            reached = self._restore(moment, path)
            yield Copy(DatabaseAddress("sqlite", str(path)), reached)
        finally:
            _remove(path)

    def write_files(self, moment: datetime | None, target: Path) -> Reached:
        if target.exists():
            raise ArchiveError(f"{target} is there already", hint="choose another name", code="HR566")
        part = target.with_name(f"{target.name}.incoming")
        try:
            reached = self._restore(moment, part)
            os.link(part, target)  # which never overwrites
        except OSError as error:
            raise ArchiveError(f"{target} cannot be written", why=error.strerror or str(error), code="HR566") from error
        finally:
            _remove(part)
        return reached

    def _restore(self, moment: datetime | None, path: Path) -> Reached:
        """Litestream follows the chain, checks each file's digest and, at the end, the pages (quick_check)."""
        when = () if moment is None else ("-timestamp", written(moment))
        words = ("-o", str(path), *when, "-integrity-check", "quick", "-json", str(self._settings.database))
        name = "the newest content" if moment is None else written(moment)
        said = self._called("restore", *words, what=f"{name} cannot be restored from {self.place}")
        chain, reached = self._chain(), _transaction(said)
        if moment is not None and reached and chain.may_lack(moment, reached):
            raise ArchiveError(
                f"which content is that of {written(moment)} cannot be told from {self.place}",
                why="; ".join(chain.disorder())
                or f"it came to transaction {reached}, and later ones bear earlier times",
                hint="restore another moment, or newest; handrail archive status tells more",
                code="HR566",
            )
        return Reached(chain.moment_of(reached))

    def instructions(self) -> tuple[Instruction, ...]:
        one = self._settings
        steps = []
        if one.database.exists() and _journal_mode(one.database) not in ("wal", ""):
            steps.append(Instruction("switch the database to WAL, once", "", _to_wal(one.database)))
        unit = f"handrail-archive-{one.environment}.service"
        steps += [
            Instruction(
                "what Litestream is told; handrail writes it itself",
                str(one.folder / "litestream.yml"),
                self._configuration(),
            ),
            Instruction(
                "keep it running",
                f"/etc/systemd/system/{unit}",
                service(one.environment, one.project, one.program, one.user, one.place),
            ),
            Instruction("start it, now and at every boot", "", f"systemctl enable --now {unit}\n"),
            Instruction("see that it arrives", "", f"handrail archive status --env {one.environment}\n"),
        ]
        return tuple(steps)

    def run(self) -> int:
        file = self._settings.database
        if not file.exists():
            raise UsageError(f"{file} is not there yet", hint="handrail upgrade creates it", code="HR567")
        mode = _journal_mode(file)
        if mode != "wal":
            why = "Litestream would switch it by itself, and from then on every program locks it otherwise"
            raise UsageError(
                f"{file} is in {mode or 'no known'} mode, not WAL", why=why, hint=_to_wal(file), code="HR567"
            )
        self._program.release()
        return keep_running(self._program, ["replicate", *self._options()], self._settings.folder)


def _transaction(said: str) -> int:
    """The last transaction that `litestream restore -json` put into the copy; 0 when it does not say."""
    _, found, rest = said.partition('"txid"')
    digits = rest.partition('"')[2].partition('"')[0] if found else ""
    try:
        return int(digits, 16)
    except ValueError:
        return 0


def _journal_mode(file: Path) -> str:
    """ "wal", "delete", …; "" when SQLite cannot tell."""
    try:
        with closing(sqlite3.connect(f"file:{quote(str(file))}?mode=rw", uri=True)) as raw:
            return str(raw.execute("PRAGMA journal_mode").fetchone()[0])
    except sqlite3.Error:
        return ""


def _to_wal(file: Path) -> str:
    return f"sqlite3 {file} 'PRAGMA journal_mode=WAL'"


def _remove(path: Path) -> None:
    for name in (str(path), *(f"{path}{suffix}" for suffix in _COMPANIONS)):
        Path(name).unlink(missing_ok=True)
