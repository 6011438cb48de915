"""The Alembic project as it is on disk: configuration, revision graph, and the path from here to there."""

from __future__ import annotations

import importlib.util
import re
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace

import alembic
from alembic.config import Config
from alembic.runtime.migration import HeadMaintainer, MigrationContext, MigrationStep, RevisionStep
from alembic.script import Script, ScriptDirectory
from alembic.script.revision import ResolutionError
from alembic.util import CommandError

from handrail.errors import ProjectError
from handrail.migrations.revision import Direction, Revision, RevisionPath
from handrail.migrator.protocol import ProjectPlace

_BROKEN_GRAPH = re.compile(r"^Revision .* (is present more than once|is not present)$")
_BACK = re.compile(r"^(?P<of>.*)-(?P<steps>\d+)$")


def load_config(place: ProjectPlace) -> Config:
    """Alembic's own Config of the project, from alembic.ini, from [tool.alembic], or from both."""
    options = SimpleNamespace(x=list(place.x_args) or None, raiseerr=True, verbose=False)
    if _knows_toml():
        config = Config(place.ini, toml_file=place.toml, ini_section=place.section, cmd_opts=options)  # type: ignore[arg-type]
    elif place.ini is None:
        raise ProjectError(
            "Alembic's configuration in pyproject.toml cannot be read",
            why=f"[tool.alembic] needs Alembic 1.16 or newer, installed is {alembic.__version__}",
            hint="pip install -U alembic, or write an alembic.ini",
        )
    else:
        config = Config(place.ini, ini_section=place.section, cmd_opts=options)  # type: ignore[arg-type]
    if place.url is not None:
        config.set_main_option("sqlalchemy.url", place.url.replace("%", "%%"))
    return config


def load_scripts(config: Config) -> ScriptDirectory:
    """The scripts of the project, with every file read."""
    scripts = ScriptDirectory.from_config(config)
    if not (Path(scripts.dir) / "env.py").is_file():
        raise ProjectError(
            f"there is no env.py in {Path(scripts.dir).absolute()}",
            why="script_location does not name a folder that `alembic init` made",
            hint="correct script_location, or run: alembic init alembic",
        )
    _drop_stale_bytecode(scripts)
    with warnings.catch_warnings(record=True) as noted:
        warnings.simplefilter("always")
        problem: Exception | None = None
        try:
            scripts.get_heads()
        except KeyError as error:  # how Alembic ends on a down_revision that no script has
            problem = error
    for warning in noted:
        if _BROKEN_GRAPH.search(str(warning.message)):
            raise ProjectError(
                str(warning.message),
                why=f"the scripts in {Path(scripts.dir).absolute()} do not form one history",
                hint="each `revision` must be in one script only, and each `down_revision` must exist",
            ) from problem
        warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
    if problem is not None:
        raise problem
    return scripts


def _drop_stale_bytecode(scripts: ScriptDirectory) -> None:
    """Python takes a script that was changed within the second of its last change, and not in size, for unchanged: what
    was reviewed would not be what runs."""
    for folder in map(Path, scripts._version_locations):
        for file in folder.rglob("*.py"):
            compiled = Path(importlib.util.cache_from_source(str(file)))
            with suppress(OSError):
                if compiled.stat().st_mtime_ns <= file.stat().st_mtime_ns:
                    compiled.unlink()


def revisions_of(scripts: ScriptDirectory, root: Path) -> tuple[Revision, ...]:
    """The whole history, newest first."""
    return tuple(_revision(script, root) for script in scripts.walk_revisions())


def unknown_to(scripts: ScriptDirectory, current: Iterable[str]) -> tuple[str, ...]:
    """Those revisions of a database that no script has."""
    known = scripts.revision_map._revision_map
    return tuple(revision for revision in current if revision not in known)


