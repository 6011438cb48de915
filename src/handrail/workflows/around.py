"""What a deployment does around the apply of a guarded run; a plain upgrade does nothing there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from handrail.errors import HandrailError
from handrail.workflows.run import Run


class Around(Protocol):
    """Called in this order, while the run holds the database. What it raises stops the run like a failed apply."""

    def data(self) -> Mapping[str, str]:
        """What the run's first event says about it."""
        ...

    def before_apply(self, run: Run) -> None:
        """The backup is proven and the upgrade rehearsed; nothing has been applied."""
        ...

    def after_proof(self, run: Run) -> None:
        """The upgrade is committed and proven; the application has not been asked for its health."""
        ...

    def after_health(self, run: Run) -> None:
        """The application has answered."""
        ...

    def after_trouble(self, run: Run, ended: HandrailError) -> HandrailError:
        """Something failed, and the database has been brought back (BroughtBack) or not; the error to raise."""
        ...


class Nothing:
    """A plain upgrade."""

    def data(self) -> Mapping[str, str]:
        return {}

    def before_apply(self, run: Run) -> None:
        """Nothing."""

    def after_proof(self, run: Run) -> None:
        """Nothing."""

    def after_health(self, run: Run) -> None:
        """Nothing."""

    def after_trouble(self, run: Run, ended: HandrailError) -> HandrailError:
        return ended
