"""What configuration means: where it is found, which environment holds, and what is said when it cannot be used."""

from __future__ import annotations

import tomllib
import traceback
from dataclasses import fields
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from handrail.backups.methods import Method
from handrail.config import (
    Config,
    Environment,
    FailedCopy,
    Health,
    Lint,
    LintLevel,
    Need,
    RestorePolicy,
    load_config,
)
from handrail.config_archive import ArchiveSettings, ArchiveTool
from handrail.config_deploy import DeploySettings
from handrail.config_drill import DrillSettings
from handrail.config_durations import parse_duration
from handrail.config_prices import Prices, RegionPrices
from handrail.config_rds import RdsSettings, RehearseOn
from handrail.config_retention import Retention, parse_price
from handrail.config_schedule import ScheduleSettings, parse_time
from handrail.errors import ConfigError, ExitCode
from handrail.retention.cost import Price
from handrail.retention.policy import FOREVER, RetentionPolicy
from handrail.wiring import retention_policy, store_price

ARCHIVE = ArchiveSettings(
    tool=ArchiveTool.LITESTREAM,
    place="s3://bucket/archive",
    max_lag=120.0,
    keep=timedelta(days=14),
    fine=timedelta(hours=48),
    sync=10.0,
)
RDS = RdsSettings(
    instance="shop-prod",
    region="ap-northeast-2",
    profile="shop",
    endpoint_url="http://127.0.0.1:5801",
    snapshot_prefix="before",
    deadline=10_800.0,
    rehearse_on=RehearseOn.INSTANCE,
    rehearse_up_to=500,
    rehearse_class="db.t4g.medium",
)
DEPLOY = DeploySettings(
    command="./deploy.sh",
    undo="./deploy.sh previous",
    restart="systemctl restart app",
    smoke="./smoke.sh",
    timeout=1200.0,
    watch=60.0,
)


def load(
    folder: Path, text: str | None = None, env: str | None = None, environ: dict[str, str] | None = None
) -> Config:
    if text is not None:
        (folder / "handrail.toml").write_text(text, encoding="utf-8")
    return load_config(folder, env=env, environ=environ or {})


def refused(folder: Path, text: str, env: str | None = None) -> tuple[str, str, str]:
    """Message (with the file as FILE), why and hint."""
    with pytest.raises(ConfigError) as caught:
        load(folder, text, env)
    error = caught.value
    assert error.exit_code is ExitCode.USAGE
    file = str(folder / "handrail.toml")
    return error.message.replace(file, "FILE"), error.why.replace(file, "FILE"), error.hint


DEVELOPMENT = Environment(backup=Need.OPTIONAL, rehearse=Need.OPTIONAL, restore=RestorePolicy.AUTO)


def test_without_configuration_the_defaults_hold(tmp_path: Path) -> None:
    names = ("development", "staging", "production")
    assert load(tmp_path) == Config(
        tmp_path, None, "development", DEVELOPMENT, names, alembic_ini=None, section="alembic", is_named=False
    )


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("development", DEVELOPMENT),
        ("staging", Environment(restore=RestorePolicy.AUTO)),
        ("production", Environment()),
        ("blue", Environment()),
    ],
)
@pytest.mark.parametrize("text", [None, "", 'default = "staging"'], ids=["no file", "empty", "default"])
def test_the_environments_that_everybody_has(
    tmp_path: Path, name: str, settings: Environment, text: str | None
) -> None:
    config = load(tmp_path, text, name)
    assert (config.name, config.settings, config.is_named) == (name, settings, True)


