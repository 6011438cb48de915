"""What every workflow works with: the equipment of an environment, and a run that journals and reports each step."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime

from handrail.backups.record import BackupRecord, Headline
from handrail.backups.sheet import ByHand
from handrail.databases.database import Database
from handrail.databases.hosting import Hosting
from handrail.errors import HandrailError, PartlyDone, UsageError
from handrail.guard.plan import Policy
from handrail.health_check import HealthCheck
from handrail.journal.journal import EventKind, Journal, JournalError, JournalEvent, JournalledRun, dead_runs
from handrail.lint.settings import LintSettings
from handrail.migrator.migrator import Limits, Migrator
from handrail.stores.keys import Keys, NoKeys
from handrail.stores.store import Store


@dataclass(frozen=True, slots=True)
class Amount:
    """How far a step is: `unit` is "bytes", "rows", "revisions" or "percent", `total` None where nobody knows it."""

    done: int
    total: int | None
    unit: str


@dataclass(frozen=True, slots=True)
class Progress:
    """What whoever watches is told. A line: `state` is "started", "detail", "done", "failed" or "warning". Or what
    matters only while it lasts: "moving" (the step's amount alone is new), and "waiting" until "waited"."""

    step: str
    state: str
    text: str = ""
    amount: Amount | None = None


Listener = Callable[[Progress], None]
#: Commands that touch nothing but the store: one that was killed leaves no doubt about the database.
STORE_ONLY = frozenset({"backup prune", "backup pin", "backup unpin", "backup note"})
#: A backup or a moment, put in the database's place or a table beside the live one.
RESTORE = "backup restore"
#: A moment of the archive, put into a new place.
NEW_FROM_ARCHIVE = f"{RESTORE} --to-time"
#: The database, or a snapshot, streamed into a store for long keeping.
ARCHIVE = "backup archive"
#: The version table alone is written, in one transaction: the database shows whether it was.
STAMP = "stamp"
#: Commands that only read the database: what a killed one leaves is dropped by whoever comes next.
UNATTENDED = frozenset({"drill", "backup run-due", NEW_FROM_ARCHIVE})
#: The steps of a run in which a new database is begun under another name, and in which it gets its own.
MAKE, NAME = "make", "name"


@dataclass(frozen=True, slots=True)
class Equipment:
    """The adapters and settings of one environment, chosen by wiring."""

    environment: str
    database: Database
    migrator: Migrator
    store: Store
    journal: Journal
    policy: Policy
    limits: Limits
    clock: Callable[[], datetime]
    new_run_id: Callable[[], str]
    git_commit: Callable[[], str]
    handrail_version: str
    compression: str = "zstd"
    lint_level: str = "error"
    lint_settings: LintSettings = field(default_factory=LintSettings)
    lock_wait: float = 30.0
    prove_budget: float = 2.0
    maintenance: bool = False
    health: HealthCheck | None = None
    keys: Keys = field(default_factory=NoKeys)
    #: How a backup is restored with an engine's own programs; None for a format that is not known.
    by_hand: Callable[[BackupRecord], ByHand | None] = lambda _record: None
    #: Further stores that get a copy of each backup; whether a copy that fails stops the run.
    copies: tuple[Store, ...] = ()
    must_copy: bool = True
    #: The database that a restore is to make, by what a person calls it: a name beside the live one, or more.
    new_database: Callable[[Database, str], Database] = lambda live, name: live.sibling(name)
    #: Entered while something is undone: a signal that asks to end changes nothing until it is left.
    shield: Callable[[], AbstractContextManager[None]] = nullcontext
    #: The RDS instance that the database runs in, where the configuration names one.
    hosting: Hosting | None = None

    @property
    def stores(self) -> tuple[Store, ...]:
        """All stores, the one that backups are made into first."""
        return (self.store, *self.copies)


@dataclass(frozen=True, slots=True)
class Run:
    """One run: its id, and the two places that hear of each step, journal first."""

    id: str
    equipment: Equipment
    listener: Listener
    warnings: list[str] = field(default_factory=list)
    #: Where a backup, by its id, has been found whole by this run.
    whole: dict[str, Store] = field(default_factory=dict)
    #: What a backup, by its id, is restored from, as this run has found it.
    lines: dict[str, tuple[Headline, ...]] = field(default_factory=dict)
    #: What it made for a while and could not drop again: the journal keeps the run open, so that it is found.
    left: list[str] = field(default_factory=list)

    def begin(self, command: str, data: Mapping[str, str]) -> None:
        """The first event: what was asked of which database."""
        kit = self.equipment
        asked = {"command": command, "environment": kit.environment, "database": str(kit.database.address)}
        self.note(EventKind.RUN_STARTED, data=asked | dict(data))

    def note(self, kind: EventKind, step: str = "", data: Mapping[str, str] | None = None) -> None:
        """Append to the journal; returns when it is on the disk."""
        self.equipment.journal.append(JournalEvent(self.id, self.equipment.clock(), kind, step, data or {}))

    def try_note(self, kind: EventKind, step: str = "", data: Mapping[str, str] | None = None) -> None:
        """Append what may be missing: while a failure is told that matters more, or where the database shows it too."""
        with suppress(JournalError):
            self.note(kind, step, data)

    def end(self, result: str) -> None:
        """The last event. Raises PartlyDone when it cannot be written: the run then looks interrupted."""
        try:
            self.note(EventKind.RUN_ENDED, data={"result": result})
        except JournalError as error:
            raise PartlyDone(
                f"run {self.id} is {result}, but its journal does not say so",
                why=f"{error.message}: {error.why}",
                hint="make room or rights there, then: handrail recover",
            ) from error

    def say(self, step: str, text: str, state: str = "detail", amount: Amount | None = None) -> None:
        self.listener(Progress(step, state, text, amount))

    def warn(self, step: str, text: str) -> None:
        self.warnings.append(text)
        self.say(step, text, "warning")

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Be the only run on the database; who watches hears of the wait."""
        self.say("lock", "waiting for another run on this database", "waiting")
        with self.equipment.database.lock(self.id, wait=self.equipment.lock_wait):
            self.say("lock", "", "waited")
            yield

    @contextmanager
    def step(self, step: str, text: str, data: Mapping[str, str] | None = None) -> Iterator[dict[str, str]]:
        """Journal a step before and after. What the block puts into the yielded mapping goes into the journal with
        the step's end; the key "text" of it is what watchers are told."""
        self.note(EventKind.STEP_STARTED, step, data)
        done: dict[str, str] = {}
        try:
            self.say(step, text, "started")
            yield done
        except BaseException as error:
            what = str(error) or ("cancelled" if isinstance(error, KeyboardInterrupt) else type(error).__name__)
            self.try_note(EventKind.STEP_FAILED, step, {"error": what[:500]})
            self.say(step, what, "failed")
            raise
        self.note(EventKind.STEP_DONE, step, done)
        self.say(step, done.get("text", text), "done")


@contextmanager
def locked_run(
    equipment: Equipment, listener: Listener, command: str, data: Mapping[str, str] | None = None
) -> Iterator[Run]:
    """A run that only makes, reads, marks, deletes or restores backups: journalled, and the only one on its database.
    `data` names the "backup" that it reads, if it reads one."""
    with begun_run(equipment, listener, command, data or {}) as run, _ended(run), run.lock():
        yield run


@contextmanager
def overwriting_run(
    equipment: Equipment, listener: Listener, command: str, data: Mapping[str, str] | None = None
) -> Iterator[Run]:
    """A run that puts a backup, a moment or a stamp over what the live database is. Raises PartlyDone while an upgrade
    of it is not settled: settled later, it could be undone over what this run has put there."""
    with locked_run(equipment, listener, command, data) as run:
        for other in _dead(run):
            if "revisions" in other.started.data:
                again = "handrail recover --keep, then this command again"
                raise _unsettled(other, f"handrail recover; to overwrite what it left: {again}")
        yield run


@contextmanager
def reading_run(equipment: Equipment, listener: Listener, command: str, backup_id: str, into: str) -> Iterator[Run]:
    """A run that reads a backup into another database: journalled, without the lock. It is of that database, so that an
    upgrade does not wait for it to be settled; `source` is the database of the environment. The journal shows whether
    it is at work. What dead ones were making is dropped first."""
    data = {"backup": backup_id, "database": into, "source": str(equipment.database.address)}
    with begun_run(equipment, listener, command, data) as run, _ended(run):
        _end_dead_makers(run)
        yield run


@contextmanager
def _ended(run: Run) -> Iterator[None]:
    try:
        yield
    except BaseException:
        if not run.left:
            run.try_note(EventKind.RUN_ENDED, data={"result": "ended"})
        raise
    run.end("ended")


def end_dead_runs(run: Run) -> None:
    """End the dead runs of this database that never wrote its rows or definitions, and drop the scratch databases that
    they left; what they left in the store, a prune finds anyway."""
    kit = run.equipment
    for other in _dead(run):
        if other.started.data.get("command") in STORE_ONLY | UNATTENDED | {STAMP}:
            with suppress(HandrailError):  # on a server that cannot be used now
                _say_left(run, "lock", other, end_made(kit, other)[0])
            _say_left(run, "lock", other, kit.database.end_leftovers(other.run_id))
            _note_cleaned(kit, other)


def check_nothing_open(run: Run) -> None:
    """Raises PartlyDone while a dead run has to be settled that may have written to this database."""
    end_dead_runs(run)
    for other in _dead(run):
        raise _unsettled(other, "handrail recover")


def _unsettled(dead: JournalledRun, hint: str) -> PartlyDone:
    return PartlyDone(
        f"the run {dead.run_id} of {dead.started.at:%Y-%m-%d %H:%M} was interrupted",
        why="until it is settled nobody knows whether the database is the old or the new one",
        hint=hint,
    )


def _dead(run: Run) -> tuple[JournalledRun, ...]:
    """The dead runs of this run's database; one that waits for the lock is none. Where files cannot be locked, all
    others look dead."""
    kit = run.equipment
    address = str(kit.database.address)
    others = (other for other in dead_runs(kit.journal) if other.run_id != run.id)
    return tuple(other for other in others if other.started.data.get("database") == address)


def _end_dead_makers(run: Run) -> None:
    """End dead runs that were making a new database of a backup of this one. One that was making it where nobody can
    look now stays open, and `recover` says so."""
    kit = run.equipment
    for other in dead_runs(kit.journal):
        is_ours = other.started.data.get("source") == str(kit.database.address)
        if is_ours and other.last(EventKind.STEP_STARTED, MAKE):
            with suppress(HandrailError):
                _say_left(run, "restore", other, end_made(kit, other)[0])
                _note_cleaned(kit, other)


def _note_cleaned(kit: Equipment, dead: JournalledRun) -> None:
    kit.journal.append(JournalEvent(dead.run_id, kit.clock(), EventKind.RUN_ENDED, data={"result": "cleaned"}))


def _say_left(run: Run, step: str, dead: JournalledRun, lines: tuple[str, ...]) -> None:
    for line in lines:
        run.say(step, f"left by run {dead.run_id}: {line}")


def end_made(kit: Equipment, dead: JournalledRun) -> tuple[tuple[str, ...], str]:
    """Drop the new database that a dead run was making, if it was: what was ended, as readable lines, and what became
    of the database, in words. HandrailError naming it where nobody can look for it.

    It is the one whose name the run had journalled before it made it; one that has got its own name is whole."""
    begun = dead.last(EventKind.STEP_STARTED, MAKE)
    if begun is None:
        return (), ""
    name, address, into = begun.data["name"], begun.data["address"], begun.data["into"]
    try:
        target = kit.new_database(kit.database, into)
        if str(target.sibling(name).address) != address:
            raise UsageError(f"{into} leads to {target.address} now")
        ended = target.end_unnamed(dead.run_id, name)
        is_named = dead.last(EventKind.STEP_STARTED, NAME) and f"database {name}" not in ended and target.exists()
    except HandrailError as error:
        raise UsageError(f"{address} may be left, which cannot be looked for: {error.message}") from error
    return ended, "and it is there, whole" if is_named else "which it had not made yet: nothing of it is left"


def stands_at(database: Database) -> tuple[str, ...]:
    """The revisions of a database, sorted; () also when it is not there yet."""
    return database.revisions() if database.exists() else ()


def run_of(equipment: Equipment, run_id: str, listener: Listener) -> Run:
    """A run with this id: what it opens on a server carries the id, so that what a killed one left can be ended."""
    return Run(run_id, replace(equipment, database=equipment.database.of_run(run_id)), listener)


@contextmanager
def begun_run(equipment: Equipment, listener: Listener, command: str, data: Mapping[str, str]) -> Iterator[Run]:
    """A run that has begun; until the block is left, the journal shows that it is alive, waiting for the lock too."""
    run = run_of(equipment, equipment.new_run_id(), listener)
    with equipment.journal.held(run.id):  # before others can see it: an open one that nobody holds is dead
        run.begin(command, data)
        yield run
