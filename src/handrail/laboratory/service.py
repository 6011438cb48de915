"""The laboratory's one HTTP server: RDS answered here, everything else by moto, faults before and behind both."""

from __future__ import annotations

import io
import json
import logging
import secrets
import socket
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, unquote

from handrail.laboratory import admin, protocol
from handrail.laboratory.actions import ACTIONS, is_of_moto
from handrail.laboratory.client import REGION
from handrail.laboratory.cloud import OWN_KEY
from handrail.laboratory.desk import told
from handrail.laboratory.faults import Call, Fault, call
from handrail.laboratory.laboratory import Laboratory
from handrail.laboratory.refusal import Refusal
from handrail.pages import page

Environ = dict[str, Any]
Answer = Callable[..., Any]


@dataclass(frozen=True)
class Request:
    """What the headers say: which service of which region is called by whom, and what it is asked for."""

    service: str
    region: str
    key: str
    action: str
    body: str

    @property
    def is_own(self) -> bool:
        """A call of the laboratory to itself."""
        return self.key == OWN_KEY


class Application:
    """The WSGI application."""

    def __init__(self, lab: Laboratory) -> None:
        from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

        self._lab = lab
        self._moto = DomainDispatcherApplication(create_backend_app)

    def __call__(self, environ: Environ, start: Answer) -> Iterable[bytes]:
        if environ.get("HTTP_ORIGIN"):  # a page in a browser has no business here
            return _send(start, 403, "text/plain", "The laboratory answers no pages of other sites.")
        if environ["PATH_INFO"].startswith("/_lab/"):
            return self._administer(environ, start)
        request = _request(environ)
        if request.is_own:
            return self._moto(environ, start)  # type: ignore[no-any-return]
        return self._serve(request, environ, start)

    def _serve(self, request: Request, environ: Environ, start: Answer) -> Iterable[bytes]:
        noted = call(request.service, request.action, _parameters(request))
        fault = self._lab.faults.meet(request.service, request.action)
        if fault is not None and fault.kind == "error":
            refusal = Refusal(fault.code, fault.text(request.service, request.action), fault.http_status)
            return self._refuse(request, noted, refusal, start)
        if fault is not None and fault.kind == "drop-before":
            return self._drop(noted, fault, environ, start)
        if request.service == "rds" and not is_of_moto(request.action):
            return self._answer(request, noted, fault, environ, start)
        if fault is not None:
            self._moto(environ, lambda *_words: None)
            return self._drop(noted, fault, environ, start)
        return self._pass_on(noted, environ, start)

    def _pass_on(self, noted: Call, environ: Environ, start: Answer) -> Iterable[bytes]:
        """Have moto answer, and note how it ended."""

        def begin(status: str, headers: Any, *words: Any) -> Any:
            self._lab.calls.add(replace(noted, status=int(status.split(maxsplit=1)[0])))
            return start(status, headers, *words)

        return self._moto(environ, begin)  # type: ignore[no-any-return]

    def _answer(
        self, request: Request, noted: Call, fault: Fault | None, environ: Environ, start: Answer
    ) -> Iterable[bytes]:
        """An action of RDS, under the region's lock."""
        identity = secrets.token_hex(8)
        try:
            action, parameters = protocol.read(request.body)
            if action not in ACTIONS:
                raise Refusal("InvalidAction", f"The laboratory does not know {action}; see {page('lab')}")
            desk = self._lab.desk(request.region)
            with desk.world.lock:
                text = protocol.answer(action, ACTIONS[action](desk, parameters), identity)
        except Refusal as refusal:
            return self._refuse(request, noted, refusal, start)
        except Exception as error:
            logging.getLogger(__name__).exception("%s failed", request.action)
            return self._refuse(request, noted, Refusal("InternalFailure", told(error), 500), start)
        if fault is not None:
            return self._drop(noted, fault, environ, start)
        self._lab.calls.add(replace(noted, status=200))
        return _send(start, 200, "text/xml", text)

    def _refuse(self, request: Request, noted: Call, refusal: Refusal, start: Answer) -> Iterable[bytes]:
        status, text = protocol.error(refusal, secrets.token_hex(8))
        self._lab.calls.add(replace(noted, status=status, error=refusal.code))
        if request.service == "s3":
            text = text[text.index("<Error>") : text.index("<RequestId>")]
        elif request.service == "kms":
            return _send(
                start,
                status,
                "application/x-amz-json-1.1",
                json.dumps({"__type": refusal.code, "message": refusal.message}),
            )
        return _send(start, status, "text/xml", text)

    def _drop(self, noted: Call, fault: Fault, environ: Environ, start: Answer) -> Iterable[bytes]:
        """Close the connection without an answer."""
        self._lab.calls.add(replace(noted, error=fault.kind))
        environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
        return _send(start, 500, "text/plain", "")

    def _administer(self, environ: Environ, start: Answer) -> Iterable[bytes]:
        asked = parse_qs(environ.get("QUERY_STRING", ""))
        raw = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        path = unquote(environ["PATH_INFO"].removeprefix("/_lab/"))
        try:
            body = json.loads(raw or b"{}")
        except ValueError as error:
            return _send(start, 400, "application/json", json.dumps({"error": f"no JSON: {error}"}))
        region = asked.get("region", [REGION])[0]
        status, answer = admin.answer(self._lab, environ["REQUEST_METHOD"], path, region, body)
        return _send(start, status, "application/json", json.dumps(answer))


def _send(start: Answer, status: int, kind: str, text: str) -> Iterable[bytes]:
    body = text.encode()
    start(f"{status} {HTTPStatus(status).phrase}", [("Content-Type", kind), ("Content-Length", str(len(body)))])
    return [body]


def _request(environ: Environ) -> Request:
    key, region, service = _scope(environ.get("HTTP_AUTHORIZATION", ""))
    body = ""
    if str(environ.get("CONTENT_TYPE", "")).startswith("application/x-www-form-urlencoded"):
        raw = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(raw)
        body = raw.decode(errors="replace")
    target = str(environ.get("HTTP_X_AMZ_TARGET", "")).rpartition(".")[2]
    named = parse_qs(body).get("Action", [""])[0] or target
    return Request(service, region, key, named or f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}", body)


def _scope(authorization: str) -> tuple[str, str, str]:
    """Key, region and service from a signature's credential; calls without one are taken for S3's."""
    if "Credential=" not in authorization:
        return "", REGION, "s3"
    parts = authorization.partition("Credential=")[2].split(",", 1)[0].split("/")
    return (parts[0], parts[2], parts[3]) if len(parts) >= 5 else ("", REGION, "s3")


def _parameters(request: Request) -> dict[str, str]:
    """What is logged: a query's parameters as they came."""
    flat = {name: values[0] for name, values in parse_qs(request.body).items()}
    return {name: value for name, value in flat.items() if name not in ("Action", "Version")}


class Service:
    """The server of one laboratory, on a port of 127.0.0.1; nobody outside the machine reaches it."""

    def __init__(self, lab: Laboratory) -> None:
        from moto.moto_server.werkzeug_app import MotoRequestHandler
        from werkzeug.serving import make_server

        logging.getLogger("werkzeug").setLevel(logging.CRITICAL)
        self._lab = lab
        self._server = make_server(
            "127.0.0.1", lab.settings.port, Application(lab), threaded=True, request_handler=MotoRequestHandler
        )
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, name="laboratory-http", daemon=True)

    def __enter__(self) -> Service:
        self._thread.start()
        self._lab.open(self.endpoint)
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._lab.close()
        self._server.server_close()