EVERYTHING = """
default = "blue"
alembic = "db/alembic.ini"
section = "other"

[lint]
since = "a1"
rules = {"HR-LK" = "error", "HR-DL101" = "off"}
paths = {"versions/old_*" = {"HR-PR" = "info"}}

[prices]
dated = "2026-11-28"
dollar = "1350 KRW"
daily_change = 1
regions = {ap-northeast-2 = {snapshot = 0.1, glacier = 0}}

[retention]
last = 3

[environments.blue]
url = "env:BLUE_URL"
backup = "off"
rehearse = "optional"
restore = "never"
lint = "info"
store = "/srv/backups"
store_price = "0.023 USD"
copies = ["s3://bucket/backups", "/mnt/other"]
failed_copy = "warn"
bandwidth = "20MB/s"
compression = "none"
recipients = ["age1x", "ssh-ed25519 AAAA ann"]
recipients_file = "keys.txt"
identity = "env:KEY_FILE"
identity_note = "in the safe"
lock_timeout = "250ms"
lock_retry = "2min"
lock_wait = 5
statement_timeout = "1h"
prove_budget = 0.5
maintenance = true
rehearse_server = "env:SCRATCH_URL"
backup_max_age = "1d"

[environments.blue.drill]
query = "SELECT 1"
command = "python -m app.smoke"
timeout = "2min"
max_age = "30d"

[environments.blue.schedule]
hourly = ":05"
daily = "03:00"
weekly = "Sunday 3:00"
monthly = "31 03:00"
yearly = "01-31 03:00"
timezone = "Europe/Berlin"
verify = false
prune = true
method = "increment"
whole_every = "2w"

[environments.blue.archive]
tool = "litestream"
place = "s3://bucket/archive"
max_lag = "2min"
keep = "14d"
fine = "48h"
sync = "10s"

[environments.blue.rds]
instance = "shop-prod"
region = "ap-northeast-2"
profile = "shop"
endpoint_url = "http://127.0.0.1:5801"
snapshot_prefix = "before"
deadline = "3h"
rehearse_on = "instance"
rehearse_up_to = 500
rehearse_class = "db.t4g.medium"

[environments.blue.deploy]
command = "./deploy.sh"
undo = "./deploy.sh previous"
restart = "systemctl restart app"
smoke = "./smoke.sh"
timeout = "20min"
watch = "60s"

[environments.blue.health]
command = "python manage.py check"
timeout = "90s"

[environments.blue.retention]
last = 1
hourly = 24
daily = 7
weekly = 5
monthly = 12
yearly = 3
within = "36h"
pre_migration = "12w"
milestones = {"month-end" = "1y", legal = "forever"}
minimum_verified = 2
timezone = "Europe/Berlin"
every = "6h"
"""


RETENTION = Retention(
    last=1,
    hourly=24,
    daily=7,
    weekly=5,
    monthly=12,
    yearly=3,
    within=timedelta(hours=36),
    pre_migration=timedelta(weeks=12),
    milestones={"month-end": timedelta(days=365), "legal": timedelta.max},
    minimum_verified=2,
    timezone="Europe/Berlin",
    every=timedelta(hours=6),
)
DRILL = DrillSettings(query="SELECT 1", command="python -m app.smoke", timeout=120.0, max_age=timedelta(days=30))
SCHEDULE = ScheduleSettings(
    hourly=":05",
    daily="03:00",
    weekly="Sunday 3:00",
    monthly="31 03:00",
    yearly="01-31 03:00",
    timezone="Europe/Berlin",
    verify=False,
    prune=True,
    method=Method.INCREMENT,
    whole_every=timedelta(days=14),
)


def test_every_key(tmp_path: Path) -> None:
    (tmp_path / "db").mkdir()
    (tmp_path / "db" / "alembic.ini").write_text("[other]\n")
    config = load(tmp_path, EVERYTHING)
    assert config == Config(
        root=tmp_path,
        source=tmp_path / "handrail.toml",
        name="blue",
        settings=Environment(
            url="env:BLUE_URL",
            backup=Need.OFF,
            rehearse=Need.OPTIONAL,
            restore=RestorePolicy.NEVER,
            lint=LintLevel.INFO,
            store="/srv/backups",
            store_price="0.023 USD",
            copies=("s3://bucket/backups", "/mnt/other"),
            failed_copy=FailedCopy.WARN,
            bandwidth=20e6,
            compression="none",
            recipients=("age1x", "ssh-ed25519 AAAA ann"),
            recipients_file="keys.txt",
            identity="env:KEY_FILE",
            identity_note="in the safe",
            lock_timeout=0.25,
            lock_retry=120.0,
            lock_wait=5.0,
            statement_timeout=3600.0,
            prove_budget=0.5,
            maintenance=True,
            rehearse_server="env:SCRATCH_URL",
            health=Health(command="python manage.py check", timeout=90.0),
            retention=RETENTION,
            backup_max_age=timedelta(days=1),
            drill=DRILL,
            schedule=SCHEDULE,
            archive=ARCHIVE,
            rds=RDS,
            deploy=DEPLOY,
        ),
        names=("blue",),
        alembic_ini=tmp_path / "db" / "alembic.ini",
        section="other",
        is_named=True,
        lint=Lint(
            since="a1",
            rules={"HR-LK": LintLevel.ERROR, "HR-DL101": LintLevel.OFF},
            paths={"versions/old_*": {"HR-PR": LintLevel.INFO}},
        ),
        urls=("env:BLUE_URL",),
        retention=RETENTION,
        drill=DRILL,
        schedule=SCHEDULE,
        deploy=DEPLOY,
        prices=Prices("2026-11-28", "1350 KRW", 1.0, {"ap-northeast-2": RegionPrices(snapshot=0.1, glacier=0.0)}),
    )
    assert set(tomllib.loads(EVERYTHING)["environments"]["blue"]["retention"]) == {
        one.name for one in fields(Retention)
    }
    assert set(tomllib.loads(EVERYTHING)["environments"]["blue"]) == {one.name for one in fields(Environment)}
    environ = {"BLUE_URL": "sqlite:///b.db", "SCRATCH_URL": "postgresql://s/"}
    assert (config.url(environ), config.rehearse_server(environ)) == ("sqlite:///b.db", "postgresql://s/")


