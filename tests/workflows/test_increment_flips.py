"""Harmed lineages: a whole backup and two increments on it, harmed in any part. Verify and restore of the last one refuse,
or the content is the same; an increment is never built on a harmed inventory without being found.

HANDRAIL_FLIPS and HANDRAIL_SEED as in test_byte_flips.py."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from blake3 import blake3

from handrail.backups.catalog import manifest_key
from handrail.backups.manifest import manifest_text
from handrail.backups.methods import DumpRequest, Format
from handrail.backups.record import BackupRecord, StoredArtifact
from handrail.errors import BackupError, HandrailError
from handrail.workflows.backup import make_backup, restore_new, verified_copy
from handrail.workflows.bring_back import restore_in_place
from handrail.workflows.run import Run
from support.calling import postgres_at_b2
from support.harming import Harm, Tally, harmed
from support.postgres import PostgresServer
from workflows.test_byte_flips import (
    ENCODINGS,
    MORE_ON_POSTGRES,
    SEED,
    Bench,
    Content,
    add_row_to_sqlite,
    bench,
    found_by,
    postgres_content,
    share,
    sqlite_bench,
    sqlite_content,
    verify,
)

pytestmark = pytest.mark.story

ONLY_NEWEST_SERVER = True
INVENTORY, ARTIFACT = "inventory", "artifact"


@dataclass
class Lineage:
    """A whole backup and the increments on it, the oldest first, and what the database held at the last."""

    bench: Bench
    records: tuple[BackupRecord, ...]
    request: DumpRequest
    content: Content
    source: list[object]

    @property
    def last(self) -> BackupRecord:
        return self.bench.read(self.records[-1].id)

    @property
    def name(self) -> str:
        artifact = self.records[0].artifact
        return f"{self.records[-1].format}, {artifact.compression}{', encrypted' if artifact.is_encrypted else ''}"

    def whole(self, number: int, part: str) -> bytes:
        return self.bench.path(stored(self.records[number], part).key).read_bytes()

    def put(self, number: int, part: str, data: bytes) -> None:
        self.bench.path(stored(self.records[number], part).key).write_bytes(data)

    def forge(self, number: int, part: str, data: bytes) -> None:
        """Have the manifest name what is there now."""
        record = self.records[number]
        named = replace(stored(record, part), size=len(data), digest=blake3(data).hexdigest())
        self._write(replace(record, artifact=named) if part == ARTIFACT else replace(record, inventory=named))

    def mend(self, number: int, part: str, whole: bytes) -> None:
        self.put(number, part, whole)
        self._write(self.records[number])
        for one in self.records:
            for proof in self._folder(one).glob("verified-*"):
                proof.unlink()

    def _write(self, record: BackupRecord) -> None:
        self.bench.path(manifest_key(record.environment, record.id)).write_bytes(manifest_text(record))

    def _folder(self, record: BackupRecord) -> Path:
        return self.bench.path(manifest_key(record.environment, record.id)).parent

    def remove(self, record: BackupRecord) -> None:
        shutil.rmtree(self._folder(record))


def stored(record: BackupRecord, part: str) -> StoredArtifact:
    found = record.artifact if part == ARTIFACT else record.inventory
    assert found is not None
    return found


def lineages(
    one: Bench, whole: Format, increment: Format, change: Callable[[], None], content: Content
) -> list[Lineage]:
    found = []
    for compression, encrypted in ENCODINGS:
        records = []
        for format_ in (whole, increment, increment):
            change()
            records.append(one.read(one.make(format_, compression, encrypted).id))
        made = Lineage(one, tuple(records), DumpRequest(increment), content, content(one.kit.database.address))
        with verified_copy(one.run(), made.last) as copy:
            assert content(copy.address) == made.source
        made.mend(2, ARTIFACT, made.whole(2, ARTIFACT))
        found.append(made)
    return found


def of_the_lineage(line: Lineage, others: Sequence[Lineage]) -> None:
    """Only this lineage is in the catalog, so that the next increment builds on it."""
    for one in others:
        for record in one.records:
            path = line.bench.path(manifest_key(record.environment, record.id))
            if one is line:
                path.write_bytes(manifest_text(record))
            else:
                path.unlink(missing_ok=True)


def assert_refused(line: Lineage, number: int, part: str, try_it: Callable[[Run], object]) -> None:
    """Exactly because those stored bytes are not what was written."""
    with pytest.raises(BackupError) as refused:
        try_it(line.bench.run())
    key = stored(line.records[number], part).key
    assert (refused.value.code, refused.value.message) == ("HR520", f"the backup file {key} is damaged")


def forged(line: Lineage) -> str:
    """Verify with a manifest of the harmed bytes; by what it was found, or that the restored content is the same."""
    try:
        with verified_copy(line.bench.run(), line.last) as copy:
            assert line.content(copy.address) == line.source, f"{line.name}: a harm was not found"
            return "same content"
    except HandrailError as error:
        return found_by(error)


def built_on(line: Lineage) -> str:
    """An increment on a forged inventory: it cannot be made, or verify finds it, or it is the same content."""
    try:
        record = make_backup(line.bench.run(), "by hand", line.request)
    except HandrailError as error:
        return f"not made: {found_by(error)}"
    try:
        with verified_copy(line.bench.run(), line.bench.read(record.id)) as copy:
            now = line.content(line.bench.kit.database.address)
            assert line.content(copy.address) == now, f"{line.name}: a harmed inventory was not found"
            return "same content"
    except HandrailError as error:
        return found_by(error)
    finally:
        line.remove(record)


@dataclass
class Trial:
    """What is done with one harm: `restore` of the last backup, of which nothing may be left; `every` so many harms of
    an artifact and of an inventory are forged, which takes a whole restore."""

    restore: Callable[[Run, BackupRecord], object]
    every: int = 2

    def harm(self, line: Lineage, chance: random.Random, turn: int, tally: Tally) -> None:
        part = INVENTORY if turn % 4 == 3 else ARTIFACT
        number = 2 if part == INVENTORY else chance.randrange(3)
        whole = line.whole(number, part)
        harm = harmed(chance, whole, line.whole((number + 1) % 3, part))
        line.put(number, part, harm.data)
        is_forged = turn // 4 % self.every == 0
        what = f"{line.name}: {part} of the {('parent', 'increment', 'last')[number]}"
        tally.add(f"{what}, forged" if is_forged else what, harm.how, self._found(line, number, part, harm, is_forged))
        line.mend(number, part, whole)

    def _found(self, line: Lineage, number: int, part: str, harm: Harm, is_forged: bool) -> str:
        if is_forged:
            line.forge(number, part, harm.data)
            return built_on(line) if part == INVENTORY else forged(line)
        if part == INVENTORY:
            assert_refused(line, number, part, lambda run: make_backup(run, "by hand", line.request))
            return "digest"
        record = line.last
        assert_refused(line, number, part, lambda run: self.restore(run, record))
        return "digest"


@share(0.15, 48)
def test_sqlite(tmp_path: Path, count: int) -> None:
    one = sqlite_bench(tmp_path)
    live, new = tmp_path / "local.db", tmp_path / "new.db"
    lines = lineages(one, Format.SQLITE_PAGES, Format.SQLITE_INCREMENT, lambda: add_row_to_sqlite(one), sqlite_content)
    ways = (verify, restore_in_place, lambda run, record: restore_new(run, record, str(new)))
    chance, tally = random.Random(SEED), Tally()
    for number, line in enumerate(lines):
        of_the_lineage(line, lines)
        one.kit = replace(one.kit, compression=line.records[0].artifact.compression)
        before = live.read_bytes()
        for turn in range(count // len(lines)):
            Trial(ways[turn % 3]).harm(line, chance, turn, tally)
        assert live.read_bytes() == before
        assert not [path for path in tmp_path.glob("*.db*") if not path.name.startswith("local.db")], number
        assert not list(tmp_path.glob("local.db.*"))
    assert list((tmp_path / ".handrail" / "work").iterdir()) == []
    print(f"seed {SEED}", *tally.lines(), sep="\n")


@share(0.02)
def test_postgres(tmp_path: Path, replica_server: PostgresServer, count: int) -> None:
    """The files of a whole server; a forged harm has a server started on them."""
    with replica_server.connect(replica_server.cluster.address) as connection:
        connection.execute("ALTER SYSTEM SET summarize_wal = on")
        connection.execute("SELECT pg_reload_conf()")
    address = postgres_at_b2(tmp_path, replica_server)
    replica_server.execute(address, MORE_ON_POSTGRES)
    one, files = bench(tmp_path), tmp_path / "files"

    def change() -> None:
        replica_server.execute(address, ["INSERT INTO notes (text) VALUES ('another')"])

    lines = lineages(one, Format.PG_BASE, Format.PG_INCREMENT, change, postgres_content(replica_server))
    ways = (verify, lambda run, record: restore_new(run, record, str(files)))
    chance, tally = random.Random(SEED), Tally()
    for line in lines:
        of_the_lineage(line, lines)
        for turn in range(count // len(lines)):
            Trial(ways[turn % 2], every=4).harm(line, chance, turn, tally)
            assert not files.exists()
    print(f"seed {SEED}", *tally.lines(), sep="\n")
