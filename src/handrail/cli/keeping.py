"""Commands about what is kept: prune, calendar, cost."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from handrail.amounts import count, size
from handrail.cli.answering import answering
from handrail.cli.call import HERE, Env, Json, Root, Yes, asker, confirmed, equipped
from handrail.cli.output import Output
from handrail.errors import UsageError
from handrail.pages import page

if TYPE_CHECKING:
    from datetime import timedelta

    from handrail.config import Config
    from handrail.retention.calendar import Schedule
    from handrail.retention.decision import Decision
    from handrail.retention.policy import RetentionPolicy
    from handrail.workflows.prune import Judged, Pruned

Every = Annotated[str, typer.Option("--every", help="How often backups are made from now on (6h, 1d); else as before.")]


def prune(
    apply: Annotated[bool, typer.Option("--apply", help="Delete; without it nothing is touched.")] = False,
    yes: Yes = False,
    env: Env = None,
    root: Root = HERE,
    json: Json = False,
) -> None:
    """Show which backups the policy keeps and which it does not, with every reason; --apply deletes those."""
    with answering("backup prune", json) as output:
        project, _, kit = equipped(root, env)
        from handrail.cli.retention_documents import Pruning
        from handrail.wiring import retention_policy
        from handrail.workflows import prune as pruning
        from handrail.workflows.run import locked_run

        policy = retention_policy(project.config)
        judged = pruning.judge(kit, policy)
        _show_judged(output, judged, policy)
        output.document(Pruning.of(judged))
        going = {one.candidate.id for one in judged.leaving}
        if not apply or not (going or judged.leftovers):
            output.lines(*_how_to_apply(judged))
            return
        confirmed(asker(output, yes), f"{_to_do(judged)}?")
        with locked_run(kit, output.progress, pruning.COMMAND) as run:
            done = pruning.prune(run, policy, going)
        output.lines(*_told(done))
        output.document(Pruning.of(done.judged, done))


def _show_judged(output: Output, judged: Judged, policy: RetentionPolicy) -> None:
    if policy.is_empty:
        output.lines(f"everything is kept: [retention] says nothing of how much is kept, see {page('retention')}")
    rows = [row for one in judged.decisions for row in _rows(one)]
    if rows:
        output.table(("", "id", "made", "size", "why"), rows)
    output.lines(
        *(f"kept, unreadable: {key}: {why}" for key, why in judged.catalog.unreadable),
        *(f"half deleted: {backup_id}: a prune was interrupted" for backup_id in judged.catalog.deleted),
        *(f"half made: {backup_id}: under way, or left by a run that was killed" for backup_id in judged.half_made),
    )
    output.warnings(judged.warnings)


def _rows(decision: Decision) -> Iterator[tuple[str, ...]]:
    """A backup, with a line for each further reason."""
    one, (first, *others) = decision.candidate, decision.reasons
    verdict = "keep" if decision.keep else "delete"
    yield verdict, one.id, f"{one.created_at:%Y-%m-%d %H:%M} UTC", size(one.size), first.text
    yield from (("", "", "", "", other.text) for other in others)


def _amount(judged: Judged) -> str:
    going = judged.leaving
    return f"{count(len(going), 'backup')} ({size(sum(one.candidate.size for one in going))})"


def _how_to_apply(judged: Judged) -> tuple[str, ...]:
    if not (judged.leaving or judged.leftovers):
        return (f"nothing to delete: {count(len(judged.decisions), 'backup')} kept",)
    kept = len(judged.decisions) - len(judged.leaving)
    return (f"to do: {_to_do(judged)}; {kept} kept; nothing was touched: handrail backup prune --apply",)


def _to_do(judged: Judged) -> str:
    rest = f"remove {count(len(judged.leftovers), 'leftover')}" if judged.leftovers else ""
    return " and ".join(filter(None, (rest, f"delete {_amount(judged)}" if judged.leaving else "")))


def _told(done: Pruned) -> tuple[str, ...]:
    removed = f" and {count(len(done.removed), 'leftover')}" if done.removed else ""
    return (
        f"deleted {count(len(done.deleted), 'backup')}{removed}: {size(done.freed)} came free",
        *(f"kept after all: {one.candidate.id}: {one.text}" for one in done.kept_after_all),
    )


def calendar(
    days: Annotated[int, typer.Option("--days", min=1, max=3650, help="How far to look.")] = 30,
    by: Annotated[str, typer.Option("--by", help="day, week or month.")] = "day",
    every: Every = "",
    env: Env = None,
    root: Root = HERE,
    json: Json = False,
) -> None:
    """Show which backups will be there at the beginning of each coming day, week or month."""
    with answering("backup calendar", json) as output:
        if by not in ("day", "week", "month"):
            raise UsageError(f"--by {by} is not known", hint="--by day, --by week or --by month")
        project, _, kit = equipped(root, env)
        from handrail.cli.retention_documents import Calendar
        from handrail.retention.calendar import coming, moments_of
        from handrail.retention.periods import Span
        from handrail.wiring import retention_policy
        from handrail.workflows.prune import judge

        policy = retention_policy(project.config)
        judged = judge(kit, policy)
        schedule = _schedule(project.config, judged, every)
        moments = moments_of(judged.now, Span(by), days, policy)
        found = tuple(coming(judged.candidates, policy, schedule, moments, judged.guarded, now=judged.now))
        output.lines(_going_on(schedule))
        rows = [
            (
                f"{moment.at:%Y-%m-%d}",
                f"{len(moment.kept)}",
                size(moment.size),
                f"{moment.oldest:%Y-%m-%d}" if moment.oldest else "",
                ", ".join(f"{number} {tier}" for tier, number in moment.tiers),
            )
            for moment in found
        ]
        output.table((by, "backups", "size", "oldest", "tiers"), rows)
        output.document(Calendar.of(schedule, found))


def cost(every: Every = "", env: Env = None, root: Root = HERE, json: Json = False) -> None:
    """Show what the backups take and cost: now, and in 30, 90 and 365 days under the policy."""
    with answering("backup cost", json) as output:
        project, _, kit = equipped(root, env)
        from handrail.cli.retention_documents import Cost
        from handrail.retention.cost import forecast
        from handrail.wiring import retention_policy, store_price
        from handrail.wiring_costs import missing_price
        from handrail.workflows.prune import judge

        policy, price = retention_policy(project.config), store_price(project.config)
        judged = judge(kit, policy)
        schedule = _schedule(project.config, judged, every)
        found = forecast(judged.candidates, policy, schedule, judged.guarded, now=judged.now)
        output.lines(_going_on(schedule))
        rows = [
            (
                f"in {held.days} days" if held.days else "now",
                f"{held.backups}",
                size(held.size),
                price.text(held.size) if price else "no price is set",
            )
            for held in (found.now, *found.later)
        ]
        output.table(("when", "backups", "size", "a month"), rows)
        if price is None:
            output.lines(missing_price(project.config))
        output.document(Cost.of(found, price))


def _schedule(config: Config, judged: Judged, every: str) -> Schedule:
    """How backups go on: as the call says, else the configuration, else as they were made."""
    from handrail.retention.calendar import Schedule, usual_interval
    from handrail.retention.growth import growth_of

    target = judged.guarded.target
    own = [one for one in judged.candidates if one.target == target and not one.part]
    interval = _interval(every) or config.retention.every or usual_interval(own, target, judged.now)
    if interval is None:
        raise UsageError(
            "how often backups are made cannot be told",
            why="there are fewer than two of this database",
            hint=f'say it: --every 1d, or `every = "1d"` in {config.table("retention")}',
        )
    return Schedule(interval, growth_of(own, judged.now), target)


def _interval(every: str) -> timedelta | None:
    from handrail.config_retention import parse_age

    if not every:
        return None
    try:
        interval = parse_age(every)
    except ValueError as error:
        raise UsageError(f"--every {every} is no time", why=str(error), hint="--every 1d") from error
    if not interval:
        raise UsageError(f"--every {every} is no time", why="it is longer than nothing", hint="--every 1d")
    return interval


def _going_on(schedule: Schedule) -> str:
    from handrail.retention.policy import duration_text

    growth = schedule.growth
    if round(growth.per_day) == 0:
        change = "of the same size"
    else:
        change = f"{size(abs(growth.per_day))} a day {'larger' if growth.per_day > 0 else 'smaller'}"
    often = duration_text(schedule.every)
    return f"if a backup is made every {often.removeprefix('1 ')}, each {change}, and all are pruned:"
