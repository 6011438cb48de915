"""Commands for the first minutes: init writes the configuration, doctor says what is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from handrail.amounts import count
from handrail.cli.answering import answering
from handrail.cli.call import HERE, Env, Json, Root, Yes, asker, confirmed, looked, opened
from handrail.errors import BackupError, HandrailError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from handrail.databases.database import Probe
    from handrail.facts import DatabaseAddress
    from handrail.stores.store import Store
    from handrail.wiring import Project
    from handrail.workflows.run import Equipment

#: Seconds that clocks may be apart before doctor tells: clouds refuse requests at three times as much.
_SKEW = 300
_SECTION = """\
[{prefix}]
default = "development"

[{prefix}.environments.development]
backup = "optional"
rehearse = "optional"
restore = "auto"

[{prefix}.environments.staging]
backup = "required"
restore = "auto"

[{prefix}.environments.production]
backup = "required"
restore = "ask"
# health = "https://example.com/health"
"""


def _given(name: str, text: str) -> typer.models.OptionInfo:
    made: typer.models.OptionInfo = typer.Option(name, help=text, show_default=False)
    return made


def init(  # noqa: PLR0913, PLR0917 - its options
    github: Annotated[bool, typer.Option("--github", help="Instead: workflow files for GitHub.")] = False,
    aws: Annotated[bool, typer.Option("--aws", help="Instead: the template that cleans RDS snapshots up.")] = False,
    policies: Annotated[bool, _given("--policies", "With --aws: instead, the rights that each command needs.")] = False,
    role_arn: Annotated[str, _given("--role-arn", "With --github: the role at AWS that jobs take.")] = "",
    region: Annotated[str, _given("--region", "With --github: the role's, else that of `rds`.")] = "",
    python: Annotated[str, _given("--python", "With --github: the version, else the one here.")] = "",
    branch: Annotated[str, _given("--branch", "With --github: pushes to it are deployed, else main.")] = "",
    env: Env = None,
    root: Root = HERE,
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Write a configuration that fits the project. It is shown first, and written after a yes."""
    with answering("init", json) as output:
        if github and aws:
            raise UsageError("--github and --aws write different things", hint="call init once for each")
        if github:
            from handrail.cli.pipelines import write_workflows
            from handrail.wiring_pipelines import Answers

            write_workflows(output, root, env, Answers(role_arn, region, python, branch), yes=yes)
            return
        if role_arn or region or python or branch:
            raise UsageError("--role-arn, --region, --python and --branch go with --github", hint="add --github")
        if policies and not aws:
            raise UsageError("--policies goes with --aws", hint="add --aws")
        if aws:
            from handrail.cli.clouds import write_policies, write_template

            (write_policies if policies else write_template)(output, root, env, yes=yes)
            return
        project, facts = looked(root, env)
        from handrail.cli.documents import Initialised

        folder = project.config.root
        if project.config.source is not None:
            raise UsageError(f"{project.config.source} already configures handrail", hint="handrail doctor checks it")
        target = folder / "pyproject.toml"
        in_pyproject = target.is_file()
        target = target if in_pyproject else folder / "handrail.toml"
        text = _SECTION.format(prefix="tool.handrail")
        if not in_pyproject:
            text = text.replace("tool.handrail.", "").replace("[tool.handrail]\n", "")
        env_style = "asynchronous" if facts.is_async else "synchronous"
        output.lines(
            f"Alembic    {project.config.alembic_ini or target} with {count(len(facts.revisions), 'script')}",
            f"env.py     {env_style}, opens {facts.address}",
            f"would {'append to' if in_pyproject else 'write'} {target}:",
            "",
            *(f"    {line}".rstrip() for line in text.splitlines()),
        )
        confirmed(asker(output, yes), f"write {target}?")
        with target.open("a", encoding="utf-8") as out:
            out.write(f"\n{text}" if in_pyproject else text)
        output.lines("", "written. Next: handrail doctor, then handrail plan")
        output.document(Initialised(str(target), str(facts.address), facts.is_async))


def doctor(env: Env = None, root: Root = HERE, json: Json = False) -> None:
    """Check everything that a guarded run needs. Exits 5 when something would stop it."""
    from handrail.cli.documents import Diagnosis

    with answering("doctor", json) as output:
        project = opened(root, env)
        probes = _probes(project)
        for probe in probes:
            mark = {True: "ok  ", False: "FAIL", None: "note"}[probe.ok]
            output.lines(f"{mark}  {probe.name:<16} {probe.detail}")
            if probe.hint and probe.ok is not True:
                output.lines(f"      next: {probe.hint}")
        output.document(Diagnosis(tuple(probes)))
        failed = [probe.name for probe in probes if probe.ok is False]
        if failed:
            raise BackupError(
                f"{count(len(failed), 'thing')} would stop a guarded run: {', '.join(failed)}",
                hint="see the lines above",
            )


