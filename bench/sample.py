"""Copies of the sample application, and realistic rows for its tables: Korean and English text, seeded."""

from __future__ import annotations

import os
import random
import runpy
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path

from bench.measuring import program, run_measured

SAMPLE = Path(__file__).resolve().parent.parent / "examples" / "puddingcamp"
SCRIPT = "8c2d47e9b1a0_add_attendance_status_to_bookings.py"
FIRST = "5a1f0c3d2b4e"
DEVELOPMENT = {"ENV": "development"}
USERS = 2000
MB = 1_000_000
_BATCH = 5000
_TOPICS = ("Python 기초", "FastAPI 실습", "Data modelling", "알고리즘 스터디", "Code review", "면접 준비", "Alembic")
_SENTENCES = (
    "the meeting covers what we planned last week",
    "and questions about deployment testing",
    "database schema review please bring your",
    "notebook homework links slides example",
    "project career advice feedback session online",
    "오늘은 지난주에 배운 내용을 복습하고 데이터베이스 설계와 배포 과정을 함께",
    "살펴봅니다 질문이 있으면 미리 남겨 주세요 과제 제출 코드 리뷰 예약 시간 변경",
    "온라인 오프라인 강의실 준비물 노트북 참석 여부 확인 부탁드립니다 감사합니다",
)
_WORDS = [word for sentence in _SENTENCES for word in sentence.split()]
Booking = tuple[str, str, str, int]


def users() -> list[tuple[int, str, str]]:
    return [(n, f"user{n:05}", f"user{n:05}@example.com") for n in range(1, USERS + 1)]


def bookings(seed: int = 7) -> Iterator[Booking]:
    """Endless; the same ones for the same seed."""
    chance = random.Random(seed)
    while True:
        words = " ".join(chance.choices(_WORDS, k=chance.randint(8, 60)))
        day = f"{chance.randint(2019, 2026)}-{chance.randint(1, 12):02}-{chance.randint(1, 28):02}"
        yield chance.choice(_TOPICS), f"{words} #{chance.getrandbits(40):x}", day, chance.randint(1, USERS)


def copy_sample(folder: Path, database: Path | None = None) -> Path:
    """The application with the repaired script of the story, and a database at the first revision when given."""
    shutil.copytree(SAMPLE, folder, ignore=shutil.ignore_patterns("__pycache__", ".*", "*.db*"))
    runpy.run_path(str(folder / "story" / "rewind.py"))["rewind"](folder)
    shutil.copy(SAMPLE / "story" / "repaired_add_attendance_status.py", folder / "alembic" / "versions" / SCRIPT)
    if database is not None:
        shutil.copy(database, folder / "local.db")
    return folder


def make_database(work: Path, size: int) -> Path:
    """A database of the sample application at its first revision, of about `size` bytes."""
    folder = copy_sample(work / f"made-{size}")
    run_measured([program("alembic"), "upgrade", FIRST], folder, DEVELOPMENT)
    path = folder / "local.db"
    rows = bookings()
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("PRAGMA synchronous = OFF")
        raw.executemany("INSERT INTO users VALUES (?, ?, ?)", users())
        while Path(path).stat().st_size < size:
            batch = islice(rows, _BATCH)
            raw.executemany('INSERT INTO bookings (topic, description, "when", user_id) VALUES (?, ?, ?, ?)', batch)
            raw.commit()
    os.sync()
    return path
