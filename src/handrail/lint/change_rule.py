"""The base of rules that judge one change at a time, and what they may ask about its surroundings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from handrail.facts import Question, TableFacts, TableName
from handrail.lint.finding import Edit, Finding, Severity
from handrail.lint.rule import Case, LintContext
from handrail.migrations import changes
from handrail.migrations.changes import Change
from handrail.migrations.dialects import ANY
from handrail.migrations.reading import ScriptReading
from handrail.migrations.revision import Direction

POSTGRES: frozenset[str] = frozenset({"postgresql"})
SQLITE: frozenset[str] = frozenset({"sqlite"})
BOTH = POSTGRES | SQLITE

#: A table with fewer rows, or fewer bytes, is locked, scanned or rewritten in a moment (measured: 0.5 s per GB to scan,
#: 15 s per GB to rewrite, so 10 MB in 5 to 150 ms).
SMALL_ROWS = 10_000
SMALL_BYTES = 10_000_000
#: From here on a lock during a scan or rewrite is seconds long.
LARGE_BYTES = 200_000_000


@dataclass(frozen=True, slots=True)
class Around:
    """What surrounds a change: its script, what is done before and after it, and what is known of the database.

    `place` is the change's number among `all`, which are the changes of the function that runs, in their order, without
    those of engines that the rule is not for.
    `created` are the tables that are new when the change runs: made earlier in this script, or earlier on the path when
    the scripts run in one go on this very database.
    """

    script: ScriptReading
    context: LintContext
    all: Sequence[Change]
    place: int
    created: frozenset[TableName]
    rule: ChangeRule = field(repr=False)

    @property
    def change(self) -> Change:
        return self.all[self.place]

    @property
    def before(self) -> Sequence[Change]:
        return self.that_run(self.all[: self.place])

    @property
    def after(self) -> Sequence[Change]:
        return self.that_run(self.all[self.place + 1 :])

    def that_run(self, found: Sequence[Change]) -> Sequence[Change]:
        """Those of the changes that run where this one runs: `if dialect.name == "sqlite": … else: …`."""
        here = self.change.place.dialects
        if here == ANY:
            return found
        engines = [engine for engine in self.context.engines if here.allows(engine)]
        return [one for one in found if any(one.place.dialects.allows(engine) for engine in engines)]

    @property
    def same_transaction(self) -> tuple[Change, ...]:
        """The changes of this script that share the change's transaction, itself among them: what stands between two
        autocommit blocks (PostgreSQL; a block is no transaction at all)."""
        if self.change.place.in_autocommit:
            return (self.change,)
        first = last = self.place
        while first > 0 and not self.all[first - 1].place.in_autocommit:
            first -= 1
        while last + 1 < len(self.all) and not self.all[last + 1].place.in_autocommit:
            last += 1
        return tuple(self.all[first : last + 1])

    def is_new(self, table: TableName | None) -> bool:
        """Whether the table was made on the way, so that nobody uses it and it holds little."""
        return table in self.created or (table is not None and _plain(table) in self.created)

    def facts(self, table: TableName | None) -> TableFacts | None:
        """What the catalog says of the table; None without a catalog, or when there is no such table."""
        known = self.context.facts
        if known is None or table is None:
            return None
        return known.table(table) or known.table(_plain(self.name_now(table)))

    def name_now(self, table: TableName) -> TableName:
        """The name that the table has in the database of today, before it is renamed on the way."""
        scripts = self.context.scripts
        earlier = scripts[: scripts.index(self.script)] if self.script in scripts else ()
        found = [change for script in earlier for change in script.function(self.context.direction).changes]
        for change in reversed([*found, *self.before]):
            if isinstance(change, changes.RenameTable) and _plain(change.new) == _plain(table):
                table = change.table
        return table

    def is_empty(self, table: TableName | None) -> bool:
        """Whether the catalog says that the table has no row, or is not there yet."""
        if self.context.facts is None or table is None:
            return False
        found = self.facts(table)
        return found is None or found.rows_estimate == 0

    def by_size(self, table: TableName | None, *, unknown: Severity = Severity.WARNING) -> Severity:
        """How bad it is to lock, scan or rewrite the table: an error when the catalog says that it is large, of
        interest only when it is small, `unknown` when nothing is known of it."""
        found = self.facts(table)
        if self.is_empty(table):
            return Severity.INFO
        if found is None or (found.rows_estimate is None and found.size_bytes is None):
            return unknown
        rows, size = found.rows_estimate or 0, found.size_bytes or 0
        if size >= LARGE_BYTES or (not found.size_bytes and rows >= 1_000_000):
            return Severity.ERROR
        is_small = rows < SMALL_ROWS and size < SMALL_BYTES
        return Severity.INFO if is_small else Severity.WARNING

    def size(self, table: TableName | None) -> str:
        """ " (2,800,000 rows, 1.1 GB)" where the catalog knows it, for the end of a message."""
        from handrail.amounts import count, size

        found = self.facts(table)
        if found is None:
            return ""
        rows = [] if found.rows_estimate is None else [count(found.rows_estimate, "row")]
        sizes = [size(found.size_bytes)] if found.size_bytes else []
        return f" ({', '.join(rows + sizes)})" if rows or sizes else ""

    def answer(self, question: Question) -> int | None:
        """What counting in the live database gave; None when it was not asked."""
        return self.context.answers.get(question)

    def finding(
        self,
        message: str,
        severity: Severity,
        *,
        fix: str = "",
        edits: tuple[Edit, ...] = (),
        why: str = "",
        at: Change | None = None,
    ) -> Finding:
        """A finding of the rule about this change (or about `at`). `fix` is the corrected code."""
        place = (at or self.change).place
        return Finding(
            self.rule.code,
            severity,
            place.path,
            place.line,
            place.column,
            message,
            why or self.rule.why,
            fix,
            edits,
        )


class ChangeRule:
    """A rule that is asked about each change that runs on one of its engines.

    Changes of the downgrade are shown only to rules with `in_downgrade`, unless the downgrade is what will run.
    `live_repair` says for its page what it repairs only where the catalog is known.
    """

    code: ClassVar[str]
    title: ClassVar[str]
    why: ClassVar[str]
    engines: ClassVar[frozenset[str]] = BOTH
    in_downgrade: ClassVar[bool] = False
    live_repair: ClassVar[str] = ""
    BAD: ClassVar[tuple[Case, ...]]
    GOOD: ClassVar[tuple[Case, ...]]

    def look(self, around: Around) -> Iterable[Finding]:
        """The findings about `around.change`."""
        raise NotImplementedError

    def ask(self, around: Around) -> Iterable[Question]:
        """What to count in the live database before `look` is called."""
        return ()

    def check(self, context: LintContext) -> Iterator[Finding]:
        for around in self._each(context):
            yield from self.look(around)

    def questions(self, context: LintContext) -> Iterator[Question]:
        for around in self._each(context):
            yield from self.ask(around)

    def _each(self, context: LintContext) -> Iterator[Around]:
        made: set[TableName] = set()
        for script in context.scripts:
            directions = [context.direction]
            if self.in_downgrade and context.direction is Direction.UPGRADE:
                directions.append(Direction.DOWNGRADE)
            for direction in directions:
                created = set(made) if context.is_path else set()
                yield from self._around(script, context, direction, created)
                if direction is context.direction:
                    made = created

    def _around(
        self, script: ScriptReading, context: LintContext, direction: Direction, created: set[TableName]
    ) -> Iterator[Around]:
        found = [one for one in script.function(direction).changes if self._applies(one, context)]
        for place, change in enumerate(found):
            yield Around(script, context, found, place, frozenset(created), self)
            follow(created, change)

    def _applies(self, change: Change, context: LintContext) -> bool:
        return any(change.place.dialects.allows(engine) for engine in self.engines & context.engines)


def _plain(table: TableName) -> TableName:
    """The table without the schema that PostgreSQL (public) or SQLite (main) looks in anyway."""
    return TableName(table.name) if table.schema in {"public", "main"} else table


def follow(created: set[TableName], change: Change) -> None:
    """Keep the set of new tables up to date with a change that runs."""
    match change:
        case changes.CreateTable(table=table):
            created.add(table)
        case changes.DropTable(table=table):
            created.discard(table)
        case changes.RenameTable(table=table, new=new) if table in created:
            created.discard(table)
            created.add(new)
