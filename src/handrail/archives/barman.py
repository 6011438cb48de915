"""PostgreSQL's archive by Barman: its state told, and the server's files recovered to a moment by the server itself."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from handrail.amounts import count
from handrail.archives.archive import Copy, Instruction, Reached
from handrail.archives.barman_program import BarmanProgram, Held, Live
from handrail.archives.barman_texts import instructions
from handrail.backups.moments import ArchiveError, ArchiveState, Window, written
from handrail.databases.postgres import base, wal
from handrail.databases.postgres.binaries import ServerBinaries
from handrail.databases.postgres.connection import opened
from handrail.databases.postgres.recovery import WAL, Recovered, RecoveringCluster
from handrail.errors import DatabaseUnavailable, HandrailError, UsageError
from handrail.facts import DatabaseAddress

#: Barman archives every minute all segments but the last; after so many seconds something is wrong.
_PATIENCE = 300.0
#: So many segments are read backwards for the last transaction.
_LOOK_BACK = 8
#: What Barman writes into the files that it restores, and what it changes there.
_OF_BARMAN = (WAL, ".barman-recover.info", "recovery.signal", "postgresql.auto.conf", "postgresql.conf",
              "postgresql.auto.conf.origin", "postgresql.conf.origin")  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Tail:
    """The end of an archive: the last record begins at `last` and ends at `end`; `ended` is when the last transaction
    ended that is there."""

    last: int = 0
    end: int = 0
    ended: datetime | None = None


class BarmanArchive:
    """The archive of the server of `origin`, a database. handrail runs where Barman runs, as its user or as root."""

    def __init__(
        self, program: BarmanProgram, origin: DatabaseAddress, environment: str, clock: Callable[[], datetime]
    ) -> None:
        self._program = program
        self._origin = origin
        self._environment = environment
        self._clock = clock

    @property
    def place(self) -> str:
        return f"Barman's server {self._program.server}"

    def state(self) -> ArchiveState:
        try:
            return self._seen(self._program.release())
        except HandrailError as error:
            told = ": ".join(filter(None, (error.message, error.why, error.hint)))
            return ArchiveState("barman", "", self.place, problems=(told,))

    def _seen(self, release: str) -> ArchiveState:
        now, live = self._clock(), self._program.live()
        listed = self._program.listed()
        if not listed:
            problem = f"there is no whole backup yet: barman backup --wait {self._program.server}"
            return ArchiveState("barman", release, self.place, problems=(problem,))
        oldest, newest = self._program.held(listed[0].id), self._program.held(listed[-1].id)
        self._require_same(newest)
        missing, chain = self._chain(oldest, newest)
        is_whole = not missing or missing[-1] < newest.begin_wal
        waiting = _waiting(live, chain[-1] if chain else newest.begin_wal, newest.segment) if is_whole else {}
        tail = self._tail(newest, [*chain, *waiting])
        is_all = live.position is not None and tail.end >= live.position
        window = Window(
            _whole_millisecond(oldest.ended), now if is_all else max(newest.ended, tail.ended or newest.ended)
        )
        return ArchiveState(
            "barman",
            release,
            self.place,
            window,
            0.0 if is_all else None if live.position is None else (now - window.newest).total_seconds(),
            sum(one.size for one in listed),
            (*self._program.failing(), *_told(missing, waiting, now)),
            (f"{count(len(listed), 'backup')}; moments are told apart to the microsecond, by the server's clock",),
        )

    def _require_same(self, held: Held) -> None:
        """ArchiveError when Barman backs up another server than the one that the project connects to."""
        with suppress(DatabaseUnavailable):  # it may be gone, or this role may not ask
            with opened(self._origin, "handrail") as query:
                here = str(query("SELECT system_identifier::text FROM pg_control_system()")[0][0])
            if here != held.system:
                raise ArchiveError(
                    f"{self.place} is another server than that of {self._origin}",
                    why=f"their system identifiers are {held.system} and {here}",
                    hint="let `archive.place` of the environment name the right one",
                    code="HR568",
                )

    def _chain(self, oldest: Held, newest: Held) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Segments that should be there and are not, and those since the newest backup that follow without a gap."""
        paths = self._program.segments(oldest.id)
        names = [path.name for path in paths]
        missing = sorted({*wal.gaps(names, oldest.segment), *_lost(paths)})
        after = [name for name in missing if name >= newest.begin_wal]
        chain = (name for name in names if name >= newest.begin_wal and not (after and name >= after[0]))
        return tuple(missing), tuple(chain)

    def _tail(self, newest: Held, names: list[str]) -> _Tail:
        """Read the newest segments, from the last one back."""
        binaries = base.programs(newest.version)
        tail = _Tail()
        with self._scratch() as folder:
            for name in reversed(names[-_LOOK_BACK:]):
                path = self._program.fetch(name, folder)
                if path is None:
                    continue
                seen = wal.read(binaries, path)
                last, end = tail.last or seen.last or 0, tail.end or seen.end or wal.start(name, newest.segment)
                tail = _Tail(last, end, seen.ended)
                if seen.ended is not None:
                    break
        return tail

    def _fetch_waiting(self, last: str, segment: int, folder: Path) -> None:
        """Fetch the segments that follow one, until there is none."""
        name = wal.following(last, segment)
        while self._program.fetch(name, folder) is not None:
            name = wal.following(name, segment)

    @contextmanager
    def copy(self, moment: datetime | None, run_id: str) -> Iterator[Copy]:
        folder = Path(tempfile.gettempdir()) / f"hr-pg-{run_id}-{secrets.token_hex(4)}"
        with self._recovered(moment, folder) as (cluster, reached):
            yield Copy(cluster.address, reached)

    def write_files(self, moment: datetime | None, target: Path) -> Reached:
        try:
            if target.exists() and (not target.is_dir() or any(target.iterdir())):
                raise ArchiveError(f"{target} is there already", hint="choose another folder", code="HR566")
            target.parent.mkdir(parents=True, exist_ok=True)
            folder = target.parent / f".{target.name}.{secrets.token_hex(4)}"
            with self._recovered(moment, folder, is_kept=True) as (cluster, reached):
                for name in _OF_BARMAN[:2]:
                    _remove(cluster.data_folder / name)
                cluster.take(target)
        except OSError as error:
            raise ArchiveError(f"{target} cannot be written", why=error.strerror or str(error), code="HR566") from error
        remark = "the files are recovered and end in a clean shutdown; archive_command is switched off in them"
        return Reached(reached.moment, (*reached.remarks, remark))

    @contextmanager
    def _recovered(
        self, moment: datetime | None, folder: Path, *, is_kept: bool = False
    ) -> Iterator[tuple[RecoveringCluster, Reached]]:
        """A server that has recovered to the moment, and is known to be there; ended and removed at exit."""
        asked, live = self._clock(), self._program.live()
        held = self._backup_for(moment)
        self._require_same(held)
        binaries = base.programs(held.version)
        remarks: list[str] = []
        tail = _Tail()

        def lay(data: Path) -> None:
            nonlocal tail
            self._laid(held, moment, data)
            remarks.extend(_compared(data, binaries))
            tail = _end_of(data / WAL, binaries, held.segment)

        cluster = RecoveringCluster(binaries, self._origin, lay, moment=moment, folder=folder, is_kept=is_kept)
        try:
            done = cluster.recover()
            _require_whole(done, tail, cluster.data_folder / WAL, binaries, held)
            if moment is not None and done.is_all:
                self._require_complete(done, moment, asked, live)
            yield cluster, Reached(done.ended or held.ended, tuple(remarks))
        finally:
            cluster.stop()

    def _backup_for(self, moment: datetime | None) -> Held:
        """The newest backup that ended before the moment."""
        for one in reversed(self._program.listed()):
            if moment is None or one.ended <= moment.timestamp():
                held = self._program.held(one.id)
                if held.tablespaces:
                    raise ArchiveError(
                        f"the backup {one.id} has tablespaces: {', '.join(held.tablespaces)}",
                        why="restored, they would lie where the live server's are",
                        hint=f"barman restore --tablespace NAME:FOLDER … {self._program.server} {one.id} FOLDER",
                        code="HR568",
                    )
                if moment is None or held.ended <= moment:
                    return held
        raise ArchiveError(
            f"{written(moment) if moment else 'the newest moment'} cannot be restored",
            why=f"no whole backup of {self.place} is that old",
            hint="handrail archive status",
            code="HR561",
        )

    def _laid(self, held: Held, moment: datetime | None, data: Path) -> None:
        """The files of a backup, with all the WAL since, also what waits to be archived."""
        lost = _lost(self._program.segments(held.id))
        if lost:
            raise ArchiveError(
                f"the WAL segment {lost[0]} is missing from the archive",
                why="Barman has noted it down, and its file is gone; it then restores nothing",
                hint=f"barman rebuild-xlogdb {self._program.server}: then moments before it can be had",
                code="HR568",
            )
        data.mkdir(mode=0o700)
        with self._handed_over(data):
            self._program.restore(held.id, data, moment)
            names = sorted(path.name for path in (data / WAL).iterdir() if wal.is_segment(path.name))
            self._fetch_waiting(names[-1] if names else held.begin_wal, held.segment, data / WAL)

    @contextmanager
    def _scratch(self) -> Iterator[Path]:
        with tempfile.TemporaryDirectory(prefix="hr-wal-") as folder, self._handed_over(Path(folder)):
            yield Path(folder)

    @contextmanager
    def _handed_over(self, folder: Path) -> Iterator[None]:
        """Root's Barman becomes its own user: what it is to write into must be that user's, and reachable."""
        if os.geteuid() != 0:
            yield
            return
        name = self._program.user()
        try:
            account = pwd.getpwnam(name)
        except KeyError:
            raise UsageError(f"there is no account {name}", why="Barman is to run as it") from None
        if account.pw_uid == 0:
            yield
            return
        parent = folder.parent.stat()
        os.chown(folder, account.pw_uid, account.pw_gid)
        is_ours = parent.st_mode & 0o077 == 0
        if is_ours:
            folder.parent.chmod(0o711)
        try:
            yield
        finally:
            if is_ours:
                folder.parent.chmod(0o700)

    def _require_complete(self, done: Recovered, moment: datetime, asked: datetime, live: Live) -> None:
        """Nothing in the archive is later than the moment: then it has to hold everything until then."""
        if done.ended is not None and moment <= done.ended:
            return
        if live.position is not None and moment <= asked and done.position >= live.position:
            return
        what = "the server cannot be asked whether any followed" if live.position is None else "the server wrote more"
        ended = f"the last transaction in the archive ended at {written(done.ended)}" if done.ended else "it holds none"
        raise ArchiveError(
            f"{written(moment)} cannot be restored",
            why=f"{ended}, and {what}",
            hint="--to-time newest restores all that is there",
            code="HR561",
        )

    def instructions(self) -> tuple[Instruction, ...]:
        return instructions(self._origin, self._program.server, self._environment)

    def run(self) -> int:
        raise UsageError(
            "Barman keeps this archive by itself",
            why="its `barman cron`, every minute, receives WAL and archives it",
            hint="handrail archive setup",
            code="HR567",
        )


