"""Each module leaves the laboratory empty: a server that runs on costs every test that follows."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.laboratory import TestLaboratory


@pytest.fixture(scope="module")
def laboratory(laboratory: TestLaboratory) -> Iterator[TestLaboratory]:
    yield laboratory
    laboratory.faults.reset()
