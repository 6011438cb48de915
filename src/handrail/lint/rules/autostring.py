"""HR-PR108: SQLModel's own string type in a script, where SQLAlchemy's says the same."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from typing import ClassVar

from handrail.lint.finding import Edit, Finding, Severity, source_text
from handrail.lint.repairs import open_names, over
from handrail.lint.rule import Case, Harm, LintContext
from handrail.lint.samples import START
from handrail.migrations.reading import ScriptReading
from handrail.migrations.values import call_name

_SETUP = ("CREATE TABLE bookings (id integer PRIMARY KEY)",)
_ADD = "    op.add_column('bookings', sa.Column('topic', {}, nullable=True))\n"
_AUTO = "sqlmodel.sql.sqltypes.AutoString(length=50)"


class AutoStringInScript:
    code: ClassVar[str] = "HR-PR108"
    title: ClassVar[str] = "SQLModel's AutoString in a script"
    why: ClassVar[str] = (
        "Autogenerate names the type and does not import it, so the first upgrade ends in a NameError; and with the "
        "import every old revision needs SQLModel, and this type of it, for ever. In the database it is a VARCHAR, "
        "which sa.String says without it."
    )
    BAD: ClassVar[tuple[Case, ...]] = (
        Case(
            "as autogenerate writes it",
            {"auto.py": START + _ADD.format(_AUTO)},
            setup=_SETUP,
            harm=Harm(fails="name 'sqlmodel' is not defined"),
        ),
        Case(
            "with the import that makes it run",
            {"imported.py": "import sqlmodel\n" + START + _ADD.format("sqlmodel.AutoString()")},
        ),
        Case(
            "imported by name, twice",
            {
                "names.py": "from sqlmodel.sql.sqltypes import AutoString\n"
                + START
                + _ADD.format("AutoString(50)")
                + _ADD.format("AutoString").replace("topic", "subject")
            },
        ),
    )
    GOOD: ClassVar[tuple[Case, ...]] = (
        Case("SQLAlchemy's", {"string.py": START + _ADD.format("sa.String(length=50)")}, setup=_SETUP),
        Case("only spoken of", {"word.py": START + "    # was AutoString()\n" + _ADD.format("sa.String()")}),
    )

    def check(self, context: LintContext) -> Iterable[Finding]:
        for script in context.scripts:
            if script.error is None and "AutoString" in script.revision.source:
                yield from self._in_script(script)

    def _in_script(self, script: ScriptReading) -> Iterator[Finding]:
        source = script.revision.source
        module = ast.parse(source)
        found = list(_uses(module))
        if not found:
            return
        first = found[0]
        missing = open_names(source) & {_root(node) for node in found}
        what = f", and {min(missing)} is not imported: running it ends in a NameError" if missing else ""
        yield Finding(
            self.code,
            Severity.ERROR if what else Severity.INFO,
            script.revision.path,
            first.lineno,
            first.col_offset,
            f"uses SQLModel's AutoString{what}",
            self.why,
            _as_string(source, first),
            _edits(source, module, found),
        )


def _uses(module: ast.Module) -> Iterator[ast.expr]:
    """The expressions that stand for the type, called or not, in the order of the text."""
    called = set[int]()
    found: list[ast.expr] = []
    for node in ast.walk(module):
        if isinstance(node, ast.Call) and call_name(node) == "AutoString":
            called.add(id(node.func))
            found.append(node)
        elif isinstance(node, ast.Name | ast.Attribute) and call_name(node) == "AutoString" and id(node) not in called:
            found.append(node)
    yield from sorted(found, key=lambda node: (node.lineno, node.col_offset))


def _root(node: ast.expr) -> str:
    while not isinstance(node, ast.Name):
        node = node.func if isinstance(node, ast.Call) else node.value  # type: ignore[attr-defined] # a chain of names
    return node.id


def _as_string(source: str, node: ast.expr) -> str:
    inside: list[ast.expr | ast.keyword] = [*node.args, *node.keywords] if isinstance(node, ast.Call) else []
    return f"sa.String({', '.join(source_text(source, one) for one in inside)})"


def _edits(source: str, module: ast.Module, found: list[ast.expr]) -> tuple[Edit, ...]:
    """Every use is replaced, and an import that is not needed any more goes; () without `import sqlalchemy as sa`."""
    names = {alias.asname for one in module.body if isinstance(one, ast.Import) for alias in one.names}
    if "sa" not in names:
        return ()
    edits = [over(node, _as_string(source, node)) for node in found]
    return (*edits, *_unused_imports(module, found))


def _unused_imports(module: ast.Module, found: list[ast.expr]) -> Iterator[Edit]:
    inside = {id(part) for node in found for part in ast.walk(node)}
    used = {node.id for node in ast.walk(module) if isinstance(node, ast.Name) and id(node) not in inside}
    for statement in module.body:
        names = _imported(statement)
        if names and not names & used:
            yield Edit(statement.lineno, 0, (statement.end_lineno or 0) + 1, 0, "")


def _imported(statement: ast.stmt) -> set[str]:
    """The names that an import of SQLModel, and of nothing else, brings."""
    if isinstance(statement, ast.ImportFrom):
        is_ours = (statement.module or "").partition(".")[0] == "sqlmodel"
        return {alias.asname or alias.name for alias in statement.names} if is_ours else set()
    if isinstance(statement, ast.Import):
        roots = {alias.name.partition(".")[0] for alias in statement.names}
        return (
            {alias.asname or alias.name.partition(".")[0] for alias in statement.names}
            if roots == {"sqlmodel"}
            else set()
        )
    return set()
