"""The recovery sheet: how one backup is restored with plain programs, as a text that is a shell script as well.

It is read by somebody who has lost the rest: every fact about the backup and every command stands on it. What comes
from a database or a configuration is told in comments on one line each, or as data in quotes, never as a command.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from handrail.amounts import count, size
from handrail.backups.methods import part_of
from handrail.backups.record import BackupRecord, StoredArtifact
from handrail.facts import TableFingerprint

FORMAT_UNKNOWN = "this handrail does not know how a dump of the format {} is restored by hand"


@dataclass(frozen=True, slots=True)
class TableLines:
    """Lines of which each table has one, made whenever they are gone through: there may be 100,000 tables."""

    first: tuple[str, ...]
    tables: Sequence[TableFingerprint]
    line: Callable[[TableFingerprint], str]

    def __iter__(self) -> Iterator[str]:
        return chain(self.first, map(self.line, self.tables))


@dataclass(frozen=True, slots=True)
class ByHand:
    """How a dump is brought back with an engine's own programs, as lines of a POSIX shell.

    In `restore` and `ask` the dump is the file "$DUMP", and "$TARGET" names the new database (which `target`, an
    expression of the shell, names where nobody has). `ask` is a command that reads `queries` and writes a line
    "name|number" for each of `expected`; where it is "" people are to compare.
    """

    programs: tuple[str, ...]
    remarks: tuple[str, ...]
    target: str
    restore: tuple[str, ...]
    ask: str
    queries: Iterable[str]
    expected: Iterable[str]


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """Where things were when the sheet was written: the store, and in people's words the private key."""

    store: str
    key: str = ""


def recovery_sheet(record: BackupRecord, by_hand: ByHand | None, where: Whereabouts) -> str:
    """The sheet of a backup; `by_hand` is None for a format whose restore nobody has written down."""
    return "".join(f"{line}\n" for line in sheet_lines(record, by_hand, where))


def sheet_lines(record: BackupRecord, by_hand: ByHand | None, where: Whereabouts) -> Iterator[str]:
    """The same line by line, without their ends."""
    yield from _comments(_head(record))
    yield ""
    yield from _comments(_what(record))
    yield ""
    yield from _comments(_at_hand(record, by_hand, where))
    yield ""
    yield from _preparation(record)
    yield from _opening(record.artifact)
    yield from _restoring(by_hand) if by_hand else _comments(["", FORMAT_UNKNOWN.format(record.format)])


def _one_line(text: str) -> str:
    """Nothing in it can end a comment: no line break of any kind, no other control character."""
    return "".join(one if one.isprintable() else "?" for one in text)


def _comments(lines: Iterable[str]) -> Iterator[str]:
    return (f"# {_one_line(line)}".rstrip() for line in lines)


def _head(record: BackupRecord) -> list[str]:
    return [
        f"RECOVERY SHEET of backup {record.id}",
        "",
        "How to restore this very backup without handrail. Lines that do not begin with # are commands of a shell:",
        "in the folder of the backup's files start one (sh) and type them one by one, or let it read them all:",
        f"    {_call(record)}sh RECOVERY.txt",
        "A command that fails ends that shell. Nothing here touches the database that was backed up, nor the backup.",
    ]


def _call(record: BackupRecord) -> str:
    return "KEY=/path/of/the/private/key " if record.artifact.is_encrypted else ""


def _what(record: BackupRecord) -> list[str]:
    proven = f"{record.verified_at:%Y-%m-%d %H:%M:%S} UTC" if record.verified_at else ""
    return [
        "WHAT IT IS",
        f"database    {record.database}",
        f"server      {record.engine} {record.server_version}",
        f"environment {record.environment}",
        f"made        {record.created_at:%Y-%m-%d %H:%M:%S} UTC, for: {record.reason}",
        f"made by     handrail {record.handrail_version}, {record.tool}, format {record.format}",
        f"revision    {', '.join(record.revisions) or 'none'} (Alembic), git commit {record.git_commit or 'none'}",
        f"content     {part_of(record.tables, record.schema_only) or _content(record)}",
        f"proven      {proven or 'not when this was written; verified-*.json beside it are later proofs'}",
    ]


def _content(record: BackupRecord) -> str:
    tables = f"{count(len(record.fingerprint.tables), 'table')}, {count(record.fingerprint.rows, 'row')}"
    return f"{tables}, {size(record.facts.size_bytes or 0)} in the database"


