"""Definitions read the same in a database and in what was restored from its dump: no false alarm when verifying."""

from __future__ import annotations

import io

from handrail.backups.verification import compare_restored
from handrail.databases.postgres.database import PostgresDatabase
from handrail.facts import DatabaseAddress
from support.postgres import PostgresServer

#: What PostgreSQL's parser writes otherwise than it was typed, and again otherwise after a dump and restore.
CHECKS = (
    "status varchar(50) DEFAULT 'a' CHECK (status IN ('a', 'b''c', 'd, e'))",
    "plain text CHECK (plain IN ('x', 'y'))",
    "fixed char(3) CHECK (fixed IN ('abc', 'def'))",
    "mood mood CHECK (mood IN ('sad', 'ok'))",
    "email email",
    "number int CHECK (number IN (1, 2, 3))",
    "amount numeric(10, 2) CHECK (amount > 0 AND amount < 100.50)",
    "day date CHECK (day > '2020-01-01')",
    "at timestamptz DEFAULT now() CHECK (at > '2020-01-01 00:00+00')",
    "document jsonb DEFAULT '{}' CHECK (jsonb_typeof(document) = 'object')",
    "list text[] DEFAULT '{}' CHECK (list <@ ARRAY['q', 'r'])",
    "listed varchar(9)[] CHECK (listed <@ ARRAY['q', 'r']::varchar[])",
    "pattern varchar(10) CHECK (pattern LIKE 'a%' OR pattern ILIKE '%b')",
    "letter varchar CHECK (letter BETWEEN 'a' AND 'z')",
    "without varchar(5) CHECK (without NOT IN ('a', 'b'))",
    "any_of varchar(5) CHECK (any_of = ANY (ARRAY['a', 'b']))",
    "distinct_from varchar CHECK (distinct_from IS DISTINCT FROM 'x')",
    "cased varchar CHECK (CASE WHEN cased IN ('a', 'b') THEN true ELSE cased IS NULL END)",
    "wait interval DEFAULT '1 day' CHECK (wait > interval '1 hour')",
    "key uuid DEFAULT gen_random_uuid()",
    "address inet CHECK (address << '10.0.0.0/8')",
    "twice int GENERATED ALWAYS AS (number * 2) STORED",
    "made text GENERATED ALWAYS AS (CASE WHEN status IN ('a', 'b') THEN 'x' ELSE upper(status) END) STORED",
    "joined varchar(20) DEFAULT ('x' || 'y')::varchar(10)",
    "CONSTRAINT both_or_none CHECK ((status IN ('a', 'b')) = (plain IS NOT NULL))",
)
SCHEMA = (
    "CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy')",
    "CREATE DOMAIN email AS text CHECK (VALUE ~ '^[^@]+@' AND VALUE IN ('a@b', 'c@d'))",
    f"CREATE TABLE things (id serial PRIMARY KEY, {', '.join(CHECKS)})",
    "CREATE INDEX partial ON things (status) WHERE status IN ('a', 'b')",
    "CREATE INDEX mixed ON things (lower(status), (number + 1)) WHERE mood IN ('sad', 'ok') AND letter <> 'z'",
    "CREATE UNIQUE INDEX filled ON things (coalesce(status, '')) INCLUDE (number)",
    "CREATE INDEX inside ON things USING gin (document jsonb_path_ops)",
    "CREATE VIEW counted AS SELECT status, count(*) c FROM things"
    " WHERE status IN ('a', 'b') AND mood IN ('ok', 'happy') GROUP BY 1",
    "CREATE VIEW chosen AS SELECT * FROM counted WHERE status = ANY (ARRAY['a'::varchar, 'b'])",
    "CREATE MATERIALIZED VIEW kept AS SELECT status, letter FROM things WHERE letter NOT IN ('a', 'b') ORDER BY 1",
    "CREATE TABLE parts (id int, k varchar(10) NOT NULL) PARTITION BY LIST (k)",
    "CREATE TABLE part_a PARTITION OF parts FOR VALUES IN ('a', 'b')",
    "CREATE TABLE part_rest PARTITION OF parts DEFAULT",
    "CREATE TABLE years (id int, day date) PARTITION BY RANGE (day)",
    "CREATE TABLE year_2020 PARTITION OF years FOR VALUES FROM ('2020-01-01') TO ('2021-01-01')",
    "CREATE TABLE stays (id int, during tsrange, EXCLUDE USING gist (during WITH &&) WHERE (id IN (1, 2)))",
    "CREATE TABLE child (extra varchar CHECK (extra IN ('a', 'b'))) INHERITS (stays)",
    "CREATE FUNCTION pass() RETURNS trigger LANGUAGE plpgsql AS 'begin return new; end'",
    "CREATE TRIGGER watch BEFORE UPDATE ON things FOR EACH ROW"
    " WHEN (OLD.status IN ('a', 'b') AND NEW.letter IS DISTINCT FROM OLD.letter) EXECUTE FUNCTION pass()",
    "ALTER TABLE things ENABLE ROW LEVEL SECURITY",
    "CREATE POLICY own ON things USING (status IN ('a', 'b'))",
    "INSERT INTO things (status, plain, number, cased) VALUES ('a', 'x', 1, 'a')",
    "INSERT INTO parts VALUES (1, 'a'), (2, 'q')",
)


def test_no_definition_reads_otherwise_after_a_restore(
    postgres_server: PostgresServer, address: DatabaseAddress
) -> None:
    postgres_server.execute(address, SCHEMA)
    database = PostgresDatabase(address)
    content = io.BytesIO()
    report = database.dump(content)
    content.seek(0)
    with database.scratch("definitions") as copy:
        copy.load(content)
        restored, facts = copy.fingerprint(), copy.facts()
    assert compare_restored(report.fingerprint, restored, report.facts, facts) == ()
