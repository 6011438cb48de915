"""Fingerprints of every kind of value and table; the digests are written down, so every server must give the same."""

from __future__ import annotations

from handrail.databases.postgres.database import PostgresDatabase
from handrail.facts import DatabaseAddress, Fingerprint, TableName
from support.postgres import PostgresServer

TYPES = (
    "CREATE TYPE mood AS ENUM ('슬픔', 'ok', 'happy')",
    "CREATE DOMAIN positive AS integer CHECK (VALUE > 0)",
    "CREATE TYPE pair AS (a integer, b text)",
)

#: Name → column type, then SQL values that are all different and must have different digests.
VALUES: dict[str, tuple[str, tuple[str, ...]]] = {
    "text": ("text", ("NULL", "''", "'NULL'", "' '", "'한글'", "'🍮'", "'a,b'", "'a\"b'", r"'a\b'", "'(a)'", "'%s'")),
    "float": ("float8", ("'NaN'", "'-0.0'", "'0.0'", "'Infinity'", "0.1", "0.30000000000000004")),
    "real": ("real", ("0.1", "0.10000001", "'-0'")),
    "numeric": ("numeric", ("1", "1.0", "1.00", "'NaN'", "12345678901234567890.5")),
    "bytea": ("bytea", ("''", "'\\x00'", "'\\xff00'", "'a'")),
    "json": ("json", ("'{}'", "'{ }'", "'{\"a\":1}'", "'null'", "NULL")),
    "jsonb": ("jsonb", ("'{}'", '\'{"a":1,"b":null}\'', "'{\"a\":1}'", "'null'", "NULL")),
    "array": ("text[]", ("'{}'", "'{NULL}'", "'{\"NULL\"}'", "'{a,b}'", "'{\"a,b\"}'", "'{{a},{b}}'", "'[0:1]={a,b}'")),
    "enum": ("mood", ("'슬픔'", "'ok'", "'happy'", "NULL")),
    "domain": ("positive", ("1", "2", "NULL")),
    "composite": ("pair", ("ROW(1, NULL)", "ROW(1, '')", "ROW(NULL, NULL)", "NULL")),
    "range": ("int4range", ("'[1,3)'", "'[1,4)'", "'empty'", "'(,)'")),
    "timestamptz": ("timestamptz", ("'2024-01-10 00:00+00'", "'2024-01-10 00:00:00.000001+00'", "'infinity'")),
    "interval": ("interval", ("'1 month'", "'30 days'", "'720 hours'", "'-1 day 1 hour'")),
    "uuid": ("uuid", ("'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'", "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a12'")),
    "bool": ("boolean", ("true", "false", "NULL")),
    "money": ("money", ("1.5", "-1.5")),
}

#: Of the table `golden` below. It changes only with the name of the algorithm.
GOLDEN_DIGEST = "ea6cf498d7687950c3642fc5ab81e076"


def fingerprint_of(server: PostgresServer, address: DatabaseAddress, *statements: str) -> Fingerprint:
    server.execute(address, statements)
    return PostgresDatabase(address).fingerprint()


def digest_of(fingerprint: Fingerprint, name: str) -> str:
    table = fingerprint.table(TableName(name))
    assert table is not None
    (group,) = table.digests
    return group.digest


def test_every_value_has_its_own_digest(postgres_server: PostgresServer, address: DatabaseAddress) -> None:
    statements = list(TYPES)
    for name, (type_, values) in VALUES.items():
        for place, value in enumerate(values):
            statements.append(f"CREATE TABLE {name}_{place} AS SELECT ({value})::{type_} AS v")
    fingerprint = fingerprint_of(postgres_server, address, *statements)
    for name, (_, values) in VALUES.items():
        digests = [digest_of(fingerprint, f"{name}_{place}") for place in range(len(values))]
        assert len(set(digests)) == len(values), (name, digests)


def test_digests_are_the_same_on_every_server_whatever_its_settings(
    postgres_server: PostgresServer, address: DatabaseAddress
) -> None:
    columns = ", ".join(f"v_{name} {type_}" for name, (type_, _) in VALUES.items())
    rows = [
        f"INSERT INTO golden (v_{name}) VALUES ({value})" for name, (_, values) in VALUES.items() for value in values
    ]
    database = address.database
    settings = {
        "DateStyle": "'German, DMY'",
        "IntervalStyle": "'sql_standard'",
        "TimeZone": "'Asia/Seoul'",
        "bytea_output": "'escape'",
        "extra_float_digits": "-5",
        "max_parallel_workers_per_gather": "0",
    }
    fingerprint = fingerprint_of(postgres_server, address, *TYPES, f"CREATE TABLE golden ({columns})", *rows)
    odd = [f"ALTER DATABASE {database} SET {name} TO {value}" for name, value in settings.items()]
    assert fingerprint_of(postgres_server, address, *odd) == fingerprint
    assert fingerprint.algorithm == "postgres-rowtext-v1"
    assert digest_of(fingerprint, "golden") == GOLDEN_DIGEST


