"""The recovery sheet: one as a whole, and that nothing which is told on it can become a command."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handrail.backups.record import BackupRecord, StoredArtifact, Verification
from handrail.backups.sheet import ByHand, Whereabouts, recovery_sheet
from handrail.facts import DatabaseFacts, Fingerprint, TableFingerprint, TableName

RECORD = BackupRecord(
    id="20260218_030000_9f3a2c",
    run_id="20260218_030000_9f3a2c",
    created_at=datetime(2026, 2, 18, 3, 0, 0, 123456, tzinfo=UTC),
    environment="production",
    database="postgresql://app@db/app",
    engine="postgresql",
    format="pg_dump-custom",
    tool="18.1",
    server_version="18.1",
    revisions=("c3a1", "d4b2"),
    artifact=StoredArtifact(
        "production/20260218_030000_9f3a2c/artifact.zst.age", 4711, "af13", "zstd", "age", ("age1x",)
    ),
    fingerprint=Fingerprint("pg-1", (TableFingerprint(TableName("bookings"), 1200, ()),)),
    facts=DatabaseFacts("postgresql", "18.1", frozenset(), (), (), 8_192_000),
    seconds=1.5,
    reason="upgrade to c3a1 — 예약",
    git_commit="0123456789ab",
    handrail_version="0.1",
)
BY_HAND = ByHand(
    programs=("a server",),
    remarks=("Say which server.",),
    target="restored",
    restore=('load "$DUMP" "$TARGET"',),
    ask="ask",
    queries=("SELECT 1;",),
    expected=("revision|c3a1", "bookings|1200"),
)
WHERE = Whereabouts("/srv/backups", "in the safe")
WHOLE = """\
# RECOVERY SHEET of backup 20260218_030000_9f3a2c
#
# How to restore this very backup without handrail. Lines that do not begin with # are commands of a shell:
# in the folder of the backup's files start one (sh) and type them one by one, or let it read them all:
#     KEY=/path/of/the/private/key sh RECOVERY.txt
# A command that fails ends that shell. Nothing here touches the database that was backed up, nor the backup.

# WHAT IT IS
# database    postgresql://app@db/app
# server      postgresql 18.1
# environment production
# made        2026-02-18 03:00:00 UTC, for: upgrade to c3a1 — 예약
# made by     handrail 0.1, 18.1, format pg_dump-custom
# revision    c3a1, d4b2 (Alembic), git commit 0123456789ab
# content     1 table, 1,200 rows, 8.2 MB in the database
# proven      not when this was written; verified-*.json beside it are later proofs

# WHAT MUST BE AT HAND
# the file artifact.zst.age of 4,711 bytes; it was stored in /srv/backups/production/20260218_030000_9f3a2c
# b3sum (Debian, Homebrew: the package b3sum)
# age (Debian, Homebrew: the package age), and the private key of one of these recipients:
#     age1x
#     kept: in the safe
# zstd (Debian, Homebrew: the package zstd)
# a server
# room for about 8.2 MB, twice, where only you can read

set -eu
umask 077
: "${KEY:?set KEY to the file with the private key}"
# What is unpacked goes into this folder; set WORK to another place before if there is no room.
WORK=${WORK:-$(mktemp -d)}; echo "working in $WORK"

# 1. Is the file whole? "OK" means that every byte is as it was stored.
echo 'af13  artifact.zst.age' | b3sum --check
# (Where b3sum cannot be had, leave this out: age and zstd find damage too.)

# 2. Decrypt and decompress it.
age --decrypt --identity "$KEY" artifact.zst.age | zstd --decompress --quiet > "$WORK/dump"
DUMP="$WORK/dump"

# 3. Restore it into a new database.
# Say which server.
TARGET=${TARGET:-restored}
load "$DUMP" "$TARGET"

