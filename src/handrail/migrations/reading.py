"""Fast static reading of a migration script: what upgrade() and downgrade() ask Alembic to do, without running them."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from handrail.migrations.call_changes import read_call_changes, read_execute_changes
from handrail.migrations.calls import Arguments, NotUnderstood, ReadOperation, read_call, read_execute
from handrail.migrations.changes import Change, NotAnalysable, Place, WriteRows
from handrail.migrations.core_writes import chain, outer_calls
from handrail.migrations.dialects import ANY, DialectName, Dialects, DialectTest
from handrail.migrations.imports import Import, read_imports
from handrail.migrations.module_scope import module_scope, op_names
from handrail.migrations.operations import Operation, SourcePosition
from handrail.migrations.revision import Direction, Revision
from handrail.migrations.surroundings import batch_changes, made_by_helper, session_changes
from handrail.migrations.values import UNKNOWN, Batch, Code, Scope, call_name, entered, evaluate

MAX_DEPTH = 8
MAX_TURNS = 1_000
MAX_STEPS = 10_000
#: Calls that cannot change a database and are not worth a remark.
HARMLESS = frozenset({"print", "len", "isinstance", "warn", "debug", "info", "warning", "error", "append", "extend"})


@dataclass(frozen=True, slots=True)
class FunctionReading:
    """What upgrade() or downgrade() does, in the order of the text.

    `reads` and `not_understood` are what a proof goes by: every operation, and what only running the script could tell.
    `changes` is the same in the finer terms of lint rules, with raw SQL read too; what is not known there is a
    NotAnalysable among them. `refuses`: it always ends by an exception ("there is no way back").
    """

    reads: tuple[ReadOperation, ...] = ()
    not_understood: tuple[NotUnderstood, ...] = ()
    changes: tuple[Change, ...] = ()
    exists: bool = True
    refuses: bool = False

    @property
    def operations(self) -> tuple[Operation, ...]:
        return tuple(read.operation for read in self.reads)


@dataclass(frozen=True, slots=True)
class ScriptReading:
    """A script as read. `error` is set, and the rest empty, when the text is not Python."""

    revision: Revision
    upgrade: FunctionReading
    downgrade: FunctionReading
    error: NotUnderstood | None = None
    imports: tuple[Import, ...] = ()

    def function(self, direction: Direction) -> FunctionReading:
        return self.upgrade if direction is Direction.UPGRADE else self.downgrade


def read_script(revision: Revision) -> ScriptReading:
    """Read a script's text. Never raises for anything the text may hold."""
    try:
        module = ast.parse(revision.source)
        scope, names = module_scope(module), op_names(module)
        upgrade, downgrade = (_read_function(revision, scope, names, name) for name in ("upgrade", "downgrade"))
    except RecursionError:
        return _unreadable(revision, 0, "an expression of the script is nested too deep")
    except (SyntaxError, ValueError, MemoryError) as problem:
        reason = f"the script is not Python: {getattr(problem, 'msg', None) or problem}"
        return _unreadable(revision, getattr(problem, "lineno", None) or 0, reason)
    return ScriptReading(revision, upgrade, downgrade, imports=tuple(read_imports(module)))


def _unreadable(revision: Revision, line: int, reason: str) -> ScriptReading:
    nothing = FunctionReading(exists=False)
    return ScriptReading(revision, nothing, nothing, NotUnderstood(SourcePosition(revision.path, line), reason))


def _are_writes(found: Sequence[Change]) -> bool:
    """Whether these changes write rows of known tables and nothing else: the same ones, however often it is done."""
    return bool(found) and all(isinstance(one, WriteRows) and one.table is not None for one in found)


def _leaves(body: Sequence[ast.stmt]) -> bool:
    return isinstance(body[-1], ast.Return | ast.Raise)


def _read_function(revision: Revision, scope: Scope, names: frozenset[str], name: str) -> FunctionReading:
    function = scope.functions.get(name)
    if function is None:
        return FunctionReading(exists=False)
    walker = _Walker(revision.id, revision.path, names)
    walker.statements(function.body, Scope(outer=scope))
    refuses = any(isinstance(statement, ast.Raise) for statement in function.body)
    return FunctionReading(tuple(walker.reads), tuple(walker.not_understood), tuple(walker.changes), refuses=refuses)


