"""The command that tells two backups apart."""

from __future__ import annotations

from typing import Annotated

import typer

from handrail.cli.answering import answering
from handrail.cli.call import HERE, Env, IdentityFile, Json, Root, equipped

_WHICH = "A backup's id or its beginning, latest, or verified."


def diff(
    first: Annotated[str, typer.Argument(help=_WHICH)],
    second: Annotated[str, typer.Argument(help=_WHICH)] = "latest",
    identity: IdentityFile = None,
    env: Env = None,
    root: Root = HERE,
    json: Json = False,
) -> None:
    """Tell what differs from one backup to another. Schema, rows, sequences, revisions; nothing is restored."""
    with answering("backup diff", json) as output:
        _, _, kit = equipped(root, env, identity=identity)
        from handrail.backups.catalog import choose
        from handrail.backups.difference import compare_backups
        from handrail.workflows.catalog import read_catalog, whole
        from handrail.workflows.sealing import unsealed_here

        catalog = read_catalog(kit)
        chosen = [choose(catalog.records, which) for which in (first, second)]
        old, new = (unsealed_here(kit, whole(kit, one, catalog.places[one.id])) for one in chosen)
        found = compare_backups(old, new)
        output.lines(
            f"from {old.id} ({old.created_at:%Y-%m-%d %H:%M} UTC) to {new.id} ({new.created_at:%Y-%m-%d %H:%M} UTC):",
            *(["nothing differs"] if found.is_empty else []),
            *found.lines,
        )
        output.document(found)
