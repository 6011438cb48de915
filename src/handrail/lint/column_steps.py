"""Steps that revisions of splits share, as lines of scripts: rows filled in batches, conditions proven without a long
lock."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from handrail.facts import TableName
from handrail.lint.next_revisions import literal
from handrail.migrations.sql_names import quoted, quoted_table

POSTGRES: Final = frozenset({"postgresql"})
MAX_NAME: Final = 63
_CHOSEN: Final = (
    '# The SQL of a new column\'s value in the rows that are there, such as "0", "\'open\'" or "lower(topic)".\n'
    "# None: nobody has chosen one; that is right only where there are no rows."
)
_DERIVED: Final = "# The SQL of a new column's value in each row, by the row's other columns."
#: With 2 MB in one transaction nobody waits long for a row.
_PAGES: Final = "PAGES = 256"
_FILL: Final = """def fill(table, column, schema=None):
    \"\"\"{what}\"\"\"
    context, rows = op.get_context(), sa.table(table, sa.column(column), schema=schema)
{condition}
{batches}    op.execute(sa.update(rows).where(empty).values({{column: sa.literal_column(value)}}))"""
_WITHOUT_VALUE: Final = """    empty, value = rows.c[column].is_(None), VALUES[f"{rows.fullname}.{column}"]
    if value is None:
        refuse_rows(rows, column)
        return"""
#: A value that is NULL itself is there already; else its rows would be written again and again.
_NOT_DERIVED: Final = """    value = VALUES[f"{rows.fullname}.{column}"]
    empty = sa.and_(rows.c[column].is_(None), sa.literal_column(f"({value}) IS NOT NULL"))"""
_BATCHES: Final = """    if {test}not context.as_sql:
        name = context.dialect.identifier_preparer.format_table(rows)
        pages = op.get_bind().scalar(
            sa.text(
                "SELECT coalesce(max(pg_relation_size(relid)), pg_relation_size(CAST(:name AS regclass)))"
                " / CAST(current_setting('block_size') AS integer) FROM pg_partition_tree(CAST(:name AS regclass))"
            ),
            {{"name": name}},
        )
        with context.autocommit_block():
            for first in range(0, int(pages), PAGES):
                begin = sa.literal_column(f"ctid >= '({{first}},0)'")
                end = sa.literal_column(f"ctid < '({{first + PAGES}},0)'")
                op.execute(sa.update(rows).where(empty, begin, end).values({{column: sa.literal_column(value)}}))
    # and what others wrote without a value meanwhile
"""
_REFUSE: Final = """def refuse_rows(rows, column):
    \"\"\"Fail when there are rows to fill, since nobody has said with what.\"\"\"
    if op.get_context().as_sql:
        return
    count = op.get_bind().scalar(sa.select(sa.func.count()).select_from(rows).where(rows.c[column].is_(None)))
    if count:
        name = f"{rows.fullname}.{column}"
        raise ValueError(
            f"{name} is NULL in {count} row{'' if count == 1 else 's'} and no value for it was chosen; "
            f'write its SQL into VALUES["{name}"] in the script of revision {revision}'
        )"""


@dataclass(frozen=True, slots=True)
class ColumnName:
    """A column of a table, as scripts write it."""

    table: TableName
    column: str

    def __str__(self) -> str:
        return f"{self.table}.{self.column}"

    @property
    def schema(self) -> str:
        """The argument that names the table's schema, where it has one."""
        return f", schema={literal(self.table.schema)}" if self.table.schema else ""

    def alter(self, words: str) -> str:
        """A call that changes the column: `words` are the arguments by name."""
        return f"op.alter_column({literal(self.table.name)}, {literal(self.column)}, {words}{self.schema})"

    def fill(self) -> str:
        """The call of the function of `filling`."""
        return f"fill({literal(self.table.name)}, {literal(self.column)}{self.schema})"

    def constraint(self, end: str) -> str:
        """The name of a CHECK on the column, such as "ck_bookings_seats_not_null"."""
        return short_name(f"ck_{self.table.name}_{self.column}_{end}", "ck_", f"_{end}")


