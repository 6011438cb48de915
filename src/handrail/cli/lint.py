"""The options of `handrail lint`: findings about migration scripts, in the form that people, editors and code hosts
read; repairs."""

from __future__ import annotations

from typing import Annotated

import typer

from handrail.cli.call import HERE, Env, Json, Root
from handrail.cli.reviewing import Asked, Format, review


def lint(  # noqa: PLR0913, PLR0917 - its options
    what: Annotated[
        list[str] | None, typer.Argument(help="Files, folders or revisions; else every script of the project.")
    ] = None,
    pending: Annotated[bool, typer.Option("--pending", help="Those not yet applied to the database.")] = False,
    base: Annotated[
        str | None, typer.Option("--base", help="Those that are new or changed since this git commit (origin/main).")
    ] = None,
    fix: Annotated[
        bool, typer.Option("--fix", help="Repair what can be repaired for certain, in the files and by new revisions.")
    ] = False,
    diff: Annotated[bool, typer.Option("--diff", help="Show what --fix would change.")] = False,
    live: Annotated[bool, typer.Option("--live", help="Look at the database too: sizes, types, counts.")] = False,
    rehearse: Annotated[
        bool, typer.Option("--rehearse", help="Run the pending ones on a copy too, and judge every statement.")
    ] = False,
    explain: Annotated[str | None, typer.Option("--explain", help="Say what a rule is about, and stop.")] = None,
    form: Annotated[Format, typer.Option("--format", help="How findings are written.")] = Format.TEXT,
    confirm: Annotated[
        list[str] | None,
        typer.Option("--confirm", help="Answer yes to what this rule asks before it repairs (HR-DL103: a rename)."),
    ] = None,
    env: Env = None,
    root: Root = HERE,
    json: Json = False,
) -> None:
    """Review migration scripts without running them. Exits 3 when a finding of the environment's level remains."""
    files, confirmed = tuple(what or ()), tuple(confirm or ())
    review(Asked(files, pending, base, fix, diff, live, rehearse, explain, form, confirmed, env, root, json))
