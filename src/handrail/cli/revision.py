"""`handrail revision`: Alembic's command, then repair, lint and the review shown: the whole checklist in one go."""

from __future__ import annotations

from typing import Annotated

import typer

from handrail.cli.answering import answering
from handrail.cli.call import HERE, Env, Json, Root, asker, opened
from handrail.errors import UsageError


def revision(  # noqa: PLR0913, PLR0917 - its options
    message: Annotated[str, typer.Option("--message", "-m", help="What the revision does.")] = "",
    autogenerate: Annotated[
        bool, typer.Option("--autogenerate", help="Write it from what models and database differ in.")
    ] = False,
    head: Annotated[str, typer.Option("--head", help="What it follows, where there are several heads.")] = "",
    rev_id: Annotated[str, typer.Option("--rev-id", help="Its id; else one of Alembic's.")] = "",
    rename: Annotated[
        list[str] | None,
        typer.Option("--rename", help="OLD=NEW: a value of an enum column has another text now; never guessed."),
    ] = None,
    mapped: Annotated[
        list[str] | None, typer.Option("--map", help="GONE=KEPT: rows with a value that goes away get this one.")
    ] = None,
    reorder: Annotated[
        bool, typer.Option("--reorder", help="Put the order of a PostgreSQL enum type right; writes its tables anew.")
    ] = False,
    no_fix: Annotated[bool, typer.Option("--no-fix", help="Leave the script as Alembic writes it.")] = False,
    confirm: Annotated[
        list[str] | None,
        typer.Option("--confirm", help="Answer yes to what this rule asks before it repairs (HR-DL103: a rename)."),
    ] = None,
    env: Env = None,
    root: Root = HERE,
    json: Json = False,
) -> None:
    """Write a migration script, repair what can be for certain, and review it. Exits 3 when a finding remains."""
    with answering("revision", json) as output:
        from handrail.cli.confirming import confirmation
        from handrail.cli.revising import write_and_review
        from handrail.enums.plan import Wishes
        from handrail.migrator.migrator import NewRevision
        from handrail.wiring import script_engines

        project = opened(root, env)
        asking = confirmation(confirm or (), asker(output, yes=False), "handrail lint --fix")
        pairs = _pairs("--rename", rename), _pairs("--map", mapped)
        wishes = Wishes(script_engines(project.config), *pairs, reorders=reorder)
        new = NewRevision(message, autogenerate, head, rev_id, wishes)
        write_and_review(output, project, new, fixes=not no_fix, asking=asking)


def _pairs(option: str, texts: list[str] | None) -> dict[str, str]:
    """The two texts of each OLD=NEW. Raises UsageError."""
    found = {}
    for text in texts or []:
        old, sign, new = text.partition("=")
        if not (old and sign and new):
            raise UsageError(f"{option} {text}: not understood", hint=f"{option} OLD=NEW, both as they are stored")
        found[old] = new
    return found