def _lost(paths: Iterable[Path]) -> list[str]:
    """Segments that Barman has noted down and whose files are gone."""
    return [path.name for path in paths if path.is_absolute() and not path.is_file()]


def _whole_millisecond(moment: datetime) -> datetime:
    """The next one, as moments are written for people: what they type must not be before the first moment."""
    rest = -moment.microsecond % 1000
    return moment + timedelta(microseconds=rest)


def _waiting(live: Live, last: str, segment: int) -> dict[str, Path]:
    """The segments that follow one and wait to be archived, the one that is being received too."""
    found = {path.name.removesuffix(".partial"): path for folder in live.folders for path in folder.glob("0*")}
    name, waiting = wal.following(last, segment), {}
    while name in found:
        waiting[name] = found[name]
        name = wal.following(name, segment)
    return waiting


def _told(missing: tuple[str, ...], waiting: Mapping[str, Path], now: datetime) -> Iterator[str]:
    if missing:
        yield (
            f"{count(len(missing), 'WAL segment')} missing, from {missing[0]} on: no moment between that and the next"
            " backup can be restored"
        )
    whole = [path for path in waiting.values() if path.suffix != ".partial"]
    with suppress(OSError):  # archived meanwhile
        if len(whole) > 1 and now.timestamp() - whole[0].stat().st_mtime > _PATIENCE:
            yield f"{len(whole)} WAL segments wait to be archived: does `barman cron` run every minute?"


