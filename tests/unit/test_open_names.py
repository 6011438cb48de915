"""Edits never leave a script that names what it does not have."""

from __future__ import annotations

import pytest

from handrail.lint.repairs import op_name, open_names


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import sqlalchemy as sa\nsa.text(op)", {"op"}),
        ("from alembic import op as o\no.execute(x)\n", {"x"}),
        ("import alembic.op\nalembic.op.execute('')\n", set()),
        ("def f(a, *b, **c):\n    return [d for d in a if b or c]\n", set()),
        ("try:\n    pass\nexcept ValueError as error:\n    print(error, __file__)\n", set()),
        ("match x:\n    case [a, *b] | {'k': a, **b}:\n        print(a, b)\n", {"x"}),
        ("from tools import *\nanything()\n", set()),
        ("class A:\n    pass\nA(B)\n", {"B"}),
    ],
)
def test_names_that_nothing_binds(source: str, expected: set[str]) -> None:
    assert open_names(source) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("from alembic import op\n", "op"),
        ("from alembic import context, op as o\n", "o"),
        ("import alembic.op\n", "alembic.op"),
        ("import alembic.op as operations\n", "operations"),
        ("import sqlalchemy\n", "op"),
    ],
)
def test_what_a_script_calls_the_operations(source: str, expected: str) -> None:
    assert op_name(source) == expected
