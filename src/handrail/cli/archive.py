"""Commands about the continuous archive: how it is, what to install, and keeping it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from handrail.amounts import size, span
from handrail.cli.answering import answering
from handrail.cli.call import HERE, Env, Json, Root, opened
from handrail.errors import UsageError
from handrail.pages import page

if TYPE_CHECKING:
    from collections.abc import Iterator

    from handrail.archives.archive import Instruction
    from handrail.backups.moments import ArchiveState
    from handrail.migrator.migrator import ProjectFacts
    from handrail.wiring import Project


def status(env: Env = None, root: Root = HERE, json: Json = False) -> None:
    """Show which moments can be restored. Exits 5 when the archive is sick, or too far behind the database."""
    with answering("archive status", json) as output:
        project = opened(root, env)
        from handrail.backups.moments import ArchiveError
        from handrail.cli.restore_documents import ArchiveDocument
        from handrail.wiring_archives import archived_address, open_archive, settings_of

        settings = settings_of(project.config)
        state = open_archive(project.config, archived_address(project)).state()
        faults = tuple(state.faults(settings.max_lag))
        output.lines(*_lines(state))
        output.document(ArchiveDocument(state, faults))
        if faults:
            raise ArchiveError(
                f"the archive of {project.config.name} needs a look",
                why="; ".join(faults),
                hint=f"{page('archives')} says what to do about each",
                code="HR569",
            )


def _lines(state: ArchiveState) -> Iterator[str]:
    yield f"kept by    {state.tool} {state.release}".rstrip()
    yield f"place      {state.place}{f', {size(state.size)}' if state.size is not None else ''}"
    yield f"moments    {state.window or 'none'}"
    if state.behind is not None:
        yield f"behind     {span(state.behind) if state.behind else 'nothing: all that was committed has arrived'}"
    yield from (f"problem    {problem}" for problem in state.problems)
    yield from (f"note       {remark}" for remark in state.remarks)


def setup(env: Env = None, root: Root = HERE, json: Json = False) -> None:
    """Print what to install so that the archive is kept. Nothing is changed, and there is no secret in it."""
    with answering("archive setup", json) as output:
        project = opened(root, env)
        from handrail.cli.restore_documents import Setup
        from handrail.wiring_archives import archived_address, open_archive

        instructions = open_archive(project.config, archived_address(project)).instructions()
        for number, one in enumerate(instructions, 1):
            output.lines(*_instruction(number, one))
        output.document(Setup(instructions))


def _instruction(number: int, one: Instruction) -> Iterator[str]:
    yield f"# {number}. {one.what}{f': {one.file}' if one.file else ''}"
    yield from one.text.splitlines()
    yield ""


def run(env: Env = None, root: Root = HERE, json: Json = False) -> None:
    """Keep the archive until a signal comes, which its tool is told; for a service, see setup."""
    with answering("archive run", json) as output:
        project, facts = _looked_once(root, env)
        from handrail.backups.moments import ArchiveError
        from handrail.cli.restore_documents import ArchiveEnded
        from handrail.wiring_archives import open_archive, settings_of

        if facts.database_missing:
            raise UsageError(f"{facts.address} is not there yet", hint="handrail upgrade creates it", code="HR567")
        archive = open_archive(project.config, facts.address)
        output.display.end()
        code = archive.run()
        if code:
            raise ArchiveError(
                f"{settings_of(project.config).tool} ended with {code}",
                why="its own words are above",
                hint="handrail archive status",
                code="HR569",
            )
        output.document(ArchiveEnded(str(settings_of(project.config).tool)))


def _looked_once(root: Path, env: str | None) -> tuple[Project, ProjectFacts]:
    """As `looked`, without leaving the process that forks children beside one that stays for months."""
    from handrail.cli.early import fork_server

    server = fork_server()
    try:
        project = opened(root, env, server)
        return project, project.migrator.describe(None)
    finally:
        if server is not None:
            server.close()
