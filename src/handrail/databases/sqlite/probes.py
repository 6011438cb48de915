"""What `handrail doctor` wants to know about a SQLite file."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from handrail.databases.database import Probe
from handrail.databases.sqlite.connection import reading
from handrail.errors import HandrailError


def probe(named: Path, work_dir: Path) -> tuple[Probe, ...]:
    return tuple(_probes(named, work_dir))


def _probes(named: Path, work_dir: Path) -> Iterator[Probe]:
    file = named.resolve()
    yield Probe("sqlite version", True, f"SQLite {sqlite3.sqlite_version}")
    if named.is_symlink():
        yield Probe("symbolic link", None, f"{named} leads to {file}; the file behind it is guarded")
    yield _writable("folder writable", file.parent, "SQLite makes its journal beside the database")
    if not file.exists():
        yield Probe("database file", None, f"{file} is not there yet; the first upgrade makes it")
        return
    yield _writable("file writable", file, "an upgrade writes into it")
    yield _journal_mode(file)
    yield _free_space(file, work_dir)


def _writable(name: str, path: Path, why: str) -> Probe:
    if os.access(path, os.W_OK):
        return Probe(name, True, str(path))
    return Probe(name, False, f"{path} is not writable; {why}", f"ls -ld {path}")


def _journal_mode(file: Path) -> Probe:
    try:
        with reading(file) as raw:
            mode = str(raw.execute("PRAGMA journal_mode").fetchone()[0])
    except HandrailError as error:
        return Probe("readable", False, f"{error.message} {error.why}".strip(), error.hint)
    remark = "readers and writers go on during a backup" if mode == "wal" else "writers wait while a backup is read"
    return Probe("journal mode", None, f"{mode}: {remark}")


def _free_space(file: Path, work_dir: Path) -> Probe:
    """A clone for verifying and rehearsing, and the copy of a restore, each as large as the database."""
    size = file.stat().st_size
    place = next(folder for folder in (work_dir.resolve(), *work_dir.resolve().parents) if folder.exists())
    short = [folder for folder in {place, file.parent} if shutil.disk_usage(folder).free < 3 * size]
    detail = f"database {size / 1e6:.1f} MB, free {shutil.disk_usage(place).free / 1e6:.0f} MB in {place}"
    if not short:
        return Probe("free space", True, detail)
    return Probe("free space", False, detail, f"Make room for three copies of the database in {short[0]}.")