def test_a_rule_that_is_no_code_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, 'lint = {rules = {LK101 = "off"}}')
    assert caught.value.why == "'LK101' is no rule or family: write HR-LK101 or HR-LK"


@pytest.mark.parametrize(
    ("short", "health"),
    [
        ("http://127.0.0.1/health", Health(url="http://127.0.0.1/health")),
        ("https://x/health", Health(url="https://x/health")),
        ("curl -f x", Health(command="curl -f x")),
    ],
)
def test_health_in_one_word(tmp_path: Path, short: str, health: Health) -> None:
    assert load(tmp_path, f'[environments.development]\nhealth = "{short}"').settings.health == health


def test_what_is_written_wins_over_the_environments_own_defaults(tmp_path: Path) -> None:
    settings = load(tmp_path, '[environments.development]\nbackup = "required"').settings
    assert (settings.backup, settings.rehearse, settings.restore) == (Need.REQUIRED, Need.OPTIONAL, RestorePolicy.AUTO)


@pytest.mark.parametrize(
    ("env", "environ", "text", "expected"),
    [
        ("production", {"ENV": "staging"}, 'default = "blue"', "production"),
        (None, {"ENV": "staging"}, 'default = "blue"', "staging"),
        (None, {"ENV": ""}, 'default = "blue"', "blue"),
        (None, {}, "", "development"),
    ],
)
def test_which_environment(tmp_path: Path, env: str | None, environ: dict[str, str], text: str, expected: str) -> None:
    assert load(tmp_path, text, env, environ).name == expected


def test_handrail_toml_alone_counts_when_both_are_there(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.handrail]\ndefault = "staging"\n')
    assert load(tmp_path).name == "staging"
    assert load(tmp_path).source == tmp_path / "pyproject.toml"
    assert load(tmp_path, 'default = "production"').name == "production"


def test_the_project_is_found_from_a_folder_below(tmp_path: Path) -> None:
    (tmp_path / "alembic.ini").write_text("[alembic]\n")
    below = tmp_path / "app" / "models"
    below.mkdir(parents=True)
    config = load_config(below, env=None, environ={})
    assert (config.root, config.alembic_ini) == (tmp_path, tmp_path / "alembic.ini")


def test_a_literal_url_is_taken_as_it_is(tmp_path: Path) -> None:
    config = load(tmp_path, '[environments.development]\nurl = "sqlite:///x.db"')
    assert (config.url({}), config.rehearse_server({})) == ("sqlite:///x.db", None)


@pytest.mark.parametrize("environ", [{}, {"DATABASE_URL": ""}])
def test_a_variable_that_is_not_set(tmp_path: Path, environ: dict[str, str]) -> None:
    config = load(tmp_path, '[environments.production]\nurl = "env:DATABASE_URL"', "production")
    with pytest.raises(ConfigError) as caught:
        config.url(environ)
    error = caught.value
    assert (error.message, error.why, error.hint) == (
        "the environment variable DATABASE_URL is not set",
        '`url = "env:DATABASE_URL"` of the environment production takes the database URL from it',
        "export DATABASE_URL=postgresql://user@host/database, or choose another environment with --env",
    )


