"""Changing a column's type through a second column beside it: added and kept equal by a trigger, filled in batches,
then put in the first one's place, so that nobody waits while rows are written."""

# ruff: noqa: S608 - names are quoted, and conversions are SQL that the script or the catalog says

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from handrail.facts import TableName
from handrail.lint.column_steps import POSTGRES, Check, ColumnName, filling, not_null, proven, short_name
from handrail.lint.finding import NextRevision, Split
from handrail.lint.next_revisions import literal
from handrail.migrations.declarations import marker
from handrail.migrations.sql_names import quoted, quoted_table

#: What a conversion may depend on: those who write have the settings of the session that made the trigger.
_SETTINGS: Final = ("search_path", "timezone", "datestyle", "intervalstyle", "bytea_output", "extra_float_digits")
#: How long a piece of SQL on a line of its own may be.
_LINE: Final = 90
#: What SQLAlchemy would take for a parameter in a text.
_PARAMETER: Final = re.compile(r"(?<![:\w\\]):(?=\w+(?!:))")
_GOES_WITH_COLUMN: Final = (
    "# handrail: ignore-file HR-PR104 -- the values go with the column, which the revision before takes back\npass"
)


@dataclass(frozen=True, slots=True)
class Conversion:
    """How one column follows another: the SQL of its `value` by the row's columns, of which it names those in `reads`;
    `is_pinned` when the value may depend on what a session has set."""

    value: str
    reads: tuple[str, ...]
    is_pinned: bool = False


@dataclass(frozen=True, slots=True)
class ShadowColumn:
    """A column whose type changes through `shadow`, the column beside it. `there` is how the shadow follows the column,
    `back` how a column of the old type follows one of the new type; `spare` is a free name for a moment.
    `old_type` and `default` are the catalog's SQL."""

    table: TableName
    column: str
    shadow: str
    there: Conversion
    back: Conversion
    old_type: str
    spare: str
    nullable: bool = True
    default: str | None = None

    def together(self, others: Sequence[Split], engines: frozenset[str]) -> tuple[NextRevision, ...]:
        """A revision that fills, and one that exchanges the columns."""
        if engines != POSTGRES:
            return ()
        columns = (self, *(one for one in others if isinstance(one, ShadowColumn)))
        return (_filled(columns), _exchanged(columns))

    @property
    def name(self) -> ColumnName:
        return ColumnName(self.table, self.column)

    @property
    def twin(self) -> ColumnName:
        return ColumnName(self.table, self.shadow)

    def expand(self, new_type: str, op: str) -> str:
        """The lines in place of the change: `new_type` and `op` as the script writes them."""
        table, column = literal(self.table.name), f"sa.Column({literal(self.shadow)}, {new_type}, nullable=True)"
        # What cannot be converted fails here, and not in a trigger under somebody who writes.
        tried = f"EXPLAIN UPDATE {self._table} SET {quoted(self.shadow)} = {self.there.value}"
        lines = [
            f"# beside {self.name} and kept equal to it by a trigger; the next revisions fill it and exchange the two",
            f"{op}.add_column({table}, {column}{self.name.schema})",
            _executed(tried, op),
            *self._kept(self.there, op),
        ]
        return "\n".join(lines)

    def unexpand(self, op: str) -> str:
        """The lines that take `expand` back."""
        drop = f"{op}.drop_column({literal(self.table.name)}, {literal(self.shadow)}{self.name.schema})"
        return "\n".join([*self._free(op), drop])

    def check(self) -> Check:
        """What has to hold for all rows before the old column may go."""
        if not self.nullable:
            return not_null(self.twin)
        condition = f"({quoted(self.shadow)} IS NULL) = (({self.there.value}) IS NULL)"
        why = "the revision before filled the column, and a trigger has kept it"
        return Check(self.table, self.twin.constraint("filled"), _as_text(condition), why)

    def exchange(self) -> list[str]:
        """The lines of the short transaction in which the shadow takes the column's name."""
        drop = f"op.drop_column({literal(self.table.name)}, {literal(self.column)}{self.name.schema})"
        rename = self.twin.alter(f"new_column_name={literal(self.column)}")
        words = [*([] if self.nullable else ["nullable=False"]), *self._default()]
        alter = [self.name.alter(", ".join(words))] if words else []
        # A CHECK that names the old column goes with it; the other one is what SET NOT NULL goes by.
        first, last = ([self.check().drop()], []) if self.nullable else ([], [self.check().drop()])
        return [*first, *self._free("op"), drop, rename, *alter, *last]

    def begin_back(self) -> list[str]:
        """The lines that add a column of the old type beside the one of the new type. A try that failed may have left
        some of it."""
        add = f"ALTER TABLE {self._table} ADD COLUMN IF NOT EXISTS {quoted(self.shadow)} {self.old_type}"
        return [_executed(add, "op"), _executed(self._without_trigger, "op"), *self._kept(self.back, "op", again=True)]

    def give_up(self) -> str:
        """The line after which no trigger is in the way of those who write."""
        return _executed(self._without_trigger, "op")

    def exchange_back(self) -> list[str]:
        """The lines after which all is as before `exchange`: the column has its old type, the shadow the new one."""
        words = [*([] if self.nullable else ["nullable=False"]), *self._default()]
        undone = [*([] if self.nullable else ["nullable=True"]), *(["server_default=None"] if self._default() else [])]
        return [
            _executed(f"DROP TRIGGER {self._keeper} ON {self._table}", "op"),
            *([self.name.alter(", ".join(undone))] if undone else []),
            self.name.alter(f"new_column_name={literal(self.spare)}"),
            self.twin.alter(f"new_column_name={literal(self.column)}"),
            ColumnName(self.table, self.spare).alter(f"new_column_name={literal(self.shadow)}"),
            *([self.name.alter(", ".join(words))] if words else []),
            *self._kept(self.there, "op", again=True),
        ]

    def _default(self) -> list[str]:
        return [] if self.default is None else [f"server_default=sa.text({literal(_as_text(self.default))})"]

    @property
    def _table(self) -> str:
        return quoted_table(self.table)

    @property
    def _keeper(self) -> str:
        """The name of the trigger, and of its function."""
        return quoted(short_name(f"keep_{self.table.name}_{self.shadow}", "keep_"))

    @property
    def _function(self) -> str:
        schema = "" if self.table.schema is None else f"{quoted(self.table.schema)}."
        return f"{schema}{self._keeper}()"

    @property
    def _without_trigger(self) -> str:
        return f"DROP TRIGGER IF EXISTS {self._keeper} ON {self._table}"

    def _kept(self, how: Conversion, op: str, *, again: bool = False) -> list[str]:
        """The lines from which on the shadow follows the column, also where rows come by replication."""
        watched = ", ".join(quoted(name) for name in dict.fromkeys((self.column, *how.reads, self.shadow)))
        create = "CREATE OR REPLACE FUNCTION" if again else "CREATE FUNCTION"
        settings = "".join(f" SET {name} FROM CURRENT" for name in _SETTINGS) if how.is_pinned else ""
        body = f"#variable_conflict use_column BEGIN {self._followed(how)}; RETURN NEW; END"
        return [
            _executed(
                f"{create} {self._function} RETURNS trigger LANGUAGE plpgsql{settings} AS $keep$ {body} $keep$", op
            ),
            _executed(
                f"CREATE TRIGGER {self._keeper} BEFORE INSERT OR UPDATE OF {watched} ON {self._table}"
                f" FOR EACH ROW EXECUTE FUNCTION {self._function}",
                op,
            ),
            _executed(f"ALTER TABLE {self._table} ENABLE ALWAYS TRIGGER {self._keeper}", op),
        ]

    def _followed(self, how: Conversion) -> str:
        shadow = f"NEW.{quoted(self.shadow)}"
        if how.value == quoted(self.column):
            return f"{shadow} := NEW.{how.value}"
        # Names mean the row's columns, as in USING.
        return f"SELECT {how.value} INTO {shadow} FROM (SELECT NEW.*) AS {quoted(self.table.name)}"

    def _free(self, op: str) -> list[str]:
        return [
            _executed(f"DROP TRIGGER {self._keeper} ON {self._table}", op),
            _executed(f"DROP FUNCTION {self._function}", op),
        ]


