"""Exports of snapshots to S3: states, objects under the prefix named as AWS names them, tables that are left out."""

from __future__ import annotations

import json
import re
import uuid
from dataclasses import dataclass
from typing import Any

from handrail.databases.postgres.cluster import free_port
from handrail.laboratory import showing
from handrail.laboratory.clock import now
from handrail.laboratory.desk import Desk, told
from handrail.laboratory.protocol import Parameters
from handrail.laboratory.records import Export
from handrail.laboratory.refusal import Refusal, invalid_value

_TABLES = """
SELECT n.nspname, c.relname, c.relpersistence = 'u',
       ARRAY(SELECT a.attname::text FROM pg_attribute a
             WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum),
       has_table_privilege({master}, c.oid, 'SELECT')
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
ORDER BY 1, 2
"""
_ODD = re.compile(r"[,;{}()\n\t= /]")
_ACTIVE = ("STARTING", "IN_PROGRESS", "CANCELING")


@dataclass(frozen=True)
class Table:
    """A table of the snapshot; `skipped` says why it cannot be exported, else it is empty."""

    database: str
    name: str
    rows: int
    skipped: str


def start(desk: Desk, parameters: Parameters) -> dict[str, Any]:
    """StartExportTask."""
    name = parameters["ExportTaskIdentifier"]
    if not re.fullmatch(r"[A-Za-z](?!.*--)[A-Za-z0-9-]{0,59}(?<!-)", name):
        raise invalid_value(f"The parameter ExportTaskIdentifier is not a valid identifier: {name}")
    if name in desk.world.exports:
        raise Refusal("ExportTaskAlreadyExists", f"The export task {name} already exists.")
    source = parameters["SourceArn"]
    if not source.startswith("arn:") or ":snapshot:" not in source:
        raise invalid_value(f"SourceArn must be the ARN of a DB snapshot: {source}")
    snapshot = desk.world.snapshot(source)
    if snapshot.status != "available":
        raise Refusal("InvalidExportSourceStateFault", f"The snapshot {snapshot.identifier} is {snapshot.status}.")
    _require_neighbours(desk, parameters)
    if sum(one.status in _ACTIVE for one in desk.world.exports.values()) >= 5:
        raise invalid_value("At most 5 export tasks can run at the same time.")
    one = Export(
        name, desk.world.next_serial(), source, snapshot.identifier, "STARTING", parameters["S3BucketName"],
        parameters.get("S3Prefix", ""), parameters["IamRoleArn"], parameters["KmsKeyId"],
        parameters.get("ExportOnly", []), snapshot_time=snapshot.original,
    )  # fmt: skip
    with desk.world.changing():
        desk.world.exports[name] = one
    data, major, master = snapshot.data, snapshot.major, str(snapshot.settings.get("MasterUsername", ""))
    desk.jobs.start(lambda: _run(desk, one, data, major, master), lambda error: _fail(desk, one, error))
    return showing.export(one)


def _require_neighbours(desk: Desk, parameters: Parameters) -> None:
    if ":" in parameters.get("S3Prefix", ""):
        raise invalid_value("S3Prefix must not contain a colon.")
    desk.cloud.require_bucket(parameters["S3BucketName"])
    desk.cloud.require_role(parameters["IamRoleArn"])
    desk.cloud.require_key(parameters["KmsKeyId"])


def _run(desk: Desk, one: Export, data: str, major: int, master: str) -> None:
    end = desk.lasting("export-starting")
    tables = _tables_of(desk, one, data, major, master) if data else []
    end()
    with desk.world.changing():
        if one.status == "CANCELING":
            one.status = "CANCELED"
            return
        one.status, one.started = "IN_PROGRESS", now()
    wanted = [table for table in tables if _is_wanted(table, one.only)]
    for number, table in enumerate(wanted):
        if _is_canceled(desk, one):
            return
        if not table.skipped:
            _write_table(desk, one, table)
        desk.jobs.wait(desk.pace.of("export") / (len(wanted) + 1))
        with desk.world.changing():
            one.percent = (number + 1) * 99 // len(wanted)
    _finish(desk, one, wanted)


def _finish(desk: Desk, one: Export, tables: list[Table]) -> None:
    _write_infos(desk, one, tables)
    skipped = [f"{table.database}.{table.name} ({table.skipped})" for table in tables if table.skipped]
    with desk.world.changing():
        one.warning = f"The following tables were skipped: {', '.join(skipped)}" if skipped else ""
        one.status, one.percent, one.ended = "COMPLETE", 100, now()
        one.gigabytes = 1 if tables else 0
    desk.world.event("db-snapshot", one.snapshot, f"Export task {one.identifier} completed", "notification")


