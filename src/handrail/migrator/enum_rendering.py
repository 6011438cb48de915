"""CHECKs and defaults of enum columns, so that Alembic writes them into a script as they are meant.

Its writer compiles an SQL text once: a colon in a label becomes a parameter when the script runs, a per cent sign is
doubled on PostgreSQL, quotes at the ends of a default are lost (measured on 1.20). What PostgreSQL shows has casts that
no other engine understands.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.compiler import compiles

from handrail.enums.steps import condition, literal
from handrail.migrations.check_text import allowed_values, named_values
from handrail.migrator.enum_models import literal_text


class _Written(sa.ColumnElement[str]):
    """SQL that a script is to hold, letter by letter."""

    inherit_cache = False

    def __init__(self, sql: str) -> None:
        self.sql = sql.replace(":", "\\:")


class MadeElsewhere(postgresql.ENUM):
    """A type that the script makes on its own. Up to SQLAlchemy 2.0 its `repr`, which Alembic writes, forgets that."""

    __module__ = postgresql.ENUM.__module__  # by which Alembic knows the dialect and its import
    cache_ok = True

    def __repr__(self) -> str:
        schema = f", schema={self.schema!r}" if self.schema else ""
        return f"ENUM({', '.join(map(repr, self.enums))}, name={self.name!r}{schema}, create_type=False)"


@compiles(_Written)
def _as_it_is(element: _Written, _: Any, **__: Any) -> str:
    return element.sql


def is_check_of(constraint: sa.CheckConstraint, column: str) -> bool:
    """Whether the constraint only names the values that a column may have."""
    return allowed_values(_condition(constraint), column) is not None


def _condition(constraint: sa.CheckConstraint) -> str:
    """Its SQL; of one that was read from a database, in which a colon begins no parameter, as it was read."""
    if isinstance(constraint.sqltext, sa.TextClause):
        return constraint.sqltext.text.replace("\\:", ":")
    return str(constraint.sqltext.compile(compile_kwargs={"literal_binds": True, "include_table": False}))


def text_default(text: str) -> sa.DefaultClause:
    """A server default of this text; as SQL where Alembic would take a quote for the end of it."""
    is_quoted = text.startswith("'") or text.endswith("'")
    return sa.DefaultClause(_Written(literal(text)) if is_quoted else text)


def portable_column(column: sa.Column[Any]) -> sa.Column[Any]:
    """The column with a text as its default where PostgreSQL shows one with a cast ('a'::character varying)."""
    default = getattr(column.server_default, "arg", None)
    text = None if default is None or isinstance(default, str) else literal_text(str(default))
    if text is None:
        return column
    found = column._copy()
    found.server_default = text_default(text)
    return found


def portable_check(constraint: sa.CheckConstraint) -> sa.CheckConstraint:
    """The CHECK as `column IN (…)` where it only names values, which PostgreSQL shows as an array with casts."""
    found = named_values(_condition(constraint))
    if found is None:
        return constraint
    name = None if constraint.name is None else sa.schema.conv(str(constraint.name))
    return named_check(found[0], found[1], name)


def named_check(column: str, labels: tuple[str, ...], name: str | None) -> sa.CheckConstraint:
    """The CHECK that allows a column these texts."""
    return sa.CheckConstraint(_Written(condition(column, labels)), name=name)
