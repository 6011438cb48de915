"""Harmed backups of every kind: verify finds each harm, restore refuses, and nothing of the live database is touched.

HANDRAIL_FLIPS says how many harms in all, HANDRAIL_SEED where chance begins. A forged harm comes with a manifest that
names its digest: then only what is restored can tell."""

from __future__ import annotations

import itertools
import json
import os
import random
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

import pyrage
import pytest
from blake3 import blake3

from handrail.backups.catalog import manifest_key
from handrail.backups.manifest import _pieces, manifest_text
from handrail.backups.methods import DumpRequest, Format
from handrail.backups.record import BackupRecord, ListedBackup
from handrail.errors import BackupError, HandrailError
from handrail.facts import DatabaseAddress
from handrail.journal.memory import MemoryJournal
from handrail.stores.file import FileStore
from handrail.stores.keys import Identity
from handrail.stores.store import Store
from handrail.wiring import open_project
from handrail.workflows.backup import make_backup, restore_new, verified_copy
from handrail.workflows.bring_back import restore_in_place
from handrail.workflows.catalog import read_catalog, whole
from handrail.workflows.drill import DrillChecks, drill, read_drills
from handrail.workflows.marking import pin
from handrail.workflows.run import Equipment, Run, run_of
from support.calling import at_b2, postgres_at_b2
from support.harming import Harm, Tally, harmed
from support.objects import Server, cloud_store, environment
from support.postgres import PostgresServer

ONLY_NEWEST_SERVER = True
SEED = int(os.environ.get("HANDRAIL_SEED", "20261128"))
KEY = pyrage.x25519.Identity.generate()
ENCODINGS = [("zstd", False), ("none", False), ("zstd", True), ("none", True)]
SQLITE = (Format.SQLITE_PAGES, Format.SQLITE_SQL)
POSTGRES = (Format.PG_CUSTOM, Format.PG_DIRECTORY, Format.PG_PLAIN)


FLIPS = int(os.environ.get("HANDRAIL_FLIPS", "12000"))


def share(part: float, usual: int = 0) -> pytest.MarkDecorator:
    """So many harms in `make test`, and this part of HANDRAIL_FLIPS in `make test-long`."""
    counts = [pytest.param(usual, id="some")] if usual else []
    return pytest.mark.parametrize(
        "count", [*counts, pytest.param(int(FLIPS * part), id="all", marks=pytest.mark.long)]
    )


class OneKey:
    """Keys at hand, or none."""

    note = ""

    def __init__(self, *, is_used: bool) -> None:
        self._is_used = is_used

    def recipients(self) -> tuple[str, ...]:
        return (str(KEY.to_public()),) if self._is_used else ()

    def identity(self) -> Identity:
        return Identity("the key", (KEY,))


@dataclass
class Bench:
    """A database, a folder that is its store, and calls whose runs are journalled in memory."""

    kit: Equipment
    root: Path
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def run(self) -> Run:
        return run_of(self.kit, f"flip_{next(self.numbers)}", lambda _: None)

    def make(self, format_: Format, compression: str, encrypted: bool) -> BackupRecord:
        self.kit = replace(self.kit, compression=compression, keys=OneKey(is_used=encrypted))
        return make_backup(self.run(), "by hand", DumpRequest(format_))

    def path(self, key: str) -> Path:
        return self.root / key

    def read(self, backup_id: str) -> BackupRecord:
        """As the catalog has it; ManifestError in words when it has it not."""
        catalog = read_catalog(self.kit)
        found = [one for one in catalog.records if one.id == backup_id]
        if found:
            return whole(self.kit, found[0], catalog.places[backup_id])
        raise BackupError("the catalog tells of it", why=str(catalog.unreadable), code="HR530")


def bench(folder: Path, store: Store | None = None) -> Bench:
    project = open_project(folder, None)
    kit = project.equipment(project.migrator.describe())
    root = folder / "store"
    return Bench(replace(kit, store=store or FileStore(root), journal=MemoryJournal()), root)


MORE = """
PRAGMA user_version = 7;
CREATE TABLE notes (id INTEGER PRIMARY KEY AUTOINCREMENT, text TEXT, value REAL, data BLOB);
CREATE INDEX ix_text ON notes (text);
CREATE UNIQUE INDEX ux_value ON notes (value, id);
CREATE VIEW short AS SELECT id, text FROM notes WHERE length(text) < 30;
CREATE TRIGGER empty AFTER DELETE ON notes BEGIN UPDATE notes SET value = 0 WHERE id = 1; END;
CREATE TABLE gone (text TEXT);
"""


