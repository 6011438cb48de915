"""A new script from end to end: written by Alembic, repaired, judged, and shown."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from handrail.cli.documents import Revised
from handrail.cli.reviewing import history, refuse, show_text, weights_of
from handrail.errors import LintRefused
from handrail.migrator.script_files import read_files, write_together
from handrail.workflows.lint_scripts import lint_files, nobody
from handrail.workflows.repair_scripts import Repairs, repair_all

if TYPE_CHECKING:
    from handrail.cli.confirming import Confirmation
    from handrail.cli.output import Output
    from handrail.migrator.migrator import NewRevision
    from handrail.wiring import Project


def write_and_review(
    output: Output,
    project: Project,
    new: NewRevision,
    *,
    fixes: bool = True,
    asking: Confirmation | None = None,
    notes: Sequence[str] = (),
    model_line: str = "",
) -> None:
    """Write it, and say what came of it. `asking` answers what a repair has to be confirmed by. `notes` are told beside
    it, `model_line` is what the model has to say then. Raises LintRefused when a finding of the environment's level
    remains; the script is there all the same."""
    config = project.config
    written = project.migrator.revise(new)
    paths = [Path(path) for path in written.paths]
    files = read_files(paths, config.root)
    settings, engines = weights_of(config, files)
    repairs = Repairs()
    if fixes:
        others = history(config)
        repairs = repair_all(files, others, settings, engines, enums=written.enums, confirm=asking or nobody)
    write_together(repairs.added, [(one.script, one.source) for one in repairs.changed])
    files = read_files([*paths, *(one.file for one in repairs.added)], config.root)
    gone = repairs.gone
    linted = lint_files(files, settings, engines, enums=written.enums)
    output.lines(*(f"wrote {file.revision.path}" for file in files))
    output.lines(*(f"server_default from the model: {text}" for text in written.filled))
    output.lines(*(f"left alone: {text}" for text in written.notes))
    output.lines(*(f"repaired {finding.rule} {finding.message}: {finding.fix_hint}" for finding in gone))
    output.lines(*(f"to write: {line}" for line in repairs.todo))
    output.lines(*(f"not repaired: {line}" for line in (asking.unanswered if asking is not None else ())))
    output.lines(*(f"note: {text}" for text in notes))
    output.lines(*([f"now in the model: {model_line}"] if model_line else []))
    if new.autogenerate and not any(reads_something(file.revision.source) for file in files):
        sys.stderr.write("models and database agree: the script changes nothing\n")
    show_text(output, linted.findings, linted.sources)
    scripts = tuple(file.revision.path for file in files)
    told = (*written.notes, *notes)
    output.document(Revised(scripts, written.filled, gone, linted.findings, told, repairs.todo, model_line))
    try:
        refuse(config, linted.findings)
    except LintRefused as error:
        error.hint = "write the script as the findings say, then: handrail lint --base HEAD"
        raise


def reads_something(source: str) -> bool:
    """Whether upgrade() asks for anything."""
    from handrail.migrations.identity import identify
    from handrail.migrations.reading import read_script

    return bool(read_script(identify("", source)).upgrade.changes)