def _as_text(sql: str) -> str:
    """SQL as SQLAlchemy's text() takes it."""
    return _PARAMETER.sub(r"\\:", sql)


def _executed(sql: str, op: str) -> str:
    """A call that runs the SQL, which is cut between words where a line would be too long."""
    pieces = textwrap.wrap(_as_text(sql), _LINE, drop_whitespace=False, break_long_words=False, break_on_hyphens=False)
    if len(pieces) < 2 or "".join(pieces) != _as_text(sql):
        return f"{op}.execute({literal(_as_text(sql))})"
    return "\n".join([f"{op}.execute(", *(f"    {literal(piece)}" for piece in pieces), ")"])


def _message(verb: str, names: Sequence[ColumnName]) -> str:
    return f"{verb} {', '.join(map(str, names))}"


def _filled(columns: Sequence[ShadowColumn]) -> NextRevision:
    names = [one.twin for one in columns]
    markers = "\n".join(marker(one.table, one.column) for one in names)
    values: dict[str, str | None] = {str(one.twin): one.there.value for one in columns}
    return NextRevision(
        _message("fill", names),
        "\n".join(name.fill() for name in names),
        _GOES_WITH_COLUMN,
        (markers, *filling(values, POSTGRES, is_derived=True)),
    )


def _exchanged(columns: Sequence[ShadowColumn]) -> NextRevision:
    """The revision that lets the old columns go. What it takes is taken for a moment: the conditions are proven before,
    and on the way back the old type is filled beside the new one, too."""
    upgrade = [*proven([one.check() for one in columns]), *(line for one in columns for line in one.exchange())]
    required = [not_null(one.twin) for one in columns if not one.nullable]
    downgrade = [
        *(line for one in columns for line in one.begin_back()),
        "try:",
        *(f"    {one.twin.fill()}" for one in columns),
        "except sa.exc.DBAPIError:  # a value that the old type cannot hold: nobody is kept from writing it",
        "    with op.get_context().autocommit_block():",
        *(f"        {line}" for one in columns for line in one.give_up().split("\n")),
        "    raise",
        *(proven(required) if required else ()),
        *(line for one in columns for line in one.exchange_back()),
        *(one.drop() for one in required),
    ]
    markers = "\n".join(marker(one.table, one.column, verb="drops") for one in columns)
    values: dict[str, str | None] = {str(one.twin): one.back.value for one in columns}
    return NextRevision(
        _message("exchange", [one.name for one in columns]),
        "\n".join(upgrade),
        "\n".join(downgrade),
        (markers, *filling(values, POSTGRES, is_derived=True)),
    )
