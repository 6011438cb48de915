"""What `handrail lint` does: scripts chosen, judged and shown. Typer is not needed for it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from handrail.amounts import count
from handrail.cli.answering import answering
from handrail.cli.output import Output
from handrail.errors import LintRefused, UsageError

if TYPE_CHECKING:
    from handrail.cli.confirming import Confirmation
    from handrail.config import Config
    from handrail.facts import DatabaseFacts
    from handrail.lint.finding import Finding
    from handrail.lint.settings import LintSettings
    from handrail.migrator.script_files import ScriptFile
    from handrail.workflows.repair_scripts import Repairs


class Format(StrEnum):
    TEXT = "text"
    JSON = "json"
    SARIF = "sarif"
    GITHUB = "github"
    GITLAB = "gitlab"
    MARKDOWN = "markdown"


@dataclass(frozen=True, slots=True)
class Asked:
    """What a call of `handrail lint` asks for, by the names of its options; without options the defaults hold."""

    what: tuple[str, ...] = ()
    pending: bool = False
    base: str | None = None
    fix: bool = False
    diff: bool = False
    live: bool = False
    rehearse: bool = False
    explain: str | None = None
    form: Format = Format.TEXT
    confirm: tuple[str, ...] = ()
    env: str | None = None
    root: Path = Path()
    json: bool = False


def review(asked: Asked) -> None:
    """One call of `handrail lint`. Raises SystemExit where it ends with another exit code than 0."""
    with answering("lint", asked.json) as output:
        if asked.explain is not None:
            _explain(output, asked.explain)
            return
        if asked.confirm and not (asked.fix or asked.diff):
            raise UsageError("--confirm goes with --fix or --diff", hint="handrail lint --fix --confirm HR-DL103")
        from handrail.wiring import read_config

        config = read_config(asked.root, asked.env)
        if asked.pending or asked.live or asked.rehearse:
            if asked.what or asked.base or (asked.rehearse and (asked.fix or asked.diff)):
                alone = "--pending, --live and --rehearse go without files and --base"
                raise UsageError(f"{alone}, --rehearse also without --fix and --diff")
            pending = _Pending(output, asked)
            if asked.diff:
                _show_repairs(output, pending.repairs(), "handrail lint --live --fix")
                return
            if asked.fix:
                write(pending.repairs())
                pending = _Pending(output, asked)
            findings, sources = pending.findings()
        else:
            files = _chosen(config, asked.what, asked.base)
            is_whole = not asked.what and asked.base is None and config.lint.since is None
            if asked.diff:
                _show_diff(output, config, files, asked.confirm)
                return
            confirm = _asking(output, asked.confirm) if asked.fix else None
            findings, sources = _lint_files(config, files, confirm=confirm, is_whole=is_whole)
        _show(output, findings, sources, asked.form)
        refuse(config, findings)


def _chosen(config: Config, what: Sequence[str], base: str | None) -> tuple[ScriptFile, ...]:
    """The script files that were asked for."""
    from handrail.lint.settings import after
    from handrail.migrator.script_files import read_files, version_folders

    paths = [Path(name) for name in what if _is_path(name)]
    wanted = {name for name in what if Path(name) not in paths}
    if paths and not wanted and base is None:
        return read_files(paths, config.root)
    every = read_files(version_folders(config.root, config.alembic_ini, config.section), config.root)
    if wanted:
        found = tuple(one for one in every if any(one.revision.id.startswith(name) for name in wanted))
        missing = [name for name in wanted if not any(one.revision.id.startswith(name) for one in every)]
        if missing:
            raise UsageError(f"no script has the revision {missing[0]}", hint="handrail history")
        return (*read_files(paths, config.root), *found)
    if base is not None:
        from handrail.wiring import changed_since

        changed = changed_since(config.root, base)
        return tuple(one for one in every if one.file.resolve() in changed)
    try:
        kept = {script.path for script in after([one.revision for one in every], config.lint.since)}
    except KeyError:
        raise UsageError(
            f"no script has the revision {config.lint.since}", why="`lint.since` names it", hint="correct it there"
        ) from None
    return tuple(one for one in every if one.problem or one.revision.path in kept)


def _is_path(name: str) -> bool:
    return os.sep in name or name.endswith(".py") or Path(name).exists() or Path(name).is_symlink()


def _asking(output: Output, codes: Sequence[str]) -> Confirmation:
    """A person on a terminal is asked about what --fix would do only then."""
    from handrail.cli.call import asker
    from handrail.cli.confirming import confirmation

    return confirmation(codes, asker(output, yes=False), "handrail lint --fix")


def _lint_files(
    config: Config, files: tuple[ScriptFile, ...], *, confirm: Confirmation | None, is_whole: bool
) -> tuple[tuple[Finding, ...], dict[str, str]]:
    """The findings, after what can be repaired was; with `confirm` None nothing is."""
    from handrail.migrator.script_files import read_files
    from handrail.workflows.lint_scripts import lint_files
    from handrail.workflows.repair_scripts import repair_all

    weights = weights_of(config, files)
    if confirm is not None:
        repairs = repair_all(files, history(config), *weights, confirm=confirm)
        write(repairs)
        sys.stderr.writelines(f"not repaired: {line}\n" for line in confirm.unanswered)
        files = read_files([*(one.file for one in files), *(one.file for one in repairs.added)], config.root)
    linted = lint_files(files, *weights, is_whole=is_whole)
    return linted.findings, linted.sources


def history(config: Config) -> tuple[ScriptFile, ...]:
    """All scripts of the project; none where nothing says in which folder they are."""
    from handrail.errors import ProjectError
    from handrail.migrator.script_files import read_files, version_folders

    try:
        return read_files(version_folders(config.root, config.alembic_ini, config.section), config.root)
    except ProjectError:
        return ()


def write(repairs: Repairs) -> None:
    """Write what was repaired, all or nothing, and say so on stderr."""
    from handrail.migrator.script_files import write_together

    write_together(repairs.added, [(one.script, one.source) for one in repairs.changed])
    sys.stderr.writelines(f"{line}\n" for line in told(repairs))


def told(repairs: Repairs) -> Iterator[str]:
    """What was repaired, and what a person has to do for it."""
    yield from (f"repaired {gone.file}:{gone.line} {gone.rule} {gone.message}" for gone in repairs.gone)
    yield from (f"wrote {one.revision.path}" for one in repairs.added)
    yield from (f"follows another revision now: {one.script.revision.path}" for one in repairs.changed if not one.gone)
    yield from (f"to write: {line}" for line in repairs.todo)
    yield from (f"not repaired: {line}" for line in repairs.left)


def weights_of(config: Config, files: tuple[ScriptFile, ...]) -> tuple[LintSettings, frozenset[str]]:
    """The project's weights of rules, and the engines that its scripts are judged for."""
    from handrail.wiring import engines_of, lint_settings

    return lint_settings(config), engines_of(config, [one.revision.source for one in files])


