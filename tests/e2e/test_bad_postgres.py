"""Bad input that only PostgreSQL can have, through the command line."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import pytest

from handrail.databases.postgres.binaries import find_tools
from handrail.databases.postgres.cluster import ThrowawayCluster
from handrail.facts import DatabaseAddress
from support.calling import NEXT, SECRET, assert_postgres_at_b2, handrail, postgres_at_b2
from support.postgres import PostgresServer
from support.projects import BOOKINGS, STATUS, Script, make_project

ONLY_NEWEST_SERVER = True

NAMES = ('with "quotes"', "with ' quote", "two words", "100% sure", "한글표", "UPPER", "select", "a.b", "semi;colon")


def test_a_pg_dump_that_is_older_than_the_server(tmp_path: Path, postgres_server: PostgresServer) -> None:
    """Programs that say they are version 9.6 stand for those of an old client package."""
    address = postgres_at_b2(tmp_path, postgres_server, NEXT)
    old = tmp_path / "old"
    old.mkdir()
    for name in ("pg_dump", "pg_restore"):
        (old / name).write_text(f"#!/bin/sh\necho '{name} (PostgreSQL) 9.6.24'\n")
        (old / name).chmod(0o755)
    release = str(postgres_server.cluster.binaries.release)
    installed = [tools for tools in find_tools() if "/.cache/" not in str(tools.bin_dir)]  # the others it cannot see
    older = [tools for tools in installed if tools.version < postgres_server.version]
    usual = [tools for tools in installed if tools.version >= postgres_server.version]
    words = ("upgrade", "--yes", "--env", "production")
    said = handrail(tmp_path, *words, HANDRAIL_PG_BIN=str(old), PATH="", HANDRAIL_PG_CACHE=str(tmp_path))
    if usual:  # installed where handrail always looks: it is used, whatever PATH says
        assert said.code == 0
    else:
        newest = max(older, key=lambda tools: tools.version, default=None)
        named, path = (newest.release, newest.pg_dump) if newest else ("9.6.24", old / "pg_dump")
        assert (said.code, said.error) == (
            5,
            f"""HR500 pg_dump {named} is older than the server, PostgreSQL {release}.
  why: pg_dump refuses a server newer than itself; the newest one found is {path}.
  next: apt-get install postgresql-client-{postgres_server.version}, or set HANDRAIL_PG_BIN to the folder of its\
 programs.""",
        )
        assert said.out == ""
        assert_postgres_at_b2(postgres_server, address)
    postgres_server.drop(address.database)


def test_names_with_quotes_spaces_percent_and_korean(tmp_path: Path, postgres_server: PostgresServer) -> None:
    def each(text: str) -> str:
        return "\n".join(text.format(name=repr(name)) for name in NAMES)

    address = postgres_server.clone()
    where = f"{address.user}:{address.password}@{address.host}:{address.port}/{address.database}"
    create = "op.create_table({name}, sa.Column('id', sa.Integer, primary_key=True), sa.Column('값 %', sa.Text))"
    fill = "op.bulk_insert(sa.table({name}, sa.column('값 %')), [{{'값 %': '봄'}}])"
    add = "op.add_column({name}, sa.Column('new one', sa.Integer, server_default='7', nullable=False))"
    first = Script("a1", None, each(f"{create}\n{fill}"))
    second = Script("b2", "a1", each(add), each("op.drop_column({name}, 'new one')"))
    make_project(tmp_path, revisions=(first, second), url=f"postgresql+psycopg://{where}")
    said = handrail(tmp_path, "upgrade", "a1", "--yes")
    assert said.code == 0, said.err
    said = handrail(tmp_path, "upgrade", "--yes", "--json")
    assert said.code == 0, said.err
    result = json.loads(said.out)["result"]
    assert result["rehearsal"]["downgrade_proven"] is True
    assert {one["table"]["name"]: one["classification"] for one in result["proof"]["tables"]} == dict.fromkeys(
        NAMES, "changed as declared"
    )
    with postgres_server.connect(address) as connection:
        for name in NAMES:
            quoted = name.replace('"', '""')
            assert connection.execute(f'SELECT * FROM "{quoted}"'.encode()).fetchall() == [(1, "봄", 7)]
    postgres_server.drop(address.database)


def test_a_standby_is_refused_before_anything_is_done(tmp_path: Path, postgres_server: PostgresServer) -> None:
    binaries = postgres_server.cluster.binaries
    with ThrowawayCluster(binaries, settings=["wal_level=replica"]) as cluster:
        server = PostgresServer(cluster)
        address = postgres_at_b2(tmp_path, server, NEXT)
        cluster.restart_as_standby()
        here = replace(address, port=cluster.port)
        make_project(
            tmp_path,
            revisions=(BOOKINGS, STATUS, NEXT),
            url=f"postgresql+psycopg://{address.user}:{address.password}@{here.host}:{here.port}/{here.database}",
        )
        said = handrail(tmp_path, "upgrade", "--yes", "--env", "production")
        assert (said.code, said.error) == (
            2,
            """HR230 The server is a standby.
  why: It is read-only.
  next: Point the URL at the primary.""",
        )
        assert not (tmp_path / ".handrail" / "store").exists()
        said = handrail(tmp_path, "doctor", "--env", "production")
        assert (said.code, said.error.splitlines()[0]) == (5, "HR500 1 thing would stop a guarded run: mode")
        assert_postgres_at_b2(server, here)


def many_tables(server: PostgresServer, address: DatabaseAddress, first: int, end: int) -> None:
    """Each with three indexes, made in several transactions: this server has no room for all of their locks."""
    for start in range(first, end, 50):
        texts = (
            f"CREATE TABLE t{n} (id int PRIMARY KEY, a int UNIQUE, b int UNIQUE)" for n in range(start, start + 50)
        )
        server.execute(address, ["; ".join(texts)])


@pytest.mark.story
def test_more_tables_than_a_server_has_room_for_locks(tmp_path: Path, postgres_server: PostgresServer) -> None:
    """What pg_dump can do, handrail can; beyond that the setting is named, and nothing is stored."""
    settings = ["max_locks_per_transaction=30", "max_connections=20"]
    with ThrowawayCluster(postgres_server.cluster.binaries, settings=settings) as cluster:
        server = PostgresServer(cluster)
        address = postgres_at_b2(tmp_path, server)
        many_tables(server, address, 0, 400)
        made = handrail(tmp_path, "backup", "create")
        assert made.out.endswith(", proven to restore\n"), made
        many_tables(server, address, 400, 3000)
        said = handrail(tmp_path, "backup", "create")
        where = f"postgresql://{address.user}@{address.host}:{address.port}/{address.database}"
        assert (said.code, said.out) == (5, "")
        assert said.error.replace('"', "") == (  # older servers put no quotes around the setting
            f"HR500 {where} has more tables than its server has room for locks.\n"
            "  why: A dump locks all of them at once. PostgreSQL says: out of shared memory HINT: You might need to"
            " increase max_locks_per_transaction..\n"
            "  next: Raise max_locks_per_transaction (times max_connections it must exceed the number of tables), and"
            " restart the server."
        )
        assert len(list((tmp_path / ".handrail" / "store").rglob("artifact*"))) == 1


def test_a_wrong_password_is_not_printed(tmp_path: Path, postgres_server: PostgresServer) -> None:
    address = postgres_server.clone()
    where = f"{address.host}:{address.port}/{address.database}"
    make_project(tmp_path, url=f"postgresql+psycopg://{address.user}:{quote(SECRET)}@{where}")
    assert handrail(tmp_path, "doctor").code == 5
    said = handrail(tmp_path, "upgrade", "--yes")
    assert said.error.startswith(f"HR230 no connection to postgresql://{address.user}@{where}\n")
    assert "password authentication failed" in said.error
    postgres_server.drop(address.database)


def test_a_role_without_rights_loses_nothing(tmp_path: Path, postgres_server: PostgresServer) -> None:
    address = postgres_server.clone()
    role = f"weak_{address.database}"
    postgres_server.execute(
        address,
        [
            "CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY)",
            "INSERT INTO alembic_version VALUES ('b2')",
            "CREATE TABLE bookings (id int PRIMARY KEY, topic text, status text)",
            "INSERT INTO bookings VALUES (1, '파이썬 학습')",
            f"CREATE ROLE {role} LOGIN PASSWORD 'weak'",
            f"GRANT SELECT ON alembic_version TO {role}",
        ],
    )
    make_project(
        tmp_path,
        revisions=(BOOKINGS, STATUS, NEXT),
        url=f"postgresql+psycopg://{role}:weak@{address.host}:{address.port}/{address.database}",
    )
    said = handrail(tmp_path, "upgrade", "--yes", "--env", "production")
    assert said.code in (2, 5)
    assert "permission denied" in said.error
    assert "  next: " in said.error
    with postgres_server.connect(address) as connection:
        assert connection.execute("SELECT * FROM bookings").fetchall() == [(1, "파이썬 학습", None)]
        assert connection.execute("SELECT * FROM alembic_version").fetchall() == [("b2",)]
    postgres_server.drop(address.database)
    postgres_server.execute(postgres_server.cluster.address, [f"DROP ROLE {role}"])
