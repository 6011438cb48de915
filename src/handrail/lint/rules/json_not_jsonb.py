"""HR-DD103: json where jsonb is meant."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import ClassVar

from handrail.facts import TableName
from handrail.lint.change_rule import POSTGRES, Around, ChangeRule
from handrail.lint.finding import Finding, Severity
from handrail.lint.rule import Case
from handrail.lint.samples import START
from handrail.migrations.changes import AddColumn, AlterColumn, CreateTable

#: Modules whose JSON is json on PostgreSQL; a project's own type may be anything.
_OWNERS = {"sa", "sqlalchemy", "types", "sqltypes", "postgresql", "pg", "db", "sqlmodel"}


class JsonNotJsonb(ChangeRule):
    code: ClassVar[str] = "HR-DD103"
    title: ClassVar[str] = "json instead of jsonb"
    why: ClassVar[str] = (
        'PostgreSQL knows no equality for json: SELECT DISTINCT, GROUP BY and UNION over the table fail ("could not '
        'identify an equality operator for type json"), and no GIN index fits. jsonb has both; changing it later '
        "rewrites the table under ACCESS EXCLUSIVE."
    )
    engines = POSTGRES
    BAD: ClassVar[tuple[Case, ...]] = (
        Case("a column", {"add.py": START + "    op.add_column('bookings', sa.Column('extra', sa.JSON()))\n"}),
        Case(
            "a column of a new table",
            {"new.py": START + "    op.create_table('rooms', sa.Column('extra', sa.JSON(), nullable=False))\n"},
        ),
        Case("as SQL", {"sql.py": START + "    op.execute('ALTER TABLE bookings ADD COLUMN extra json')\n"}),
    )
    GOOD: ClassVar[tuple[Case, ...]] = (
        Case(
            "jsonb on PostgreSQL, json elsewhere",
            {
                "variant.py": "from sqlalchemy.dialects import postgresql\n" + START + "    op.add_column('bookings', "
                "sa.Column('extra', sa.JSON().with_variant(postgresql.JSONB(), 'postgresql')))\n"
            },
        ),
        Case("jsonb", {"sql.py": START + "    op.execute('ALTER TABLE bookings ADD COLUMN extra jsonb')\n"}),
        Case(
            "on SQLite only",
            {
                "sqlite.py": START + "    if op.get_bind().dialect.name == 'sqlite':\n"
                "        op.add_column('bookings', sa.Column('extra', sa.JSON()))\n"
            },
        ),
    )

    def look(self, around: Around) -> Iterable[Finding]:
        for table, column in _json_columns(around):
            message = f"{table}.{column} is json: DISTINCT and = over it fail"
            fix = "sa.JSON().with_variant(postgresql.JSONB(), 'postgresql')"
            yield around.finding(message, Severity.INFO, fix=fix)


def _json_columns(around: Around) -> Iterator[tuple[TableName, str]]:
    match around.change:
        case CreateTable(table=table, columns=columns):
            written = [(one.name or "", one.sql_type, one.type) for one in columns]
        case AddColumn(table=table, column=one):
            written = [(one.name or "", one.sql_type, one.type)]
        case AlterColumn(table=table, column=name, type=new) if new is not None:
            written = [(name, new, new.text)]
        case _:
            return
    for name, known, text in written:
        owner = text.partition("(")[0].rpartition(".")[0]
        is_own = bool(owner) and owner.rpartition(".")[2] not in _OWNERS
        if known is not None and known.name == "json" and "JSONB" not in text.upper() and not is_own:
            yield table, name
