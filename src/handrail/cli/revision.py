"""`handrail revision`: Alembic's command, then repair, lint and the review shown: the whole checklist in one go."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from handrail.cli.answering import answering
from handrail.cli.call import HERE, Env, Json, Root, opened
from handrail.errors import LintRefused, UsageError


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
    env: Env = None,
    root: Root = HERE,
    json: Json = False,
) -> None:
    """Write a migration script, repair what can be for certain, and review it. Exits 3 when a finding remains."""
    with answering("revision", json) as output:
        from handrail.cli.documents import Revised
        from handrail.cli.reviewing import history, refuse, show_text
        from handrail.enums.plan import Wishes
        from handrail.migrator.migrator import NewRevision
        from handrail.migrator.script_files import read_files, write_together
        from handrail.wiring import engines_of, lint_settings, script_engines
        from handrail.workflows.lint_scripts import lint_files
        from handrail.workflows.repair_scripts import Repairs, repair_all

        project = opened(root, env)
        config = project.config
        pairs = _pairs("--rename", rename), _pairs("--map", mapped)
        wishes = Wishes(script_engines(config), *pairs, reorders=reorder)
        written = project.migrator.revise(NewRevision(message, autogenerate, head, rev_id, wishes))
        paths = [Path(path) for path in written.paths]
        files = read_files(paths, config.root)
        settings, engines = lint_settings(config), engines_of(config, [one.revision.source for one in files])
        repairs = Repairs() if no_fix else repair_all(files, history(config), settings, engines)
        write_together(repairs.added, [(one.script, one.source) for one in repairs.changed])
        files = read_files([*paths, *(one.file for one in repairs.added)], config.root)
        gone = repairs.gone
        linted = lint_files(files, settings, engines)
        output.lines(*(f"wrote {file.revision.path}" for file in files))
        output.lines(*(f"server_default from the model: {text}" for text in written.filled))
        output.lines(*(f"left alone: {text}" for text in written.notes))
        output.lines(*(f"repaired {finding.rule} {finding.message}: {finding.fix_hint}" for finding in gone))
        output.lines(*(f"to write: {line}" for line in repairs.todo))
        if autogenerate and not any(reads_something(file.revision.source) for file in files):
            sys.stderr.write("models and database agree: the script changes nothing\n")
        show_text(output, linted.findings, linted.sources)
        scripts = tuple(file.revision.path for file in files)
        output.document(Revised(scripts, written.filled, gone, linted.findings, written.notes, repairs.todo))
        try:
            refuse(config, linted.findings)
        except LintRefused as error:
            error.hint = "write the script as the findings say, then: handrail lint --base HEAD"
            raise


def _pairs(option: str, texts: list[str] | None) -> dict[str, str]:
    """The two texts of each OLD=NEW. Raises UsageError."""
    found = {}
    for text in texts or []:
        old, sign, new = text.partition("=")
        if not (old and sign and new):
            raise UsageError(f"{option} {text}: not understood", hint=f"{option} OLD=NEW, both as they are stored")
        found[old] = new
    return found


def reads_something(source: str) -> bool:
    """Whether upgrade() asks for anything."""
    from handrail.migrations.identity import identify
    from handrail.migrations.reading import read_script

    return bool(read_script(identify("", source)).upgrade.changes)
