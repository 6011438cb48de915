"""The sample application as a deployment sees it: served by a program that stays, deployed, restarted and put back by
scripts. What is served is a link to a release, as with most ways to deploy."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from support.children import Child
from support.story import Story

_SECONDS = 60.0
_RESTART = """\
#!/bin/sh
echo "restarting $(cat serving/name)"
kill -HUP $(cat server.pid)
for _ in $(seq 600); do
  [ "$(cat served 2>/dev/null)" = "$(cat serving/name)-$(cat serving/stamp)" ] && exit 0
  sleep 0.1
done
echo "it did not come up"; exit 1
"""
_DEPLOY = """\
#!/bin/sh
echo "deploying {name} to $ENV"
date +%s%N > releases/{name}/stamp
ln -sfn releases/{name} serving
"""
#: Serves whatever release the link leads to, anew on SIGHUP: what systemd does, in a few lines.
_SUPERVISOR = """\
import os, pathlib, signal, subprocess, sys, time

here, number, again = pathlib.Path.cwd(), sys.argv[1], []
signal.signal(signal.SIGHUP, lambda *_: again.append(1))
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))


def start():
    release = (here / "serving").resolve()
    place = ["--app-dir", str(release), "--factory", "appserver.app:create_app", "--fd", number]
    with open(here / "uvicorn.log", "ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "uvicorn", *place, "--no-access-log"],
            pass_fds=(int(number),),
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
        )
    (here / "served").write_text((release / "name").read_text() + "-" + (release / "stamp").read_text().strip())
    return process


child = start()
try:
    while True:
        time.sleep(0.05)
        if again:
            again.clear()
            child.terminate()
            child.wait()
            child = start()
finally:
    child.terminate()
    child.wait()
"""


@dataclass(frozen=True, slots=True)
class Server:
    """The application in the story's folder: `old` is served at first, `new` is what the deployment brings."""

    story: Story
    port: int

    @property
    def health(self) -> str:
        return f"http://127.0.0.1:{self.port}/health"

    def serves(self) -> str:
        """The release that is served, by its name."""
        return (self.story.folder / "served").read_text().partition("-")[0]

    def options(self, *more: str) -> list[str]:
        """Words for `handrail deploy`."""
        named = ("--command", "./deploy.sh", "--undo", "./previous.sh", "--restart", "./restart.sh")
        return ["deploy", *named, "--health-url", self.health, "--yes", *more]


def script(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.write_text(text)
    path.chmod(0o755)


def releases(story: Story, breaking: str = "") -> None:
    """Two releases of the application, and the scripts; `breaking` is put at the end of the new one's main module."""
    folder = story.folder
    for name in ("old", "new"):
        release = folder / "releases" / name
        release.mkdir(parents=True)
        shutil.copytree(folder / "appserver", release / "appserver")
        (release / "name").write_text(name)
        (release / "stamp").write_text("0\n")
    (folder / "serving").symlink_to("releases/old")
    module = folder / "releases" / "new" / "appserver" / "app.py"
    module.write_text(module.read_text() + breaking)
    script(folder, "deploy.sh", _DEPLOY.format(name="new"))
    script(folder, "previous.sh", _DEPLOY.format(name="old"))
    script(folder, "restart.sh", _RESTART)


@contextmanager
def serving(story: Story) -> Iterator[Server]:
    """The server, from its first release on; requests wait in the socket while it restarts."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listening:
        number = listening.fileno()
        with Child(
            [sys.executable, "-c", _SUPERVISOR, str(number)],
            cwd=story.folder,
            env={**os.environ, **story.environment},
            stdin=subprocess.DEVNULL,
            pass_fds=(number,),
        ) as process:
            (story.folder / "server.pid").write_text(str(process.pid))
            until = time.monotonic() + _SECONDS
            while not (story.folder / "served").is_file():
                assert time.monotonic() < until, "the server did not start"
                time.sleep(0.05)
            try:
                yield Server(story, listening.getsockname()[1])
            finally:
                process.send_signal(signal.SIGTERM)
                process.wait(_SECONDS)
