"""Which engines lint judges by: those that the configuration names, else what the scripts suggest."""

from __future__ import annotations

from pathlib import Path

import pytest

from handrail.wiring import engines_of, read_config

BOTH = {"postgresql", "sqlite"}


def engines(folder: Path, url: str, toml: str, *sources: str) -> set[str]:
    line = f"sqlalchemy.url = {url}\n" if url else ""
    (folder / "alembic.ini").write_text(f"[alembic]\nscript_location = x\n{line}")
    (folder / "handrail.toml").write_text(toml)
    return set(engines_of(read_config(folder, None), sources))


def test_what_is_named_decides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert engines(tmp_path, "sqlite:///x.db", "") == {"sqlite"}
    assert engines(tmp_path, "postgresql+asyncpg://h/x", "") == {"postgresql"}
    assert engines(tmp_path, "postgres://h/x", "", "batch_alter_table") == {"postgresql"}
    two = '[environments.a]\nurl = "sqlite+aiosqlite:///x"\n[environments.b]\nurl = "env:B_URL"\n'
    monkeypatch.setenv("B_URL", "postgresql+psycopg://u:p@h/x")
    assert engines(tmp_path, "", two) == BOTH


def test_what_cannot_be_told_is_postgresql_and_sqlite_where_batch_mode_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("B_URL", raising=False)
    assert engines(tmp_path, "", "") == {"postgresql"}
    assert engines(tmp_path, "driver://user:pass@localhost/dbname", "", "with op.batch_alter_table('t')") == BOTH
    assert engines(tmp_path, "mysql://h/x", "") == {"postgresql"}
    some = '[environments.a]\nurl = "sqlite:///x"\n[environments.b]\nurl = "env:B_URL"\n'
    assert engines(tmp_path, "", some) == BOTH
