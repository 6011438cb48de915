"""Making and dropping databases: with another one's encoding, collation, owner, rights and settings."""

# ruff: noqa: S608 - every name and value in SQL text goes through `quoting`

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass
from typing import Any

from handrail.databases.postgres.quoting import Query, identifier, literal
from handrail.errors import BackupError, DatabaseUnavailable

NAME_BYTES = 63
_SCRATCH = "handrail_scratch_"
_NEW = "_handrail_new_"
#: Settings whose stored text is a list of quoted names and goes into SQL as it is.
_LISTS = frozenset({
    "local_preload_libraries", "search_path", "session_preload_libraries", "shared_preload_libraries",
    "temp_tablespaces", "unix_socket_directories",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Traits:
    """What a database is beside its content. `privileges` are GRANT statements in terms of {database}."""

    owner: str
    locale: str
    connection_limit: int
    comment: str | None
    privileges: tuple[str, ...] | None
    settings: tuple[str, ...]


def exists(query: Query, name: str) -> bool:
    return bool(query(f"SELECT 1 FROM pg_database WHERE datname = {literal(name)}"))


def require_free(query: Query, name: str) -> None:
    """BackupError when there is a database of that name."""
    if exists(query, name):
        raise BackupError(f"The database {name} is already there.", hint="Choose another name.")


def create(query: Query, name: str, *, locale: str = "", owner: str = "") -> None:
    """Make an empty database. BackupError when it is there, DatabaseUnavailable without the right."""
    require_free(query, name)
    if not query("SELECT 1 FROM pg_roles WHERE rolname = current_user AND (rolcreatedb OR rolsuper)"):
        role = query("SELECT current_user::text")[0][0]
        raise DatabaseUnavailable(
            f"The role {role} may not make databases.",
            why="Proving a backup and rehearsing an upgrade need a scratch database.",
            hint=f'ALTER ROLE "{role}" CREATEDB, or name another server in `rehearse_server`.',
        )
    owned = f" OWNER {identifier(owner)}" if owner else ""
    query(f"CREATE DATABASE {identifier(name)} TEMPLATE template0{locale}{owned}")


def drop(query: Query, name: str) -> None:
    query(f"DROP DATABASE IF EXISTS {identifier(name)} WITH (FORCE)")


def locale_of(query: Query, name: str) -> str:
    """The clauses of CREATE DATABASE that give another database this one's encoding and collation."""
    row = _pg_database(query, name)
    encoding = query(f"SELECT pg_encoding_to_char({int(row['encoding'])})::text")[0][0]
    words = [f" ENCODING {literal(encoding)}"]
    words += [f"LC_COLLATE {literal(row['datcollate'])}", f"LC_CTYPE {literal(row['datctype'])}"]
    locale = str(row.get("datlocale") or row.get("daticulocale") or "")
    if row.get("datlocprovider") == "i":
        words += ["LOCALE_PROVIDER icu", f"ICU_LOCALE {literal(locale)}"]
        if row.get("daticurules"):
            words.append(f"ICU_RULES {literal(row['daticurules'])}")
    elif row.get("datlocprovider") == "b":
        words += ["LOCALE_PROVIDER builtin", f"BUILTIN_LOCALE {literal(locale)}"]
    return " ".join(words)


def traits(query: Query, name: str) -> Traits:
    """Everything that `replace` must give the new database."""
    row = _pg_database(query, name)
    oid = int(row["oid"])
    owner, comment = query(
        "SELECT pg_get_userbyid(datdba)::text, shobj_description(oid, 'pg_database')::text"
        f" FROM pg_database WHERE oid = {oid}"
    )[0]
    limit = int(row["datconnlimit"])
    privileges = None if row["datacl"] is None else _grants(query, oid)
    return Traits(str(owner), locale_of(query, name), limit, comment, privileges, _settings(query, oid))


def give(query: Query, name: str, kept: Traits) -> None:
    """Give a database limit, comment, rights and settings (owner and locale it has since it was made)."""
    database = identifier(name)
    query(f"ALTER DATABASE {database} CONNECTION LIMIT {kept.connection_limit}")
    if kept.comment is not None:
        query(f"COMMENT ON DATABASE {database} IS {literal(kept.comment)}")
    if kept.privileges is not None:
        query(f"REVOKE ALL ON DATABASE {database} FROM PUBLIC")
        query(f"REVOKE ALL ON DATABASE {database} FROM {identifier(kept.owner)}")
    for statement in (*(kept.privileges or ()), *kept.settings):
        query(statement.replace(_PLACE, database))


def copy_search_path(query: Query, source: str, target: str) -> None:
    """Give a scratch database the search_path that sessions on `source` get, for all or for this role."""
    row = _pg_database(query, source)
    for statement in _settings(query, int(row["oid"]), "AND r.setrole IN (0, current_user::regrole)"):
        if " SET search_path TO " in statement:
            query(statement.replace(_PLACE, identifier(target)))


#: Stands for the database in a statement; no identifier can hold a NUL.
_PLACE = "\0database\0"


def _grants(query: Query, oid: int) -> tuple[str, ...]:
    rows = query(
        "SELECT a.privilege_type::text, CASE a.grantee WHEN 0 THEN NULL ELSE pg_get_userbyid(a.grantee)::text END,"
        f" a.is_grantable FROM pg_database d CROSS JOIN aclexplode(d.datacl) AS a WHERE d.oid = {oid}"
    )
    return tuple(
        f"GRANT {privilege} ON DATABASE {_PLACE} TO {'PUBLIC' if grantee is None else identifier(grantee)}"
        + (" WITH GRANT OPTION" if grantable else "")
        for privilege, grantee, grantable in rows
    )


def _settings(query: Query, oid: int, condition: str = "") -> tuple[str, ...]:
    """ALTER DATABASE and ALTER ROLE … IN DATABASE statements for what pg_db_role_setting holds."""
    rows = query(
        "SELECT CASE r.setrole WHEN 0 THEN NULL ELSE pg_get_userbyid(r.setrole)::text END, entry::text"
        f" FROM pg_db_role_setting r CROSS JOIN unnest(r.setconfig) AS entry WHERE r.setdatabase = {oid} {condition}"
    )
    statements = []
    for role, entry in rows:
        name, _, value = str(entry).partition("=")
        written = value if name.lower() in _LISTS else literal(value)
        whom = f"DATABASE {_PLACE}" if role is None else f"ROLE {identifier(role)} IN DATABASE {_PLACE}"
        parts = ".".join(identifier(part) if not re.fullmatch(r"\w+", part) else part for part in name.split("."))
        statements.append(f"ALTER {whom} SET {parts} TO {written or literal('')}")
    return tuple(statements)


def _pg_database(query: Query, name: str) -> dict[str, Any]:
    """The row of pg_database, whose columns differ between versions. psycopg reads jsonb as a dict."""
    rows = query(f"SELECT to_jsonb(d) FROM pg_database d WHERE datname = {literal(name)}")
    if not rows:
        raise DatabaseUnavailable(f"There is no database {name}.", hint=f"`createdb {name}` makes it.")
    return dict(rows[0][0])


def scratch_name(run_id: str) -> str:
    """A new name that carries the run's id."""
    return f"{_scratch_prefix(run_id)}{secrets.token_hex(3)}"


def _scratch_prefix(run_id: str) -> str:
    return f"{_SCRATCH}{re.sub('[^a-z0-9]', '_', run_id.lower())[:36]}_"


def new_name(database: str, aside: str) -> str:
    """The name under which the replacement of `database` is loaded; the same for the same `aside`."""
    return cut(database, NAME_BYTES - len(_NEW) - 8) + _NEW + hashlib.sha256(aside.encode()).hexdigest()[:8]


def aside_name(query: Query, database: str, aside: str) -> str:
    """A free name for the old content, made from `aside`."""
    safe = re.sub(r"[^\w]", "_", aside)
    for suffix in ("", *(f"_{number}" for number in range(2, 100))):
        tail = "_" + cut(safe, 40) + suffix
        name = cut(database, NAME_BYTES - len(tail.encode())) + tail
        if not exists(query, name):
            return name
    raise BackupError(f"Too many databases named after {aside} are kept aside.", hint="Drop old ones with `dropdb`.")


def cut(name: str, size: int) -> str:
    """At most `size` bytes of a name, no character cut in two."""
    return name.encode()[:size].decode(errors="ignore")


def scratches(query: Query, run_id: str) -> tuple[str, ...]:
    """Scratch databases of a run."""
    prefix = _scratch_prefix(run_id)
    return _matching(query, prefix, f"{re.escape(prefix)}[0-9a-f]{{6}}")


def unfinished(query: Query, database: str) -> tuple[str, ...]:
    """Replacements of a database that were never put in its place."""
    prefix = cut(database, NAME_BYTES - len(_NEW) - 8) + _NEW
    return _matching(query, prefix, f"{re.escape(prefix)}[0-9a-f]{{8}}")


def _matching(query: Query, prefix: str, pattern: str) -> tuple[str, ...]:
    rows = query(f"SELECT datname::text FROM pg_database WHERE starts_with(datname, {literal(prefix)}) ORDER BY 1")
    return tuple(row[0] for row in rows if re.fullmatch(pattern, row[0]))