def sqlite_bench(folder: Path) -> Bench:
    """With an index, overflow pages and free pages."""
    at_b2(folder)
    chance = random.Random(1)
    with closing(sqlite3.connect(folder / "local.db")) as connection:
        connection.executescript(MORE)
        rows = [(f"글 {n} " * (1 + n % 9), chance.random(), chance.randbytes(n % 50)) for n in range(300)]
        connection.executemany("INSERT INTO notes (text, value, data) VALUES (?, ?, ?)", rows)
        connection.execute("INSERT INTO notes (text, data) VALUES ('large', ?)", [chance.randbytes(20_000)])
        connection.executemany("INSERT INTO gone VALUES (?)", [("x" * 900,) for _ in range(40)])
        connection.execute("DELETE FROM gone")
        connection.commit()
    return bench(folder)


def add_row_to_sqlite(one: Bench) -> None:
    with closing(sqlite3.connect(one.kit.database.address.database)) as connection, connection:
        connection.execute("INSERT INTO notes (text, value) VALUES ('another', 1.5)")


def in_full(path: Path) -> list[object]:
    """All of a SQLite database that SQL can see, and that its indexes say the same as its tables."""
    with closing(sqlite3.connect(path)) as raw:
        found: list[object] = list(raw.iterdump())
        names = ("user_version", "application_id", "encoding", "page_size", "auto_vacuum", "integrity_check")
        found += [raw.execute(f"PRAGMA {name}").fetchall() for name in names]
        tables = raw.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
        found += [raw.execute(f"SELECT rowid FROM {name}").fetchall() for (name,) in tables.fetchall()]
    return found


Content = Callable[[DatabaseAddress], list[object]]


def sqlite_content(address: DatabaseAddress) -> list[object]:
    return in_full(Path(address.database))


def postgres_content(server: PostgresServer) -> Content:
    """What pg_dump says of a database; owners and rights are not restored into a scratch database."""
    program = server.cluster.binaries.bin_dir / "pg_dump"

    def read(address: DatabaseAddress) -> list[object]:
        words = ["--no-owner", "--no-acl", f"--dbname={address.database}", f"--host={address.host}"]
        words += [f"--port={address.port}", f"--username={address.user}"]
        environ = {**os.environ, "PGPASSWORD": address.password or ""}
        text = subprocess.run([str(program), *words], capture_output=True, text=True, check=True, env=environ).stdout
        return [line for line in text.splitlines() if not line.startswith(("\\restrict", "\\unrestrict", "-- "))]

    return read


@dataclass
class Target:
    """One backup to be harmed, another one of the same kind, and what the database holds."""

    bench: Bench
    record: BackupRecord
    whole: bytes
    other: bytes
    content: Content
    source: list[object]

    @property
    def name(self) -> str:
        artifact = self.record.artifact
        return f"{self.record.format}, {artifact.compression}{', encrypted' if artifact.is_encrypted else ''}"

    def put(self, data: bytes) -> None:
        self.bench.path(self.record.artifact.key).write_bytes(data)

    def forge(self, data: bytes) -> None:
        """Have the manifest name what is there now."""
        artifact = replace(self.record.artifact, size=len(data), digest=blake3(data).hexdigest())
        self._write(replace(self.record, artifact=artifact))

    def mend(self) -> None:
        self.put(self.whole)
        self._write(self.record)

    def _write(self, record: BackupRecord) -> None:
        self.bench.path(manifest_key(record.environment, record.id)).write_bytes(manifest_text(record))


def targets(
    one: Bench, formats: tuple[Format, ...], add_row: Callable[[Bench], None], content: Content
) -> list[Target]:
    found = []
    for format_, (compression, encrypted) in itertools.product(formats, ENCODINGS):
        source = content(one.kit.database.address)
        record = one.read(one.make(format_, compression, encrypted).id)
        whole = one.path(record.artifact.key).read_bytes()
        with verified_copy(one.run(), record) as copy:
            assert content(copy.address) == source
        add_row(one)
        other = one.path(one.make(format_, compression, encrypted).artifact.key).read_bytes()
        found.append(Target(one, one.read(record.id), whole, other, content, source))
    return found


def assert_found(target: Target, harm: Harm, try_it: Callable[[Run, BackupRecord], object]) -> None:
    """Exactly because the stored bytes are not what was written."""
    run = target.bench.run()
    with pytest.raises(BackupError) as refused:
        try_it(run, target.bench.read(target.record.id))
    artifact = target.record.artifact
    said = (refused.value.code, refused.value.message)
    assert said == ("HR520", f"the backup file {artifact.key} is damaged"), (harm.how, str(refused.value))


