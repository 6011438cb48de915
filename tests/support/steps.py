"""Runs a function of a migration script without a project around it, committed as Alembic would."""

from __future__ import annotations

from types import ModuleType

from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import Engine, MetaData


def module_of(name: str, source: str) -> ModuleType:
    """A script of our own as a module."""
    module = ModuleType(name)
    exec(compile(source, name, "exec"), module.__dict__)  # noqa: S102 - our own scripts
    return module


def run_steps(engine: Engine, script: ModuleType, *steps: str, metadata: MetaData | None = None) -> None:
    """Run functions of the script ("upgrade", "downgrade"), each in a transaction. `metadata` is what env.py would give
    as target_metadata."""
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"target_metadata": metadata})
        # As Alembic does it for a script: without a transaction of its own, SQLite's would not be committed.
        per_script = not context.impl.transactional_ddl
        for step in steps:
            with Operations.context(context), context.begin_transaction(_per_migration=per_script):
                getattr(script, step)()