@pytest.mark.parametrize(
    ("text", "key", "why"),
    [
        ("retention = 3", "retention", "Input should be a table, not 3"),
        ('retention = {daily = 1, milestones = "x"}', "retention.milestones", "Input should be a table, not 'x'"),
    ],
)
def test_what_is_no_table(tmp_path: Path, text: str, key: str, why: str) -> None:
    assert refused(tmp_path, text) == (f"`{key}` in FILE cannot be used", why, LIST)


def test_a_file_that_is_not_utf_8(tmp_path: Path) -> None:
    (tmp_path / "handrail.toml").write_bytes(b'default = "\xff"')
    with pytest.raises(ConfigError) as caught:
        load(tmp_path)
    assert (caught.value.message, caught.value.hint) == (
        f"{tmp_path}/handrail.toml is not valid TOML",
        "save it as UTF-8",
    )


def test_where_a_table_is_written(tmp_path: Path) -> None:
    """What stands in handrail.toml alone counts, so nobody may be sent there who has the other one."""
    assert load(tmp_path).table("schedule") == "[schedule] in handrail.toml"
    (tmp_path / "pyproject.toml").write_text("[tool.handrail]\n")
    assert load(tmp_path).table("schedule") == "[tool.handrail.schedule] in pyproject.toml"
    (tmp_path / "handrail.toml").touch()
    assert load(tmp_path).table("schedule") == "[schedule] in handrail.toml"


@pytest.mark.parametrize("url", ["", "secret", "://secret"])
def test_what_is_no_url_is_not_shown(tmp_path: Path, url: str) -> None:
    config = load(tmp_path, f'[environments.development]\nurl = "{url}"')
    with pytest.raises(ConfigError) as caught:
        config.url({})
    error = caught.value
    assert (error.message, error.why, error.hint) == (
        "`url` of the environment development is no URL of a database",
        "it is not shown, since it may hold a password",
        "write it like postgresql://user@host:5432/name, or sqlite:///./file.db",
    )


def test_a_password_with_an_at_sign_is_not_taken_for_the_host(tmp_path: Path) -> None:
    config = load(tmp_path, '[environments.production]\nurl = "env:DATABASE_URL"', "production")
    with pytest.raises(ConfigError) as caught:
        config.url({"DATABASE_URL": "postgresql://app:s3@cret@db/shop"})
    error = caught.value
    assert (error.message, error.why, error.hint) == (
        "the environment variable DATABASE_URL has more than one @ before the host",
        "what follows the first one would be read, and shown, as the host",
        "write an @ of the password as %40",
    )
    for fine in ("postgresql://app:s3%40cret@db/a@b", "postgresql://app@server:secret@db:5432/shop"):
        assert config.url({"DATABASE_URL": fine}) == fine


def test_one_recipient_needs_no_list(tmp_path: Path) -> None:
    assert load(tmp_path, '[environments.development]\nrecipients = "age1x"').settings.recipients == ("age1x",)


def test_a_key_in_the_wrong_place_is_not_shown(tmp_path: Path) -> None:
    message = "`environments.development.compression` in FILE cannot be used"
    found = refused(tmp_path, '[environments.development]\ncompression = "AGE-SECRET-KEY-1QQQ"')
    assert found == (
        message,
        "Input should be 'zstd' or 'none'",
        "https://github.com/puddingcamp/handrail/blob/main/docs/configuration.md lists every key",
    )


TOOL_AND_PLACE = '`tool` ("litestream" or "barman") and `place` (a folder, an URL, Barman\'s server) are needed'
PROJECT_KEYS = "default, alembic, section, lint, retention, drill, schedule, deploy, prices, environments"
ENVIRONMENT_KEYS = (
    "url, backup, rehearse, restore, lint, store, copies, failed_copy, bandwidth, store_price, compression, "
    "recipients, recipients_file, identity, identity_note, lock_timeout, lock_retry, lock_wait, statement_timeout, "
    "prove_budget, maintenance, rehearse_server, health, retention, backup_max_age, drill, schedule, archive, "
    "rds, deploy"
)
RETENTION_KEYS = (
    "last, hourly, daily, weekly, monthly, yearly, within, pre_migration, milestones, minimum_verified, timezone, every"
)