# 4. Compare: revision and number of rows of each table, as they were when the backup was made.
ask > "$WORK/found" <<'END'
SELECT 1;
END
cat > "$WORK/expected" <<'END'
revision|c3a1
bookings|1200
END
diff "$WORK/expected" "$WORK/found"
echo "restored into $TARGET: revision and numbers of rows are those of the backup"
"""


def test_a_sheet_as_a_whole() -> None:
    assert recovery_sheet(RECORD, BY_HAND, WHERE) == WHOLE


def commands(sheet: str) -> list[str]:
    return [line for line in sheet.splitlines() if line and not line.startswith("#")]


@pytest.mark.parametrize(
    ("artifact", "steps"),
    [
        (
            StoredArtifact("p/1/artifact.age", 1, "af", "none", "age", ("age1x",)),
            ['age --decrypt --identity "$KEY" artifact.age > "$WORK/dump"', 'DUMP="$WORK/dump"'],
        ),
        (
            StoredArtifact("p/1/artifact.zst", 1, "af", "zstd"),
            ['zstd --decompress --quiet --stdout artifact.zst > "$WORK/dump"', 'DUMP="$WORK/dump"'],
        ),
        (StoredArtifact("p/1/artifact", 1, "af", "none"), ["DUMP=artifact"]),
    ],
)
def test_how_an_artifact_is_opened(artifact: StoredArtifact, steps: list[str]) -> None:
    sheet = recovery_sheet(replace(RECORD, artifact=artifact), BY_HAND, WHERE)
    found = commands(sheet)
    begin = next(n for n, line in enumerate(found) if "b3sum" in line)
    assert found[begin + 1 : found.index("TARGET=${TARGET:-restored}")] == steps
    assert ("KEY=" in sheet) is artifact.is_encrypted


def test_when_it_was_proven_and_who_has_the_key() -> None:
    proven = replace(RECORD, verifications=(Verification(datetime(2026, 2, 19, tzinfo=UTC), "r2", 1.0),))
    lines = recovery_sheet(proven, BY_HAND, Whereabouts("s3://bucket/x")).splitlines()
    assert "# proven      2026-02-19 00:00:00 UTC" in lines
    assert "#     kept: nobody has said where (`identity_note` of the environment)" in lines
    assert (
        "# the file artifact.zst.age of 4,711 bytes; it was stored in s3://bucket/x/production/20260218_030000_9f3a2c"
        in lines
    )


def test_a_format_that_nobody_has_written_down_is_opened_and_says_so() -> None:
    sheet = recovery_sheet(replace(RECORD, format="new"), None, WHERE)
    assert sheet.endswith(
        'DUMP="$WORK/dump"\n#\n# this handrail does not know how a dump of the format new is restored by hand\n'
    )


def test_without_a_program_that_counts_people_compare() -> None:
    sheet = recovery_sheet(RECORD, replace(BY_HAND, ask="", queries=()), WHERE)
    assert sheet.endswith(
        "# 4. Compare: revision and number of rows of each table when the backup was made.\n"
        "# revision|c3a1\n# bookings|1200\n"
        'echo "restored into $TARGET: compare it with the numbers in RECOVERY.txt"\n'
    )


words = st.text(st.characters(codec="utf-8"), max_size=30) | st.sampled_from(
    ["x\nharm", "x\rharm", "x\u2028harm", "\x85harm", "\x1b[2J"]
)


@given(words, words, words, words, words)
def test_no_word_becomes_a_command(database: str, reason: str, note: str, table: str, commit: str) -> None:
    record = replace(
        RECORD, database=database, reason=reason, git_commit=commit, tables=(TableName(table),), environment=table,
        revisions=(reason,), tool=note, server_version=commit,
    )  # fmt: skip
    told = replace(BY_HAND, remarks=(reason,), programs=(table,), ask="", expected=(table, reason))
    plain = replace(BY_HAND, ask="")
    sheet = recovery_sheet(record, told, Whereabouts(database, note))
    assert commands(sheet) == commands(recovery_sheet(RECORD, plain, WHERE))
    assert all(one.isprintable() for one in sheet.replace("\n", ""))


@given(st.lists(words | st.sampled_from(["END", "END_", "a\nEND", "END\nharm"]), max_size=5))
def test_what_a_command_reads_ends_where_it_is_to_end(expected: list[str]) -> None:
    sheet = recovery_sheet(RECORD, replace(BY_HAND, queries=(), expected=tuple(expected)), WHERE)
    head, _, rest = sheet.partition('cat > "$WORK/expected" <<\'')
    word, _, body = rest.partition("'\n")
    text, _, after = ("\n" + body).partition(f"\n{word}\n")
    assert text.removeprefix("\n") == "\n".join(expected)
    assert after.startswith('diff "$WORK/expected" "$WORK/found"\n')
    assert head.endswith("END\n")
