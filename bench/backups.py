"""Measures handrail's backups beside the tools that people would otherwise use, and how they grow with the database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bench.backups_postgres import measure_postgres_backups
from bench.backups_sqlite import measure_sqlite_backups
from bench.measuring import Figure, Table


def measure_backups(work: Path, size: int, rounds: int, engine: str | None = None) -> Iterator[Figure | Table]:
    """A table for each engine, or for the one that is named, and our goals below."""
    work.chmod(0o711)  # a server's own account must reach what is in it
    if engine != "postgres":
        yield from measure_sqlite_backups(work, size, rounds)
    if engine != "sqlite":
        yield from measure_postgres_backups(work, size, rounds)