def _is_canceled(desk: Desk, one: Export) -> bool:
    with desk.world.changing():
        if one.status == "CANCELING":
            one.status, one.ended = "CANCELED", now()
        return one.status == "CANCELED"


def _tables_of(desk: Desk, one: Export, data: str, major: int, master: str) -> list[Table]:
    """What is in the snapshot, read from a server on a copy of it, as RDS does."""
    resource = f"export-{one.serial}"
    try:
        desk.servers.revive(resource, free_port(), major, data)
        with desk.servers.query(resource) as query:
            names = query(
                "SELECT datname FROM pg_database WHERE datallowconn AND datname NOT IN ('rdsadmin', 'template1')"
            )
        return [table for (name,) in names for table in _tables_in(desk, resource, str(name), master)]
    finally:
        desk.servers.remove(resource)


def _tables_in(desk: Desk, resource: str, database: str, master: str) -> list[Table]:
    from handrail.databases.postgres.quoting import identifier, literal

    found = []
    with desk.servers.query(resource, database) as query:
        for schema, name, unlogged, columns, is_readable in query(_TABLES.format(master=literal(master))):
            rows = query(f"SELECT count(*) FROM {identifier(schema)}.{identifier(name)}")[0][0]  # noqa: S608
            why = _skipped(str(name), list(columns), unlogged=bool(unlogged), is_readable=bool(is_readable))
            found.append(Table(database, f"{schema}.{name}", int(rows), why))
    return found


def _skipped(name: str, columns: list[str], *, unlogged: bool, is_readable: bool) -> str:
    if "/" in name:
        return "its name contains a slash"
    if unlogged:
        return "it is unlogged"
    if not is_readable:
        return "the master user may not read it"
    odd = next((column for column in columns if _ODD.search(column)), None)
    return f"its column {odd!r} has a character that Parquet does not allow" if odd is not None else ""


def _is_wanted(table: Table, only: list[str]) -> bool:
    schema = table.name.partition(".")[0]
    levels = {table.database, f"{table.database}.{schema}", f"{table.database}.{table.name}"}
    return not only or bool(levels & set(only))


def _home(one: Export) -> str:
    return "/".join(part for part in (one.prefix.strip("/"), one.identifier) if part)


def _write_table(desk: Desk, one: Export, table: Table) -> None:
    folder = f"{_home(one)}/{table.database}/{table.name}/1"
    text = f"handrail laboratory: AWS would write {table.rows} rows of {table.name} here, as Parquet.\n"
    desk.cloud.write(one.bucket, f"{folder}/part-00000-{uuid.uuid4()}-c000.gz.parquet", text.encode())
    desk.cloud.write(one.bucket, f"{folder}/_SUCCESS", b"")


def _write_infos(desk: Desk, one: Export, tables: list[Table]) -> None:
    statuses = [
        {
            "target": f"{table.database}.{table.name}",
            "status": "SKIPPED" if table.skipped else "COMPLETE",
            "warningMessage": table.skipped or None,
        }
        for table in tables
    ]
    about = {
        "exportTaskIdentifier": one.identifier,
        "sourceArn": one.source,
        "percentProgress": 100,
        "status": "COMPLETE",
    }
    desk.cloud.write(one.bucket, f"{_home(one)}/export_info_{one.identifier}.json", json.dumps(about).encode())
    listing = f"{_home(one)}/export_tables_info_{one.identifier}_from_1_to_{max(1, len(tables))}.json"
    desk.cloud.write(one.bucket, listing, json.dumps({"perTableStatus": statuses}).encode())


def _fail(desk: Desk, one: Export, error: Exception) -> None:
    with desk.world.changing():
        one.status, one.failure, one.ended = "FAILED", told(error), now()


def cancel(desk: Desk, parameters: Parameters) -> dict[str, Any]:
    """CancelExportTask. What was written stays in S3."""
    one = desk.world.exports.get(parameters["ExportTaskIdentifier"])
    if one is None:
        raise Refusal("ExportTaskNotFound", f"Export task {parameters['ExportTaskIdentifier']} not found.", 404)
    if one.status not in ("STARTING", "IN_PROGRESS"):
        raise Refusal("InvalidExportTaskStateFault", f"Export task {one.identifier} cannot be canceled: {one.status}.")
    with desk.world.changing():
        one.status = "CANCELING"
    return showing.export(one)