@pytest.mark.parametrize(
    ("text", "where", "known", "hint"),
    [
        ('defualt = "x"', "defualt", PROJECT_KEYS, "did you mean `default`?"),
        (
            "zzz = 1",
            "zzz",
            PROJECT_KEYS,
            "remove it, or see https://github.com/puddingcamp/handrail/blob/main/docs/configuration.md",
        ),
        ('[lint]\nsicne = "x"', "lint.sicne", "since, rules, paths", "did you mean `since`?"),
        (
            "[environments.production]\nlock_time = 1",
            "environments.production.lock_time",
            ENVIRONMENT_KEYS,
            "did you mean `lock_timeout`?",
        ),
        (
            "[environments.health]\nbakcup = 1",
            "environments.health.bakcup",
            ENVIRONMENT_KEYS,
            "did you mean `backup`?",
        ),
        (
            '[environments."a.b"]\nbakcup = 1',
            "environments.a.b.bakcup",
            ENVIRONMENT_KEYS,
            "did you mean `backup`?",
        ),
        (
            '[environments.production.health]\nulr = "http://x"',
            "environments.production.health.ulr",
            "url, command, timeout",
            "did you mean `url`?",
        ),
        ("[retention]\ndayly = 7", "retention.dayly", RETENTION_KEYS, "did you mean `daily`?"),
        (
            "[environments.production.retention]\nmonths = 7",
            "environments.production.retention.months",
            RETENTION_KEYS,
            "did you mean `monthly`?",
        ),
        (
            "[environments.retention]\nbakcup = 1",
            "environments.retention.bakcup",
            ENVIRONMENT_KEYS,
            "did you mean `backup`?",
        ),
    ],
)
def test_an_unknown_key_is_an_error_with_a_suggestion(
    tmp_path: Path, text: str, where: str, known: str, hint: str
) -> None:
    assert refused(tmp_path, text) == (f"`{where}` in FILE is not a setting", f"the settings there are: {known}", hint)


@pytest.mark.parametrize(
    ("written", "env"),
    [
        ("develpment", None),
        ("develpment", "development"),
        ("Development", None),
        ("stagin", "staging"),
        ("prodution", "production"),
    ],
)
def test_settings_under_a_misspelt_name_are_not_passed_over(tmp_path: Path, written: str, env: str | None) -> None:
    name = env or "development"
    assert refused(tmp_path, f"[environments.{written}]\nlint = 'off'", env) == (
        f"the environment {name} has no settings in FILE, but there is [environments.{written}]",
        "its name is so near that it seems to be misspelt; without settings of its own the defaults would hold",
        f"write [environments.{name}]; where both are meant, add that line as an empty table",
    )
    assert load(tmp_path, f"[environments.{written}]\nlint = 'off'", written).name == written
    both = f"[environments.{written}]\nlint = 'off'\n[environments.{name}]\n"
    assert load(tmp_path, both, env).settings == load(tmp_path, "", env).settings


@pytest.mark.parametrize(
    ("written", "env"),
    [
        ("staging2", "staging"),
        ("production-eu", "production"),
        ("preproduction", "production"),
        ("dev", "development"),
        ("stage", "staging"),
        ("prod", "production"),
    ],
)
def test_a_name_of_ones_own_may_be_like_a_known_one(tmp_path: Path, written: str, env: str) -> None:
    assert load(tmp_path, f"[environments.{written}]\nlint = 'off'", env).settings == load(tmp_path, "", env).settings


PLACE = 'a place for backups is a folder, "." being that of the project, or a URL like "s3://bucket/prefix"'
LIST = "https://github.com/puddingcamp/handrail/blob/main/docs/configuration.md lists every key"


