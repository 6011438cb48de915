"""The contract of a health check: one question to the application after an upgrade, answered within a deadline."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HealthResult:
    """`detail` is one line: what answered, or why the last attempt failed."""

    is_well: bool
    detail: str


HealthCheck = Callable[[], HealthResult]
