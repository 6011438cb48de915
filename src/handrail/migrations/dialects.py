"""Under which engines a piece of a script runs: what `if bind.dialect.name == "postgresql":` says."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Dialects:
    """The engines that come here: those in `only` (None: any), without those in `never`."""

    only: frozenset[str] | None = None
    never: frozenset[str] = frozenset()

    def allows(self, engine: str) -> bool:
        return (self.only is None or engine in self.only) and engine not in self.never

    def where(self, test: DialectTest) -> Dialects:
        """Those of these for which the test is true."""
        if test.is_negated:
            return Dialects(self.only, self.never | test.names)
        return Dialects(test.names if self.only is None else self.only & test.names, self.never)


ANY = Dialects()


@dataclass(frozen=True, slots=True)
class DialectName:
    """The value of `op.get_bind().dialect.name`."""


@dataclass(frozen=True, slots=True)
class DialectTest:
    """The value of `dialect.name == "postgresql"` or `dialect.name in (…)`, or of its opposite."""

    names: frozenset[str]
    is_negated: bool = False

    def opposite(self) -> DialectTest:
        return DialectTest(self.names, not self.is_negated)
