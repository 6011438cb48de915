"""HR-PR111's edits: SQLAlchemy's type in place of SQLModel's, the imports that this asks for, every other byte as it was."""

from __future__ import annotations

import pytest

from handrail.lint.engine import check
from handrail.lint.finding import Finding, Severity, apply_edits
from handrail.lint.rule import LintContext
from handrail.lint.rules.autostring import AutoStringInScript
from handrail.migrations.reading import read_script
from unit.building import revision

OP, SA = "from alembic import op\n", "import sqlalchemy as sa\n"
LONG = "sqlmodel.sql.sqltypes.AutoString"


def found(source: str) -> tuple[Finding, ...]:
    return check(LintContext((read_script(revision(source)),)), [AutoStringInScript()])


def body(*types: str) -> str:
    return "\n\ndef upgrade():\n" + "".join(f"    op.add_column('t', sa.Column('값', {one}))\n" for one in types)


REPAIRED = [
    (OP + SA + body(f"{LONG}(length=50)", f"{LONG}()"), OP + SA + body("sa.String(length=50)", "sa.String()")),
    (OP + SA + body(LONG), OP + SA + body("sa.String")),
    (OP + SA + "import sqlmodel  # added by hand\n" + body(f"{LONG}()"), OP + SA + body("sa.String()")),
    (OP + SA + "import sqlmodel.sql.sqltypes\n" + body(f"{LONG}()"), OP + SA + body("sa.String()")),
    (OP + SA + "import sqlmodel as sm\n" + body("sm.AutoString(20)"), OP + SA + body("sa.String(20)")),
    (OP + SA + "from sqlmodel import AutoString\n" + body("AutoString(20)"), OP + SA + body("sa.String(20)")),
    (OP + SA + "from sqlmodel import AutoString, SQLModel\n" + body("AutoString(20)"), OP + SA + body("sa.String(20)")),
    (OP + "import sqlalchemy\n" + body(f"{LONG}()"), OP + "import sqlalchemy\n" + body("sqlalchemy.String()")),
    (OP + "import sqlmodel\n" + body(f"{LONG}()"), OP + SA + body("sa.String()")),
    (OP + SA + "import sqlmodel\n" + body(f"{LONG}()", "sqlmodel.sql.sqltypes.GUID()"),
     OP + SA + "import sqlmodel\n" + body("sa.String()", "sqlmodel.sql.sqltypes.GUID()")),
    (OP + SA + "import os, sqlmodel\n" + body(f"{LONG}()"), OP + SA + "import os, sqlmodel\n" + body("sa.String()")),
]  # fmt: skip


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
@pytest.mark.parametrize(("before", "after"), REPAIRED)
def test_the_type_is_replaced_everywhere(before: str, after: str, ends: str) -> None:
    before, after = before.replace("\n", ends), after.replace("\n", ends)
    (finding,) = found(before)
    assert finding.is_repairable
    assert apply_edits(before, finding.edits) == after
    assert found(after) == ()


def test_what_is_said() -> None:
    source = OP + SA + body(f"{LONG}(length=50)")
    hint = "sa.String(…) with the same arguments, and no import of sqlmodel"
    place = ("versions/x.py", 6, 40)
    wanted = Finding("HR-PR111", Severity.ERROR, *place, f"{LONG} is not imported", AutoStringInScript.why, hint)
    assert found(source) == (wanted,)
    said = f"{LONG} is SQLModel's, and sa.String is the same type"
    (finding,) = found("import sqlmodel\n" + source)
    assert (finding.severity, finding.message) == (Severity.INFO, said)


@pytest.mark.parametrize("head", ["import alembic.op as op\n", OP + "sa = None\n"])
def test_without_a_place_for_the_import_nothing_is_changed(head: str) -> None:
    (finding,) = found(head + body(f"{LONG}()"))
    assert finding.edits == ()