@pytest.mark.parametrize(
    ("line", "key", "why"),
    [
        ('backup = "yes"', "backup", "Input should be 'required', 'optional' or 'off', not 'yes'"),
        ('lint = "fatal"', "lint", "Input should be 'error', 'warning', 'info' or 'off', not 'fatal'"),
        ('compression = "gzip"', "compression", "Input should be 'zstd' or 'none', not 'gzip'"),
        (
            'lock_wait = "soon"',
            "lock_wait",
            'a duration is written like "100ms", "5s", "2min" or "1h", not \'soon\'',
        ),
        ("lock_timeout = 0", "lock_timeout", "Input should be greater than or equal to 0.001, not 0.0"),
        ("lock_wait = -1", "lock_wait", "Input should be greater than or equal to 0, not -1.0"),
        ("statement_timeout = inf", "statement_timeout", "Input should be a finite number, not inf"),
        ("health = {}", "health", "give either `url` or `command`"),
        ('health = {url = "http://x", command = "y"}', "health", "give either `url` or `command`"),
        ('health = {url = "file:///etc/passwd"}', "health", "`url` begins with http:// or https://"),
        ('health = ""', "health", "`command` is empty"),
        ("health = 'echo \"'", "health", "No closing quotation"),
        ("url = 5", "url", "Input should be a valid string"),
        ('failed_copy = "maybe"', "failed_copy", "Input should be 'stop' or 'warn', not 'maybe'"),
        ('copies = "s3://bucket"', "copies", "Input should be a list"),
        ('bandwidth = "fast"', "bandwidth", 'a rate is written like "500kB/s", "20MB/s" or "1GB/s", not \'fast\''),
        ("bandwidth = -1", "bandwidth", "Input should be greater than or equal to 0, not -1.0"),
        ('store = ""', "store", f"{PLACE}, not ''"),
        ('store = "  "', "store", f"{PLACE}, not '  '"),
        ('store = "file://"', "store", PLACE),
        ("store = 5", "store", "Input should be a valid string, not 5"),
        ('copies = ["/mnt/other", ""]', "copies.1", f"{PLACE}, not ''"),
        ('maintenance = "no"', "maintenance", "Input should be true or false, without quotes, not 'no'"),
        ("maintenance = 1", "maintenance", "Input should be true or false, without quotes, not 1"),
        ('schedule = {prune = "yes"}', "schedule.prune", "Input should be true or false, without quotes, not 'yes'"),
        ('schedule = {verify = "off"}', "schedule.verify", "Input should be true or false, without quotes, not 'off'"),
    ],
)
def test_an_unusable_value_is_told(tmp_path: Path, line: str, key: str, why: str) -> None:
    message, told, hint = refused(tmp_path, f"[environments.production]\n{line}")
    assert message == f"`environments.production.{key}` in FILE cannot be used"
    assert (told.replace("not 0,", "not 0.0,").replace("not -1,", "not -1.0,"), hint) == (why, LIST)


@pytest.mark.parametrize(("given", "shown"), [('"0.5"', "'0.5'"), ("true", "True")])
def test_a_number_is_neither_a_text_nor_a_boolean(tmp_path: Path, given: str, shown: str) -> None:
    assert refused(tmp_path, f"[prices]\ndaily_change = {given}") == (
        "`prices.daily_change` in FILE cannot be used",
        f"Input should be a valid number, not {shown}",
        LIST,
    )
    assert load(tmp_path, "[prices]\ndaily_change = 1").prices.daily_change == 1


METHODS = "Input should be 'copy', 'dump', 'dump-directory', 'dump-plain', 'base', 'increment' or 'snapshot', not 'cp'"
AGE = 'it is written like "36h", "30d", "12w" or "2y"'
PRICE = 'a price for a GB and a month is written like "0.023 USD"'
ONLY_ADD = (
    "`pre_migration` and `milestones` only add to what other rules keep: say how many others are kept (`last`, `daily`, …)"
    " or for how long (`within`)"
)


@pytest.mark.parametrize(
    ("text", "key", "why"),
    [
        ("daily = -1", "retention.daily", "Input should be greater than or equal to 0, not -1"),
        ('daily = "7"', "retention.daily", "Input should be a valid integer, not '7'"),
        ("daily = true", "retention.daily", "Input should be a valid integer, not True"),
        ('within = "7 days"', "retention.within", f"{AGE}, not '7 days'"),
        ("within = 7", "retention.within", f"{AGE}, not 7"),
        ('within = "forever"', "retention.within", f"{AGE}, not 'forever'"),
        ('last = 1\nmilestones = {legal = "x"}', "retention.milestones.legal", f"{AGE} or \"forever\", not 'x'"),
        ('last = 1\nmilestones = {"Year End" = "1y"}', "retention", "the milestone 'Year End' is not written in small letters, digits and dashes"),
        ('pre_migration = "30d"', "retention", ONLY_ADD),
        ('milestones = {legal = "forever"}', "retention", ONLY_ADD),
        ('last = 1\nevery = "0h"', "retention", "`every` is longer than nothing"),
        ('[environments.blue]\nstore_price = "cheap"', "environments.blue.store_price", f"{PRICE}, not 'cheap'"),
        ("[environments.blue]\nstore_price = 0.02", "environments.blue.store_price", f"{PRICE}, not 0.02"),
    ],
)  # fmt: skip
def test_unusable_words_about_what_is_kept(tmp_path: Path, text: str, key: str, why: str) -> None:
    assert refused(tmp_path, f"[retention]\n{text}") == (f"`{key}` in FILE cannot be used", why, LIST)


