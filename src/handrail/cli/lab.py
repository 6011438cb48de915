"""The doors of the laboratory: start it, look at it, break things in it, end it."""

from __future__ import annotations

import os
import shlex
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from handrail.cli.answering import answering
from handrail.cli.call import Json
from handrail.errors import UsageError

if TYPE_CHECKING:
    from handrail.cli.lab_documents import LabCall, LabFault, LabInstance
    from handrail.cli.output import Output
    from handrail.laboratory.client import LaboratoryClient

Folder = Annotated[
    Path | None,
    typer.Option(
        "--folder", help="Where it keeps its state; else $HANDRAIL_LAB, else one in /var/tmp.", show_default=False
    ),
]


class Drop(StrEnum):
    """When a connection breaks."""

    BEFORE = "before"
    AFTER = "after"


def _folder(named: Path | None) -> Path:
    from handrail.laboratory.process import default_folder

    return (named or default_folder(os.environ)).absolute()


def _client(named: Path | None) -> LaboratoryClient:
    from handrail.laboratory.client import LaboratoryClient
    from handrail.laboratory.process import require

    return LaboratoryClient(require(_folder(named)).endpoint)


def start(
    folder: Folder = None,
    port: Annotated[int, typer.Option("--port", help="Of 127.0.0.1; 0 is any that is free.", min=0, max=65535)] = 5801,
    speed: Annotated[float, typer.Option("--speed", help="How much faster states pass; 1 is a few seconds each.")] = 1,
    real_lag: Annotated[
        bool, typer.Option("--real-lag", help="LatestRestorableTime 5 minutes behind, as RDS.")
    ] = False,
    quota: Annotated[int, typer.Option("--quota", help="Manual snapshots of a region at most.", min=1)] = 100,
    detach: Annotated[bool, typer.Option("--detach", help="Go on in the background.")] = False,
    json: Json = False,
) -> None:
    """Start the laboratory: RDS with real PostgreSQL servers behind it, S3, IAM, STS and KMS. Ctrl-C ends it."""
    with answering("lab start", json) as output:
        from handrail.cli.lab_documents import LabProcess
        from handrail.laboratory import process

        if speed <= 0:
            raise UsageError(f"--speed {speed:g} is no speed", hint="--speed 1, or a larger one")
        place = _folder(folder)
        output.display.end()
        if detach:
            words = ["--port", str(port), "--speed", str(speed), "--quota", str(quota)]
            words += ["--real-lag"] if real_lag else []
            running = process.start_detached(place, words)
        else:
            pace = process.pace_of(speed, quota, has_real_lag=real_lag)
            running = process.serve(place, port, pace, lambda endpoint: output.lines(*_told(endpoint, place)))
        output.lines(*(_told(running.endpoint, place) if detach else ["ended; its instances and snapshots are kept"]))
        output.document(LabProcess(running.pid, running.endpoint, str(place)))


def _told(endpoint: str, place: Path) -> list[str]:
    return [f"{endpoint}: the laboratory answers; its state is in {place}", 'next: eval "$(handrail lab env)"']


def stop(folder: Folder = None, json: Json = False) -> None:
    """End the laboratory and its servers. Instances and snapshots are kept; what was in S3 is not."""
    with answering("lab stop", json) as output:
        from handrail.cli.lab_documents import LabProcess
        from handrail.laboratory import process

        ended = process.stop(_folder(folder))
        output.lines(f"{ended.endpoint}: ended")
        output.document(LabProcess(ended.pid, ended.endpoint, str(_folder(folder))))


def status(folder: Folder = None, json: Json = False) -> None:
    """What is in the laboratory: instances with their ports and states, the faults that are set."""
    with answering("lab status", json) as output:
        from handrail.cli.lab_documents import LabStatus

        found = LabStatus.of(_client(folder).status())
        servers = ", ".join(str(one) for one in found.servers) or "none found"
        output.lines(f"{found.endpoint}, speed {found.speed:g}, PostgreSQL {servers}; {found.folder}")
        if found.instances:
            rows = [_row(one) for one in found.instances]
            output.table(("instance", "status", "endpoint", "version", "user", "restorable until"), rows)
        output.lines(*(f"fault: {_fault_line(one)}" for one in found.faults))
        output.document(found)


def _row(one: LabInstance) -> tuple[str, ...]:
    endpoint = f"127.0.0.1:{one.port}" if one.port else "-"
    return one.identifier, one.status, endpoint, one.version, one.user, one.latest or "-"


def _fault_line(one: LabFault) -> str:
    left = f"{one.times - one.met} more" if one.times else "until it is cleared"
    return f"{one.service}:{one.action} {one.code if one.kind == 'error' else one.kind}, {left}"


