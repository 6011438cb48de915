"""Configuration: [tool.handrail] in pyproject.toml, or handrail.toml, read into frozen values.

Without any configuration the defaults hold and the database is the one that env.py opens. Unknown keys are errors.
The schema is plain dataclasses, read by pydantic's core: what makes models is slower to import than a script to lint.
"""

from __future__ import annotations

import difflib
import re
import shlex
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from handrail.config_archive import ArchiveSettings
from handrail.config_deploy import DeploySettings
from handrail.config_drill import DrillSettings
from handrail.config_durations import Duration, LockTimeout, Rate
from handrail.config_prices import Prices, RegionPrices
from handrail.config_rds import RdsSettings
from handrail.config_retention import Age, Price, Retention
from handrail.config_schedule import ScheduleSettings
from handrail.config_schema import schema_of
from handrail.config_store import Place
from handrail.config_urls import looked_up
from handrail.errors import ConfigError
from handrail.pages import page

if TYPE_CHECKING:
    from pydantic_core import ValidationError

#: An environment's name becomes a folder of the store and of the journal.
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
#: What pydantic says in words of Python.
_OF_TOML = {
    "tuple_type": "Input should be a list",
    "dict_type": "Input should be a table",
    "dataclass_type": "Input should be a table",
    "bool_type": "Input should be true or false, without quotes",
}
_CODE = re.compile(r"HR-[A-Z]{2}(\d{3})?")


class Need(StrEnum):
    """`required`: without it the run stops. `optional`: done, but when it cannot be done the run warns and goes on;
    may be skipped by an option. `off`: not done."""

    REQUIRED = "required"
    OPTIONAL = "optional"
    OFF = "off"


class RestorePolicy(StrEnum):
    """Whether a failed run may restore this run's backup by itself (`auto`), asks first, or never does."""

    AUTO = "auto"
    ASK = "ask"
    NEVER = "never"


class FailedCopy(StrEnum):
    """What a backup that cannot be copied to another store does to the run."""

    STOP = "stop"
    WARN = "warn"