def _at_hand(record: BackupRecord, by_hand: ByHand | None, where: Whereabouts) -> list[str]:
    artifact = record.artifact
    folder, _, name = artifact.key.rpartition("/")
    lines = [
        "WHAT MUST BE AT HAND",
        f"the file {name} of {count(artifact.size, 'byte')}; it was stored in {where.store}/{folder}",
        "b3sum (Debian, Homebrew: the package b3sum)",
    ]
    if artifact.is_encrypted:
        lines.append("age (Debian, Homebrew: the package age), and the private key of one of these recipients:")
        lines += [f"    {recipient}" for recipient in artifact.recipients]
        lines.append(f"    kept: {where.key or 'nobody has said where (`identity_note` of the environment)'}")
    if artifact.compression == "zstd":
        lines.append("zstd (Debian, Homebrew: the package zstd)")
    lines += by_hand.programs if by_hand else ()
    if not record.is_hosted:
        lines.append(f"room for about {size(record.facts.size_bytes or 0)}, twice, where only you can read")
    return lines


def _preparation(record: BackupRecord) -> list[str]:
    lines = ["set -eu", "umask 077"]
    if record.artifact.is_encrypted:
        lines.append(': "${KEY:?set KEY to the file with the private key}"')
    return [
        *lines,
        "# What is unpacked goes into this folder; set WORK to another place before if there is no room.",
        'WORK=${WORK:-$(mktemp -d)}; echo "working in $WORK"',
    ]


def _opening(artifact: StoredArtifact) -> list[str]:
    """From the stored file to "$DUMP"."""
    name = artifact.key.rpartition("/")[2]
    lines = [
        "",
        '# 1. Is the file whole? "OK" means that every byte is as it was stored.',
        f"echo '{artifact.digest}  {name}' | b3sum --check",
        *_other_checks(artifact),
        "",
    ]
    decrypt, unpack = f'age --decrypt --identity "$KEY" {name}', "zstd --decompress --quiet"
    match artifact.is_encrypted, artifact.compression:
        case False, "none":
            return [*lines, "# 2. It is neither encrypted nor compressed.", f"DUMP={name}"]
        case True, "none":
            steps = ["# 2. Decrypt it.", f'{decrypt} > "$WORK/dump"']
        case True, _:
            steps = ["# 2. Decrypt and decompress it.", f'{decrypt} | {unpack} > "$WORK/dump"']
        case _:
            steps = ["# 2. Decompress it.", f'{unpack} --stdout {name} > "$WORK/dump"']
    return [*lines, *steps, 'DUMP="$WORK/dump"']


def _other_checks(artifact: StoredArtifact) -> list[str]:
    """Who lacks b3sum in an emergency should know what is lost by leaving it out."""
    finds = [*(["age"] if artifact.is_encrypted else []), *(["zstd"] if artifact.compression == "zstd" else [])]
    find = f"{' and '.join(finds)} {'find' if len(finds) > 1 else 'finds'} damage too"
    return [f"# (Where b3sum cannot be had, leave this out: {find}.)"] if finds else []


def _restoring(by_hand: ByHand) -> Iterator[str]:
    yield ""
    yield from _comments(["3. Restore it into a new database.", *by_hand.remarks])
    yield f"TARGET=${{TARGET:-{by_hand.target}}}"
    yield from by_hand.restore
    yield ""
    yield from _comparing(by_hand)


def _comparing(by_hand: ByHand) -> Iterator[str]:
    if not by_hand.ask:
        yield from _comments(["4. Compare: revision and number of rows of each table when the backup was made."])
        yield from _comments(by_hand.expected)
        yield 'echo "restored into $TARGET: compare it with the numbers in RECOVERY.txt"'
        return
    yield "# 4. Compare: revision and number of rows of each table, as they were when the backup was made."
    yield from _given(f'{by_hand.ask} > "$WORK/found"', by_hand.queries)
    yield from _given('cat > "$WORK/expected"', by_hand.expected)
    yield 'diff "$WORK/expected" "$WORK/found"'
    yield 'echo "restored into $TARGET: revision and numbers of rows are those of the backup"'


def _given(command: str, lines: Iterable[str]) -> Iterator[str]:
    """A command that is given lines as they are: the shell looks at nothing in them but for the word that ends them,
    and that is one that no line of theirs is, whatever a table is called."""
    word = "END"
    taken = {one for line in lines for one in line.split("\n") if one.startswith(word)}
    while word in taken:
        word += "_"
    yield f"{command} <<'{word}'"
    yield from lines
    yield word