def test_an_environments_own_table_takes_the_place_of_the_common_one(tmp_path: Path) -> None:
    text = "[retention]\ndaily = 7\n[environments.production.retention]\nlast = 3\n[environments.staging]\n"
    assert [load(tmp_path, text, name).retention for name in ("production", "staging", "development")] == [
        Retention(last=3),
        Retention(daily=7),
        Retention(daily=7),
    ]
    assert load(
        tmp_path, "[retention]\nlast = 1\n[environments.production]\nretention = {}", "production"
    ).retention == (Retention())


def test_policy_and_price_from_the_configuration(tmp_path: Path) -> None:
    config = load(tmp_path, EVERYTHING.replace('alembic = "db/alembic.ini"\n', ""))
    assert retention_policy(config) == RetentionPolicy(
        last=1,
        hourly=24,
        daily=7,
        weekly=5,
        monthly=12,
        yearly=3,
        within=timedelta(hours=36),
        pre_migration=timedelta(weeks=12),
        milestones=(("month-end", timedelta(days=365)), ("legal", FOREVER)),
        minimum_verified=2,
        zone=ZoneInfo("Europe/Berlin"),
    )
    assert store_price(config) == Price(0.023, "USD")
    nothing = load(tmp_path, "")
    assert (retention_policy(nothing).is_empty, store_price(nothing)) == (True, None)


@pytest.mark.parametrize("zone", ["Europe/Nowhere", "", "../etc/passwd", "/etc/passwd", "Europe", "a\\u0000b"])
def test_a_time_zone_that_is_not_known(tmp_path: Path, zone: str) -> None:
    config = load(tmp_path, f'[retention]\nlast = 1\ntimezone = "{zone}"')
    with pytest.raises(ConfigError) as caught:
        retention_policy(config)
    error = caught.value
    assert (error.message, error.why, error.hint) == (
        f"the time zone {config.retention.timezone!r} is not known",
        f"`retention.timezone` in {tmp_path / 'handrail.toml'} names it",
        'write it like "Europe/Berlin"; where the system has no time zones: pip install tzdata',
    )


@pytest.mark.parametrize(
    ("written", "read"), [("0.095 USD", (0.095, "USD")), ("38000 KRW", (38000.0, "KRW")), ("0.02 €", (0.02, "€")), ("1", (1.0, ""))]
)  # fmt: skip
def test_prices(written: str, read: tuple[float, str]) -> None:
    assert parse_price(written) == read


def test_a_url_in_the_wrong_place_is_not_repeated(tmp_path: Path) -> None:
    text = 'environments.production = "postgresql://app:s3cret@db/app"'
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text)
    assert "s3cret" not in "".join(traceback.format_exception(caught.value))
    assert "s3cret" not in f"{caught.value.message} {caught.value.why} {caught.value.hint}"


def test_an_unknown_environment(tmp_path: Path) -> None:
    text = "[environments.blue]\n[environments.green]\n"
    names = "development, staging, production, blue, green"
    assert refused(tmp_path, text, "gren") == (
        "there is no environment 'gren'",
        f"FILE and the defaults know: {names}",
        "did you mean --env green?",
    )
    assert refused(tmp_path, text, "zzz")[2] == "add [environments.zzz] there, or choose one of these"


@pytest.mark.parametrize("name", ["../x", "a/b", "", " ", ".hidden", "운영"])
def test_a_name_that_cannot_be_a_folder(tmp_path: Path, name: str) -> None:
    text = f'[environments."{name}"]'
    assert refused(tmp_path, text) == (
        f"{name!r} cannot be the name of an environment",
        "it names folders: letters, digits, dot, dash and underscore can be used",
        "choose another name",
    )


def test_broken_toml(tmp_path: Path) -> None:
    message, why, hint = refused(tmp_path, "default = \n")
    assert (message, hint) == ("FILE is not valid TOML", "correct that line")
    assert why.startswith("Invalid value (at line 1")


def test_a_section_that_is_no_table(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool]\nhandrail = 5\n")
    with pytest.raises(ConfigError, match=r"`tool.handrail` in .* is not a table"):
        load(tmp_path)


