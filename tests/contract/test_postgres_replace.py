"""Bringing a database back: owner, rights and settings kept, sessions ended, old or new after every accident."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import threading
from dataclasses import replace

import psycopg
import pytest

from handrail.databases.postgres import lifecycle
from handrail.databases.postgres.database import PostgresDatabase
from handrail.databases.postgres.quoting import Query
from handrail.errors import DatabaseUnavailable, ExitCode, Interruption
from handrail.facts import DatabaseAddress
from support.children import Child
from support.postgres import PostgresServer

ONLY_NEWEST_SERVER = True


def dumped(database: PostgresDatabase) -> io.BytesIO:
    out = io.BytesIO()
    database.dump(out)
    out.seek(0)
    return out


def test_owner_rights_and_settings_of_the_database_are_kept(
    postgres_server: PostgresServer, address: DatabaseAddress
) -> None:
    name = address.database
    owner, reader = f"owner_{name}", f'Reader "{name}"'
    quoted = '"' + reader.replace('"', '""') + '"'
    postgres_server.execute(
        address,
        [
            f"CREATE ROLE {owner} LOGIN",
            f"CREATE ROLE {quoted}",
            f"ALTER DATABASE {name} OWNER TO {owner}",
            f"REVOKE CONNECT ON DATABASE {name} FROM PUBLIC",
            f"GRANT CONNECT, CREATE ON DATABASE {name} TO {quoted} WITH GRANT OPTION",
            f"ALTER DATABASE {name} CONNECTION LIMIT 42",
            f'ALTER DATABASE {name} SET search_path TO public, "a b"',
            f"ALTER DATABASE {name} SET default_transaction_read_only TO on",
            f"ALTER ROLE {quoted} IN DATABASE {name} SET work_mem TO '8MB'",
            f"COMMENT ON DATABASE {name} IS 'it''s 100%'",
            "SET default_transaction_read_only TO off",
            "CREATE TABLE things (a integer)",
            f"ALTER TABLE things OWNER TO {owner}",
            f"GRANT SELECT ON things TO {quoted}",
        ],
    )

    def traits() -> object:
        with postgres_server.connect(postgres_server.address("postgres")) as connection:
            return connection.execute(
                "SELECT pg_get_userbyid(datdba), datacl::text, datconnlimit, datcollate, encoding,"
                " shobj_description(oid, 'pg_database'), (SELECT array_agg(setrole::regrole::text || setconfig::text"
                " ORDER BY setrole) FROM pg_db_role_setting WHERE setdatabase = d.oid) FROM pg_database d"
                " WHERE datname = %s",
                [name],
            ).fetchall()

    def table_rights() -> object:
        with postgres_server.connect(address) as connection:
            query = "SELECT relowner::regrole::text, relacl::text FROM pg_class WHERE relname = 'things'"
            return connection.execute(query).fetchall()

    database = PostgresDatabase(address)
    before, rights = traits(), table_rights()
    aside = database.replace(dumped(database), aside="failed-2026.01")
    assert aside == f"{name}_failed_2026_01"
    assert traits() == before
    assert table_rights() == rights
    postgres_server.drop(name)
    postgres_server.execute(
        postgres_server.address("postgres"), [f"DROP OWNED BY {owner}, {quoted}", f"DROP ROLE {owner}, {quoted}"]
    )


def test_busy_sessions_are_ended_and_the_lock_outlives_it(
    postgres_server: PostgresServer, address: DatabaseAddress
) -> None:
    postgres_server.execute(address, ["CREATE TABLE things (a integer)"])
    database, done = PostgresDatabase(address), threading.Event()
    source = dumped(database)
    ends: list[str] = []

    def insist() -> None:
        """An application that connects again as soon as it is thrown out."""
        while not done.is_set():
            try:
                with postgres_server.connect(address) as connection:
                    while not done.is_set():
                        connection.execute("INSERT INTO things VALUES (1)")
            except psycopg.Error as error:
                ends.append(str(error))

    threads = [threading.Thread(target=insist) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        with database.lock("run-a", wait=0):
            aside = database.replace(source, aside="busy")
            (holder,) = [line for line in holders(postgres_server) if line == "handrail:run-a"]
    finally:
        done.set()
        for thread in threads:
            thread.join()
    assert holder == "handrail:run-a"
    assert ends
    assert database.sibling(aside).exists()


def holders(server: PostgresServer) -> list[object]:
    with server.connect(server.address("postgres")) as connection:
        query = "SELECT application_name FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE locktype = 'advisory'"
        return [row[0] for row in connection.execute(query).fetchall()]


def test_without_the_right_nothing_is_touched(postgres_server: PostgresServer, address: DatabaseAddress) -> None:
    role = f"weak_{address.database}"
    postgres_server.execute(address, [f"CREATE ROLE {role} LOGIN PASSWORD 'pw'"])
    source = dumped(PostgresDatabase(address))
    weak = PostgresDatabase(replace(address, user=role, password="pw"))
    with pytest.raises(DatabaseUnavailable, match=f"The role {role} may not replace the database"):
        weak.replace(source, aside="x")
    assert source.tell() == 0
    postgres_server.execute(address, [f"DROP ROLE {role}"])


def test_an_owner_who_is_no_superuser_can_replace(postgres_server: PostgresServer, address: DatabaseAddress) -> None:
    role = f"plain_{address.database}"
    postgres_server.execute(
        address,
        [f"CREATE ROLE {role} LOGIN CREATEDB PASSWORD 'pw'", f"ALTER DATABASE {address.database} OWNER TO {role}"],
    )
    mine = replace(address, user=role, password="pw")
    postgres_server.execute(mine, ["CREATE TABLE public.mine (a serial)", "INSERT INTO mine DEFAULT VALUES"])
    database = PostgresDatabase(mine)
    before, source = database.fingerprint(), dumped(database)
    postgres_server.execute(mine, ["DELETE FROM mine"])
    database.replace(source, aside="plain")
    assert database.fingerprint() == before
    postgres_server.drop(address.database)
    postgres_server.execute(postgres_server.address("postgres"), [f"DROP OWNED BY {role}", f"DROP ROLE {role}"])


REPLACER = """
import sys
from handrail.databases.postgres.database import PostgresDatabase
from handrail.facts import DatabaseAddress
port, name = int(sys.argv[1]), sys.argv[2]
address = DatabaseAddress("postgresql", name, "127.0.0.1", port, "handrail", sys.stdin.readline().strip())
database = PostgresDatabase(address, run_id="killed-run")
print("begin", flush=True)
with open(sys.argv[3], "rb") as source:
    database.replace(source, aside="killed")
