"""`handrail cost`: its page, against RDS in memory, and the laboratory's real answers."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from handrail.cli.app import app_for
from handrail.config import load_config
from handrail.databases.rds import snapshots
from handrail.databases.snapshots import RightMissing
from handrail.retention.prices import GUIDE, TABLES, Rates, rates_of
from handrail.snapshots.export import Export
from handrail.snapshots.snapshot import SnapshotKind
from handrail.stores.file import FileStore
from handrail.wiring_costs import open_costing
from support.hosted import HostedInMemory, an_instance, arn
from support.keeping import NOW, backup
from support.laboratory import TestLaboratory
from unit.test_bill import snapshot

ONLY_NEWEST_SERVER = True
DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "cost.md").read_text(encoding="utf-8")
CONFIGURATION = PAGE.partition("```toml\n")[2].partition("```")[0]


@pytest.fixture
def hosted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> HostedInMemory:
    """The page's configuration; an instance of 100 GB with a daily automated snapshot, three manual ones, an export,
    and what is left of an instance that is gone."""
    (tmp_path / "handrail.toml").write_text(CONFIGURATION)
    store = FileStore(tmp_path / ".handrail" / "store")
    for days in range(3):
        backup(
            store, NOW - timedelta(days=days), "postgresql://u@h/shop", environment="production", size=20_000_000_000
        )
    found = HostedInMemory()
    taken = [snapshot(f"rds-shop-prod-{day}", day, kind=SnapshotKind.AUTOMATED) for day in range(24, 31)]
    taken += [snapshot(name, day) for name, day in (("monthly-01", 0), ("before-1", 12), ("before-2", 29.5))]
    taken += [snapshot("last-of-staging", 0, 20, of=an_instance("shop-staging"))]
    found.kept = {one.id: one for one in taken}
    found.started = {"e": Export("e", arn("snapshot", "monthly-01"), "COMPLETE", bucket="shop-archive", size_gb=60)}
    monkeypatch.setattr(snapshots, "RdsSnapshots", lambda _clients: found)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ENV", raising=False)
    return found


def called(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    try:
        code = app_for(words)(list(words), standalone_mode=False) or 0
    except SystemExit as ended:
        code = int(ended.code or 0)
    said = capsys.readouterr()
    return code, said.out, said.err


def test_the_page_shows_what_is_printed(
    hosted: HostedInMemory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ((command, printed),) = re.findall(r"```console\n\$ handrail ([^\n]*)\n(.*?)```", PAGE, flags=re.DOTALL)
    monkeypatch.setattr(FileStore, "place", "/srv/shop/.handrail/store")
    assert called(capsys, *command.split()) == (0, printed, "")


def test_the_pages_table_is_the_codes() -> None:
    rows = re.findall(r"^\| (us-east-1|any other) \| (.*) \|$", PAGE, flags=re.MULTILINE)

    def row(rates: Rates) -> str:
        classes = ", ".join(f"{name} {price:g}" for name, price in rates.classes.items())
        export = "?" if rates.export is None else f"${rates.export:.3f}"
        return f"${rates.snapshot:.3f} | {export} | {classes} | {rates.source}, {rates.dated}"

    assert rows == [*((name, row(rates)) for name, rates in TABLES.items()), ("any other", row(GUIDE))]


def test_without_a_right_the_rest_is_told(hosted: HostedInMemory, capsys: pytest.CaptureFixture[str]) -> None:
    hosted.broken = {"exports": RightMissing("listing exports was refused", action="rds:DescribeExportTasks")}
    code, out, err = called(capsys, "cost", "--env", "production")
    assert (code, err) == (0, "")
    assert "warning: exports are not in it: listing exports was refused\n" in out
    assert "shop-archive" not in out


def test_without_rds_stores_are_told_and_without_backups_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ENV", raising=False)
    assert called(capsys, "cost") == (0, "the environment development has no backups\n", "")
    backup(FileStore(tmp_path / ".handrail" / "store"), NOW, "sqlite:///x.db", size=1_437)
    monkeypatch.setattr(FileStore, "place", "/srv/store")
    assert called(capsys, "cost") == (
        0,
        """\
what                  where       number  at most  a month  estimate  a month
backups in the store  /srv/store  1       1.4 kB   ?        1.4 kB    ?
sum                                                ?                  ?
warning: no price is known for 1 item in /srv/store
a price: `store_price = "0.023 USD"` (a GB and a month) in [environments.development] in handrail.toml
""",
        "",
    )
    (tmp_path / "handrail.toml").write_text('[environments.development]\nstore_price = "0.02 EUR"\n')
    assert called(capsys, "cost")[1].splitlines()[-1] == (
        'a price: prices are in USD here: `dollar = "… EUR"` in [prices] in handrail.toml says what one is'
    )
    (tmp_path / "handrail.toml").write_text('[environments.development]\nstore_price = "0.02 USD"\n')
    assert called(capsys, "cost") == (
        0,
        """\