class LintLevel(StrEnum):
    """The least severity of a finding that stops a run."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class Health:
    """How the application says that it is well after an upgrade: an URL that answers 2xx, or a command that exits 0."""

    url: str | None = None
    command: str | None = None
    timeout: Duration = 30.0

    def __post_init__(self) -> None:
        if (self.url is None) == (self.command is None):
            raise ValueError("give either `url` or `command`")
        if self.url is not None and not self.url.startswith(("http://", "https://")):
            raise ValueError("`url` begins with http:// or https://")
        if self.command is not None and not shlex.split(self.command):
            raise ValueError("`command` is empty")


@dataclass(frozen=True, slots=True)
class Environment:
    """One environment's settings. `url`: literal, "env:NAME", or absent (then env.py's own connection is taken)."""

    url: str | None = None
    backup: Need = Need.REQUIRED
    rehearse: Need = Need.REQUIRED
    restore: RestorePolicy = RestorePolicy.ASK
    lint: LintLevel = LintLevel.ERROR
    store: Place = ".handrail/store"
    copies: tuple[Place, ...] = ()
    failed_copy: FailedCopy = FailedCopy.STOP
    bandwidth: Rate = 0.0
    store_price: Price | None = None
    compression: Literal["zstd", "none"] = "zstd"
    recipients: tuple[str, ...] = ()
    recipients_file: str | None = None
    identity: str | None = None
    identity_note: str | None = None
    lock_timeout: LockTimeout = 0.1
    lock_retry: Duration = 60.0
    lock_wait: Duration = 30.0
    statement_timeout: Duration = 300.0
    prove_budget: Duration = 2.0
    maintenance: bool = False
    rehearse_server: str | None = None
    health: Health | None = None
    retention: Retention | None = None
    backup_max_age: Age | None = None
    drill: DrillSettings | None = None
    schedule: ScheduleSettings | None = None
    archive: ArchiveSettings | None = None
    rds: RdsSettings | None = None
    deploy: DeploySettings | None = None


#: The guide's defaults per environment (G6): optional on a laptop, mandatory elsewhere.
_KNOWN: Mapping[str, Mapping[str, Any]] = {
    "development": {"backup": Need.OPTIONAL, "rehearse": Need.OPTIONAL, "restore": RestorePolicy.AUTO},
    "staging": {"restore": RestorePolicy.AUTO},
    "production": {"restore": RestorePolicy.ASK},
}


@dataclass(frozen=True, slots=True)
class Lint:
    """How rules are weighed: `rules` by code or family, `paths` the same for scripts that fit a pattern, `since` the
    last revision of the history that is not judged any more."""

    since: str | None = None
    rules: dict[str, LintLevel] = field(default_factory=dict)
    paths: dict[str, dict[str, LintLevel]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for code in (*self.rules, *(code for levels in self.paths.values() for code in levels)):
            if not _CODE.fullmatch(code):
                raise ValueError(f"{code!r} is no rule or family: write HR-LK101 or HR-LK")


@dataclass(frozen=True, slots=True)
class _Document:
    default: str = "development"
    alembic: str | None = None
    section: str = "alembic"
    lint: Lint = field(default_factory=Lint)
    retention: Retention = field(default_factory=Retention)
    drill: DrillSettings = field(default_factory=DrillSettings)
    schedule: ScheduleSettings = field(default_factory=ScheduleSettings)
    deploy: DeploySettings = field(default_factory=DeploySettings)
    prices: Prices = field(default_factory=Prices)
    environments: dict[str, Environment] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Config:
    """What holds for one call. `root` is the project folder; `source` the file the settings came from, None if none."""

    root: Path
    source: Path | None
    name: str
    settings: Environment
    names: tuple[str, ...]
    alembic_ini: Path | None
    section: str
    #: True when --env, $ENV or a configuration file decided the environment, rather than handrail's own default.
    is_named: bool
    lint: Lint = field(default_factory=Lint)
    #: The URLs of all environments, as they are written.
    urls: tuple[str, ...] = ()
    #: The environment's own tables, else those of all.
    retention: Retention = field(default_factory=Retention)
    drill: DrillSettings = field(default_factory=DrillSettings)
    schedule: ScheduleSettings = field(default_factory=ScheduleSettings)
    deploy: DeploySettings = field(default_factory=DeploySettings)
    prices: Prices = field(default_factory=Prices)

    def table(self, name: str) -> str:
        """How the head of a table is written, and in which file, where this project is configured."""
        if self.source is not None and self.source.name == "pyproject.toml":
            return f"[tool.handrail.{name}] in pyproject.toml"
        return f"[{name}] in handrail.toml"

    def url(self, environ: Mapping[str, str]) -> str | None:
        """The configured database URL with `env:NAME` looked up. ConfigError when the variable is not set."""
        return looked_up(self.settings.url, environ, "url", self.name)

    def rehearse_server(self, environ: Mapping[str, str]) -> str | None:
        return looked_up(self.settings.rehearse_server, environ, "rehearse_server", self.name)


def load_config(start: Path, *, env: str | None, environ: Mapping[str, str]) -> Config:
    """Find and read the configuration for the project that contains the folder `start`.

    The environment is `env`, else $ENV, else `default` of the file. Raises ConfigError.
    """
    root = _project_root(start)
    source, raw = _read_source(root)
    document = _validated(raw, source)
    name = env or environ.get("ENV") or document.default
    for one in (name, *document.environments):
        _check_name(one)
    known = {**{key: None for key in _KNOWN}, **document.environments}
    settings = document.environments.get(name)
    if settings is None:
        if document.environments and name not in _KNOWN:
            raise _unknown_environment(name, tuple(known), source)
        _check_misspelt(name, document.environments, source)
        settings = Environment(**_KNOWN.get(name, {}))
    ini = root / (document.alembic or "alembic.ini")
    if document.alembic and not ini.is_file():
        raise ConfigError(f"{ini} is not a file", why=f"`alembic` in {source} names it", hint="correct the path there")
    named = bool(env or environ.get("ENV") or source)
    names = tuple(document.environments) or tuple(_KNOWN)
    urls = tuple(one.url for one in document.environments.values() if one.url)
    alembic_ini = ini if ini.is_file() else None
    lint, retention = document.lint, settings.retention or document.retention
    return Config(
        root,
        source,
        name,
        settings,
        names,
        alembic_ini,
        document.section,
        named,
        lint,
        urls,
        retention,
        settings.drill or document.drill,
        settings.schedule or document.schedule,
        settings.deploy or document.deploy,
        document.prices,
    )


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise ConfigError(
            f"{name!r} cannot be the name of an environment",
            why="it names folders: letters, digits, dot, dash and underscore can be used",
            hint="choose another name",
        )


def _project_root(start: Path) -> Path:
    for folder in (start, *start.parents):
        if any((folder / name).is_file() for name in ("handrail.toml", "alembic.ini", "pyproject.toml")):
            return folder
    return start


def _read_source(root: Path) -> tuple[Path | None, Mapping[str, object]]:
    own = root / "handrail.toml"
    if own.is_file():
        return own, _toml(own)
    pyproject = root / "pyproject.toml"
    if pyproject.is_file():
        section = _toml(pyproject).get("tool", {})
        if isinstance(section, dict) and "handrail" in section:
            own_section = section["handrail"]
            if not isinstance(own_section, dict):
                raise ConfigError(f"`tool.handrail` in {pyproject} is not a table", hint="write [tool.handrail]")
            return pyproject, own_section
    return None, {}


def _toml(path: Path) -> Mapping[str, object]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        hint = "save it as UTF-8" if isinstance(error, UnicodeDecodeError) else "correct that line"
        raise ConfigError(f"{path} is not valid TOML", why=str(error), hint=hint) from error
    except OSError as error:
        raise ConfigError(f"{path} cannot be read", why=error.strerror or str(error)) from error


def _validated(raw: Mapping[str, object], source: Path | None) -> _Document:
    if not raw:
        return _Document()
    from pydantic_core import SchemaValidator, ValidationError

    validator = SchemaValidator(schema_of(_Document), {"hide_input_in_errors": True})
    try:
        document: _Document = validator.validate_python(_filled(raw))
    except ValidationError as error:
        raise _unusable(error, source) from error
    return document


def _filled(raw: Mapping[str, object]) -> dict[str, object]:
    """What is written, with the defaults of the environments that everybody has, and a short `health` spelled out."""
    environments = raw.get("environments")
    if not isinstance(environments, dict):
        return dict(raw)
    filled = {
        name: _with_defaults(name, given) if isinstance(given, dict) else given for name, given in environments.items()
    }
    return {**raw, "environments": filled}


def _with_defaults(name: str, given: Mapping[str, object]) -> dict[str, object]:
    health = given.get("health")
    if isinstance(health, str):
        way = "url" if health.startswith(("http://", "https://")) else "command"
        given = {**given, "health": {way: health}}
    if isinstance(given.get("recipients"), str):
        given = {**given, "recipients": [given["recipients"]]}
    return {**_KNOWN.get(name, {}), **given}


def _unusable(error: ValidationError, source: Path | None) -> ConfigError:
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    if first["type"] == "unexpected_keyword_argument":
        return _unknown_key(first["loc"], source)
    given = f", not {first['input']!r}" if isinstance(first["input"], str | int | float) else ""
    reason = _OF_TOML.get(first["type"]) or first["msg"].removeprefix("Value error, ")
    if "://" in given or "KEY" in given or where.endswith(("url", "rehearse_server")):
        given = ""  # may hold a password or a key
    return ConfigError(
        f"`{where}` in {source} cannot be used", why=f"{reason}{given}", hint=f"{page('configuration')} lists every key"
    )


_TABLES = {
    "retention": Retention,
    "drill": DrillSettings,
    "schedule": ScheduleSettings,
    "archive": ArchiveSettings,
    "rds": RdsSettings,
    "deploy": DeploySettings,
}


def _model_of(path: Sequence[str]) -> Any:
    """The class whose settings stand in the table that the path leads to."""
    if not path:
        return _Document
    if path[0] == "prices":
        return Prices if len(path) == 1 else RegionPrices
    if path[0] == "lint":
        return Lint
    for name, kind in _TABLES.items():
        if name in (path[0], *path[2:]):
            return kind
    return Environment if len(path) == 2 else Health


def _unknown_key(location: tuple[int | str, ...], source: Path | None) -> ConfigError:
    *path, key = (str(part) for part in location)
    where = ".".join((*path, key))
    settings = [one.name for one in fields(_model_of(path))]
    close = difflib.get_close_matches(key, settings, n=1, cutoff=0.5)
    return ConfigError(
        f"`{where}` in {source} is not a setting",
        why=f"the settings there are: {', '.join(settings)}",
        hint=f"did you mean `{close[0]}`?" if close else f"remove it, or see {page('configuration')}",
    )


def _check_misspelt(name: str, written: Iterable[str], source: Path | None) -> None:
    """ConfigError where a known environment has no table, and one is there whose name differs by little. A name that
    holds the known one (staging2, preproduction) is one's own."""
    others = {one.lower(): one for one in written if name not in one}
    close = difflib.get_close_matches(name, others, n=1, cutoff=0.8)
    if not close:
        return
    prefix = "tool.handrail." if source is not None and source.name == "pyproject.toml" else ""
    raise ConfigError(
        f"the environment {name} has no settings in {source}, but there is [{prefix}environments.{others[close[0]]}]",
        why="its name is so near that it seems to be misspelt; without settings of its own the defaults would hold",
        hint=f"write [{prefix}environments.{name}]; where both are meant, add that line as an empty table",
    )


def _unknown_environment(name: str, names: tuple[str, ...], source: Path | None) -> ConfigError:
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    return ConfigError(
        f"there is no environment {name!r}",
        why=f"{source} and the defaults know: {', '.join(names)}",
        hint=f"did you mean --env {close[0]}?" if close else f"add [environments.{name}] there, or choose one of these",
    )
