"""HR-PR111: SQLModel's own string type in a script, where SQLAlchemy's says the same."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence
from typing import ClassVar, Final

from handrail.lint.finding import Edit, Finding, Severity, source_line
from handrail.lint.repairs import over
from handrail.lint.rule import Case, Harm, LintContext
from handrail.lint.samples import HEAD, START
from handrail.lint.script_text import binds
from handrail.migrations.reading import ScriptReading
from handrail.migrations.values import call_name

_TYPE: Final = "AutoString"
_NAMES: Final = (ast.Name, ast.Attribute)
_SETUP = ("CREATE TABLE bookings (id integer PRIMARY KEY)", "INSERT INTO bookings VALUES (1), (2)")
_ADD = "    op.add_column('bookings', sa.Column('topic', {}(length=50)))\n"


class AutoStringInScript:
    code: ClassVar[str] = "HR-PR111"
    title: ClassVar[str] = "SQLModel's AutoString in a script"
    why: ClassVar[str] = (
        "Autogenerate names the type and does not import it, so the first upgrade ends in a NameError; and with the "
        "import every old revision needs SQLModel, and this type of it, for ever. In the database it is a VARCHAR, "
        "which sa.String says without it."
    )
    BAD: ClassVar[tuple[Case, ...]] = (
        Case(
            "as autogenerate writes it",
            {"add.py": START + _ADD.format("sqlmodel.sql.sqltypes.AutoString")},
            setup=_SETUP,
            harm=Harm("bookings", fails="name 'sqlmodel' is not defined"),
        ),
        Case(
            "with the import",
            {"import.py": "import sqlmodel.sql.sqltypes\n" + START + _ADD.format("sqlmodel.sql.sqltypes.AutoString")},
        ),
        Case(
            "by its name alone",
            {"name.py": "from sqlmodel import AutoString\n" + START + _ADD.format("AutoString")},
        ),
    )
    GOOD: ClassVar[tuple[Case, ...]] = (
        Case("SQLAlchemy's own", {"string.py": START + _ADD.format("sa.String")}, setup=_SETUP),
        Case(
            "a type of the script's own",
            {
                "own.py": HEAD
                + "class AutoString(sa.String):\n    pass\n\n\ndef upgrade():\n"
                + _ADD.format("AutoString")
            },
        ),
    )

    def check(self, context: LintContext) -> Iterable[Finding]:
        for script in context.scripts:
            if script.error is None and _TYPE in script.revision.source:
                yield from self._look(script)

    def _look(self, script: ScriptReading) -> Iterator[Finding]:
        source = script.revision.source
        module = ast.parse(source)
        names = _names(module)
        uses = [node for node in ast.walk(module) if isinstance(node, _NAMES) and _is_use(node, names)]
        if not uses:
            return
        first = min(uses, key=lambda node: (node.lineno, node.col_offset))
        root = _root(first)
        is_bound = binds(module, root) or root in _imported_inside(module)
        text = ast.unparse(first)
        message = f"{text} is SQLModel's, and sa.String is the same type" if is_bound else f"{text} is not imported"
        edits = _edits(source, module, uses)
        yield Finding(
            rule=self.code,
            severity=Severity.INFO if is_bound else Severity.ERROR,
            file=script.revision.path,
            line=first.lineno,
            column=first.col_offset,
            message=message,
            why=self.why,
            fix_hint="sa.String(…) with the same arguments, and no import of sqlmodel",
            edits=edits,
        )


def _names(module: ast.Module) -> frozenset[str]:
    """The names under which the script imports the type itself."""
    return frozenset(
        alias.asname or alias.name
        for node in ast.walk(module)
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "sqlmodel"
        for alias in node.names
        if alias.name == _TYPE
    )


def _is_use(node: ast.expr, names: frozenset[str]) -> bool:
    if isinstance(node, ast.Name):
        return node.id in names and isinstance(node.ctx, ast.Load)
    return isinstance(node, ast.Attribute) and node.attr == _TYPE and not ast.unparse(node).startswith("self.")


def _root(node: ast.expr) -> str:
    while isinstance(node, ast.Attribute):
        node = node.value
    return call_name(node)


def _imported_inside(module: ast.Module) -> set[str]:
    """Names that are imported within functions."""
    found = (node for node in ast.walk(module) if isinstance(node, ast.Import | ast.ImportFrom))
    return {(alias.asname or alias.name).partition(".")[0] for node in found for alias in node.names}


def _edits(source: str, module: ast.Module, uses: Sequence[ast.expr]) -> tuple[Edit, ...]:
    """Edits that write SQLAlchemy's type everywhere, and leave out an import that nothing needs then."""
    owner, added = _sqlalchemy(source, module)
    if not owner:
        return ()
    replaced = [over(node, f"{owner}.String") for node in uses]
    return (*added, *replaced, *_without_import(source, module, uses))


def _sqlalchemy(source: str, module: ast.Module) -> tuple[str, list[Edit]]:
    """What the script calls SQLAlchemy, and the edit that imports it where it does not; "" where neither is certain."""
    op = None
    for node in module.body:
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name == "sqlalchemy":
                    return alias.asname or alias.name, []
        elif isinstance(node, ast.ImportFrom) and node.module == "alembic" and node.lineno == node.end_lineno:
            op = node
    if op is None or binds(module, "sa"):
        return "", []
    end = (op.lineno, len(source_line(source, op.lineno).encode()))
    return "sa", [Edit(*end, *end, "\nimport sqlalchemy as sa")]


def _without_import(source: str, module: ast.Module, uses: Sequence[ast.expr]) -> Iterator[Edit]:
    """Takes out the lines of imports of sqlmodel whose name nothing uses any more."""
    replaced = {id(inner) for node in uses for inner in ast.walk(node)}
    used = {node.id for node in ast.walk(module) if isinstance(node, ast.Name) and id(node) not in replaced}
    for node in module.body:
        if isinstance(node, ast.Import | ast.ImportFrom) and _is_of_sqlmodel(node):
            names = {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
            if not names & {*used, "*"} and ";" not in source_line(source, node.lineno):
                yield Edit(node.lineno, 0, (node.end_lineno or node.lineno) + 1, 0, "")


def _is_of_sqlmodel(node: ast.Import | ast.ImportFrom) -> bool:
    found = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
    return {module.partition(".")[0] for module in found} == {"sqlmodel"}
