"""A proxy in front of an HTTP server that does harm on demand: refuses, stalls, cuts requests and answers."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class Fault:
    """What happens to the requests that `on` picks (its method and path), as long as `times` lasts.

    `status` and `body`: answered so, without asking the server. `delay`: seconds before the server is asked.
    `cut_request`, `cut_answer`: the connection ends after so many bytes of the body (for an answer: of all of it); of a
    request it may also be told how many by the body's length. `is_gone`: it ends when all of it has come, and nobody is asked."""

    on: Callable[[str, str], bool] = lambda _method, _path: True
    times: int = 1_000_000
    status: str = ""
    body: str = ""
    delay: float = 0.0
    cut_request: int | Callable[[int], int] | None = None
    cut_answer: int | None = None
    is_gone: bool = False


@dataclass
class FaultyProxy:
    """Listens on `endpoint`; every request is noted in `seen`."""

    port: int
    target: int
    faults: list[Fault] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def take(self, method: str, path: str) -> Fault:
        with self.lock:
            self.seen.append(f"{method} {path}")
            for fault in self.faults:
                if fault.times > 0 and fault.on(method, path):
                    fault.times -= 1
                    return fault
        return Fault()


@contextmanager
def faulty_proxy(target: int) -> Iterator[FaultyProxy]:
    """A proxy to the server on that port of this machine."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    proxy = FaultyProxy(listener.getsockname()[1], target)
    thread = threading.Thread(target=_accept, args=(listener, proxy), daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)


def _accept(listener: socket.socket, proxy: FaultyProxy) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=_serve, args=(connection, proxy), daemon=True).start()


def _serve(connection: socket.socket, proxy: FaultyProxy) -> None:
    """One request, then the connection ends: so every request meets the faults of its time."""
    with contextlib.suppress(OSError), connection:
        head = _read_head(connection)
        if not head:
            return
        lines = head.split(b"\r\n")
        method, path, _ = lines[0].decode().split(" ", 2)
        headers = dict(line.decode().lower().split(": ", 1) for line in lines[1:] if b": " in line)
        length = int(headers.get("content-length", "0"))
        fault = proxy.take(method, path)
        if fault.cut_request is not None and length:
            cut = fault.cut_request if isinstance(fault.cut_request, int) else fault.cut_request(length)
            _read(connection, min(cut, length))
            return
        body = _read(connection, length)
        if fault.is_gone:
            return
        time.sleep(fault.delay)
        if fault.status:
            answer = fault.body.encode()
            connection.sendall(
                f"HTTP/1.1 {fault.status}\r\ncontent-length: {len(answer)}\r\nconnection: close\r\n\r\n".encode()
                + answer
            )
            return
        _pass_on(connection, proxy.target, b"\r\n".join([lines[0], b"connection: close", *lines[1:]]) + body, fault)


def _pass_on(connection: socket.socket, target: int, request: bytes, fault: Fault) -> None:
    left = fault.cut_answer
    with socket.create_connection(("127.0.0.1", target)) as upstream:
        upstream.sendall(request)
        while data := upstream.recv(1 << 16):
            if left is not None:
                data = data[:left]
                left -= len(data)
            connection.sendall(data)
            if left == 0:
                return


def _read_head(connection: socket.socket) -> bytes:
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = connection.recv(1)
        if not byte:
            return b""
        head += byte
    return head


def _read(connection: socket.socket, length: int) -> bytes:
    data = bytearray()
    while len(data) < length:
        piece = connection.recv(min(1 << 16, length - len(data)))
        if not piece:
            raise OSError("the client went away")
        data += piece
    return bytes(data)
