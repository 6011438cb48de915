"""Many backups of one large schema, made of one: for what looks at all of them."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from handrail.backups.manifest import manifest_text, read_manifest


def many_sqlite_tables(path: Path, tables: int) -> None:
    """Tables of three columns and an index, a tenth of them with a row."""
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("PRAGMA synchronous=OFF")
        raw.execute("BEGIN")
        for number in range(tables):
            name = f"t{number:06}"
            raw.execute(f"CREATE TABLE {name} (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, made DATETIME)")
            if not number % 10:
                raw.execute(f"INSERT INTO {name} VALUES (1, 'row of {number}', '2026-11-28')")
        raw.commit()


def copied_backups(environment: Path, number: int) -> None:
    """Copy the only backup of an environment's folder until there are `number`, each made an hour before the last."""
    (first,) = (folder for folder in environment.iterdir() if (folder / "manifest.json").exists())
    record = read_manifest((first / "manifest.json").read_bytes(), name="the first")
    for count in range(1, number):
        id_ = f"{record.id[:-4]}{count:04}"
        folder = environment / id_
        shutil.copytree(first, folder)
        artifact = replace(record.artifact, key=record.artifact.key.replace(record.id, id_))
        made = record.created_at - timedelta(hours=count)
        other = replace(record, id=id_, run_id=id_, created_at=made, artifact=artifact)
        (folder / "manifest.json").unlink()
        (folder / "manifest.json").write_bytes(manifest_text(other))
        (folder / "manifest.json").chmod(0o600)