def _show_diff(output: Output, config: Config, files: tuple[ScriptFile, ...], codes: Sequence[str]) -> None:
    """What --fix would change, and nothing else on stdout; exits 3 when there is something."""
    from handrail.cli.confirming import confirmation
    from handrail.workflows.repair_scripts import repair_all

    confirm = confirmation(codes, None, "handrail lint --fix")
    command = " ".join(["handrail lint --fix", *(f"--confirm {code}" for code in sorted(confirm.codes))])
    _show_repairs(output, repair_all(files, history(config), *weights_of(config, files), confirm=confirm), command)


def _show_repairs(output: Output, repairs: Repairs, command: str) -> None:
    for one in repairs.changed:
        path = one.script.revision.path
        output.lines(_diff(f"a/{path}", f"b/{path}", one.script.revision.source, one.source).removesuffix("\n"))
    for new in repairs.added:
        output.lines(_diff("/dev/null", f"b/{new.revision.path}", "", new.source).removesuffix("\n"))
    sys.stderr.writelines(f"not repaired: {line}\n" for line in repairs.left)
    if repairs.changed:
        raise LintRefused(f"{count(len(repairs.gone), 'finding')} can be repaired", hint=command)


def _diff(old: str, new: str, before: str, after: str) -> str:
    from difflib import unified_diff

    lines = unified_diff(before.splitlines(keepends=True), after.splitlines(keepends=True), old, new)
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)


