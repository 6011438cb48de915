"""Whether a database's address leads to an instance, and the address of the same database in another one."""

from __future__ import annotations

import socket
from dataclasses import replace

from handrail.databases.postgres.connection import opened
from handrail.errors import BackupError
from handrail.facts import DatabaseAddress
from handrail.snapshots.instance import Instance

#: Where a connection goes, beside host and port themselves.
_PLACES = ("host", "hostaddr", "port")


def at_instance(live: DatabaseAddress, instance: Instance) -> DatabaseAddress:
    """User, password and database came along with the data."""
    options = tuple((key, value) for key, value in live.options if key not in _PLACES)
    return replace(live, host=instance.host, port=instance.port, options=options)


def require_same_place(address: DatabaseAddress, instance: Instance, application: str) -> None:
    """BackupError when the connection certainly ends somewhere else than in the instance: its snapshot would be of
    another database. A tunnel or a proxy may hide it; then nothing is certain."""
    found = leads_to(address, instance, application)
    if found is False:
        raise BackupError(
            f"The database {address} is not in the instance {instance.id}.",
            why=f"The server that answers is another one than {instance.host}:{instance.port}.",
            hint="Correct `rds.instance` or the URL: the snapshot would be of another database.",
        )


def leads_to(address: DatabaseAddress, instance: Instance, application: str) -> bool | None:
    """Whether the server that answers is the instance; None where that cannot be told."""
    if (address.host, address.port or 5432) == (instance.host, instance.port):
        return True
    with opened(address, application) as query:
        answering, port = query("SELECT host(inet_server_addr()), inet_server_port()")[0]
    if answering is None:
        return None
    try:
        there = {found[4][0] for found in socket.getaddrinfo(instance.host, instance.port, type=socket.SOCK_STREAM)}
    except OSError:
        return None
    if str(answering) in there:
        return bool(port == instance.port)
    # The endpoint's public address says nothing about the private one that the server has.
    return None if not any(_is_private(one) for one in there if isinstance(one, str)) else False


def _is_private(text: str) -> bool:
    import ipaddress

    return ipaddress.ip_address(text).is_private