@dataclass(frozen=True, slots=True)
class Check:
    """A CHECK that is there only while a script runs: PostgreSQL then knows its condition of all rows. `why` says why
    rows meet it, where a reader may ask."""

    table: TableName
    name: str
    condition: str
    why: str = ""

    @property
    def schema(self) -> str:
        return ColumnName(self.table, "").schema

    def drop(self) -> str:
        return f'op.drop_constraint({self.final_name}, {literal(self.table.name)}{self.schema}, type_="check")'

    @property
    def final_name(self) -> str:
        """The name for an operation. Without op.f a naming convention of the models would put the table before it, as
        it does to every CHECK, and the SQL that validates it would name another one."""
        return f"op.f({literal(self.name)})"


def not_null(column: ColumnName) -> Check:
    """The CHECK by which SET NOT NULL reads no rows."""
    return Check(column.table, column.constraint("not_null"), f"{quoted(column.column)} IS NOT NULL")


def short_name(name: str, begin: str = "", end: str = "") -> str:
    """The name, or where it is too long for PostgreSQL one of the same beginning and end that stays the same."""
    if len(name.encode()) <= MAX_NAME:
        return name
    return f"{begin}{hashlib.sha256(name.encode()).hexdigest()[:12]}{end}"


def free_name(name: str, end: str, taken: Collection[str]) -> str:
    """The name with an end, such as "seats_new", that is none of those `taken`: with a number where it would be."""
    ends = (end, *(f"{end}{number}" for number in range(2, len(taken) + 3)))
    return next(found for one in ends if (found := short_name(f"{name}{one}", "c", one)) not in taken)


def proven(checks: Sequence[Check]) -> list[str]:
    """Lines after which the conditions hold for all rows; no row is read under a lock that keeps others waiting."""
    lines = ["# a try that failed may have left them"]
    for one in checks:
        drop = f"ALTER TABLE {quoted_table(one.table)} DROP CONSTRAINT IF EXISTS {quoted(one.name)}"
        lines.append(f"op.execute({literal(drop)})")
    for one in checks:
        names = f"{one.final_name}, {literal(one.table.name)}"
        lines += [f"# handrail: ignore HR-MF104 -- {one.why}"] if one.why else []
        lines.append(
            f"op.create_check_constraint({names}, {literal(one.condition)}{one.schema}, postgresql_not_valid=True)"
        )
    lines.append("with op.get_context().autocommit_block():")
    for table in dict.fromkeys(one.table for one in checks):
        valid = ", ".join(f"VALIDATE CONSTRAINT {quoted(one.name)}" for one in checks if one.table == table)
        lines.append(f"    op.execute({literal(f'ALTER TABLE {quoted_table(table)} {valid}')})")
    return lines


def filling(values: Mapping[str, str | None], engines: frozenset[str], *, is_derived: bool = False) -> tuple[str, ...]:
    """Blocks above the functions of a script: the SQL of columns' values by their full names (None: a person has to
    choose), and `fill(table, column)`, in batches that commit on PostgreSQL. With `is_derived` the values are those of
    a column that follows others, NULL among them."""
    lines = "\n".join(
        f"    {literal(name)}: {'None' if sql is None else literal(sql)}," for name, sql in values.items()
    )
    chosen = f"{_DERIVED if is_derived else _CHOSEN}\nVALUES = {{\n{lines}\n}}"
    test = "" if engines == POSTGRES else 'context.dialect.name == "postgresql" and '
    where = "" if engines == POSTGRES else " on PostgreSQL"
    what = f"Give the rows without a value one, each batch{where} in a transaction of its own."
    batches, pages = _BATCHES.format(test=test), [_PAGES]
    if "postgresql" not in engines:
        what, batches, pages = "Give the rows without a value one.", "", []
    condition = _NOT_DERIVED if is_derived else _WITHOUT_VALUE
    function = _FILL.format(what=what, condition=condition, batches=batches)
    return (chosen, *pages, function, *(() if is_derived else (_REFUSE,)))
