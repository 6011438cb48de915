"""The script files of a project, read and written without Alembic: found by its configuration, or by their paths."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tokenize import detect_encoding

from handrail.errors import ProjectError, UsageError
from handrail.migrations.identity import identify
from handrail.migrations.revision import Revision

#: A larger file is no migration script; reading it would take seconds.
MOST_BYTES = 1_000_000
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class ScriptFile:
    """A script as it lies on the disk. `problem` says why it cannot be read, and then the revision has no source;
    `can_be_written` is False where an edit would not give back every other byte (another encoding than UTF-8)."""

    file: Path
    revision: Revision
    data: bytes = b""
    problem: str = ""
    can_be_written: bool = True


@dataclass(frozen=True, slots=True)
class NewScript:
    """A script to be made in the folder of another one, with its byte-order mark, line ends and mode."""

    beside: ScriptFile
    revision: Revision

    @property
    def file(self) -> Path:
        return self.beside.file.with_name(Path(self.revision.path).name)

    @property
    def source(self) -> str:
        """Its text with the line ends that it is written with."""
        first = self.beside.data.splitlines(keepends=True)[:1]
        is_dos = bool(first) and first[0].endswith(b"\r\n")
        return self.revision.source.replace("\n", "\r\n") if is_dos else self.revision.source


def version_folders(root: Path, ini: Path | None, section: str) -> tuple[Path, ...]:
    """The folders with the scripts of the project, by alembic.ini or [tool.alembic]. Raises ProjectError."""
    options = _ini_options(ini, section) if ini is not None else {}
    here = ini.parent if ini is not None and options else root
    options = options or toml_options(root)
    location = options.get("script_location")
    if not location:
        raise ProjectError(
            f"no script_location is configured in {root}",
            why="neither alembic.ini nor [tool.alembic] names the folder of the scripts",
            hint="name the files: handrail lint path/to/versions",
        )
    several = options.get("version_locations") or f"{location}/versions"
    names = several if isinstance(several, list) else re.split(r"[\s,;:]+(?=[^\\/]|$)", str(several))
    found = [_at(here, str(name).replace("%(here)s", str(here))) for name in names if name]
    return tuple(folder for folder in found if folder.is_dir())


def _at(here: Path, name: str) -> Path:
    """A folder by its name; `package:folder` is looked for from the project."""
    package, separator, inner = name.partition(":")
    return here / package.replace(".", "/") / inner if separator else here / name


def _ini_options(ini: Path, section: str) -> dict[str, object]:
    import configparser

    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read(ini, encoding="utf-8")
    except (configparser.Error, UnicodeDecodeError) as error:
        raise ProjectError(f"{ini} cannot be read", why=str(error), hint="correct that line") from error
    return dict(parser[section]) if parser.has_section(section) else {}


def configured_url(ini: Path | None, section: str) -> str:
    """`sqlalchemy.url` of alembic.ini as it stands there; "" when there is none, or it is the one of the template."""
    url = str(_ini_options(ini, section).get("sqlalchemy.url", "")) if ini is not None else ""
    return "" if url.startswith("driver://") else url


def toml_options(root: Path) -> dict[str, object]:
    """[tool.alembic] of the project's pyproject.toml; {} when there is none. Raises ProjectError."""
    path = root / "pyproject.toml"
    if not path.is_file():
        return {}
    try:
        tool = tomllib.loads(path.read_text("utf-8")).get("tool", {})
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ProjectError(f"{path} cannot be read", why=str(error), hint="correct the file") from error
    found = tool.get("alembic", {}) if isinstance(tool, dict) else {}
    return dict(found) if isinstance(found, dict) else {}


def read_files(paths: Iterable[Path], root: Path) -> tuple[ScriptFile, ...]:
    """The scripts that these paths name; a folder names every .py file in it. Raises UsageError for a path that is not
    there; what is there and cannot be read is a ScriptFile with a problem."""
    files: dict[Path, None] = {}
    for path in paths:
        for file in _files_in(path):
            files.setdefault(file)
    return tuple(_read(file, root) for file in files)


def _files_in(path: Path) -> Iterator[Path]:
    if path.is_dir():
        yield from sorted(
            file for file in path.rglob("*.py") if "__pycache__" not in file.parts and file.name != "env.py"
        )
    elif path.is_symlink() or path.exists():
        yield path
    else:
        raise UsageError(f"there is no {path}", hint="name files or folders with migration scripts")


