"""What the reader tells of a script beside its changes: imports, refusals, the SQL of written rows, who commits."""

from __future__ import annotations

from handrail.facts import TableName
from handrail.migrations.changes import Command, WriteRows
from handrail.migrations.imports import Import
from handrail.migrations.reading import read_script
from unit.building import revision, script


def test_imports_anywhere_in_the_script() -> None:
    source = (
        "import alembic.op\nfrom app.models import User\nfrom typing import TYPE_CHECKING\n\n"
        "if TYPE_CHECKING:\n    from app.types import Only\n\n\n"
        "def upgrade():\n    from . import helpers\n    from ..models import Room\n"
    )
    assert read_script(revision(source)).imports == (
        Import("alembic.op", 1),
        Import("app.models", 2),
        Import("typing", 3),
        Import(".", 10, 4),
        Import("..models", 11, 4),
    )


def test_a_function_that_refuses() -> None:
    refusing = read_script(script("    pass", down="    raise NotImplementedError\n"))
    assert (refusing.upgrade.refuses, refusing.downgrade.refuses) == (False, True)
    maybe = read_script(script("    pass", down="    if not True:\n        raise NotImplementedError\n"))
    assert not maybe.downgrade.refuses


def test_written_rows_keep_their_sql() -> None:
    (row,) = read_script(script("    op.execute('update t set a=1 where a is null')")).upgrade.changes
    assert isinstance(row, WriteRows)
    assert row.sql == "update t set a = 1 where a is null"


def test_who_commits() -> None:
    body = (
        "    bind = op.get_bind()\n    session = sa.orm.Session(bind=bind)\n"
        "    session.commit()\n    bind.commit()\n    op.execute('COMMIT')"
    )
    found = read_script(script(body)).upgrade.changes
    assert [(one.words, one.sql) for one in found if isinstance(one, Command)] == [
        ("COMMIT", "sa.orm.Session(bind=bind).commit()"),
        ("COMMIT", "op.get_bind().commit()"),
        ("COMMIT", "COMMIT"),
    ]


def test_the_body_of_a_trigger_does_nothing_by_itself() -> None:
    body = (
        '    op.execute("""CREATE TRIGGER keep BEFORE UPDATE ON t BEGIN\n'
        "        SELECT CASE WHEN NEW.a = 1 THEN RAISE(ABORT, 'no') END;\n        DELETE FROM log;\n    END;\n"
        '    DELETE FROM other;""")'
    )
    found = read_script(script(body)).upgrade.changes
    assert [(type(one).__name__, getattr(one, "table", None)) for one in found] == [
        ("Command", TableName("t")),
        ("WriteRows", TableName("other")),
    ]
