"""Which port of 127.0.0.1 an instance has: it belongs to the identifier, as RDS's endpoints do."""

from __future__ import annotations

import socket

from handrail.databases.postgres.cluster import free_port
from handrail.laboratory.world import World


def port_for(world: World, name: str, asked: int | None = None) -> int:
    """The name's port; a new name gets the one asked for where it is free, else another one."""
    with world.changing():
        if name in world.ports and asked in (None, world.ports[name]):
            return world.ports[name]
        taken = {port for other, port in world.ports.items() if other != name}
        wanted = asked or 0
        while wanted == 0 or wanted in taken or not _is_free(wanted):
            wanted = free_port()
        world.ports[name] = wanted
        return wanted


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
