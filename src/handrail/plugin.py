"""What `import alembic` finds of handrail by its entry point (Alembic 1.18 and newer): plain `alembic revision
--autogenerate` and `alembic check` then see enum columns too, without a line in env.py.

It is loaded in every process that imports Alembic, the application's among them: so it imports nothing of weight, and
never raises while it is set up. `autogenerate_plugins=["alembic.autogenerate.*", "~alembic.autogenerate.handrail"]` in
env.py's context.configure() leaves it out.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from handrail.enums.plan import Wishes

#: Below Alembic's own wildcard, which is all that a project's env.py asks for unless it says otherwise.
NAME = "alembic.autogenerate.handrail"


class _Plugin(ModuleType):
    """The object of the entry point. Alembic 1.18 and 1.19 go through it as through a list (and fail to import at all
    when they cannot), later ones take it as a module."""

    def __iter__(self) -> Iterator[_Plugin]:
        yield self

    @staticmethod
    def setup(_plugin: Any) -> None:
        """Called by Alembic with a plugin of our entry point's name, which a project would have to ask for."""
        with contextlib.suppress(Exception):
            from alembic.runtime.plugins import Plugin
            from alembic.util import DispatchPriority

            own = Plugin(NAME)
            own.add_autogenerate_comparator(_after_all, "autogenerate", priority=DispatchPriority.LAST)
            own.add_autogenerate_comparator(
                _compare_default, "column", "server_default", priority=DispatchPriority.FIRST
            )


plugin = _Plugin("handrail.plugin")


def register_without_entry_points() -> None:
    """Do the same for Alembic before 1.18, which has no plugins: called when a project's models ask for a column of
    handrail's while Alembic is loaded. Never raises."""
    with contextlib.suppress(Exception):
        from alembic import util

        if not hasattr(util, "DispatchPriority"):
            from handrail.migrator import enum_hooks

            if not enum_hooks.SETTINGS.is_registered:
                enum_hooks.register(lambda: _wishes_in(Path.cwd()), _log)


def _after_all(context: Any, upgrade: Any, *rest: Any) -> Any:
    from handrail.migrator import enum_hooks

    if not enum_hooks.SETTINGS.is_registered:
        enum_hooks.SETTINGS.wishes = lambda: _wishes(context)
        enum_hooks.SETTINGS.tell = _log
    return enum_hooks.after_all(context, upgrade, *rest)


def _compare_default(*arguments: Any) -> Any:
    from handrail.migrator.enum_hooks import compare_default

    return compare_default(*arguments)


def _log(note: str) -> None:
    import logging

    logging.getLogger(NAME).info(note)


def _wishes(context: Any) -> Wishes:
    config = context.migration_context.environment_context.config
    return _wishes_in(Path(config.config_file_name or "alembic.ini").resolve().parent)


def _wishes_in(root: Path) -> Wishes:
    """The engines that the project's environments name, when it has a configuration of handrail's that can be read."""
    from handrail.enums.plan import Wishes

    engines = frozenset[str]()
    with contextlib.suppress(Exception):
        from handrail.wiring import read_config, script_engines

        engines = script_engines(read_config(root, None))
    return Wishes(engines)