class _Pending:
    """The pending scripts, judged by what the database's catalog says of their tables, and by a rehearsal."""

    def __init__(self, output: Output, asked: Asked) -> None:
        from handrail.cli.call import equipped
        from handrail.wiring import lint_settings

        self.output, self.asked = output, asked
        project, self.project, self.kit = equipped(asked.root, asked.env, "head")
        self.config, self.settings = project.config, lint_settings(project.config)
        if self.project.path is None:
            raise UsageError("there is no way to head", hint="handrail history")
        self.path = self.project.path

    @property
    def facts(self) -> DatabaseFacts | None:
        exists = not self.project.database_missing and self.kit.database.exists()
        return self.kit.database.facts() if exists else None

    def findings(self) -> tuple[tuple[Finding, ...], dict[str, str]]:
        from handrail.workflows.lint_path import lint_path, lint_rehearsed

        sources = {script.path: script.source for script in self.path.revisions}
        database = self.kit.database
        if self.asked.rehearse and not self.path.is_empty:
            from handrail.cli.running import rehearsed_on_copy

            _, rehearsal, _ = rehearsed_on_copy(self.output, self.kit, self.project, self.path)
            return lint_rehearsed(self.project, self.path, database, rehearsal.report.runs, self.settings), sources
        return lint_path(self.project, self.path, database, self.facts, self.settings), sources

    def repairs(self) -> Repairs:
        """What can be repaired in them, for all engines that the project's scripts run on."""
        from handrail.workflows.lint_path import judge_path
        from handrail.workflows.repair_scripts import repair_all

        files = history(self.config)
        pending = {script.id for script in self.path.revisions}
        chosen = [one for one in files if one.revision.id in pending]
        judged = judge_path(self.project, self.path, self.kit.database, self.facts, self.settings)
        return repair_all(chosen, files, *weights_of(self.config, files), judged=judged)


def _show(output: Output, findings: tuple[Finding, ...], sources: dict[str, str], form: Format) -> None:
    from handrail import __version__
    from handrail.lint.reports import FORMATS, as_sarif
    from handrail.lint.rules import RULES

    if output.as_json:
        from handrail.cli.documents import Reviewed

        output.document(Reviewed(findings))
        return
    if form is Format.TEXT:
        show_text(output, findings, sources)
    elif form is Format.SARIF:
        output.lines(as_sarif(findings, sources, rules=RULES, version=__version__))
    else:
        output.lines(FORMATS[form.value](findings, sources))


def show_text(output: Output, findings: tuple[Finding, ...], sources: Mapping[str, str]) -> None:
    """The findings for a reader, and how many there are."""
    from handrail.lint.reports import as_text, summary

    if findings:
        output.lines(as_text(findings, sources), "")
    output.lines(summary(findings, len(sources)))


def refuse(config: Config, findings: tuple[Finding, ...]) -> None:
    """Raise LintRefused when a finding of the environment's level remains."""
    from handrail.lint.finding import remaining

    level = config.settings.lint.value
    stops = remaining(findings, level)
    if stops:
        is_repairable = any(one.is_repairable for one in stops)
        first = "handrail lint --fix repairs some of it" if is_repairable else "write the scripts as the findings say"
        raise LintRefused(
            f"{count(len(stops), 'finding')} of level {level} or worse",
            why=f"`lint` of the environment {config.name} is {level}",
            hint=f"{first}; # handrail: ignore CODE -- reason sets a finding aside",
        )


def _explain(output: Output, code: str) -> None:
    from handrail.lint.rules import RULES

    rule = next((rule for rule in RULES if rule.code == code.upper()), None)
    if rule is None:
        known = ", ".join(sorted(rule.code for rule in RULES))
        raise UsageError(f"there is no rule {code}", why=f"the rules there are: {known}")
    engines = " and ".join(sorted(getattr(rule, "engines", ())))
    output.lines(f"{rule.code} {rule.title}", *([f"on {engines}"] if engines else []), "", rule.why, "")
    for word, cases in (("caught", rule.BAD), ("passes", rule.GOOD)):
        for case in cases:
            output.lines(f"{word}: {case.title}")
            for source in case.sources.values():
                output.lines(*(f"    {line}" for line in source.splitlines()), "")
