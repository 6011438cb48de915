"""Whether a restored copy is the source: fingerprints and schema compared, differences in words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from handrail.backups.methods import WHOLE, DumpRequest
from handrail.backups.record import Headline
from handrail.facts import DatabaseFacts, Fingerprint, ObjectKind, TableFingerprint
from handrail.migrations.revision import named


def compare_restored(
    source: Fingerprint,
    restored: Fingerprint,
    source_facts: DatabaseFacts,
    restored_facts: DatabaseFacts,
    request: DumpRequest = WHOLE,
) -> tuple[str, ...]:
    """Differences between the source at the dump's snapshot and what was restored; () when there are none.

    Who compares 100,000 tables asks for rows, then the schema, then the content, and holds one of them at a time."""
    found = compare_rows(source, restored, request) + compare_schema(source_facts, restored_facts, request)
    return found or compare_content(source.content, restored.content)


def compare_rows(source: Fingerprint, restored: Fingerprint, request: DumpRequest = WHOLE) -> tuple[str, ...]:
    """Differences of rows and sequences. Of a part of a database only the rows of its tables are compared.

    Sequences are not transactional on PostgreSQL (documentation, "Sequence Manipulation Functions"): a dump may hold
    a later value than the snapshot saw, so only a value that went back is a difference.
    """
    if source.algorithm != restored.algorithm:
        return (f"fingerprints cannot be compared: {source.algorithm} against {restored.algorithm}",)
    if not request.is_whole:
        held = {table.table for table in source.tables}
        restored = replace(restored, tables=tuple(table for table in restored.tables if table.table in held))
        source = replace(source, sequences=()) if request.schema_only else source
    return (*_table_differences(source, restored), *_sequence_differences(source, restored))


def compare_schema(source: DatabaseFacts, restored: DatabaseFacts, request: DumpRequest = WHOLE) -> tuple[str, ...]:
    """Differences of columns and schema objects. In a part of a database foreign keys may be missing."""
    return (
        *_column_differences(source, restored),
        *_object_differences(source, restored, may_lack_keys=not request.is_whole),
    )


def compare_content(then: str, now: str) -> tuple[str, ...]:
    """What no table shows: an index whose entries are wrong, settings of the file, what Alembic's own table holds.

    It also differs where rows or schema do, so it tells something only when they are equal."""
    are_of_one_kind = then.rpartition(":")[0] == now.rpartition(":")[0]
    if then and now and are_of_one_kind and then != now:
        return ("what no table shows differs from the source: indexes, or settings of the database",)
    return ()


def is_to_compare(record: Headline, asked: bool | None) -> bool:
    """Whether what is restored from a backup is compared with the source: as `asked`, else when no proof stands for it.
    The bytes of a backup are read against their digest anyway; those that were proven once restore to the same."""
    return not record.is_verified if asked is None else asked


def compare_revisions(source: Iterable[str], restored: Iterable[str]) -> tuple[str, ...]:
    """What Alembic's own table holds, which is in no fingerprint."""
    then, now = sorted(source), sorted(restored)
    return () if then == now else (f"it is at {named(tuple(now))}, the source was at {named(tuple(then))}",)


def _table_differences(source: Fingerprint, restored: Fingerprint) -> list[str]:
    if source.tables == restored.tables:
        return []  # nothing is looked up: there may be 100,000
    differences = []
    for table in source.tables:
        found = restored.table(table.table)
        if found is None:
            differences.append(f"table {table.table} is missing")
        elif found.rows != table.rows:
            differences.append(f"table {table.table} has {found.rows} rows, the source had {table.rows}")
        elif _digests(found) != _digests(table):
            differences.append(f"table {table.table}: rows differ from the source")
    known = {table.table for table in source.tables}
    differences += [
        f"table {table.table} is not in the source" for table in restored.tables if table.table not in known
    ]
    return differences


def _digests(table: TableFingerprint) -> dict[tuple[str, ...], str]:
    return {group.columns: group.digest for group in table.digests}


def _sequence_differences(source: Fingerprint, restored: Fingerprint) -> list[str]:
    found = dict(restored.sequences)
    return [
        f"sequence {name} is at {found.get(name, 'nothing')}, the source was at {value}"
        for name, value in source.sequences
        if found.get(name, value - 1) < value
    ]


def _column_differences(source: DatabaseFacts, restored: DatabaseFacts) -> list[str]:
    if source.tables == restored.tables:
        return []
    differences = []
    for table in source.tables:
        found = restored.table(table.name)
        if found is None:
            continue  # missing tables are told by the fingerprint
        if found.columns != table.columns:
            differences.append(f"table {table.name}: columns differ from the source")
        elif found.primary_key != table.primary_key:
            differences.append(f"table {table.name}: the primary key differs from the source")
    return differences


def _object_differences(source: DatabaseFacts, restored: DatabaseFacts, *, may_lack_keys: bool) -> list[str]:
    """An INVALID index holds no data, nobody can use it, and pg_dump leaves it out: that one may be missing."""
    if source.objects == restored.objects:
        return []
    differences = []
    is_same_wording = source.is_worded_as(restored)
    have = {(item.kind, item.table, item.name): item for item in restored.objects}
    for item in source.objects:
        other = have.pop((item.kind, item.table, item.name), None)
        if other is None:
            is_dead = item.kind is ObjectKind.INDEX and not item.is_valid
            if not is_dead and not (may_lack_keys and item.definition.startswith("FOREIGN KEY")):
                differences.append(f"{item.kind} {item.name} is missing")
        elif is_same_wording and other.definition != item.definition:
            differences.append(f"{item.kind} {item.name} differs from the source")
        elif item.is_valid and not other.is_valid:
            differences.append(f"{item.kind} {item.name} is not valid, the source's was")
    return differences + [f"{item.kind} {item.name} is not in the source" for item in have.values()]
