"""The [deploy] table: the commands that bring new code, take it back and restart the application."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from handrail.config_durations import Duration


@dataclass(frozen=True, slots=True)
class DeploySettings:
    """`command` deploys the code, `undo` puts the previous code back, `restart` starts the application anew, `smoke`
    must exit 0 when it is well; each is run without a shell and may take `timeout`. After that the health check is
    asked again and again for `watch`."""

    command: str | None = None
    undo: str | None = None
    restart: str | None = None
    smoke: str | None = None
    timeout: Duration = 600.0
    watch: Duration = 0.0

    def __post_init__(self) -> None:
        for name in ("command", "undo", "restart", "smoke"):
            text = getattr(self, name)
            if text is not None and not shlex.split(text):
                raise ValueError(f"`{name}` is empty")
        if self.timeout <= 0:
            raise ValueError("`timeout` is more than nothing")