def env(folder: Folder = None, json: Json = False) -> None:
    """Print what to export so that AWS's tools come here: eval "$(handrail lab env)"."""
    with answering("lab env", json) as output:
        from handrail.cli.lab_documents import LabVariables
        from handrail.laboratory.process import environ, require

        values = environ(require(_folder(folder)).endpoint)
        output.lines(*(f"export {name}={shlex.quote(value)}" for name, value in values.items()))
        output.document(LabVariables(values))


def log(
    folder: Folder = None,
    clear: Annotated[bool, typer.Option("--clear", help="Forget the calls after showing them.")] = False,
    json: Json = False,
) -> None:
    """The calls that were made, oldest first, without passwords."""
    with answering("lab log", json) as output:
        from handrail.cli.lab_documents import LabCall, LabCalls

        client = _client(folder)
        calls = tuple(LabCall(**one) for one in client.calls())
        if clear:
            client.forget_calls()
        output.lines(*(_call_line(one) for one in calls))
        output.document(LabCalls(calls))


def _call_line(one: LabCall) -> str:
    words = "".join(f" {name}={value}" for name, value in one.parameters.items())
    return f"{one.time} {one.service}:{one.action}{words} {one.error or one.status or ''}".rstrip()


def fault(
    action: Annotated[str, typer.Argument(help="As AWS calls it: CreateDBSnapshot. '*' is every one.")] = "",
    code: Annotated[str, typer.Argument(help="The error: Throttling, AccessDenied, ExpiredToken, …")] = "",
    drop: Annotated[Drop | None, typer.Option("--drop", help="Break the connection instead.")] = None,
    times: Annotated[int, typer.Option("--times", "-n", help="Calls; 0 is until it is cleared.", min=0)] = 1,
    service: Annotated[str, typer.Option("--service", help="rds, sts, iam, kms, s3; '*' is every one.")] = "rds",
    clear: Annotated[
        bool, typer.Option("--clear", help="Take all faults back; snapshots that are held go on.")
    ] = False,
    folder: Folder = None,
    json: Json = False,
) -> None:
    """The next calls of an action end with an error, or their connection breaks before or after it was done."""
    with answering("lab fault", json) as output:
        client = _client(folder)
        if clear:
            client.clear()
            _set(output, "no faults")
            return
        if not action or bool(code) == bool(drop):
            raise UsageError(
                "which action, and what is to happen to it?",
                hint="handrail lab fault CreateDBSnapshot Throttling --times 3, or --drop after, or --clear",
            )
        kind = f"drop-{drop}" if drop else "error"
        client.set(action, kind=kind, code=code, times=times, service=service)
        _set(output, f"{service}:{action} {code or kind}, {f'{times} times' if times else 'until it is cleared'}")


def snapshot(
    name: Annotated[str | None, typer.Argument(help="A snapshot; without it the next one.", show_default=False)] = None,
    hold: Annotated[int | None, typer.Option("--hold", help="Stay at this percent.", min=0, max=99)] = None,
    fail: Annotated[int | None, typer.Option("--fail", help="Become failed at this percent.", min=0, max=99)] = None,
    no_time: Annotated[bool, typer.Option("--no-time", help="Never tell SnapshotCreateTime.")] = False,
    folder: Folder = None,
    json: Json = False,
) -> None:
    """Have a snapshot stay at a percent, fail, or never say when it was taken; without an option it goes on."""
    with answering("lab snapshot", json) as output:
        words = {"hold_at": hold, "fail_at": fail, "hides_time": no_time}
        client = _client(folder)
        if name:
            client.change_snapshot(name, **words)
        else:
            client.next_snapshot(**words)
        _set(output, f"set for {name or 'the next snapshot'}")


def instance(
    name: Annotated[str, typer.Argument(help="An instance.")],
    state: Annotated[str, typer.Argument(help="storage-full, maintenance, incompatible-parameters, available, …")],
    folder: Folder = None,
    json: Json = False,
) -> None:
    """Show an instance in any state; `available` ends it. Its server runs on."""
    with answering("lab instance", json) as output:
        _client(folder).change_instance(name, status=state)
        _set(output, f"{name} is {state}")


def backup(
    name: Annotated[str, typer.Argument(help="An instance.")], folder: Folder = None, json: Json = False
) -> None:
    """Begin an instance's daily automated backup now."""
    with answering("lab backup", json) as output:
        _client(folder).back_up(name)
        _set(output, f"{name} is backing-up")


def _set(output: Output, text: str) -> None:
    from handrail.cli.lab_documents import LabSet

    output.lines(text)
    output.document(LabSet(text))
