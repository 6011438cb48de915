"""Health checks against a real server on loopback, and real commands."""

from __future__ import annotations

import base64
import os
import socket
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from handrail.health import command_check, url_check, watched
from handrail.health_check import HealthResult


class _Application(ThreadingHTTPServer):
    """Answers with the next of `answers`, and with the last one for ever."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers = [200]
        self.seen: list[tuple[str, str | None]] = []

    @property
    def url(self) -> str:
        return f"http://{self.place}/health"

    @property
    def place(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        application = self.server
        assert isinstance(application, _Application)
        application.seen.append((self.path, self.headers.get("Authorization")))
        answers = application.answers
        status = answers.pop(0) if len(answers) > 1 else answers[0]
        self.send_response(status)
        if status == 302:
            self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def application() -> Iterator[_Application]:
    with _Application() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_an_answer_is_well(application: _Application) -> None:
    assert url_check(application.url, timeout=5)() == HealthResult(True, f"{application.url} answered 200")


def test_any_2xx_is_well(application: _Application) -> None:
    application.answers = [204]
    assert url_check(application.url, timeout=5)() == HealthResult(True, f"{application.url} answered 204")


@pytest.mark.parametrize("status", [404, 500, 503])
def test_another_answer_is_not_well(application: _Application, status: int) -> None:
    application.answers = [status]
    assert url_check(application.url, timeout=0.1)() == HealthResult(False, f"{application.url} answered {status}")


def test_an_application_that_restarts_is_waited_for(application: _Application) -> None:
    application.answers = [503, 200]
    assert url_check(application.url, timeout=10)() == HealthResult(True, f"{application.url} answered 200")
    assert len(application.seen) == 2


def test_a_redirection_is_followed(application: _Application) -> None:
    application.answers = [302, 200]
    assert url_check(application.url, timeout=5)().is_well
    assert [path for path, _ in application.seen] == ["/health", "/elsewhere"]


def test_a_password_is_sent_but_not_told(application: _Application) -> None:
    application.answers = [503]
    url = f"http://ops:s%40cret@{application.place}/health?token=t0ken"
    assert url_check(url, timeout=0.1)() == HealthResult(False, f"http://{application.place}/health answered 503")
    expected = "Basic " + base64.b64encode(b"ops:s@cret").decode()
    assert application.seen == [("/health?token=t0ken", expected)]


def test_nobody_listens() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}/health"
        result = url_check(url, timeout=0.1)()
    assert not result.is_well
    assert result.detail.startswith(f"{url} did not answer: ")
    assert "refused" in result.detail


@pytest.mark.parametrize("answer", [None, b"SSH-2.0-OpenSSH\r\n", b""], ids=["silence", "not http", "hang up"])
def test_a_server_of_another_kind_is_not_well_in_time(answer: bytes | None) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                if answer is None:
                    connection.settimeout(5)
                    while connection.recv(1000):
                        pass
                else:
                    connection.recv(1000)
                    connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        begun = time.monotonic()
        result = url_check(f"http://127.0.0.1:{server.getsockname()[1]}/", timeout=0.4)()
        thread.join()
    assert not result.is_well
    assert "did not answer" in result.detail
    assert time.monotonic() - begun < 3


@pytest.mark.parametrize(
    "url", ["file:///etc/hostname", "ftp://127.0.0.1/", "http://", "http://a:b", "", "http://u:pw@h:x/"]
)
def test_what_is_no_http_url_is_not_well(url: str) -> None:
    result = url_check(url, timeout=0.1)()
    assert not result.is_well
    assert "pw" not in result.detail


def python(code: str) -> str:
    return f"{sys.executable} -c '{code}'"


def test_a_command_that_ends_well(tmp_path: Path) -> None:
    command = python("import os; print(os.getcwd())")
    assert command_check(command, timeout=20, folder=tmp_path)() == HealthResult(
        True, f"`{command}` exited 0 {tmp_path.resolve()}"
    )


def test_a_command_that_fails_tells_its_last_line(tmp_path: Path) -> None:
    command = python('import sys; print("one", flush=True); sys.exit("no database")')
    assert command_check(command, timeout=0.4, folder=tmp_path)().is_well is False
    result = command_check(command, timeout=5, folder=tmp_path)
    assert result() == HealthResult(False, f"`{command}` exited 1 no database")


def test_a_command_is_not_run_by_a_shell(tmp_path: Path) -> None:
    result = command_check("echo a; touch x", timeout=5, folder=tmp_path)()
    assert result == HealthResult(True, "`echo a; touch x` exited 0 a; touch x")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("command", "detail"),
    [
        ("no-such-program --x", "`no-such-program --x` cannot be run: No such file or directory"),
        ("", "`` is not a command"),
        ('echo "open', '`echo "open` is not a command'),
    ],
)
def test_what_is_no_command_is_not_well(tmp_path: Path, command: str, detail: str) -> None:
    assert command_check(command, timeout=0.1, folder=tmp_path)() == HealthResult(False, detail)


def test_output_of_any_bytes_is_told(tmp_path: Path) -> None:
    command = python("import os; os.write(1, bytes([255, 10, 97, 255]))")
    assert command_check(command, timeout=20, folder=tmp_path)() == HealthResult(True, f"`{command}` exited 0 a\ufffd")


def test_a_command_that_reads_the_terminal_does_not_wait(tmp_path: Path) -> None:
    assert command_check("cat", timeout=20, folder=tmp_path)() == HealthResult(True, "`cat` exited 0")


def test_a_command_that_hangs_is_ended_with_its_children(tmp_path: Path) -> None:
    """The grandchild holds the output open; it must neither delay the answer nor live on."""
    script = tmp_path / "hang.py"
    script.write_text(
        "import pathlib, subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "pathlib.Path('child').write_text(str(child.pid))\n"
        "time.sleep(600)\n"
    )
    command = f"{sys.executable} {script}"
    begun = time.monotonic()
    result = command_check(command, timeout=2, folder=tmp_path)()
    assert result == HealthResult(False, f"`{command}` did not end within 2 s")
    assert time.monotonic() - begun < 10
    assert _is_gone(int((tmp_path / "child").read_text()))


def _is_gone(pid: int) -> bool:
    for _ in range(500):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
            os.kill(pid, 0)
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state == "Z":
            return True
        time.sleep(0.01)
    return False


def test_a_watch_lasts_as_long_as_it_was_asked_to(application: _Application) -> None:
    result = watched(url_check(application.url, timeout=1), seconds=0.3, pause=0.1)()
    assert (result.is_well, len(application.seen) >= 3) == (True, True)
    assert result.detail == f"well for 0.3 s, asked {len(application.seen)} times"


def test_a_watch_ends_with_the_first_bad_answer(application: _Application) -> None:
    application.answers = [200, 200, 500]
    result = watched(url_check(application.url, timeout=0.1), seconds=30, pause=0.01)()
    assert not result.is_well
    assert result.detail == f"http://{application.place}/health answered 500 (0 s after the first of 3 questions)"