def _probes(project: Project) -> list[Probe]:
    from handrail.databases.database import Probe

    config = project.config
    probes = [Probe("configuration", True, f"{config.source or 'none, defaults hold'}; environment {config.name}")]
    try:
        facts = project.migrator.describe("heads")
        kit = project.equipment(facts)
    except HandrailError as error:
        return [*probes, Probe("project", False, f"{error.message}: {error.why}", error.hint)]
    pending = len(facts.path.revisions) if facts.path else 0
    probes += [
        Probe("alembic", True, f"{facts.alembic_version} with SQLAlchemy {facts.sqlalchemy_version}, {facts.driver}"),
        Probe(
            "history",
            len(facts.heads) <= 1 and not facts.unknown,
            f"{count(len(facts.revisions), 'script')}, head {', '.join(facts.heads) or 'none'}, {pending} pending",
            "merge the heads: alembic merge heads" if len(facts.heads) > 1 else "the stamp is of no script here",
        ),
        Probe("database", True, f"{facts.address}{' (not there yet)' if facts.database_missing else ''}"),
    ]
    if not facts.database_missing:
        probes += kit.database.probe()
    if facts.dialect == "sqlite":
        probes += _rehearsal_server(project)
    names = ("store", *("copy" for _ in kit.copies))
    stores = [
        probe for name, store in zip(names, kit.stores, strict=True) for probe in _store_probe(store, name, kit.clock)
    ]
    return [*probes, *stores, *_encryption(kit), *_last_backup(kit), *_archive(project, facts.address)]


def _archive(project: Project, address: DatabaseAddress) -> list[Probe]:
    """A sick archive stops no run, so it is a remark; nothing where none is configured."""
    from handrail.databases.database import Probe
    from handrail.wiring_archives import archive_warnings

    if project.config.settings.archive is None:
        return []
    warnings = [one.removeprefix("archive: ") for one in archive_warnings(project.config, address)]
    if not warnings:
        return [Probe("archive", True, "every change has arrived; handrail archive status shows the moments")]
    return [Probe("archive", None, one, "handrail archive status") for one in warnings]


def _encryption(kit: Equipment) -> list[Probe]:
    """Whether what is encrypted can be opened here; nothing where nothing is encrypted."""
    from handrail.databases.database import Probe
    from handrail.workflows.sealing import matching_identity

    try:
        recipients = kit.keys.recipients()
        if not recipients:
            return []
        identity = matching_identity(kit, "what this environment encrypts", recipients)
    except HandrailError as error:
        return [Probe("encryption", False, f"{error.message}: {error.why}", error.hint)]
    detail = f"to {count(len(recipients), 'recipient')}, opened by the identity {identity.where}"
    return [
        Probe("encryption", True, detail),
        *(Probe("identity", None, *remark.split(": ", 1)) for remark in identity.remarks),
    ]


def _rehearsal_server(project: Project) -> list[Probe]:
    """The server of `rehearse --on postgresql`, when one is configured (a PostgreSQL database looks at it itself)."""
    from handrail.databases.database import Probe
    from handrail.wiring import empty_postgres, new_run_id

    if project.config.settings.rehearse_server is None:
        return []
    try:
        with empty_postgres(project.config, new_run_id()) as address:
            return [Probe("rehearsal server", True, f"{address}: a scratch database can be made there")]
    except HandrailError as error:
        return [Probe("rehearsal server", False, f"{error.message} {error.why}", error.hint)]


def _store_probe(store: Store, name: str, clock: Callable[[], datetime]) -> list[Probe]:
    """Write, list and delete a small object; and how far the clock of the store is from the one here."""
    from handrail.databases.database import Probe
    from handrail.wiring import new_run_id

    key = f"probe/{new_run_id()}"
    try:
        with store.open_write(key) as out:
            out.write(b"handrail doctor\n")
        off = abs((store.written_at(key) - clock()).total_seconds())
        if key not in store.keys("probe/"):
            raise BackupError(f"the store {store.place} does not list what was just written")
    except HandrailError as error:
        return [Probe(name, False, f"{error.message}: {error.why}", error.hint)]
    free = store.free_bytes()
    room = f", {free / 1e9:.1f} GB free" if free is not None else ", who else may read it its policy says"
    probes = [Probe(name, True, f"{store.place} can be written{room}")]
    try:
        store.delete(key)
    except HandrailError as error:
        probes.append(Probe(name, None, f"{error.message}: {error.why}", error.hint))
    if off > _SKEW:
        text = f"its clock and this machine's are {off / 60:.0f} minutes apart"
        probes.append(
            Probe(f"{name} clock", None, text, "set the clock: clouds refuse requests that are 15 minutes off")
        )
    return probes


def _last_backup(kit: Equipment) -> list[Probe]:
    from handrail.databases.database import Probe
    from handrail.workflows.catalog import read_catalog

    try:
        records = read_catalog(kit).records
    except HandrailError:
        return []  # the store's own probe says why
    if not records:
        return [Probe("last backup", None, "none yet", "handrail backup create")]
    verified = "verified" if records[0].is_verified else "not verified"
    return [Probe("last backup", None, f"{records[0].id}, {verified}")]
