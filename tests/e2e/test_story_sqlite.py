"""The guide's story on SQLite."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.guided import Guided
from support.story import Story, on_sqlite


class TestOnSQLite(Guided):
    @pytest.fixture
    def story(self, tmp_path: Path) -> Story:
        story = on_sqlite(tmp_path)
        story.fill()
        return story