def _read(file: Path, root: Path) -> ScriptFile:
    shown = os.path.relpath(file.absolute(), root) if file.absolute().is_relative_to(root) else str(file)
    nothing = Revision("", (), "", shown, "")
    try:
        if not file.is_file():
            return ScriptFile(file, nothing, problem="it is no file" if file.exists() else "the link leads nowhere")
        if file.stat().st_size > MOST_BYTES:
            return ScriptFile(file, nothing, problem=f"it has more than {MOST_BYTES // 1_000_000} MB")
        data = file.read_bytes()
    except OSError as error:
        return ScriptFile(file, nothing, problem=error.strerror or str(error))
    text, problem, is_utf8 = _decoded(data)
    if problem:
        return ScriptFile(file, nothing, data, problem)
    return ScriptFile(file, identify(shown, text), data, can_be_written=is_utf8)


def _decoded(data: bytes) -> tuple[str, str, bool]:
    """The text without a byte-order mark, why there is none, and whether it is UTF-8."""
    plain = data.removeprefix(_BOM)
    try:
        return plain.decode("utf-8"), "", True
    except UnicodeDecodeError as error:
        lines = iter(data.splitlines(keepends=True))
        try:
            encoding, _ = detect_encoding(lambda: next(lines, b""))
            return data.decode(encoding), "", False
        except (SyntaxError, UnicodeDecodeError, LookupError):
            return "", f"it is not UTF-8: byte {error.start} cannot be decoded", False


def write_source(script: ScriptFile, source: str) -> None:
    """Put a new text in place of the file's, atomically, with its mode. Raises UsageError when the file is no longer
    what was read, or cannot be written; it is then as it was."""
    target = Path(os.path.realpath(script.file))
    mark = _BOM if script.data.startswith(_BOM) else b""
    with _telling(script.file):
        if not script.can_be_written or target.read_bytes() != script.data:
            raise UsageError(
                f"{script.file} was not changed",
                why="it changed while it was read" if script.can_be_written else "it is not UTF-8",
                hint="run the same command again",
            )
        _replace(target, mark + source.encode(), target.stat().st_mode)


def write_new(new: NewScript) -> None:
    """Make a script's file, atomically. Raises UsageError when there is one already, or it cannot be made."""
    target = new.file
    with _telling(target):
        if os.path.lexists(target):
            raise UsageError(f"{target} is there already", hint="move it away, then the same command again")
        mark = _BOM if new.beside.data.startswith(_BOM) else b""
        _replace(target, mark + new.source.encode(), new.beside.file.stat().st_mode)


def write_together(added: Sequence[NewScript], changed: Sequence[tuple[ScriptFile, str]]) -> None:
    """Make scripts and change others, all or nothing. Raises UsageError; everything is then as it was.

    No file system exchanges several files at once, so the order is one in which a kill leaves what Alembic refuses or
    takes for whole, never what it would run by half. New scripts come first, each after the one that it follows: no
    script has a missing parent then. Until the scripts that followed the split one are turned to the last new one there
    are two heads, which `upgrade head` refuses; a split script that was the head itself has no such moment. The split
    script comes last: as long as it is as it was, its finding is there, and the same command, which makes the same ids,
    goes on where the kill was."""
    undo: list[Callable[[], object]] = []
    try:
        for new in added:
            write_new(new)
            undo.append(new.file.unlink)
        for script, source in changed:
            write_source(script, source)
            undo.append(partial(_put_back, script))
    except BaseException:
        _undo(undo)
        raise


def _undo(steps: Sequence[Callable[[], object]]) -> None:
    for step in reversed(steps):
        with suppress(OSError):
            step()


def _put_back(script: ScriptFile) -> None:
    target = Path(os.path.realpath(script.file))
    _replace(target, script.data, target.stat().st_mode)


@contextmanager
def _telling(file: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UsageError(f"{file} cannot be written", why=error.strerror or str(error)) from error


def _replace(target: Path, data: bytes, mode: int) -> None:
    """Put a file with this content in its place, at once."""
    import tempfile

    descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(descriptor, "wb") as out:
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
        Path(name).chmod(mode & 0o7777)
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