def _compared(data: Path, binaries: ServerBinaries) -> Iterator[str]:
    """Compare the restored files with the manifest that the server wrote; yields a remark when there is none."""
    manifest = next(data.glob("backup_manifest*"), None)
    if manifest is None:
        yield "the backup has no manifest, so that its files could not be compared with it"
        return
    others = [word for name in (*_OF_BARMAN, manifest.name) for word in ("--ignore", name)]
    found = base.damage(data, binaries, "--no-parse-wal", "--manifest-path", str(manifest), *others)
    manifest.unlink()
    if found:
        raise ArchiveError("the backup is damaged", why=found, hint="try a moment before or after it", code="HR568")


def _end_of(folder: Path, binaries: ServerBinaries, segment: int) -> _Tail:
    """The last record of what is to be replayed."""
    for path in sorted((path for path in folder.iterdir() if wal.is_segment(path.name)), reverse=True):
        seen = wal.read(binaries, path)
        if seen.last is not None:
            return _Tail(seen.last, seen.end or seen.last, seen.ended)
    return _Tail()


def _require_whole(done: Recovered, tail: _Tail, folder: Path, binaries: ServerBinaries, held: Held) -> None:
    """When all WAL was to be replayed, its last record has to have been."""
    if not done.is_all or done.position > tail.last:
        return
    timeline = max((path.name for path in folder.iterdir() if wal.is_segment(path.name)), default=held.begin_wal)
    name = wal.named(done.position, timeline, held.segment)
    path = folder / name
    why = f"it cannot be read on there: {wal.read(binaries, path).stopped}" if path.is_file() else "it is missing"
    until = f"moments before {written(done.ended)} can be had" if done.ended else "try an earlier backup"
    raise ArchiveError(f"the archive breaks off in the WAL segment {name}", why=why, hint=until, code="HR568")


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