def test_an_ini_that_is_not_there(tmp_path: Path) -> None:
    assert refused(tmp_path, 'alembic = "db/x.ini"') == (
        f"{tmp_path}/db/x.ini is not a file",
        "`alembic` in FILE names it",
        "correct the path there",
    )


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("100ms", 0.1), ("5s", 5.0), (" 2 min ", 120.0), ("1h", 3600.0), ("0.5s", 0.5), (7, 7.0), (1.5, 1.5)],
)
def test_durations(value: object, seconds: float) -> None:
    assert parse_duration(value) == seconds


@pytest.mark.parametrize("value", ["", "5", "s", "-5s", "5d", "nans", "infs", "1.2.3s", "5 s s", True, None, []])
def test_what_is_no_duration(value: object) -> None:
    with pytest.raises(ValueError, match=r'^a duration is written like "100ms", "5s", "2min" or "1h"$'):
        parse_duration(value)


@pytest.mark.parametrize(
    ("tier", "text", "parts"),
    [
        ("hourly", ":05", {"minute": 5}),
        ("daily", "3:00", {"hour": 3, "minute": 0}),
        ("weekly", "Sunday  23:59", {"weekday": 6, "hour": 23, "minute": 59}),
        ("monthly", "31 03:00", {"day": 31, "hour": 3, "minute": 0}),
        ("yearly", "12-31 03:00", {"month": 12, "day": 31, "hour": 3, "minute": 0}),
    ],
)
def test_times(tier: str, text: str, parts: dict[str, int]) -> None:
    assert parse_time(tier, text) == parts


@pytest.mark.parametrize(
    ("text", "where", "why"),
    [
        ('[schedule]\nhourly = "05"', "schedule", "`hourly` is written like \":05\", not '05'"),
        ('[schedule]\ndaily = "24:00"', "schedule", "`daily` is written like \"03:00\", not '24:00'"),
        ('[schedule]\nweekly = "sun 03:00"', "schedule", "`weekly` is written like \"sunday 03:00\", not 'sun 03:00'"),
        ('[schedule]\nmonthly = "0 03:00"', "schedule", "`monthly` is written like \"1 03:00\", not '0 03:00'"),
        (
            '[schedule]\nyearly = "13-01 03:00"',
            "schedule",
            "`yearly` is written like \"01-31 03:00\", not '13-01 03:00'",
        ),
        ('[schedule]\nmethod = "cp"', "schedule.method", METHODS),
        ('[schedule]\nwhole_every = "7d"', "schedule", '`whole_every` goes with `method = "increment"`'),
        (
            '[schedule]\nmethod = "increment"\nwhole_every = "0d"',
            "schedule",
            "`whole_every` is longer than nothing",
        ),
        ('[schedule]\nmethod = "increment"\nwhole_every = "7"', "schedule.whole_every", f"{AGE}, not '7'"),
        ('[environments.x.archive]\nplace = "a"', "environments.x.archive", TOOL_AND_PLACE),
        ('[environments.x.archive]\ntool = "litestream"', "environments.x.archive", TOOL_AND_PLACE),
        (
            '[environments.x.archive]\ntool = "litestream"\nplace = "a"\nsync = 0',
            "environments.x.archive",
            "`max_lag` and `sync` are longer than nothing",
        ),
        ('[drill]\nquery = " "', "drill", "`query` is empty"),
        ('[drill]\ncommand = ""', "drill", "`command` is empty"),
        (
            '[environments.production.drill]\nmax_age = "30"',
            "environments.production.drill.max_age",
            f"{AGE}, not '30'",
        ),
    ],
)
def test_what_cannot_be_scheduled_or_drilled(tmp_path: Path, text: str, where: str, why: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text)
    assert (caught.value.message, caught.value.why) == (
        f"`{where}` in {tmp_path / 'handrail.toml'} cannot be used",
        why,
    )


def test_keys_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, '[schedule]\ndayly = "03:00"')
    assert (caught.value.message, caught.value.why, caught.value.hint) == (
        f"`schedule.dayly` in {tmp_path / 'handrail.toml'} is not a setting",
        "the settings there are: hourly, daily, weekly, monthly, yearly, timezone, verify, prune, method, whole_every",
        "did you mean `daily`?",
    )
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, '[environments.production.drill]\nquerry = "SELECT 1"')
    assert caught.value.why == "the settings there are: query, command, timeout, max_age"