def verify(run: Run, record: BackupRecord) -> None:
    with verified_copy(run, record):
        pass


def restore(into: str) -> Callable[[Run, BackupRecord], object]:
    return lambda run, record: restore_new(run, record, into)


def found_by(error: HandrailError) -> str:
    """Which check found a forged harm."""
    text = f"{error.message} {error.why}"
    if "zstd" in text:
        return "zstd's checksum"
    if error.code == "HR521":
        return "comparing"
    if error.code == "HR520" or "decrypt" in text:
        return "age"
    return "the engine"


def forged(target: Target, harm: Harm) -> str:
    """Verify with a manifest of the harmed bytes; by what it was found, or that the restored content is the same."""
    target.forge(harm.data)
    try:
        with verified_copy(target.bench.run(), target.bench.read(target.record.id)) as copy:
            assert target.content(copy.address) == target.source, f"{target.name}: {harm.how} was not found"
            return "same content"
    except HandrailError as error:
        return found_by(error)
    finally:
        for path in target.bench.path(manifest_key("development", target.record.id)).parent.glob("verified-*"):
            path.unlink()
        target.mend()


def harm_sqlite(target: Target, chance: random.Random, number: int, tally: Tally) -> None:
    harm = harmed(chance, target.whole, target.other)
    live = Path(target.bench.kit.database.address.database)
    target.put(harm.data)
    if number % 2:
        tally.add(f"{target.name}, forged", harm.how, forged(target, harm))
        return
    before = live.read_bytes()
    assert_found(target, harm, verify)
    new = live.with_name("new.db")
    assert_found(target, harm, restore(str(new)) if number % 4 else restore_in_place)
    assert live.read_bytes() == before
    assert not [path for path in live.parent.glob("*.db*") if not path.name.startswith("local.db")]
    assert not list(live.parent.glob("local.db.*"))
    target.mend()
    tally.add(target.name, harm.how, "digest")


