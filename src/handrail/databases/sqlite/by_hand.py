"""How a dump of a SQLite database is restored with the program sqlite3: the lines of a recovery sheet."""

from __future__ import annotations

from handrail.backups.methods import Format
from handrail.backups.record import BackupRecord
from handrail.backups.sheet import ByHand, TableLines
from handrail.databases.sqlite.catalog import literal, quoted
from handrail.facts import TableFingerprint

_MADE = {
    Format.SQLITE_PAGES: ('cp "$DUMP" "$TARGET"',),
    Format.SQLITE_SQL: ('sqlite3 -batch -bail "$TARGET" < "$DUMP" > /dev/null',),
    Format.SQLITE_INCREMENT: (
        ': "${PARENT:?set PARENT to the file restored from the backup that it builds on}"',
        'cp "$PARENT" "$TARGET"',
        'mkdir "$WORK/pieces"',
        'tar --extract --file="$DUMP" --directory="$WORK/pieces"',
        'for list in "$WORK"/pieces/*.places; do',
        '  test -e "$list" || continue',
        "  skip=0",
        "  while read -r first count; do",
        '    dd if="${list%.places}.pieces" of="$TARGET" bs="$(cat "$WORK/pieces/piece")" \\',
        '      skip="$skip" seek="$first" count="$count" conv=notrunc status=none',
        "    skip=$((skip + count))",
        '  done < "$list"',
        "done",
        'truncate --size="$(cat "$WORK/pieces/size")" "$TARGET"',
    ),
}


def by_hand(record: BackupRecord, version_table: str) -> ByHand | None:
    """None for a format that is not SQLite's."""
    made = _MADE.get(record.request.format or Format.SQLITE_PAGES)
    if made is None:
        return None
    tables, revisions = record.fingerprint.tables, record.revisions
    asked = f"SELECT 'revision|' || version_num FROM {quoted(version_table)} ORDER BY 1;"  # noqa: S608 - quoted
    return ByHand(
        programs=(f"sqlite3 (Debian: the package sqlite3), {record.server_version} or newer",),
        remarks=(
            *_on_parent(record),
            "It is a file; when it is as you want it, move it to where the application looks for it.",
        ),
        target="$WORK/restored.db",
        restore=(
            'test ! -e "$TARGET" || { echo "$TARGET is there already" >&2; exit 1; }',
            *made,
            'test "$(sqlite3 -batch "$TARGET" \'PRAGMA integrity_check\')" = ok',
        ),
        ask='sqlite3 -batch "$TARGET"',
        queries=TableLines((asked,) if revisions else (), tables, _query),
        expected=TableLines(
            tuple(f"revision|{one}" for one in revisions), tables, lambda one: f"{one.table.name}|{one.rows}"
        ),
    )


def _query(one: TableFingerprint) -> str:
    name = one.table.name
    return f"SELECT {literal(name + '|')} || count(*) FROM {quoted(name)};"  # noqa: S608 - quoted


def _on_parent(record: BackupRecord) -> tuple[str, ...]:
    if not record.parent:
        return ()
    return (
        f"These are only the parts that changed since backup {record.parent}: restore that one first, by the",
        "RECOVERY.txt in its folder, and set PARENT to the file that it made.",
    )