def resolve(scripts: ScriptDirectory, current: tuple[str, ...], target: str, root: Path) -> RevisionPath:
    """The path to a target in Alembic's notation. CommandError when it is unknown, ProjectError when ambiguous."""
    unknown = unknown_to(scripts, current)
    if unknown:
        raise ProjectError(
            f"the database is stamped with {', '.join(unknown)}, which no script of this project has",
            why="the database is newer than this code, belongs to another project, or the script was deleted",
            hint="check out the code that has this revision, or correct the stamp: handrail stamp <revision>",
        )
    start = tuple(sorted(current))
    with naming_candidates(scripts):
        if _leads_back(scripts, start, target):
            found = scripts._downgrade_revs(target, start)  # type: ignore[arg-type] # Alembic passes a tuple here too
            return _path(scripts, Direction.DOWNGRADE, start, found, root)
        found = scripts._upgrade_revs(target, start)  # type: ignore[arg-type]
        return _path(scripts, Direction.UPGRADE, start, found, root)


@contextmanager
def naming_candidates(scripts: ScriptDirectory) -> Iterator[None]:
    """Of a prefix that several revisions share Alembic says only that it cannot be located: name them."""
    try:
        yield
    except CommandError as error:
        cause = error.__cause__
        if not isinstance(cause, ResolutionError) or not str(cause).startswith("Multiple revisions start with"):
            raise
        known = sorted((script.revision, script.doc or "") for script in scripts.walk_revisions())
        candidates = [f"{id_} ({doc})" for id_, doc in known if id_.startswith(cause.argument)]
        raise ProjectError(
            f"{cause.argument!r} is the beginning of {len(candidates)} revisions",
            why=f"it may mean {', '.join(candidates)}",
            hint="name the one that is meant with more letters",
        ) from error


def steps_of(scripts: ScriptDirectory, path: RevisionPath) -> list[RevisionStep]:
    """The path as the steps that Alembic runs."""
    make = (
        MigrationStep.upgrade_from_script
        if path.direction is Direction.UPGRADE
        else MigrationStep.downgrade_from_script
    )
    return [make(scripts.revision_map, scripts.get_revision(revision.id)) for revision in path.revisions]


class _Heads(HeadMaintainer):
    """Follows the heads through steps without a database."""

    def __init__(self, heads: Iterable[str]) -> None:
        super().__init__(MigrationContext.configure(dialect_name="sqlite", opts={"as_sql": True}), tuple(heads))

    def _insert_version(self, version: str) -> None:
        self.heads.add(version)

    def _delete_version(self, version: str) -> None:
        self.heads.remove(version)

    def _update_version(self, from_: str, to_: str) -> None:
        self.heads.remove(from_)
        self.heads.add(to_)


def _path(
    scripts: ScriptDirectory, direction: Direction, start: tuple[str, ...], steps: Iterable[RevisionStep], root: Path
) -> RevisionPath:
    heads = _Heads(start)
    revisions = []
    for step in steps:
        heads.update_to_step(step)
        revisions.append(_revision(step.revision, root))
    return RevisionPath(direction, start, tuple(sorted(heads.heads)), tuple(revisions))


def _leads_back(scripts: ScriptDirectory, current: tuple[str, ...], target: str) -> bool:
    if target == "base" or target.endswith("@base"):
        return True
    if "+" in target or target in ("head", "heads") or "@" in target:
        return False
    if _BACK.match(target) and target not in scripts.revision_map._revision_map:
        return True
    wanted = scripts.get_revision(target)
    if not current or wanted is None or wanted.revision in current:
        return False
    behind = scripts.revision_map._get_ancestor_nodes(scripts.get_revisions(current), include_dependencies=True)
    return any(revision.revision == wanted.revision for revision in behind)


def _revision(script: Script, root: Path) -> Revision:
    file = Path(script.path).resolve()
    source = file.read_text("utf-8", errors="replace") if file.suffix == ".py" else ""
    return Revision(
        id=script.revision,
        down_revisions=tuple(script._versioned_down_revisions),
        message=script.doc or "",
        path=str(relative(file, root)),
        source=source,
        is_head=script.is_head,
        branch_labels=tuple(sorted(script.branch_labels)),
    )


def relative(file: Path, root: Path) -> Path:
    """The file's path as people write it: from the project's folder where it is in there."""
    return file.relative_to(root) if file.is_relative_to(root) else file


def _knows_toml() -> bool:
    major, minor = (int(part) for part in alembic.__version__.split(".")[:2])
    return (major, minor) >= (1, 16)
