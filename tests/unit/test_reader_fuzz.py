"""Whatever text a script holds: it is read, judged and repaired without an error, and within a second."""

from __future__ import annotations

import ast
import os
import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handrail.lint.engine import check, read_all
from handrail.lint.finding import apply_edits
from handrail.lint.rule import LintContext
from handrail.lint.suppression import read_ignores
from handrail.migrations.changes import Place
from handrail.migrations.identity import identify
from handrail.migrations.sql_changes import read_sql
from support.pace import cost

CORPUS = [path.read_text() for path in sorted((Path(__file__).parents[1] / "corpus").glob("*.py"))]
WORDS = (
    "op", "sa", "op.execute(", "op.add_column(", "batch", "with", "for", "in", "if", "return", "match", "def", "lambda",
    "(", ")", "[", "]", "{", "}", ",", ":", "=", "'", '"', '"""', "\n", "\n    ", "\n        ", "#", "\\", "f'{", "}'",
    "None", "True", "0", "1e400", "'users'", "sa.Column('a', sa.Integer)", "server_default=", "nullable=False",
    "op.get_bind()", ".dialect.name", "== 'postgresql'", "*", "**", "@", "->", "\x00", "\ufeff", "\u2028", "한글", "\x0c",
    "# handrail: ignore HR-DD101 -- x", "ALTER TABLE a ADD b int", "DROP", "UPDATE a SET", "$$", "--", "/*", ";", "%s",
)  # fmt: skip
SQL = (
    "ALTER", "TABLE", "TYPE", "ADD", "COLUMN", "DROP", "CREATE", "INDEX", "CONCURRENTLY", "UNIQUE", "ON", "ONLY", "IF", "NOT",
    "EXISTS", "NULL", "DEFAULT", "PRIMARY", "KEY", "REFERENCES", "CHECK", "CONSTRAINT", "FOREIGN", "USING", "WITH", "AS",
    "SELECT", "UPDATE", "SET", "DELETE", "FROM", "WHERE", "INSERT", "INTO", "VALUES", "TRUNCATE", "CASCADE", "VALIDATE",
    "RENAME", "TO", "LOCK", "VACUUM", "FULL", "REINDEX", "PRAGMA", "DO", "$$", "$a$", "'", '"', "E'", "--", "/*", "*/",
    "(", ")", ",", ";", ".", "::", "[", "]", "=", "1", "users", '"Big"', "'x'", ":name", "%", "\n", "\x00", "한글", "varchar(5)",
)  # fmt: skip


def survive(source: str) -> None:
    """Everything that lint does with a script."""
    revision = identify("versions/x.py", source)
    context = LintContext(read_all([revision]), is_path=False)
    read_ignores(source)
    for finding in check(context):
        if finding.edits:
            changed = apply_edits(source, finding.edits)
            ast.parse(changed)
            check(LintContext(read_all([identify("versions/x.py", changed)]), is_path=False))


def mutated(dice: random.Random) -> str:
    """A script of the corpus with a few words, lines or pieces changed, moved or doubled."""
    text = dice.choice(CORPUS)
    for _ in range(dice.randint(1, 6)):
        at, other = sorted((dice.randrange(len(text) + 1), dice.randrange(len(text) + 1)))
        match dice.randrange(6):
            case 0:
                text = text[:at] + dice.choice(WORDS) + text[at:]
            case 1:
                text = text[:at] + text[min(other, at + 20) :]
            case 2:
                text = text[:at] + text[at:other][:200] + text[at:]
            case 3:
                lines = text.split("\n")
                dice.shuffle(lines[: dice.randrange(len(lines)) + 1])
                text = "\n".join(lines)
            case 4:
                text = text[:at] + dice.choice(CORPUS)[: dice.randrange(400)] + text[at:]
            case _:
                text = text.replace(dice.choice(WORDS[:20]), dice.choice(WORDS))
        text = text[:20_000] or " "
    return text


class Grafting(ast.NodeTransformer):
    """Puts expressions and statements of other scripts in the place of some: what comes out is Python again."""

    def __init__(self, dice: random.Random) -> None:
        self.dice = dice

    def visit(self, node: ast.AST) -> ast.AST:
        if isinstance(node, ast.expr) and self.dice.random() < 0.03:
            return self.dice.choice(EXPRESSIONS)
        if isinstance(node, ast.FunctionDef | ast.With | ast.For | ast.If) and self.dice.random() < 0.3:
            place = self.dice.randrange(len(node.body) + 1)
            node.body = [*node.body[:place], self.dice.choice(STATEMENTS), *node.body[place:]]
            return node
        return self.generic_visit(node)


