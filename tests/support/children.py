"""Processes that tests start and that never outlive a failing test."""

from __future__ import annotations

import subprocess
from types import TracebackType
from typing import AnyStr


class Child(subprocess.Popen[AnyStr]):
    """A process whose block, where it fails, ends it. Popen waits at the end of the block for one that nobody ends any
    more: a test that fails would hang, and keep all others from being told."""

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is not None:
            self.kill()
        super().__exit__(kind, value, traceback)
