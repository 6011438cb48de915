"""Where Alembic's autogenerate calls handrail for enum columns, on every release from 1.14 on.

From 1.18 on comparisons have priorities: ours comes last, and the comparison of an enum column's server default stops
at ours (Alembic's own asks PostgreSQL whether two texts are equal as values of the type, and fails for a new label).
Before, they run in the order in which they were registered, and a default is compared by the dialect's own code.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from alembic import util
from alembic.autogenerate.api import AutogenContext
from alembic.operations import ops

from handrail.enums.plan import Wishes
from handrail.facts import REPLICATOR_TABLES
from handrail.migrator.enum_autogenerate import ENGINES, amend
from handrail.migrator.enum_models import enum_type


def _untold(_: str) -> None:
    """For nobody who listens."""


@dataclass(slots=True)
class Settings:
    """What this process has been asked for; read at each comparison."""

    wishes: Callable[[], Wishes] = Wishes
    tell: Callable[[str], None] = _untold
    is_registered: bool = False


#: One for the process, as Alembic's own list of comparisons is.
SETTINGS = Settings()


def register(wishes: Callable[[], Wishes] = Wishes, tell: Callable[[str], None] = _untold) -> None:
    """Have autogenerate call handrail, in this process. A second call only changes what is wished."""
    SETTINGS.wishes, SETTINGS.tell = wishes, tell
    if SETTINGS.is_registered:
        return
    SETTINGS.is_registered = True
    from alembic.autogenerate import comparators

    if hasattr(util, "DispatchPriority"):
        last, first = util.DispatchPriority.LAST, util.DispatchPriority.FIRST
        comparators.dispatch_for("autogenerate", priority=last)(after_all)
        comparators.dispatch_for("column", subgroup="server_default", priority=first)(compare_default)
    else:
        comparators.dispatch_for("schema")(after_all)
        _compare_defaults_by_text()


def after_all(context: AutogenContext, upgrade: ops.UpgradeOps, *_: Any) -> Any:
    """Called with all that autogenerate found. No script drops the tables that a replicator keeps for itself."""
    upgrade.ops[:] = [one for one in upgrade.ops if not _drops_replicators(one)]
    amend(context, upgrade, SETTINGS.wishes(), SETTINGS.tell)
    return _result("CONTINUE")


def _drops_replicators(operation: ops.MigrateOperation) -> bool:
    return isinstance(operation, ops.DropTableOp) and operation.table_name in REPLICATOR_TABLES


def compare_default(
    context: AutogenContext,
    operation: ops.AlterColumnOp,
    _schema: str | None,
    _table: str,
    _column: str,
    found: sa.Column[Any],
    model: sa.Column[Any],
) -> Any:
    """Keep Alembic from comparing the default of an enum column: `amend` does."""
    if context.dialect is None or context.dialect.name not in ENGINES:
        return _result("CONTINUE")
    if enum_type(model.type)[0] is None and enum_type(found.type)[0] is None:
        return _result("CONTINUE")
    operation.existing_server_default = found.server_default
    return _result("STOP")


def _result(name: str) -> Any:
    """What a comparison answers; None before Alembic 1.18, which asks for nothing."""
    results = getattr(util, "PriorityDispatchResult", None)
    return None if results is None else getattr(results, name)


def _compare_defaults_by_text() -> None:
    """Before Alembic 1.18: an enum column's default never reaches the server's comparison."""
    from alembic.ddl.postgresql import PostgresqlImpl

    compare = PostgresqlImpl.compare_server_default

    def by_text(self: Any, found: sa.Column[Any], model: sa.Column[Any], *rest: Any) -> Any:
        if enum_type(model.type)[0] is not None or enum_type(found.type)[0] is not None:
            return False
        return compare(self, found, model, *rest)  # type: ignore[no-untyped-call]

    PostgresqlImpl.compare_server_default = by_text  # type: ignore[method-assign] # releases that do not change any more