print("done", flush=True)
"""


def test_killed_at_any_moment_the_old_or_the_new_content_is_there(
    postgres_server: PostgresServer, address: DatabaseAddress, tmp_path_factory: pytest.TempPathFactory
) -> None:
    postgres_server.execute(address, ["CREATE TABLE things AS SELECT n FROM generate_series(1, 1000) n"])
    database = PostgresDatabase(address)
    new, path = database.fingerprint(), tmp_path_factory.mktemp("dump") / "dump"
    path.write_bytes(dumped(database).getvalue())
    outcomes = []
    for delay in (0.0, 0.15, 0.3, 0.45, 0.6):
        postgres_server.execute(address, ["DELETE FROM things WHERE n > 10"])
        old = database.fingerprint()
        process = Child(
            [sys.executable, "-c", REPLACER, str(address.port), address.database, str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(address.password + "\n")
        process.stdin.flush()
        process.stdout.readline()
        try:
            process.wait(delay)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        now = database.fingerprint()
        assert now in (old, new)
        outcomes.append(now == new)
        database.end_leftovers("killed-run")
        assert [line for line in names(postgres_server) if "_handrail_new_" in line] == []
    assert False in outcomes


def names(server: PostgresServer) -> list[str]:
    with server.connect(server.address("postgres")) as connection:
        return [str(row[0]) for row in connection.execute("SELECT datname FROM pg_database").fetchall()]


def test_names_stay_within_63_bytes_and_characters_whole() -> None:
    long = "데이터베이스" * 6
    new = lifecycle.new_name(long, "aside")
    assert len(new.encode()) <= 63
    assert new.startswith("데이터베이스")
    assert new.encode().decode() == new
    assert lifecycle.new_name(long, "other") != new

    def taken(sql: str, /) -> list[tuple[int]]:
        return [(1,)] if "_2'" not in sql else []

    aside = lifecycle.aside_name(taken, long, "failed")
    assert len(aside.encode()) <= 63
    assert aside.endswith("_failed_2")


def test_an_interruption_while_the_new_database_is_created_leaves_nothing(
    postgres_server: PostgresServer, address: DatabaseAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server may have created it all the same."""
    create = lifecycle.create

    def interrupted(query: Query, name: str, *, locale: str, owner: str) -> None:
        create(query, name, locale=locale, owner=owner)
        raise Interruption("ended by SIGTERM", ExitCode.TERMINATED)

    database = PostgresDatabase(address)
    dump = dumped(database)
    monkeypatch.setattr(lifecycle, "create", interrupted)
    with pytest.raises(Interruption):
        database.replace(dump, aside="failed")
    assert [line for line in names(postgres_server) if line.startswith(address.database)] == [address.database]
