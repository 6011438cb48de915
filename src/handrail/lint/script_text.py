"""How a script writes: its quotes and indentation, and the names that mean the same in every function of it."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from handrail.lint.finding import source_line, source_text
from handrail.lint.repairs import one_line, op_name
from handrail.migrations.values import call_name


@dataclass(frozen=True, slots=True)
class ScriptText:
    """`op` is what the script calls alembic.op, `names` are those bound at its top and nowhere else, `has_sa`:
    SQLAlchemy is one of them as `sa`."""

    source: str
    module: ast.Module
    op: str
    names: frozenset[str]
    has_sa: bool
    has_double_quotes: bool

    @classmethod
    def of(cls, source: str) -> ScriptText:
        module = ast.parse(source)
        top = frozenset(_bound(module.body))
        inner = {name for one in module.body if isinstance(one, ast.FunctionDef) for name in _inside(one)}
        imported = {
            alias.asname
            for one in module.body
            if isinstance(one, ast.Import)
            for alias in one.names
            if alias.name == "sqlalchemy"
        }
        has_double_quotes = source.count('("') + source.count(' "') > source.count("('") + source.count(" '")
        return cls(source, module, op_name(source), top - inner, "sa" in imported, has_double_quotes)

    def function(self, name: str) -> ast.FunctionDef | None:
        """The function of this name at the top."""
        found = [one for one in self.module.body if isinstance(one, ast.FunctionDef) and one.name == name]
        return found[-1] if found else None

    def quoted(self, text: str) -> str:
        """The text as a literal, in the quotes that the script uses."""
        plain = repr(text)
        is_simple = plain[0] == "'" and '"' not in plain and "\\" not in plain
        return f'"{text}"' if is_simple and self.has_double_quotes else plain

    def text_of(self, node: ast.expr | None) -> str | None:
        """An expression's own text on one line; None when it does not mean the same elsewhere in the script."""
        if node is None:
            return None
        used = {inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)}
        has_long_text = any(
            isinstance(inner, ast.Constant | ast.JoinedStr) and inner.lineno != inner.end_lineno
            for inner in ast.walk(node)
        )
        if not used <= self.names or has_long_text:
            return None
        segment = source_text(self.source, node)
        return ast.unparse(node) if "#" in segment else one_line(segment)

    def object_name(self, call: ast.Call | None, name: str, *, is_sql: bool = False) -> str:
        """The name of an index or constraint. `op.f(…)` keeps Alembic from putting a naming convention over it, and
        has to be there on both ways or on neither."""
        first = call.args[0] if call is not None and call.args else None
        for word in call.keywords if call is not None else ():
            first = word.value if word.arg in {"index_name", "constraint_name"} else first
        is_final = is_sql or (isinstance(first, ast.Call) and call_name(first) == "f")
        return f"{self.op}.f({self.quoted(name)})" if is_final else self.quoted(name)

    def is_named_elsewhere(self, call: ast.Call | None, name: str) -> bool:
        """Whether a name is the text of an expression (`Model.__tablename__`), not what it stands for."""
        nodes = ast.walk(call) if call is not None else ()
        return any(
            isinstance(node, ast.Attribute | ast.JoinedStr | ast.Name) and ast.unparse(node) == name for node in nodes
        )

    def indent_of(self, statement: ast.stmt) -> str | None:
        """What stands before a statement on its line; None when that is more than blanks."""
        before = source_line(self.source, statement.lineno).encode()[: statement.col_offset].decode()
        return None if before.strip() else before


def _bound(body: list[ast.stmt]) -> set[str]:
    """The names that statements bind, not those within functions and classes."""
    found: set[str] = set()
    for one in body:
        if isinstance(one, ast.Import | ast.ImportFrom):
            found |= {(alias.asname or alias.name).partition(".")[0] for alias in one.names}
        elif isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(one.name)
        else:
            found |= {
                node.id for node in ast.walk(one) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
            }
            found |= {
                (alias.asname or alias.name).partition(".")[0]
                for node in ast.walk(one)
                if isinstance(node, ast.Import | ast.ImportFrom)
                for alias in node.names
            }
            found |= {node.name for node in ast.walk(one) if isinstance(node, ast.FunctionDef)}
    return found


def _inside(function: ast.FunctionDef) -> set[str]:
    """The names that a function binds for itself."""
    found = {node.id for node in ast.walk(function) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    return found | {node.arg for node in ast.walk(function) if isinstance(node, ast.arg)} | _bound(function.body)


def binds(module: ast.Module, name: str) -> bool:
    """Whether anything at the top of the script gives the name a meaning."""
    return name in _bound(module.body)