NODES = [node for text in CORPUS for node in ast.walk(ast.parse(text))]
EXPRESSIONS = [node for node in NODES if isinstance(node, ast.expr)]
STATEMENTS = [node for node in NODES if isinstance(node, ast.stmt) and not isinstance(node, ast.FunctionDef)]


def grafted(dice: random.Random) -> str:
    """A script of the corpus with parts of others in it."""
    tree = Grafting(dice).visit(ast.parse(dice.choice(CORPUS)))
    try:
        return ast.unparse(tree)[:20_000]
    except (ValueError, AttributeError, RecursionError):  # an expression that stands where none can
        return ""


@given(st.lists(st.sampled_from(WORDS), max_size=40).map(" ".join))
def test_words_in_any_order(body: str) -> None:
    survive(f"from alembic import op\nimport sqlalchemy as sa\n\ndef upgrade():\n    {body}\n")


@given(st.text(max_size=300))
def test_any_text(text: str) -> None:
    survive(text)


@given(st.lists(st.sampled_from(SQL), max_size=25).map(" ".join))
def test_sql_words_in_any_order(sql: str) -> None:
    read_sql(sql, Place("r", "x.py", 1))


@settings(max_examples=60)
@given(st.integers(0, 2**32), st.sampled_from([mutated, grafted]))
def test_changed_scripts(seed: int, change: Callable[[random.Random], str]) -> None:
    survive(change(random.Random(seed)))


@pytest.mark.long
def test_a_million_changed_scripts() -> None:
    """HANDRAIL_FUZZ says how many, HANDRAIL_SEED where to begin."""
    many, seed = int(os.environ.get("HANDRAIL_FUZZ", "1000000")), int(os.environ.get("HANDRAIL_SEED", "1"))
    slowest, began = 0.0, time.monotonic()
    for number in range(many):
        dice = random.Random(seed + number)
        text = (mutated if number % 2 else grafted)(dice)
        started = time.process_time()  # others may keep the machine busy
        try:
            survive(text)
            read_sql(" ".join(dice.choices(SQL, k=dice.randrange(20))), Place("r", "x.py", 1))
        except BaseException:
            print(f"seed {seed + number}:\n{text}")
            raise
        seconds = time.process_time() - started
        slowest = max(slowest, seconds)
        assert seconds < 1, f"seed {seed + number} took {seconds:.1f} s"
    print(f"{many} scripts in {time.monotonic() - began:.0f} s, the slowest took {slowest * 1000:.0f} ms; seed {seed}")


HEAD = "from alembic import op\nimport sqlalchemy as sa\n\n"
LOOPS = "".join("    " * (depth + 1) + f"for a{depth} in X:\n" for depth in range(6))
CRAFTED = {
    "loops in loops": f"X = {list(range(50))}\ndef upgrade():\n{LOOPS}{'    ' * 7}op.execute('SELECT 1')\n",
    "a list that doubles": "def upgrade():\n    x = ['a']\n" + "    x = x + x\n" * 40 + "    op.execute(x)\n",
    "a text that doubles": "def upgrade():\n    x = 'a'\n" + "    x = x + x\n" * 40 + "    op.execute(x)\n",
    "wide formats": "def upgrade():\n    op.execute('{:1000000000}'.format('a'))\n    op.execute('%1000000000d' % 3)\n",
    "helpers of helpers": "def h(n):\n    h(n)\n    h(n)\ndef upgrade():\n    h(1)\n",
    "a long sum": "def upgrade():\n    op.execute(" + " + ".join(["'a'"] * 600) + ")\n",
    "much SQL": "def upgrade():\n    op.execute('" + "UPDATE t SET a = 1; " * 20_000 + "')\n",
    "deep SQL": "def upgrade():\n    op.execute('WITH a AS " + "(WITH a AS " * 3_000 + "')\n",
    "a line that goes on": "def upgrade():\\\n    op.create_foreign_key('f', 'a', 'b', ['c'], ['id'])\n",
    "many branches": "def upgrade():\n" + "    if x:\n        return\n" * 3_000,
}


@pytest.mark.parametrize("name", CRAFTED)
def test_scripts_that_are_made_to_take_long(name: str) -> None:
    assert cost(lambda: survive(HEAD + CRAFTED[name]), times=1) < 70
