"""Commands about enum columns: list, check, rename, convert."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from handrail.amounts import count
from handrail.cli.answering import answering
from handrail.cli.call import HERE, Env, Json, Root, looked, opened
from handrail.enums.states import Strategy
from handrail.errors import Drift

if TYPE_CHECKING:
    from handrail.enums.listing import EnumColumn, EnumValue
    from handrail.enums.states import EnumReading
    from handrail.wiring import Project

Column = Annotated[str, typer.Argument(help="TABLE.COLUMN; the column alone where no other has its name.")]
Message = Annotated[str, typer.Option("--message", "-m", help="What the revision does; else the call in words.")]
#: Columns of a table of values: widest text in each, so that a line fits a terminal of 80.
_WIDTHS = (20, 20, 16, 8, 8)


def list_enums(env: Env = None, root: Root = HERE, json: Json = False) -> None:
    """List the enum columns of the models, with their values in the database and the rows that hold each."""
    with answering("enum list", json) as output:
        reading = opened(root, env).migrator.enums()
        from handrail.cli.documents import EnumList
        from handrail.enums.listing import columns

        found = columns(reading)
        for place, column in enumerate(found):
            output.lines(*([""] if place else []), *_head(column))
            output.table(("  member", "stored", "label", "database", "rows"), [_row(value) for value in column.values])
        if not found:
            output.lines("the models have no enum column")
        output.document(EnumList(reading.engine, found))


def _head(column: EnumColumn) -> Iterator[str]:
    yield column.column
    holder = f" {column.holder}" if column.holder else ""
    default = f", default {column.default}" if column.default else ""
    there = "not there" if column.database is None else f"{column.database.value}{holder}{default}"
    for name, text in (("models", f"{column.strategy.value}, {column.enum or 'no class'}"), ("database", there)):
        yield from textwrap.wrap(f"  {name:<9} {text}", width=80, subsequent_indent=" " * 12)


def _row(value: EnumValue) -> tuple[str, ...]:
    allows = {True: "yes", False: "no", None: ""}[value.in_database]
    rows = "" if value.rows is None else str(value.rows)
    cells = (f"  {value.member or '-'}", value.text, value.label, allows, rows)
    return tuple(_clipped(cell, width) for cell, width in zip(cells, _WIDTHS, strict=True))


def _clipped(text: str, width: int) -> str:
    """The text in at most so many places of a terminal, and on one line."""
    from handrail.cli.output import width_of

    text = "".join(sign if sign.isprintable() else "�" for sign in text)
    if width_of(text) <= width:
        return text
    while width_of(text) > width - 1:
        text = text[:-1]
    return f"{text}…"


def check(env: Env = None, root: Root = HERE, json: Json = False) -> None:
    """Check that the database holds of enum columns what the models say. Exits 4 when it does not."""
    with answering("enum check", json) as output:
        project, facts = looked(root, env, "heads")
        from handrail.cli.documents import DriftDocument, EnumDrift
        from handrail.enums.drift import drifts

        reading = project.migrator.enums()
        found = drifts(reading)
        pending = tuple(revision.id for revision in (facts.path.revisions if facts.path else ()))
        documents = tuple(DriftDocument.of(drift) for drift in found)
        output.document(EnumDrift(pending, documents))
        for drift in found:
            output.lines(f"{drift.kind.value}: {drift.message}", f"  next: {drift.hint}")
        if not found:
            output.lines(f"{count(len(reading.models), 'enum column')}: models and database agree")
            return
        late = f"{count(len(pending), 'revision')} pending: {', '.join(pending)}" if pending else ""
        raise Drift(
            f"{count(len(found), 'difference')} in enum columns",
            why=late,
            hint="handrail upgrade, then the same command again" if pending else "as it says under each",
        )


def rename(
    column: Column,
    old: Annotated[str, typer.Argument(help="The text that rows hold.")],
    new: Annotated[str, typer.Argument(help="The text that the member is stored as now.")],
    message: Message = "",
    env: Env = None,
    root: Root = HERE,
    json: Json = False,
) -> None:
    """Write the revision that gives a value its new text. The class has it already; rows and type follow."""
    with answering("enum rename", json) as output:
        project, reading = _read(root, env)
        from handrail.cli.revising import write_and_review
        from handrail.enums.plan import Wishes
        from handrail.enums.wanted import check_rename, find
        from handrail.migrator.migrator import NewRevision
        from handrail.wiring import script_engines

        model = find(reading.models, column)
        notes = check_rename(reading, model, old, new)
        wishes = Wishes(script_engines(project.config), {old: new})
        said = message or f"rename {old} to {new} in {model.column}"
        write_and_review(output, project, NewRevision(said, autogenerate=True, enums=wishes), notes=notes)


def convert(
    column: Column,
    to: Annotated[Strategy, typer.Option("--to", help="How the database is to hold it.")],
    message: Message = "",
    env: Env = None,
    root: Root = HERE,
    json: Json = False,
) -> None:
    """Write the revision that holds a column in another way, and say what the model has to say then."""
    with answering("enum convert", json) as output:
        project, reading = _read(root, env)
        from handrail.cli.revising import write_and_review
        from handrail.enums.model_lines import converted, model_line
        from handrail.enums.plan import Wishes
        from handrail.enums.wanted import check_convert, find
        from handrail.migrator.migrator import NewRevision
        from handrail.wiring import script_engines

        model = find(reading.models, column)
        engines = script_engines(project.config)
        notes = check_convert(reading, model, to, engines or frozenset({reading.engine}))
        wishes = Wishes(engines, converts={model.column: to})
        said = message or f"hold {model.column} as {to.value}"
        line = model_line(converted(model, to))
        new = NewRevision(said, autogenerate=True, enums=wishes)
        write_and_review(output, project, new, notes=notes, model_line=line)


def _read(root: Path, env: str | None) -> tuple[Project, EnumReading]:
    project = opened(root, env)
    return project, project.migrator.enums()
