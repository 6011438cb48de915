"""Commands that only look: status, current, history, check, plan."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from handrail.amounts import count, size, span
from handrail.cli.answering import answering
from handrail.cli.call import HERE, Env, Json, Root, equipped, looked
from handrail.cli.output import Output
from handrail.errors import Drift, ProjectError
from handrail.migrations.revision import named

if TYPE_CHECKING:
    from collections.abc import Iterator

    from handrail.backups.drill import Drill
    from handrail.guard.plan import Step
    from handrail.journal.journal import JournalledRun
    from handrail.migrations.revision import Revision
    from handrail.migrator.migrator import ProjectFacts


def current(env: Env = None, root: Root = HERE, json: Json = False) -> None:
    """Show the revision that the database is stamped with."""
    with answering("current", json) as output:
        _, facts = looked(root, env)
        from handrail.cli.documents import Current

        heads = set(facts.heads)
        for revision in facts.current or ("base",):
            output.lines(f"{revision}{' (head)' if revision in heads else ''}")
        output.document(Current(facts.current, facts.heads, str(facts.address)))


def history(
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Also the file of each script.")] = False,
    env: Env = None,
    root: Root = HERE,
    json: Json = False,
) -> None:
    """List the migration scripts, newest first."""
    with answering("history", json) as output:
        _, facts = looked(root, env)
        from handrail.cli.documents import History, ScriptDocument

        for revision in facts.revisions:
            output.lines(_history_line(revision, facts))
            if verbose:
                output.lines(f"    {revision.path}")
        output.document(History(facts.current, tuple(ScriptDocument.of(revision) for revision in facts.revisions)))


def _history_line(revision: Revision, facts: ProjectFacts) -> str:
    marks = [
        *(["head"] if revision.id in facts.heads else []),
        *(["current"] if revision.id in facts.current else []),
    ]
    marked = f" ({', '.join(marks)})" if marks else ""
    return f"{named(revision.down_revisions)} -> {revision.id}{marked}, {revision.message}"


def _interrupted_line(run: JournalledRun, address: str) -> str:
    """Only where the environment leads to the database of the run, `recover` can settle it."""
    data = run.started.data
    line = f"interrupted    {run.run_id}: "
    if address in (data.get("database"), data.get("source")):
        return f"{line}handrail recover"
    return f"{line}handrail recover, in an environment that leads to {data.get('source') or data.get('database', '?')}"


def status(env: Env = None, root: Root = HERE, json: Json = False) -> None:
    """Show where the database stands. Revision, pending scripts, last backup, interrupted runs."""
    with answering("status", json) as output:
        project, facts, kit = equipped(root, env, "heads")
        from handrail.backups.drill import overdue
        from handrail.cli.documents import Status
        from handrail.journal.journal import dead_runs
        from handrail.wiring_archives import archive_warnings
        from handrail.wiring_unattended import age_limits
        from handrail.workflows.catalog import read_catalog
        from handrail.workflows.drill import read_drills

        catalog = read_catalog(kit)
        pending = facts.path.revisions if facts.path else ()
        latest = catalog.records[0] if catalog.records else None
        verified = next((record for record in catalog.records if record.is_verified), None)
        drills, _ = read_drills(kit)
        warnings = (
            *overdue(catalog.records, drills, age_limits(project.config), str(kit.database.address), kit.clock()),
            *archive_warnings(project.config, facts.address),
        )
        interrupted = dead_runs(kit.journal)
        at_work = tuple(run.run_id for run in kit.journal.open_runs() if run not in interrupted)
        output.lines(
            f"environment    {project.config.name}",
            f"database       {facts.address}{' (not there yet)' if facts.database_missing else ''}",
            f"revision       {named(facts.current)}",
            f"head           {named(facts.heads)}",
            f"pending        {', '.join(revision.id for revision in pending) or 'nothing'}",
            f"last backup    {f'{latest.id}, {size(latest.size)}' if latest else 'none'}",
            f"last verified  {verified.id if verified else 'none'}",
            f"last drill     {_drill_line(drills[0]) if drills else 'none'}",
            *(f"at work        {run_id}" for run_id in at_work),
            *(_interrupted_line(run, str(kit.database.address)) for run in interrupted),
            *(f"unreadable     {key}: {why}" for key, why in catalog.unreadable),
        )
        output.warnings(warnings)
        output.document(
            Status(
                environment=project.config.name,
                database=str(facts.address),
                current=facts.current,
                heads=facts.heads,
                pending=tuple(revision.id for revision in pending),
                last_backup=latest.id if latest else None,
                last_verified_backup=verified.id if verified else None,
                interrupted_runs=tuple(run.run_id for run in interrupted),
                runs_at_work=at_work,
                last_drill=drills[0].id if drills else None,
                warnings=warnings,
            )
        )


def _drill_line(drill: Drill) -> str:
    return f"{drill.id}, {'passed' if drill.has_passed else 'failed'}, RTO {span(drill.seconds)}"


def check(env: Env = None, root: Root = HERE, json: Json = False) -> None:
    """Check that database, scripts and models agree. Exits 4 when they do not, or revisions are pending."""
    with answering("check", json) as output:
        project, facts = looked(root, env, "heads")
        from handrail.cli.documents import Agreement

        pending = tuple(revision.id for revision in (facts.path.revisions if facts.path else ()))
        differences = () if pending else tuple(item.summary for item in project.migrator.differences())
        output.document(Agreement(pending, differences))
        if pending:
            raise Drift(f"{count(len(pending), 'revision')} pending: {', '.join(pending)}", hint="handrail upgrade")
        if differences:
            raise Drift(
                "models and database differ",
                why="; ".join(differences),
                hint='handrail revision -m "…" --autogenerate writes the script, then look it through',
            )
        output.lines("nothing is pending; models and database agree")


def _rows(step: Step) -> Iterator[tuple[str, str]]:
    """A step of the plan, with a line for each way to undo it: each is taken when the one before cannot be."""
    yield step.kind.value, step.reason
    for place, undo in enumerate(step.undo):
        yield "", f"{'else' if place else 'undo'}: {undo.value}"


def plan(
    target: Annotated[str, typer.Argument(help="Revision, head, or +n.")] = "head",
    sql: Annotated[bool, typer.Option("--sql/--no-sql", help="Show the SQL too.")] = True,
    env: Env = None,
    root: Root = HERE,
    json: Json = False,
) -> None:
    """Show what an upgrade would do; touches nothing. Revisions, SQL, findings, what is backed up, what undo exists."""
    with answering("plan", json) as output:
        project, facts = looked(root, env, target)
        from handrail.cli.documents import PlanDocument
        from handrail.guard.plan import Refusal
        from handrail.workflows.upgrade import Request, make_plan, marker_warnings_of

        if facts.path is None:
            raise ProjectError(f"there is no way to {target}", hint="handrail history")
        if facts.path.is_empty:
            output.lines(f"nothing pending: the database is at {named(facts.current)}")
            output.document(PlanDocument())
            return
        kit, request = project.equipment(facts), Request("plan", facts.path, facts)
        made, findings = make_plan(kit, request)
        warnings = marker_warnings_of(kit, request)
        texts = project.migrator.sql(facts.path) if sql else {}
        _show_path(output, facts, texts)
        output.lines("", *(line for finding in findings for line in finding.lines()))
        output.warnings(warnings)
        if isinstance(made, Refusal):
            output.lines("handrail upgrade would refuse:", *(f"  {reason}" for reason in made.reasons))
        else:
            output.table(("step", "what is done, and how it is undone"), [row for s in made.steps for row in _rows(s)])
        output.document(
            PlanDocument(
                revisions=tuple(revision.id for revision in facts.path.revisions),
                sql=texts,
                findings=findings,
                warnings=warnings,
                refused=made.reasons if isinstance(made, Refusal) else (),
                steps=() if isinstance(made, Refusal) else made.steps,
            )
        )


def _show_path(output: Output, facts: ProjectFacts, texts: object) -> None:
    path = facts.path
    if path is None:
        return
    output.lines(f"{path.direction.value} {named(path.start)} -> {named(path.target)} on {facts.address}")
    for revision in path.revisions:
        output.lines("", f"{revision.id} {revision.message} ({Path(revision.path).name})")
        if isinstance(texts, dict):
            output.lines(*(f"    {line}" for line in texts.get(revision.id, "").strip().splitlines()))
