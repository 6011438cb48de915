"""Who is connected: how sessions of handrail are named, who else could write, and how sessions are ended."""

# ruff: noqa: S608 - every name and value in SQL text goes through `quoting`

from __future__ import annotations

from handrail.databases.postgres.quoting import Query, literal


def application_name(run_id: str) -> str:
    """How sessions of a run are known in pg_stat_activity (63 bytes at most)."""
    return f"handrail:{run_id}"[:63] if run_id else "handrail"


def other_writers(query: Query) -> tuple[str, ...]:
    """Sessions on this database that are not handrail's, as readable lines."""
    rows = query(
        "SELECT pid, coalesce(nullif(application_name, ''), usename, 'unknown')::text, coalesce(state, 'state hidden'),"
        " extract(epoch FROM now() - state_change)::bigint FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
        " AND NOT starts_with(application_name, 'handrail') ORDER BY pid"
    )
    return tuple(
        f"pid {pid} {application}, {state}" + ("" if seconds is None else f" {seconds} s")
        for pid, application, state, seconds in rows
    )


def end_sessions_on(query: Query, database: str) -> None:
    """End every session on a database. Sessions that this role may not end stay."""
    query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
        f" AND datname = {literal(database)} AND (backend_type <> 'client backend' OR usename IS NOT NULL)"
    )


def sessions_on(query: Query, database: str) -> tuple[str, ...]:
    rows = query(
        "SELECT pid, coalesce(usename, backend_type)::text, coalesce(application_name, '') FROM pg_stat_activity"
        f" WHERE datname = {literal(database)} AND pid <> pg_backend_pid() ORDER BY pid"
    )
    return tuple(f"pid {pid} {user} {application}".rstrip() for pid, user, application in rows)


def end_sessions_of_run(query: Query, run_id: str) -> tuple[str, ...]:
    """End the sessions of a dead run and wait until they are gone; returns readable lines."""
    rows = query(
        "SELECT pid, coalesce(datname, '')::text, pg_terminate_backend(pid, 30000) FROM pg_stat_activity"
        f" WHERE application_name = {literal(application_name(run_id))} AND pid <> pg_backend_pid() ORDER BY pid"
    )
    return tuple(f"session pid {pid} on {database}" for pid, database, ended in rows if ended)
