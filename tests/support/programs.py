"""Programs of others that tests of the recovery sheet run: those of the machine, else Debian's packages, unpacked."""

from __future__ import annotations

import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
#: The package of Debian that a program is in.
PACKAGES = {"age": "age", "b3sum": "b3sum", "zstd": "zstd", "sqlite3": "sqlite3"}


@cache
def obtain_program(name: str) -> Path:
    """The program, from PATH or from .cache/programs, where Debian's package is unpacked (which needs no root). Fails
    the test when it cannot be had, and says how to get it."""
    cache_folder = REPOSITORY / ".cache" / "programs"
    unpacked = cache_folder / "usr" / "bin" / name
    found = shutil.which(name)
    if found:
        return Path(found)
    if not unpacked.is_file():
        unpack(PACKAGES[name], cache_folder)
    if not unpacked.is_file():
        raise AssertionError(f"the test needs the program {name}: apt-get install {PACKAGES[name]}")
    return unpacked


def unpack(package: str, folder: Path) -> None:
    """Unpack a package of Debian into a folder; nothing is there afterwards where it cannot be had."""
    apt, dpkg = shutil.which("apt-get"), shutil.which("dpkg-deb")
    if not (apt and dpkg):
        return
    packages = folder / "packages"
    packages.mkdir(parents=True, exist_ok=True)
    done = subprocess.run([apt, "download", package], cwd=packages, capture_output=True, check=False)
    if done.returncode == 0:
        for file in packages.glob(f"{package}_*.deb"):
            subprocess.run([dpkg, "--extract", file, folder], check=True)


def path_of(*programs: str, folder: Path, more: Path | None = None) -> str:
    """A PATH with these programs and the shell's own, and without the environment in which handrail is installed."""
    folder.mkdir(exist_ok=True)
    for name in programs:
        (folder / name).symlink_to(obtain_program(name))
    return os.pathsep.join(filter(None, [str(folder), str(more) if more else "", "/usr/bin", "/bin"]))