@share(0.4, 64)
def test_sqlite(tmp_path: Path, count: int) -> None:
    one = sqlite_bench(tmp_path)
    chance, tally = random.Random(SEED), Tally()
    kinds = targets(one, SQLITE, add_row_to_sqlite, sqlite_content)
    for number in range(count):
        harm_sqlite(kinds[number % len(kinds)], chance, number // len(kinds), tally)
    assert list((tmp_path / ".handrail" / "work").iterdir()) == []
    print(f"seed {SEED}", *tally.lines(), sep="\n")


MORE_ON_POSTGRES = [
    "CREATE TYPE kind AS ENUM ('short', 'long')",
    "CREATE TABLE notes (id serial PRIMARY KEY, text text, value float8 CHECK (value < 2), data bytea, kind kind)",
    "CREATE INDEX ix_text ON notes (text)",
    "CREATE TABLE parts (note int NOT NULL REFERENCES notes (id), name varchar(20) UNIQUE)",
    "CREATE VIEW short AS SELECT id, text FROM notes WHERE length(text) < 30",
    "INSERT INTO notes (text, value, data, kind) SELECT repeat('글 ' || n, n % 9), 1.0 / n, decode(md5(n::text), 'hex'),"
    " CASE n % 2 WHEN 0 THEN 'short' ELSE 'long' END::kind FROM generate_series(1, 300) n",
    "INSERT INTO parts SELECT n, 'part ' || n FROM generate_series(1, 50) n",
]


def names_of_databases(server: PostgresServer) -> list[object]:
    with server.connect(server.cluster.address) as connection:
        return [name for (name,) in connection.execute("SELECT datname FROM pg_database ORDER BY 1")]


def harm_postgres(target: Target, chance: random.Random, number: int, tally: Tally, server: PostgresServer) -> None:
    """A scratch database takes half a second, so few harms get one; the others meet what reads before one is made.
    What zstd or age would find anyway is rarely forged."""
    harm = harmed(chance, target.whole, target.other)
    target.put(harm.data)
    if number % (4 if target.record.artifact.key.endswith("artifact") else 32) == 1:
        tally.add(f"{target.name}, forged", harm.how, forged(target, harm))
        return
    before = names_of_databases(server)
    if number % 16 == 0:
        assert_found(target, harm, verify)
    if number % 16 == 2 and target.record.format != Format.PG_PLAIN:
        assert_found(target, harm, restore_in_place)
    assert_found(target, harm, restore("new_database"))
    assert names_of_databases(server) == before
    target.mend()
    tally.add(target.name, harm.how, "digest")


@share(0.25)
def test_postgres(tmp_path: Path, postgres_server: PostgresServer, count: int) -> None:
    address = postgres_at_b2(tmp_path, postgres_server)
    postgres_server.execute(address, MORE_ON_POSTGRES)
    one = bench(tmp_path)

    def add_row(_: Bench) -> None:
        postgres_server.execute(address, ["INSERT INTO notes (text) VALUES ('another')"])

    chance, tally = random.Random(SEED), Tally()
    content = postgres_content(postgres_server)
    kinds = targets(one, POSTGRES, add_row, content)
    live = content(address)
    for number in range(count):
        harm_postgres(kinds[number % len(kinds)], chance, number // len(kinds), tally, postgres_server)
    assert content(address) == live
    postgres_server.drop(address.database)
    print(f"seed {SEED}", *tally.lines(), sep="\n")


@share(0.01)
def test_base(tmp_path: Path, replica_server: PostgresServer, count: int) -> None:
    """The files of a whole server; a forged harm has a server started on them."""
    address = postgres_at_b2(tmp_path, replica_server)
    replica_server.execute(address, MORE_ON_POSTGRES)
    one = bench(tmp_path)
    chance, tally = random.Random(SEED), Tally()
    content = postgres_content(replica_server)
    kinds = targets(one, (Format.PG_BASE,), lambda _: None, content)
    for number in range(count):
        harm_base(kinds[number % len(kinds)], chance, number // len(kinds), tally)
    print(f"seed {SEED}", *tally.lines(), sep="\n")


def harm_base(target: Target, chance: random.Random, number: int, tally: Tally) -> None:
    harm = harmed(chance, target.whole, target.other)
    target.put(harm.data)
    if number % 4 == 1:
        tally.add(f"{target.name}, forged", harm.how, forged(target, harm))
        return
    folder = target.bench.root.with_name("files")
    assert_found(target, harm, verify if number % 4 == 0 else restore(str(folder)))
    assert not folder.exists()
    target.mend()
    tally.add(target.name, harm.how, "digest")


@dataclass(frozen=True, slots=True)
class Documents:
    """What is known of two backups and a drill by their documents, and what is told of those that cannot be read."""

    records: tuple[ListedBackup, ...]
    drills: tuple[object, ...]
    told: tuple[object, ...]


def documents(one: Bench) -> Documents:
    catalog, (drills, unreadable) = read_catalog(one.kit), read_drills(one.kit)
    return Documents(catalog.records, drills, (*catalog.unreadable, *catalog.not_understood, *unreadable))


def documents_bench(folder: Path) -> Bench:
    """A backup in the clear and an encrypted one, each verified and pinned, and a drill of one."""
    one = sqlite_bench(folder)
    facts = open_project(folder, None).migrator.describe()
    for compression, encrypted in ENCODINGS[1:3]:
        record = one.read(one.make(Format.SQLITE_PAGES, compression, encrypted).id)
        run = one.run()
        verify(run, record)
        pin(run, record.id, "an audit", None)
    drill(one.run(), record, [record], facts, DrillChecks())
    return one


def without(record: ListedBackup, key: str) -> ListedBackup:
    """As it would be known if one document beside it were not there."""
    return replace(
        record,
        verifications=tuple(one for one in record.verifications if f"verified-{one.run_id}" not in key),
        marks=tuple(one for one in record.marks if f"mark-{one.id}" not in key),
    )


def check_document(one: Bench, known: Documents, path: Path) -> str:
    """Known as before, or told and not known at all; never known as something else."""
    now, key = documents(one), path.relative_to(one.root).as_posix()
    if now == known:
        return "same content"
    assert any(key in str(told) or path.name in str(told) for told in now.told), path
    kept = tuple(record for record in known.records if f"{record.id}/manifest.json" not in key)
    assert now.records == tuple(without(record, key) for record in kept), path
    assert now.drills == tuple(drill for drill in known.drills if path.stem != getattr(drill, "id", "")), path
    return "told"


@share(0.2, 100)
def test_documents(tmp_path: Path, count: int) -> None:
    one = documents_bench(tmp_path)
    chance, tally, known = random.Random(SEED), Tally(), documents(one)
    assert (len(known.records), len(known.drills), known.told) == (2, 1, ())
    paths = sorted(path for path in one.root.rglob("*.json"))
    for number in range(count):
        path = paths[number % len(paths)]
        whole = path.read_bytes()
        other = paths[(number + len(paths) // 2) % len(paths)].read_bytes()
        harm = harmed(chance, whole, other)
        path.write_bytes(harm.data)
        name = path.name.partition("-")[0] if path.parent.name != "drills" else "drill"
        tally.add(name, harm.how, check_document(one, known, path))
        path.write_bytes(whole)
    print(f"seed {SEED}", *tally.lines(), sep="\n")


def leaves(value: object, place: tuple[object, ...] = ()) -> Iterator[tuple[object, ...]]:
    """The places of all that says something and is no container."""
    pairs: list[tuple[object, object]] = []
    if isinstance(value, dict):
        pairs = list(value.items())
    elif isinstance(value, list):
        pairs = list(enumerate(value))
    elif value != "":
        yield place
    for name, below in pairs:
        yield from leaves(below, (*place, name))


def changed(chance: random.Random, value: object) -> object:
    if isinstance(value, bool) or value is None:
        return not value
    if isinstance(value, int):
        return value + chance.choice((-1, 1, 1 << 20))
    if isinstance(value, float):
        return value + 1.5
    text = str(value)
    return text[::-1] if text != text[::-1] else f"{text}x"


#: What a manifest says that restoring can prove; and what of it says nothing of the content: estimates, times, sizes, and
#: what may be better in the copy.
PROVEN = ("artifact", "fingerprint", "facts", "revisions", "sealed_digests")
NOT_PROVEN = {"seconds", "rows_estimate", "size_bytes", "version", "capabilities", "carries", "is_valid"} | {
    "key",
    "engine",
    "sequences",  # a later value is none
    "content",  # of an encrypted backup it is sealed
    "compression",
    "encryption",
}


def is_proven(place: tuple[object, ...]) -> bool:
    """Missing tables are told by the fingerprint, so a table that only the facts name is not looked for."""
    return not set(place) & NOT_PROVEN and (place[:2] != ("facts", "tables") or place[3] != "name")


@share(0.1, 40)
def test_manifests_that_say_something_else(tmp_path: Path, count: int) -> None:
    """One value of a manifest is changed and the manifest sealed anew: what restoring can prove, verify proves."""
    one = documents_bench(tmp_path)
    chance, tally = random.Random(SEED), Tally()
    paths = sorted(one.root.rglob("manifest.json"))
    for number in range(count):
        path = paths[number % len(paths)]
        whole = path.read_bytes()
        body = json.loads(whole)["backup"]
        place = chance.choice([one for one in leaves({name: body[name] for name in PROVEN}) if is_proven(one)])
        below = body
        for name in place[:-1]:
            below = below[name]
        below[place[-1]] = changed(chance, below[place[-1]])
        path.write_bytes(b"".join(_pieces("backup", body, json.loads(whole)["version"])))
        try:
            verify(one.run(), one.read(path.parent.name))
        except HandrailError as error:
            tally.add(str(place[0]), "one value changed", error.code)
        else:
            pytest.fail(f"{place} was changed to {below[place[-1]]!r}, and verify did not find it")
        finally:
            path.write_bytes(whole)
            for proof in path.parent.glob("verified-flip_*"):
                proof.unlink()
    print(f"seed {SEED}", *tally.lines(), sep="\n")


@pytest.fixture
def s3(seaweed: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Server:
    for name, value in environment(seaweed.endpoint, tmp_path).items():
        monkeypatch.setenv(name, value)
    return seaweed


@share(0.04)
def test_objects_in_a_bucket(tmp_path: Path, s3: Server, count: int) -> None:
    """The same harms to a backup in an S3 store, by another client."""
    one = sqlite_bench(tmp_path)
    one.kit = replace(one.kit, store=cloud_store(s3.bucket(), "flips"))
    record = one.read(one.make(Format.SQLITE_PAGES, "none", encrypted=False).id)
    client, where = s3.client(), {"Bucket": s3.bucket(), "Key": f"flips/{record.artifact.key}"}
    whole = client.get_object(**where)["Body"].read()
    chance, tally = random.Random(SEED), Tally()
    target = Target(one, record, whole, whole[::-1], sqlite_content, [])
    for number in range(count):
        harm = harmed(chance, whole, target.other)
        client.put_object(**where, Body=harm.data)
        assert_found(target, harm, verify if number % 2 else restore("new.db"))
        tally.add("sqlite-pages in a bucket", harm.how, "digest")
    assert not (tmp_path / "new.db").exists()
    print(f"seed {SEED}", *tally.lines(), sep="\n")
