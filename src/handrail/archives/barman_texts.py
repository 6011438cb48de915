"""What to install so that Barman keeps an archive, as texts."""

from __future__ import annotations

from handrail.archives.archive import Instruction
from handrail.facts import DatabaseAddress

_SERVER = """\
[{server}]
description = {environment}
conninfo = host={host} port={port} user=barman dbname=postgres
streaming_conninfo = host={host} port={port} user=barman_streaming dbname=postgres
backup_method = postgres
immediate_checkpoint = true
streaming_archiver = on
slot_name = barman
create_slot = auto
retention_policy = RECOVERY WINDOW OF 14 DAYS
minimum_redundancy = 1
"""
_ROLES = """\
\\connect postgres
CREATE ROLE barman LOGIN;
GRANT EXECUTE ON FUNCTION pg_backup_start(text, boolean), pg_backup_stop(boolean), pg_switch_wal(),
    pg_create_restore_point(text) TO barman;
GRANT pg_read_all_settings, pg_read_all_stats, pg_checkpoint TO barman;
CREATE ROLE barman_streaming LOGIN REPLICATION;
\\password barman
\\password barman_streaming
"""
_ACCESS = """\
host postgres    barman           {client} scram-sha-256
host replication barman_streaming {client} scram-sha-256
"""
_SETTINGS = """\
wal_level = replica
max_wal_senders = 10
max_replication_slots = 10
# While Barman is away its slot keeps all WAL. This is how much at most, before the archive breaks off instead.
max_slot_wal_keep_size = '20GB'
"""
_CRON = """\
* * * * * barman barman -q cron
30 2 * * * barman barman -q backup --wait {server}
"""
_FIRST = ("switch-wal --force --archive", "check", "backup --wait")


def instructions(origin: DatabaseAddress, server: str, environment: str) -> tuple[Instruction, ...]:
    """In the order in which it is to be done."""
    host, port = origin.host or "localhost", origin.port or 5432
    client = "127.0.0.1/32" if host in ("localhost", "127.0.0.1", "::1") or host.startswith("/") else "BARMAN-HOST/32"
    passwords = f"{host}:{port}:*:barman:PASSWORD\n{host}:{port}:*:barman_streaming:PASSWORD\n"
    return (
        Instruction("in psql: two roles, one to watch and one to copy (PostgreSQL 15 and later)", "", _ROLES),
        Instruction("let them in", "pg_hba.conf", _ACCESS.format(client=client)),
        Instruction("what the server needs; all but the last are its defaults", "postgresql.conf", _SETTINGS),
        Instruction("their passwords, readable by Barman's user only (0600)", "~barman/.pgpass", passwords),
        Instruction(
            "what Barman is told",
            f"/etc/barman.d/{server}.conf",
            _SERVER.format(server=server, environment=environment, host=host, port=port),
        ),
        Instruction(
            "Barman's clock: WAL every minute, a backup every night",
            f"/etc/cron.d/barman-{server}",
            _CRON.format(server=server),
        ),
        Instruction(
            "the first backup; until it is there, nothing can be restored",
            "",
            "".join(f"barman {words}\n" for words in ("cron", *(f"{first} {server}" for first in _FIRST))),
        ),
        Instruction("see that it arrives", "", f"handrail archive status --env {environment}\n"),
    )
