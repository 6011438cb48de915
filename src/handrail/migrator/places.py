"""Where a connection goes: SQLAlchemy's connect arguments and URLs as a DatabaseAddress, and back again."""

from __future__ import annotations

import os
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from sqlalchemy.engine.url import URL, make_url
from sqlalchemy.exc import ArgumentError

from handrail.facts import DatabaseAddress

ENGINES = frozenset({"sqlite", "postgresql"})
MEMORY = ":memory:"
_ADDRESS_KEYS = frozenset({"host", "hostaddr", "port", "user", "password", "dbname", "database", "service", "dsn"})
#: What drivers other than libpq's call an option, and arguments that are no libpq keyword.
_LIBPQ_NAMES = {"ssl": "sslmode", "timeout": "connect_timeout"}
_LIBPQ = frozenset(
    {
        "passfile", "channel_binding", "connect_timeout", "client_encoding", "options", "application_name",
        "keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count", "tcp_user_timeout", "sslmode",
        "requiressl", "sslcompression", "sslcert", "sslkey", "sslpassword", "sslrootcert", "sslcrl", "sslcrldir",
        "sslsni", "sslnegotiation", "requirepeer", "ssl_min_protocol_version", "ssl_max_protocol_version",
        "gssencmode", "krbsrvname", "gsslib", "target_session_attrs", "load_balance_hosts", "hostaddr", "service",
        "require_auth", "sslcertmode",
    }
)  # fmt: skip


def address_of_arguments(engine: str, cargs: list[Any], cparams: Mapping[str, Any]) -> DatabaseAddress:
    """The address that a driver is about to connect to."""
    if engine == "sqlite":
        return DatabaseAddress("sqlite", sqlite_path(str(cargs[0] if cargs else cparams.get("database", MEMORY))))
    known = dict(_from_dsn(cargs[0] if cargs else cparams.get("dsn"))) | dict(cparams)
    port = str(known.get("port") or "").split(",")[0]
    return DatabaseAddress(
        engine=engine,
        database=str(known.get("dbname") or known.get("database") or ""),
        host=str(known.get("host") or "").split(",")[0],
        port=int(port) if port.isdigit() else None,
        user=str(known.get("user") or ""),
        password=str(known.get("password") or ""),
        options=_options(known),
    )


def address_of_url(url: URL) -> DatabaseAddress:
    """The address that a configured URL means, without loading its driver."""
    engine = url.get_backend_name()
    if engine == "sqlite":
        return DatabaseAddress("sqlite", sqlite_path(url.database or MEMORY))
    query = {key: value if isinstance(value, str) else ",".join(value) for key, value in url.query.items()}
    host, _, port = query.get("host", "").partition(":")
    return DatabaseAddress(
        engine=engine,
        database=url.database or query.get("dbname", ""),
        host=url.host or host.split(",")[0],
        port=url.port or (int(port) if port.isdigit() else None),
        user=url.username or query.get("user", ""),
        password=url.password or query.get("password", ""),
        options=_options(query),
    )


def address_of_text(text: str) -> DatabaseAddress | None:
    """The address that a URL in text means; None for what is no URL."""
    try:
        return address_of_url(make_url(text))
    except (ArgumentError, ValueError):  # a port that is no number
        return None


def url_of_address(address: DatabaseAddress, drivername: str) -> URL:
    """A URL by which SQLAlchemy reaches the address with that driver."""
    if address.engine == "sqlite":
        return URL.create(drivername, database=address.database)
    return URL.create(
        drivername,
        username=address.user or None,
        password=address.password or None,
        host=address.host or None,
        port=address.port,
        database=address.database,
        query=dict(address.options),
    )


def redirect(
    engine: str, driver: str, to: DatabaseAddress, cargs: list[Any], cparams: MutableMapping[str, Any]
) -> None:
    """Change connect arguments in place so that they go to `to`; what does not say where to go is kept."""
    if engine == "sqlite":
        cargs[:] = [to.database]
        for key in ("database", "uri"):
            cparams.pop(key, None)
        return
    kept = {key: value for key, value in cparams.items() if key not in _ADDRESS_KEYS and key != "async_creator_fn"}
    kept.pop("check_same_thread", None)
    aimed_at = str(cparams.get("host") or to.host), str(cparams.get("port") or 5432)
    if aimed_at != (to.host, str(to.port or 5432)):
        kept = {key: value for key, value in kept.items() if not key.startswith("ssl")}  # of the other server
    name = "database" if driver in ("asyncpg", "pg8000") else "dbname"
    where = {"host": to.host, "port": to.port, "user": to.user, "password": to.password, name: to.database}
    cargs[:] = []
    cparams.clear()
    cparams.update(kept)
    cparams.update({key: value for key, value in where.items() if value})
    if driver not in ("asyncpg", "pg8000"):
        cparams.update(to.options)


def is_same_place(left: DatabaseAddress, right: DatabaseAddress) -> bool:
    """Whether both mean one database; users and options do not matter, nor through which link a file is reached."""
    if left.engine != right.engine:
        return False
    if left.engine == "sqlite":
        return os.path.realpath(left.database) == os.path.realpath(right.database)
    return (_host(left.host), left.port or 5432, left.database or left.user) == (
        _host(right.host),
        right.port or 5432,
        right.database or right.user,
    )


def sqlite_path(text: str) -> str:
    """An absolute path (a link in its last part is kept), or ":memory:"; `file:` URIs are understood."""
    if text.startswith("file:"):
        path, _, query = text.removeprefix("file:").partition("?")
        if "mode=memory" in query.split("&"):
            return MEMORY
        text = unquote(path.removeprefix("//localhost").removeprefix("//") if path.startswith("//") else path)
    if text in ("", MEMORY):
        return MEMORY
    return str(Path(text).parent.resolve() / Path(text).name)


def _host(host: str) -> str:
    return "localhost" if host in ("", "127.0.0.1", "::1") else host


def _options(known: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    found: dict[str, str] = {}
    for key, value in known.items():
        name = _LIBPQ_NAMES.get(key, key)
        if name in _LIBPQ and isinstance(value, str | int) and not isinstance(value, bool):
            found[name] = str(value)
    return tuple(sorted(found.items()))


def _from_dsn(dsn: Any) -> Mapping[str, Any]:
    if not isinstance(dsn, str) or not dsn:
        return {}
    try:
        from psycopg.conninfo import conninfo_to_dict
    except ImportError:
        return {}
    return dict(conninfo_to_dict(dsn))
