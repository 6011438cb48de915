"""The laboratory's own endpoint, /_lab: faults, states, seeds, the log of calls. JSON both ways."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from handrail.laboratory.automated import archive, back_up
from handrail.laboratory.clock import cut, now
from handrail.laboratory.desk import Desk, require_server, require_state
from handrail.laboratory.instances import defaults
from handrail.laboratory.laboratory import Laboratory
from handrail.laboratory.protocol import moment
from handrail.laboratory.records import Instance, Snapshot
from handrail.laboratory.refusal import Refusal

Values = dict[str, Any]
_TIMES = ("taken", "original", "ended")
_SNAPSHOT = {"status", "percent", "hold_at", "fail_at", "hides_time", *_TIMES}


def answer(lab: Laboratory, method: str, path: str, region: str, body: Values) -> tuple[int, Any]:
    """What is answered to a request below /_lab, and the status."""
    head, _, name = path.strip("/").partition("/")
    handler = _HANDLERS.get((method, head))
    if handler is None:
        return 404, {"error": f"{method} /_lab/{head} is not known; there is {', '.join(_known())}"}
    try:
        return 200, handler(lab, lab.desk(region), name, body)
    except Refusal as refusal:
        return 404 if refusal.code.endswith("NotFound") else 400, {"error": refusal.message}
    except (ValueError, KeyError, TypeError) as error:
        return 400, {"error": f"{type(error).__name__}: {error}"}


def _known() -> list[str]:
    return [f"{method} /_lab/{head}" for method, head in _HANDLERS]


def _status(lab: Laboratory, _desk: Desk, _name: str, _body: Values) -> Values:
    return {
        "endpoint": lab.endpoint,
        "folder": str(lab.settings.folder),
        "speed": lab.settings.pace.speed,
        "lag": lab.settings.pace.lag,
        "servers": lab.servers.majors(),
        "instances": [_instance(desk, one) for desk in lab.desks() for one in desk.world.instances.values()],
        "snapshots": {desk.world.region: len(desk.world.snapshots) for desk in lab.desks()},
        "faults": lab.faults.plain(),
    }


def _instance(desk: Desk, one: Instance) -> Values:
    return {
        "identifier": one.identifier,
        "region": desk.world.region,
        "status": one.status,
        "port": one.port,
        "version": str(one.settings.get("EngineVersion", "")),
        "user": str(one.settings.get("MasterUsername", "")),
        "latest": one.latest.isoformat() if one.latest else None,
    }


def _calls(lab: Laboratory, _desk: Desk, _name: str, _body: Values) -> Values:
    return {"calls": lab.calls.plain()}


def _clear_calls(lab: Laboratory, _desk: Desk, _name: str, _body: Values) -> Values:
    lab.calls.clear()
    return {}


def _faults(lab: Laboratory, _desk: Desk, _name: str, _body: Values) -> Values:
    return {"faults": lab.faults.plain()}


def _add_fault(lab: Laboratory, _desk: Desk, _name: str, body: Values) -> Values:
    lab.faults.add(body)
    return {}


def _clear_faults(lab: Laboratory, _desk: Desk, _name: str, _body: Values) -> Values:
    """Take all faults back; also what is to happen to snapshots, which then go on."""
    lab.faults.clear()
    for desk in lab.desks():
        with desk.world.changing():
            desk.next_snapshots.clear()
            for one in desk.world.snapshots.values():
                one.hold_at = one.fail_at = None
    return {}


def _next_snapshot(_lab: Laboratory, desk: Desk, _name: str, body: Values) -> Values:
    with desk.world.lock:
        desk.next_snapshots.append(_known_only(body, {"hold_at", "fail_at", "hides_time"}))
    return {}


def _change_snapshot(_lab: Laboratory, desk: Desk, name: str, body: Values) -> Values:
    values = _known_only(body, _SNAPSHOT)
    with desk.world.changing():
        one = desk.world.snapshot(name)
        for key, value in values.items():
            setattr(one, key, _time(values, key) if key in _TIMES else value)
    return {}


def _forget_seeds(_lab: Laboratory, desk: Desk, _name: str, _body: Values) -> Values:
    """Remove everything that has no data."""
    with desk.world.changing():
        for name in [name for name, one in desk.world.snapshots.items() if not one.data]:
            del desk.world.snapshots[name]
        for name in [name for name, one in desk.world.instances.items() if not one.has_data]:
            del desk.world.instances[name]
    return {}


def _reset(lab: Laboratory, desk: Desk, _name: str, _body: Values) -> Values:
    """Nothing was ever made in this region, and nothing goes wrong."""
    _clear_faults(lab, desk, "", {})
    lab.calls.clear()
    world = desk.world
    with world.changing():
        resources = [*(one.resource for one in world.instances.values()), *world.retained]
        data = [one.data for one in world.snapshots.values()]
        for records in (world.instances, world.snapshots, world.retained, world.exports, world.ports):
            records.clear()
        world.events.clear()
    desk.servers.remove_all(resources)
    for one in data:
        desk.servers.forget(one)
    return {}


def _change_instance(_lab: Laboratory, desk: Desk, name: str, body: Values) -> Values:
    values = _known_only(body, {"status", "settings"})
    with desk.world.changing():
        one = desk.world.instance(name)
        one.status = str(values.get("status", one.status))
        one.settings |= values.get("settings", {})
    return {}


def _known_only(body: Values, known: set[str]) -> Values:
    unknown = sorted(set(body) - known)
    if unknown:
        raise ValueError(f"{', '.join(unknown)} is not known; there is {', '.join(sorted(known))}")
    return body


def _backup(_lab: Laboratory, desk: Desk, name: str, _body: Values) -> Values:
    """The daily automated backup, now."""
    one = desk.world.instance(name)
    with desk.world.lock:
        require_state(one, "available")
        require_server(one)
        if not one.retention:
            raise Refusal("InvalidDBInstanceState", f"{name} keeps no automated backups.")

        def work() -> None:
            back_up(desk, one)
            desk.become(one, "available")

        desk.begin(one, "backing-up", work)
    return {}


def _archive(_lab: Laboratory, desk: Desk, name: str, _body: Values) -> Values:
    """What was committed until now can be restored as soon as this returns."""
    one = desk.world.instance(name)
    archive(desk, one)
    return {"latest": one.latest.isoformat() if one.latest else None}


def _seed(_lab: Laboratory, desk: Desk, _name: str, body: Values) -> Values:
    """Instances and snapshots without data, as many and as old as wanted."""
    _known_only(body, {"instances", "snapshots"})
    with desk.world.changing():
        for values in body.get("instances", []):
            _seed_instance(desk, values)
        for values in body.get("snapshots", []):
            _seed_snapshot(desk, values)
    return {}


def _seed_instance(desk: Desk, values: Values) -> None:
    _known_only(values, {"identifier", "status", "settings", "tags", "created"})
    name = str(values["identifier"])
    settings = {**defaults(desk.world.region, 15), "EngineVersion": "15.8", "MasterUsername": "app"}
    settings |= {"DBInstanceClass": "db.t4g.medium", **values.get("settings", {})}
    one = Instance(name, desk.world.new_resource(), values.get("status", "available"), _time(values, "created"), 0)
    one.serial, one.settings, one.tags = desk.world.next_serial(), settings, dict(values.get("tags", {}))
    one.has_data = False
    desk.world.instances[name] = one


def _seed_snapshot(desk: Desk, values: Values) -> None:
    _known_only(
        values,
        {"identifier", "instance", "kind", "status", "created", "original", "tags", "size", "settings", "percent"},
    )
    name, of = str(values["identifier"]), str(values["instance"])
    source = desk.world.instances.get(of)
    settings = dict(source.settings) if source else {**defaults(desk.world.region, 15), "EngineVersion": "15.8"}
    taken = _time(values, "created")
    one = Snapshot(
        name, of, source.resource if source else desk.world.new_resource(), str(values.get("kind", "manual")),
        str(values.get("status", "available")), desk.world.next_serial(),
    )  # fmt: skip
    one.settings, one.tags = {**settings, **values.get("settings", {})}, dict(values.get("tags", {}))
    one.taken, one.original = taken, _time(values, "original") if "original" in values else taken
    one.percent, one.size = int(values.get("percent", 100)), int(values.get("size", 0))
    desk.world.snapshots[name] = one


def _time(values: Values, name: str) -> datetime:
    return cut(moment(str(values[name]))) if name in values else now()


_HANDLERS: dict[tuple[str, str], Callable[[Laboratory, Desk, str, Values], Values]] = {
    ("GET", "status"): _status,
    ("GET", "calls"): _calls,
    ("DELETE", "calls"): _clear_calls,
    ("GET", "faults"): _faults,
    ("POST", "faults"): _add_fault,
    ("DELETE", "faults"): _clear_faults,
    ("POST", "next-snapshot"): _next_snapshot,
    ("POST", "snapshots"): _change_snapshot,
    ("POST", "instances"): _change_instance,
    ("POST", "backup"): _backup,
    ("POST", "archive"): _archive,
    ("POST", "seed"): _seed,
    ("DELETE", "seed"): _forget_seeds,
    ("DELETE", "everything"): _reset,
}
