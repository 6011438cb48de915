"""AWS's query protocol by the service model that botocore brings: requests read, answers written."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

from handrail.laboratory.refusal import Refusal, invalid_value

Parameters = dict[str, Any]
_IMPOSSIBLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@cache
def model() -> Any:
    """RDS as botocore knows it."""
    import botocore.session

    return botocore.session.get_session().get_service_model("rds")


def read(body: str) -> tuple[str, Parameters]:
    """The action of a request and its parameters. Refusal."""
    flat = dict(parse_qsl(body, keep_blank_values=True))
    action = flat.get("Action", "")
    if action not in model().operation_names:
        raise Refusal("InvalidAction", f"Could not find operation {action or '(none)'} for version 2014-10-31")
    shape = model().operation_model(action).input_shape
    parameters: Parameters = _structure(shape, flat, "") if shape is not None else {}
    missing = [name for name in getattr(shape, "required_members", ()) if name not in parameters]
    if missing:
        raise Refusal("MissingParameter", f"The request must contain the parameter {missing[0]}.")
    return action, parameters


def _structure(shape: Any, flat: Mapping[str, str], prefix: str) -> Parameters:
    found = {}
    for name, member in shape.members.items():
        value = _value(member, flat, f"{prefix}{member.serialization.get('name', name)}")
        if value is not None:
            found[name] = value
    return found


def _value(shape: Any, flat: Mapping[str, str], key: str) -> Any:
    if shape.type_name == "structure":
        return _structure(shape, flat, f"{key}.") or None
    if shape.type_name == "list":
        return _list(shape, flat, key)
    return None if key not in flat else _scalar(shape.type_name, flat[key], key)


def _list(shape: Any, flat: Mapping[str, str], key: str) -> list[Any] | None:
    name = shape.member.serialization.get("name", "member")
    found = list(_members(shape.member, flat, f"{key}.{name}")) or list(_members(shape.member, flat, f"{key}.member"))
    return found or ([] if key in flat else None)


def _members(shape: Any, flat: Mapping[str, str], stem: str) -> Iterator[Any]:
    number = 1
    while (value := _value(shape, flat, f"{stem}.{number}")) is not None:
        yield value
        number += 1


def _scalar(kind: str, text: str, key: str) -> Any:
    try:
        if kind in ("integer", "long"):
            return int(text)
        if kind == "timestamp":
            return moment(text)
    except ValueError:
        raise invalid_value(f"Invalid value {text} for {key}") from None
    return text.lower() == "true" if kind == "boolean" else text


def moment(text: str) -> datetime:
    """A time as AWS writes it; one without a zone is UTC. ValueError."""
    read_time = datetime.fromisoformat(text)
    return read_time.astimezone(UTC) if read_time.tzinfo else read_time.replace(tzinfo=UTC)


def answer(action: str, result: Mapping[str, Any], request: str) -> str:
    """The document of a call that succeeded: of `result` what the service's model has."""
    shape = model().operation_model(action).output_shape
    inner = ""
    if shape is not None:
        wrapper = shape.serialization.get("resultWrapper", f"{action}Result")
        inner = f"<{wrapper}>{_members_xml(shape, result)}</{wrapper}>"
    space = model().metadata["xmlNamespace"]
    return f'<{action}Response xmlns="{space}">{inner}{_request(request)}</{action}Response>'


def error(refusal: Refusal, request: str) -> tuple[int, str]:
    """The status and the document of a call that was refused."""
    status = refusal.status or _statuses().get(refusal.code, 400)
    kind = "Sender" if status < 500 else "Receiver"
    words = f"<Type>{kind}</Type><Code>{_escaped(refusal.code)}</Code><Message>{_escaped(refusal.message)}</Message>"
    space = model().metadata["xmlNamespace"]
    return (
        status,
        f'<ErrorResponse xmlns="{space}"><Error>{words}</Error><RequestId>{request}</RequestId></ErrorResponse>',
    )


@cache
def _statuses() -> dict[str, int]:
    found = (
        model().shape_for(name).metadata.get("error", {}) for name in model().shape_names if name.endswith("Fault")
    )
    return {one["code"]: int(one.get("httpStatusCode", 400)) for one in found if "code" in one}


def _request(request: str) -> str:
    return f"<ResponseMetadata><RequestId>{request}</RequestId></ResponseMetadata>"


def _members_xml(shape: Any, values: Mapping[str, Any]) -> str:
    named = ((name, member, values.get(name)) for name, member in shape.members.items())
    return "".join(_xml(m.serialization.get("name", name), m, value) for name, m, value in named if value is not None)


def _xml(tag: str, shape: Any, value: Any) -> str:
    if shape.type_name == "structure":
        inner = _members_xml(shape, value)
    elif shape.type_name == "list":
        name = shape.member.serialization.get("name", "member")
        inner = "".join(_xml(name, shape.member, item) for item in value)
    else:
        inner = _escaped(_text(value))
    return f"<{tag}>{inner}</{tag}>"


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return str(value)


def _escaped(text: str) -> str:
    """Text for XML, in which most control characters cannot be at all."""
    return escape(_IMPOSSIBLE.sub("\N{REPLACEMENT CHARACTER}", text))
