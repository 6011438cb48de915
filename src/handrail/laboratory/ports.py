"""Which port of 127.0.0.1 an instance has: it belongs to the identifier, as RDS's endpoints do."""

from __future__ import annotations

import random
import socket

from handrail.laboratory.world import World

#: Below those that systems take for connections of their own, as a port is kept while its server is stopped.
_PORTS = range(6100, 10_900)


def port_for(world: World, name: str, asked: int | None = None) -> int:
    """The name's port; a new name gets the one asked for where it is free, else another one."""
    with world.changing():
        if name in world.ports and asked in (None, world.ports[name]):
            return world.ports[name]
        taken = {port for other, port in world.ports.items() if other != name}
        wanted = asked or 0
        while wanted == 0 or wanted in taken or not is_free(wanted):
            wanted = random.choice(_PORTS)  # noqa: S311 - two laboratories shall not begin with the same one
        world.ports[name] = wanted
        return wanted


def is_free(port: int) -> bool:
    """Whether nobody listens there."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
