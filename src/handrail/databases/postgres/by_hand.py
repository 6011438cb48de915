"""How a dump of a PostgreSQL database is restored with PostgreSQL's own programs: the lines of a recovery sheet."""

# ruff: noqa: S608 - every name and value in SQL text goes through `quoting`

from __future__ import annotations

from handrail.backups.methods import Format
from handrail.backups.record import BackupRecord
from handrail.backups.sheet import ByHand, TableLines
from handrail.databases.postgres.binaries import TIMEOUT_SINCE, major
from handrail.databases.postgres.quoting import identifier, literal
from handrail.facts import TableFingerprint, TableName

_WITHOUT_TIMEOUT = "sed '1,50{/^SET transaction_timeout = 0;$/d;}'"
_PSQL = 'psql --no-psqlrc --quiet --dbname="$TARGET"'
_WHICH_SERVER = "Say which server by PGHOST, PGPORT and PGUSER; the password by PGPASSWORD or ~/.pgpass."
_OWNERS = "Owners and rights are left out; where the roles exist, leave out --no-owner and --no-privileges."


def by_hand(record: BackupRecord, version_table: TableName) -> ByHand | None:
    """None for a format that is not PostgreSQL's."""
    match record.request.format:
        case Format.PG_BASE:
            return _base(record, (), _UNPACKED)
        case Format.PG_INCREMENT:
            return _base(record, _on_parent(record), _COMBINED)
        case Format.PG_PLAIN:
            return _database(record, version_table, _plain(record), ())
        case Format.PG_CUSTOM:
            return _database(record, version_table, _archive(record, '"$DUMP"'), (_OWNERS, _JOBS))
        case Format.PG_DIRECTORY:
            unpack = ('mkdir "$WORK/folder"', 'tar --extract --file="$DUMP" --directory="$WORK/folder"')
            load = (*unpack, *_archive(record, '"$WORK/folder"'))
            return _database(record, version_table, load, (_OWNERS, _JOBS))
    return None


_JOBS = "For a large dump add --jobs=4 to pg_restore."


def _database(
    record: BackupRecord, version_table: TableName, load: tuple[str, ...], remarks: tuple[str, ...]
) -> ByHand:
    server = major(record.server_version)
    needed = max(major(record.tool), server)
    tables = record.fingerprint.tables
    revisions = () if record.schema_only else record.revisions
    asked = (f"SELECT 'revision|' || version_num FROM {_name(version_table)} ORDER BY 1;",) if revisions else ()
    return ByHand(
        programs=(
            f"a PostgreSQL server, version {server} or newer, where you may make databases",
            f"createdb, pg_restore and psql, version {needed} or newer (Debian: postgresql-client-{needed})",
        ),
        remarks=(_WHICH_SERVER, *remarks),
        target="handrail_restored",
        restore=('createdb --template=template0 --encoding=UTF8 "$TARGET"', *load),
        ask=f"{_PSQL} --no-align --tuples-only --set=ON_ERROR_STOP=1 --file=-",
        queries=TableLines(asked, tables, _query),
        expected=_expected(revisions, tables),
    )


def _query(one: TableFingerprint) -> str:
    return f"SELECT {literal(f'{one.table}|')} || count(*) FROM ONLY {_name(one.table)};"


def _expected(revisions: tuple[str, ...], tables: tuple[TableFingerprint, ...]) -> TableLines:
    return TableLines(tuple(f"revision|{one}" for one in revisions), tables, lambda one: f"{one.table}|{one.rows}")


def _archive(record: BackupRecord, archive: str) -> tuple[str, ...]:
    """Foreign keys of a part may lead to rows that it does not hold: pg_restore tells them, and goes on."""
    options = "--no-owner --no-privileges"
    if major(record.server_version) < TIMEOUT_SINCE:
        return (f'pg_restore {options} --file="$WORK/dump.sql" {archive}', *_sql(record, '"$WORK/dump.sql"'))
    if record.is_whole:
        return (f'pg_restore --exit-on-error {options} --dbname="$TARGET" {archive}',)
    return (
        "# Foreign keys that lead to rows which this part does not hold are told as errors, and left out.",
        f'pg_restore {options} --dbname="$TARGET" {archive} || echo "look at the errors above"',
    )


def _plain(record: BackupRecord) -> tuple[str, ...]:
    return (*_sql(record, '"$DUMP"'), "tail -n 5 \"$DUMP\" | grep -q '^-- PostgreSQL database dump complete'")


def _sql(record: BackupRecord, file: str) -> tuple[str, ...]:
    """An older server does not know a setting with which newer programs begin; nothing else is left out."""
    if record.is_whole:
        return (f"{_WITHOUT_TIMEOUT} {file} | {_PSQL} --set=ON_ERROR_STOP=1 --single-transaction --file=- > /dev/null",)
    return (
        "# Foreign keys that lead to rows which this part does not hold are told as errors, and left out.",
        f"{_WITHOUT_TIMEOUT} {file} | {_PSQL} --file=- > /dev/null",
    )


_UNPACKED = ('mkdir -m 700 "$TARGET"', 'tar --extract --file="$DUMP" --directory="$TARGET"')
_COMBINED = (
    'mkdir -m 700 "$WORK/increment"',
    'tar --extract --file="$DUMP" --directory="$WORK/increment"',
    'pg_verifybackup "$WORK/increment"',
    ': "${PARENT:?set PARENT to the data folder of the backup that it builds on}"',
    'pg_combinebackup --output="$TARGET" "$PARENT" "$WORK/increment"',
)


def _on_parent(record: BackupRecord) -> tuple[str, ...]:
    return (
        f"These are only the blocks that changed since backup {record.parent}: restore that one first, by the",
        "RECOVERY.txt in its folder, start no server on it, and set PARENT to the data folder that it made.",
    )


def _base(record: BackupRecord, remarks: tuple[str, ...], restore: tuple[str, ...]) -> ByHand:
    version = major(record.server_version)
    apart = ", ".join(str(table) for table in record.changed_meanwhile)
    told = (f"Others wrote to these tables meanwhile, so their numbers differ: {apart}.",) if apart else ()
    counted = record.fingerprint.without(record.changed_meanwhile).tables
    return ByHand(
        programs=(
            f"the programs of a PostgreSQL {version} server, no other version (Debian: postgresql-{version});"
            " pg_verifybackup among them",
        ),
        remarks=(
            *remarks,
            "TARGET becomes the data folder of a new server; who starts the server must own it (chown -R postgres).",
            "Configuration that lay outside of the data folder is not in it. It listens on the source's port.",
            'Start it with: pg_ctl --pgdata="$TARGET" start; then compare the numbers below.',
            *told,
        ),
        target="$WORK/data",
        restore=(
            *restore,
            'pg_verifybackup "$TARGET"',
            'rm -f "$TARGET/standby.signal" "$TARGET/recovery.signal"',
        ),
        ask="",
        queries=(),
        expected=_expected(record.revisions, counted),
    )


def _name(table: TableName) -> str:
    name = identifier(table.name)
    return name if table.schema is None else f"{identifier(table.schema)}.{name}"