def test_every_kind_of_table_is_counted_once(postgres_server: PostgresServer, address: DatabaseAddress) -> None:
    fingerprint = fingerprint_of(
        postgres_server,
        address,
        "CREATE TABLE generated (a integer, b integer GENERATED ALWAYS AS (a * 2) STORED)",
        "INSERT INTO generated VALUES (1)",
        "CREATE TABLE no_columns ()",
        "INSERT INTO no_columns DEFAULT VALUES",
        "INSERT INTO no_columns DEFAULT VALUES",
        "CREATE UNLOGGED TABLE unlogged (a integer)",
        "INSERT INTO unlogged VALUES (1)",
        "CREATE TABLE events (at date, note text) PARTITION BY RANGE (at)",
        "CREATE TABLE events_2023 PARTITION OF events FOR VALUES FROM ('2023-01-01') TO ('2024-01-01')",
        "CREATE TABLE events_2024 PARTITION OF events FOR VALUES FROM ('2024-01-01') TO ('2025-01-01')",
        "INSERT INTO events VALUES ('2023-05-01', 'a'), ('2024-05-01', 'b'), ('2024-06-01', 'c')",
        "CREATE TABLE parent (a integer)",
        "CREATE TABLE child (b integer) INHERITS (parent)",
        "INSERT INTO parent VALUES (1)",
        "INSERT INTO child VALUES (2, 3)",
        'CREATE SCHEMA "그 밖"',
        'CREATE TABLE "그 밖"."a"" \'b\' %d :c" ("X y%" text)',
        'INSERT INTO "그 밖"."a"" \'b\' %d :c" VALUES (\'x\')',
        "CREATE MATERIALIZED VIEW derived AS SELECT * FROM parent",
        "CREATE TABLE counted (id serial PRIMARY KEY, other integer GENERATED BY DEFAULT AS IDENTITY)",
        "INSERT INTO counted DEFAULT VALUES",
        "SELECT lo_create(0)",
    )
    assert {entry.table: entry.rows for entry in fingerprint.tables} == {
        TableName("a\" 'b' %d :c", "그 밖"): 1,
        TableName("child"): 1,
        TableName("counted"): 1,
        TableName("events_2023"): 1,
        TableName("events_2024"): 2,
        TableName("generated"): 1,
        TableName("no_columns"): 2,
        TableName("parent"): 1,
        TableName("pg_largeobject_metadata", "pg_catalog"): 1,
        TableName("unlogged"): 1,
    }
    assert fingerprint.sequences == (("counted_id_seq", 1), ("counted_other_seq", 1))
    generated = fingerprint.table(TableName("generated"))
    assert generated is not None
    assert generated.digests[0].columns == ("a", "b")


def test_a_large_sum_of_hashes_keeps_its_digest_when_rows_move(
    postgres_server: PostgresServer, address: DatabaseAddress
) -> None:
    first = fingerprint_of(
        postgres_server, address, "CREATE TABLE many AS SELECT n, repeat('x', n % 50) FROM generate_series(1, 20000) n"
    )
    again = fingerprint_of(
        postgres_server,
        address,
        "CREATE TABLE again AS SELECT * FROM many ORDER BY random()",
        "DROP TABLE many",
        "ALTER TABLE again RENAME TO many",
    )
    assert again == first
    changed = fingerprint_of(postgres_server, address, "UPDATE many SET n = n + 1 WHERE n IN (77, 78)")
    assert digest_of(changed, "many") != digest_of(first, "many")


def test_the_version_table_may_lie_in_another_schema(postgres_server: PostgresServer, address: DatabaseAddress) -> None:
    postgres_server.execute(
        address,
        [
            "CREATE SCHEMA meta",
            "CREATE TABLE meta.versions (version_num text PRIMARY KEY)",
            "INSERT INTO meta.versions VALUES ('b'), ('a')",
        ],
    )
    database = PostgresDatabase(address, version_table=TableName("versions", "meta"))
    assert database.revisions() == ("a", "b")
    assert database.fingerprint().tables == ()
    assert database.facts().tables == ()
    assert database.facts().objects == ()