what                  where       number  at most  a month   estimate  a month
backups in the store  /srv/store  1       1.4 kB   0.00 USD  1.4 kB    0.00 USD
sum                                                0.00 USD            0.00 USD
""",
        "",
    )


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('dollar = "1350"', '`prices` in {} cannot be used\n  why: `dollar` is written like "1350 KRW"'),
        ('dated = "today"', '`prices` in {} cannot be used\n  why: `dated` is a day, written like "2026-11-28"'),
        (
            "daily_change = 5",
            "`prices.daily_change` in {} cannot be used\n  why: Input should be less than or equal to 1",
        ),
        (
            "regions = {eu-west-1 = {snapshots = 0.1}}",
            "`prices.regions.eu-west-1.snapshots` in {} is not a setting\n  why: the settings there are: snapshot, export,"
            " standard, standard_ia, onezone_ia, glacier_ir, glacier, deep_archive\n  next: did you mean `snapshot`?",
        ),
        (
            "regions = {eu-west-1 = {snapshot = -1}}",
            "`prices.regions.eu-west-1.snapshot` in {} cannot be used\n  why: Input should be greater than or equal to 0",
        ),
    ],
)
def test_bad_prices_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], text: str, why: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "handrail.toml").write_text(f"[prices]\n{text}\n")
    code, out, err = called(capsys, "cost")
    assert (code, out) == (2, "")
    assert why.format(tmp_path / "handrail.toml") in err


@pytest.mark.parametrize(
    ("price", "usd"), [('"0.01 USD"', 0.6), ('"13.5 KRW"', 0.6), ('"0.01 EUR"', None), ('"0.01"', 0.6)]
)
def test_a_stores_price_may_be_in_either_currency(
    hosted: HostedInMemory, tmp_path: Path, capsys: pytest.CaptureFixture[str], price: str, usd: float | None
) -> None:
    text = CONFIGURATION.replace('"0.004 USD"', price).replace("1333", "1350")
    (tmp_path / "handrail.toml").write_text(text)
    code, out, _ = called(capsys, "cost", "--env", "production", "--json")
    found = json.loads(out)["result"]["lines"][-1]
    assert (code, found["most"]) == (0, {"gb": 60.0, "usd": usd})


@pytest.mark.parametrize(
    ("price", "rate"), [("", 0.025), ('store_price = "0.004 USD"', 0.004), ('store_price = "0.004 EUR"', None)]
)
def test_a_bucket_counts_as_standard_unless_its_price_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, price: str, rate: float | None
) -> None:
    """A price in a currency whose rate is not known is not the table's either."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "nobody")
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    place = "s3://shop-backups/app"
    (tmp_path / "handrail.toml").write_text(f'[environments.staging]\nstore = "{place}"\ncopies = ["copy"]\n{price}\n')
    costing = open_costing(load_config(tmp_path, env="staging", environ={}))
    assert costing.store_rates == {place: rate, str(tmp_path / "copy"): None}


def validated(text: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(text)
    Draft202012Validator(json.loads((DOCS / "schemas" / "cost.json").read_text())).validate(found)
    return found


def test_the_laboratory_is_billed(
    laboratory: TestLaboratory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in laboratory.environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    region = laboratory.environ["AWS_REGION"]
    (tmp_path / "handrail.toml").write_text(
        f"[prices.regions.{region}]\nsnapshot = 0.1\n[environments.production]\n"
        f'rds = {{instance = "cost-prod", region = "{region}", endpoint_url = "{laboratory.endpoint}"}}\n'
    )
    laboratory.create("cost-prod")
    written = 0
    for name in ("cost-a", "cost-b"):
        laboratory.client("rds").create_db_snapshot(DBSnapshotIdentifier=name, DBInstanceIdentifier="cost-prod")
        written += laboratory.snapshot(name, "available")["FullSnapshotSizeInBytes"]
    code, out, err = called(capsys, "cost", "--env", "production", "--json")
    assert (code, err) == (0, "")
    found = validated(out)["result"]
    lines = {line["what"]: line for line in found["lines"]}
    manual = lines["manual snapshots"]
    gb = written / 2**30
    assert (manual["number"], manual["most"]) == (2, {"gb": round(gb, 9), "usd": round(gb / 10, 4)})
    # The automated one that came with the instance is the oldest: it is whole, the others share its blocks.
    assert sum(line["likely"]["gb"] for line in lines.values()) == pytest.approx(gb / 2, rel=0.1)
    assert (found["likely"], found["most"]) == (0, manual["most"]["usd"])
    assert found["prices"]["source"] == f"the configuration, else {rates_of(region).source} of {rates_of(region).dated}"
    code, _, err = called(capsys, "cost", "--env", "development")
    assert (code, err) == (0, "")
    (tmp_path / "handrail.toml").write_text(
        f'[environments.production]\nrds = {{instance = "nobody", region = "{region}"}}\n'
    )
    code, out, err = called(capsys, "cost", "--env", "production")
    assert (code, out, err.splitlines()[0][:5]) == (5, "", "HR583")