@dataclass(slots=True)
class _Walker:
    """Follows the statements of one function and collects what they ask for."""

    revision: str
    path: str
    op_names: frozenset[str]
    reads: list[ReadOperation] = field(default_factory=list)
    not_understood: list[NotUnderstood] = field(default_factory=list)
    depth: int = 0
    conditions: int = 0
    changes: list[Change] = field(default_factory=list)
    dialects: Dialects = ANY
    autocommit: int = 0
    batch: int = 0
    batches: int = 0
    steps: int = 0

    def statements(self, body: Sequence[ast.stmt], scope: Scope) -> None:
        """Follow a block. After an `if` whose body leaves the block the rest is read as its `else`."""
        dialects, conditions = self.dialects, self.conditions
        for statement in body:
            self._statement(statement, scope)
            if isinstance(statement, ast.Return | ast.Raise):
                break
            if isinstance(statement, ast.If) and _leaves(statement.body) and not statement.orelse:
                test = evaluate(statement.test, scope)
                if test is True:
                    break
                if isinstance(test, DialectTest):
                    self.dialects = self.dialects.where(test.opposite())
                elif test is not False:
                    self.conditions += 1
        self.dialects, self.conditions = dialects, conditions

    def _statement(self, statement: ast.stmt, scope: Scope) -> None:
        self.steps += 1
        if self.steps > MAX_STEPS:  # loops in loops, helpers that call helpers: nobody's script, but it must end
            if self.steps == MAX_STEPS + 1:
                self._miss(statement, f"more than {MAX_STEPS} statements, counted as they run")
            return
        self._follow(statement, scope)

    def _follow(self, statement: ast.stmt, scope: Scope) -> None:
        match statement:
            case ast.FunctionDef():
                scope.functions[statement.name] = statement
            case ast.Assign(targets=targets, value=value):
                self._expression(value, scope)
                for target in targets:
                    scope.bind(target, evaluate(value, scope))
            case ast.AnnAssign(target=target, value=ast.expr() as value):
                self._expression(value, scope)
                scope.bind(target, evaluate(value, scope))
            case ast.Expr(value=value) | ast.Return(value=ast.expr() as value) | ast.AugAssign(value=value):
                self._expression(value, scope, is_statement=isinstance(statement, ast.Expr))
            case ast.With():
                self._with(statement, scope)
            case _:
                self._compound(statement, scope)

    def _compound(self, statement: ast.stmt, scope: Scope) -> None:
        match statement:
            case ast.For():
                self._for(statement, scope)
            case ast.If(test=test, body=body, orelse=orelse):
                self._if(test, body, orelse, scope)
            case ast.Match():
                self._match(statement, scope)
            case ast.While(test=test, body=body):
                self._expression(test, scope)
                self._miss(statement, "a while loop: how often it runs is known only when the script runs")
                self._under_condition(body, scope)
            case ast.Try(body=body, handlers=handlers, orelse=orelse, finalbody=finalbody):
                handled = [part for handler in handlers for part in handler.body]
                if all(isinstance(handler.body[-1], ast.Raise) for handler in handlers):
                    self.statements([*body, *orelse], scope)  # all of it runs, or the script fails
                else:
                    self._under_condition([*body, *orelse], scope)
                self._under_condition(handled, scope)
                self.statements(finalbody, scope)

    def _if(self, test: ast.expr, body: list[ast.stmt], orelse: list[ast.stmt], scope: Scope) -> None:
        self._expression(test, scope)
        known = evaluate(test, scope)
        if isinstance(known, bool):
            self.statements(body if known else orelse, scope)
        elif isinstance(known, DialectTest):
            for branch, one in ((body, known), (orelse, known.opposite())):
                dialects, self.dialects = self.dialects, self.dialects.where(one)
                self.statements(branch, scope)
                self.dialects = dialects
        else:
            before = dict(scope.names)
            self._under_condition(body, scope)
            after_body, scope.names = scope.names, before
            self._under_condition(orelse, scope)
            for name in after_body.keys() | scope.names.keys():
                if after_body.get(name, UNKNOWN) != scope.names.get(name, UNKNOWN):
                    scope.names[name] = UNKNOWN  # which branch bound it is known only when the script runs

    def _match(self, statement: ast.Match, scope: Scope) -> None:
        """Follow `match dialect.name:` by its engines; any other under a condition."""
        self._expression(statement.subject, scope)
        is_dialect = isinstance(evaluate(statement.subject, scope), DialectName)
        after = self.dialects
        for case in statement.cases:
            names = _pattern_names(case.pattern)
            if is_dialect and case.guard is None and names is not None:
                outside, test = self.dialects, DialectTest(names, is_negated=not names)
                self.dialects = outside.where(test)
                self.statements(case.body, scope)
                self.dialects = outside.where(test.opposite()) if names else outside
                after = after.where(test.opposite()) if names and _leaves(case.body) else after
            else:
                self._under_condition(case.body, scope)
        self.dialects = after

    def _under_condition(self, body: Sequence[ast.stmt], scope: Scope) -> None:
        self.conditions += 1
        self.statements(body, scope)
        self.conditions -= 1

    def _for(self, loop: ast.For, scope: Scope) -> None:
        self._expression(loop.iter, scope)
        turns = evaluate(loop.iter, scope)
        if not isinstance(turns, list | dict) or len(turns) > MAX_TURNS:
            self._miss(loop, "a loop over values that are known only when the script runs")
            at = len(self.changes)
            scope.bind(loop.target, UNKNOWN)
            self._under_condition(loop.body, scope)
            is_count = isinstance(loop.iter, ast.Call) and call_name(loop.iter) == "range"
            if is_count and _are_writes(self.changes[at:]):
                del self.changes[at - 1]
            return
        for value in turns:
            scope.bind(loop.target, value)
            self.statements(loop.body, scope)

    def _with(self, statement: ast.With, scope: Scope) -> None:
        autocommit, batch, at = self.autocommit, self.batch, len(self.changes)
        opened: Arguments | None = None
        for item in statement.items:
            call, name = item.context_expr, item.optional_vars
            bound: object = UNKNOWN
            if isinstance(call, ast.Call) and self._is_op(call.func) and call_name(call) == "batch_alter_table":
                opened = self._arguments(call, scope)
                bound = Batch(opened.get("table_name", 0), opened.get("schema", 1))
                self.batches += 1
                self.batch = self.batches
            elif call_name(call) == "autocommit_block":
                self.autocommit += 1
            elif name is not None:
                self._expression(call, scope)
                bound = evaluate(call, scope)
            if name is not None:
                scope.bind(name, bound)
        self.statements(statement.body, scope)
        if opened is not None:
            inside = [one for one in self.changes[at:] if one.place.batch == self.batch]
            self.changes[at:at] = batch_changes(opened, self._place(opened.call), self.batch, inside)
        self.autocommit, self.batch = autocommit, batch

    def _expression(self, node: ast.expr, scope: Scope, *, is_statement: bool = False) -> None:
        """Take up every call inside an expression that asks something of the database."""
        before = len(self.changes)
        calls = self._calls(node, scope)
        known = {id(call) for call in calls if self._call(call, scope)}
        if not is_statement or not isinstance(node, ast.Call) or call_name(node) in HARMLESS:
            return
        is_read = len(self.changes) > before
        # `fill(op.get_bind())`: that the argument is known says nothing of the call.
        is_known = any(id(call) in known for call in chain(node)) or (bool(known) and is_read)
        if not is_known:
            reason = f"what {ast.unparse(node.func)}(…) does is not in upgrade() or downgrade()"
            self._miss(node, reason, is_read=is_read)

    def _calls(self, node: ast.expr, scope: Scope) -> Iterable[ast.Call]:
        """The calls to look at; the arguments of a call on op or on a batch ask for nothing of their own."""
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and isinstance(node.func.value, ast.Name)
        ):
            owner = node.func.value.id
            if owner in self.op_names or isinstance(scope.look_up(owner), Batch):
                return (node,)
        return tuple(outer_calls(node))

    def _call(self, call: ast.Call, scope: Scope) -> bool:
        """True when the call is one that the reader knows."""
        if isinstance(call.func, ast.Name):
            return self._local_call(call, call.func.id, scope)
        if not isinstance(call.func, ast.Attribute):
            return False
        name, receiver = call.func.attr, evaluate(call.func.value, scope)
        if self._is_op(call.func):
            arguments = self._arguments(call, scope)
            self._add(read_call(name, arguments))
            self.changes += read_call_changes(name, arguments, self._place(call))
            return True
        if isinstance(receiver, Batch):
            arguments = self._arguments(call, scope, receiver)
            self._add(read_call(name, arguments))
            self.changes += read_call_changes(name, arguments, self._place(call))
            return True
        is_result = name in {"scalar", "scalars"} and not call.args and not call.keywords
        if is_result:
            return True
        if name in {"execute", "exec_driver_sql", "scalar", "scalars"} and self._is_connection(receiver):
            arguments = self._arguments(call, scope)
            result = read_execute(arguments)
            self._add(result if isinstance(result, NotUnderstood) else ReadOperation(result, call))
            self.changes += read_execute_changes(arguments, self._place(call))
            return True
        found = session_changes(call, receiver, scope, self._place(call), is_session=self._is_connection(receiver))
        self.changes += found
        return False

    def _local_call(self, call: ast.Call, name: str, scope: Scope) -> bool:
        function = scope.function(name)
        if function is None or self.depth >= MAX_DEPTH:
            return False
        inner = entered(function, call, scope)
        self.depth += 1
        self.statements(function.body, inner)
        self.depth -= 1
        return True

    def _is_op(self, func: ast.expr) -> bool:
        if not isinstance(func, ast.Attribute):
            return False
        owner = func.value
        if isinstance(owner, ast.Name):
            return owner.id in self.op_names
        return isinstance(owner, ast.Attribute) and owner.attr == "op" and call_name(owner.value) == "alembic"

    def _is_connection(self, receiver: object) -> bool:
        """Whether a value came from op.get_bind(), however it was wrapped (a Session over it, an option on it)."""
        if not isinstance(receiver, Code):
            return False
        inner = [node for node in ast.walk(receiver.node) if isinstance(node, ast.Call | ast.Name)]
        if any(isinstance(node, ast.Call) and call_name(node) == "get_bind" for node in inner):
            return True
        names = [node.id for node in inner if isinstance(node, ast.Name)]
        values = [receiver.scope.look_up(name) for name in names]
        return any(isinstance(value, Code) and value != receiver and self._is_connection(value) for value in values)

    def _arguments(self, call: ast.Call, scope: Scope, batch: Batch | None = None) -> Arguments:
        return Arguments(call, scope, batch, self.revision, self.path)

    def _add(self, result: ReadOperation | NotUnderstood | None) -> None:
        if isinstance(result, NotUnderstood):
            self.not_understood.append(result)
        elif result is not None:
            is_conditional = self.conditions > 0 or self.dialects != ANY
            read = ReadOperation(result.operation, result.call, result.column, is_conditional)
            self.reads.append(read)

    def _place(self, node: ast.stmt | ast.expr) -> Place:
        return Place(
            self.revision,
            self.path,
            node.lineno,
            node.col_offset,
            self.conditions > 0,
            self.autocommit > 0,
            self.batch,
            dialects=self.dialects,
            call=node if isinstance(node, ast.Call) else None,
        )

    def _miss(self, node: ast.stmt | ast.expr, reason: str, *, is_read: bool = False) -> None:
        """Remember what a proof cannot go by; `is_read`: its changes are known all the same."""
        self.not_understood.append(NotUnderstood(SourcePosition(self.path, node.lineno), reason))
        if not is_read:
            helper = made_by_helper(node, self._place(node))
            self.changes.append(helper or NotAnalysable(self._place(node), reason))


def _pattern_names(pattern: ast.pattern) -> frozenset[str] | None:
    """The texts that a pattern takes, none for `_`; None for anything else."""
    match pattern:
        case ast.MatchValue(value=ast.Constant(value=str(text))):
            return frozenset({text})
        case ast.MatchOr(patterns=patterns):
            found = [_pattern_names(one) for one in patterns]
            return None if None in found else frozenset[str]().union(*(one for one in found if one))
        case ast.MatchAs(pattern=None):
            return frozenset()
    return None
