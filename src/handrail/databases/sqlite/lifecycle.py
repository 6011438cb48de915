"""The life of SQLite files that handrail makes: new ones, which get their name when they are whole, scratch databases,
and what dead runs left of either."""

from __future__ import annotations

import glob
import os
import re
import secrets
from pathlib import Path

from handrail.databases.sqlite.connection import make_file, remove_companions, remove_file, sync_folder
from handrail.databases.sqlite.files import INCOMING
from handrail.errors import BackupError, DatabaseUnavailable

#: A scratch file behind the run's id; Litestream fills it as .tmp.
_SCRATCH = re.compile(r"[0-9a-f]{8}\.sqlite(\.incoming|\.tmp)?")


def make(file: Path) -> None:
    """Make an empty file. BackupError when there is one, DatabaseUnavailable when it cannot be made."""
    try:
        os.close(make_file(file))
    except FileExistsError:
        raise _taken(file) from None
    except OSError as error:
        raise _unmakeable(file, error) from error


def unnamed(file: Path, run_id: str) -> Path:
    """Where a run makes a new file, which is beside it until it is whole. BackupError when there is one already,
    DatabaseUnavailable when its folder is missing: the file that was asked for is named, not the one beside it."""
    if file.exists() or file.is_symlink():
        raise _taken(file)
    try:
        file.parent.stat()
    except OSError as error:
        raise _unmakeable(file, error) from error
    return _unnamed(file, run_id)


def _unnamed(file: Path, run_id: str) -> Path:
    return file.with_name(f"{file.name}.{_safe(run_id)}.new")


def give_name(made: Path, file: Path) -> None:
    """Let what is whole be the file of that name. BackupError when there is one by now."""
    remove_companions(made)
    try:
        os.link(made, file)
    except FileExistsError:
        raise _taken(file) from None
    except OSError as error:  # a file system without links
        if file.exists():
            raise _taken(file) from error
        made.replace(file)
    made.unlink(missing_ok=True)
    sync_folder(file.parent)


def end_unnamed(file: Path, run_id: str, name: str) -> tuple[str, ...]:
    """Remove what a dead run was making of that name, unless it has its own name by now; what was removed, as lines."""
    made = _unnamed(file, run_id)
    if name != str(made):
        return ()
    remove_file(Path(f"{made}{INCOMING}"))
    is_named = made.exists() and file.exists() and made.samefile(file)
    return (f"database {made}",) if remove_file(made) and not is_named else ()


def scratch_file(folder: Path, run_id: str) -> Path:
    """A new one in the folder, which is made."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder.resolve() / f"{_scratch_prefix(run_id)}{secrets.token_hex(4)}.sqlite"


def end_leftovers(file: Path, folder: Path, run_id: str) -> tuple[str, ...]:
    """Remove a run's scratch files in the folder, and half-written ones beside the database; as lines."""
    prefix = _scratch_prefix(run_id)
    found = [
        path
        for path in folder.resolve().glob(f"{glob.escape(prefix)}*.sqlite*")
        if _SCRATCH.fullmatch(path.name.removeprefix(prefix))
    ]
    found += file.parent.glob(f"{glob.escape(file.name)}.*{glob.escape(_safe(run_id))}*{INCOMING}")
    return tuple(f"scratch database {path}" for path in sorted(found) if remove_file(path))


def _scratch_prefix(run_id: str) -> str:
    return f"handrail-scratch.{_safe(run_id)}."


def _safe(run_id: str) -> str:
    return re.sub(r"[^\w-]", "_", run_id)


def _unmakeable(file: Path, error: OSError) -> DatabaseUnavailable:
    is_missing = isinstance(error, FileNotFoundError)
    return DatabaseUnavailable(
        f"{file} cannot be made.",
        why=error.strerror or str(error),
        hint=f"Make the folder: mkdir -p {file.parent}" if is_missing else "Check the folder's rights.",
    )


def _taken(file: Path) -> BackupError:
    return BackupError(f"{file} is there already.", hint="Choose another name.")
