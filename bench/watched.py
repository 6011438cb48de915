"""Runs a program and watches it from outside: seconds, and the peak memory of its whole process tree.

Memory is the sum over the tree of each process's proportional share (PSS: a page that several processes share counts
once), read every 20 ms, or the peak of the largest process (wait4) where that is more. Server processes that a program
asks for its data are not its children and not in it.
"""

from __future__ import annotations

import json
import os
import pwd
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.measuring import Measured

#: Starts argv[3:] as the user argv[2] ("" for the same one), its words to the log argv[1].
_WATCH = """
import json, os, sys, threading, time
log, account, words = sys.argv[1], sys.argv[2], sys.argv[3:]

def tree(process):
    yield process
    try:
        threads = os.listdir(f"/proc/{process}/task")
        children = [open(f"/proc/{process}/task/{one}/children").read().split() for one in threads]
    except OSError:
        return
    for child in sum(children, []):
        yield from tree(child)

def share(process):
    try:
        with open(f"/proc/{process}/smaps_rollup") as lines:
            return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    except OSError:
        return 0

def watch(process):
    global peak
    while not done.wait(0.02):
        peak = max(peak, sum(share(one) for one in tree(process)))

peak, done = 0, threading.Event()
started = time.monotonic()
child = os.fork()
if child == 0:
    try:
        out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        os.dup2(out, 1)
        os.dup2(out, 2)
        os.dup2(os.open("/dev/null", os.O_RDONLY), 0)
        if account:
            number, group = map(int, account.split(":"))
            os.setgroups([])
            os.setgid(group)
            os.setuid(number)
        os.execvp(words[0], words)
    finally:
        os._exit(127)
watcher = threading.Thread(target=watch, args=(str(child),))
watcher.start()
_, status, usage = os.wait4(child, 0)
seconds = time.monotonic() - started
done.set()
watcher.join()
print(json.dumps([os.waitstatus_to_exitcode(status), seconds, max(peak, usage.ru_maxrss) / 1024]))
"""


class ProgramFailed(Exception):
    """A program of the benchmark ended badly or was not done in time; its text is for the table."""


@dataclass(frozen=True, slots=True)
class Command:
    """What is run: words, variables beside those of this process, the folder, and another account than one's own."""

    words: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    folder: Path = Path("/")
    account: pwd.struct_passwd | None = None
    seconds: float = 900.0


def run_watched(command: Command, log: Path) -> Measured:
    """Run one; ProgramFailed when it exits badly or needs longer than its seconds."""
    account = command.account
    who = f"{account.pw_uid}:{account.pw_gid}" if account else ""
    log.unlink(missing_ok=True)
    words = [sys.executable, "-I", "-S", "-c", _WATCH, str(log), who, *command.words]
    environment = {**os.environ, **command.environment}
    with subprocess.Popen(
        words, cwd=command.folder, env=environment, stdout=subprocess.PIPE, start_new_session=True
    ) as started:
        try:
            out, _ = started.communicate(timeout=command.seconds)
        except BaseException as problem:
            os.killpg(started.pid, signal.SIGKILL)
            if isinstance(problem, subprocess.TimeoutExpired):
                raise ProgramFailed(f"did not end in {command.seconds:.0f} s") from None
            raise
    status, seconds, peak = json.loads(out)
    if status:
        said = log.read_text(errors="replace").strip().splitlines() if log.exists() else []
        raise ProgramFailed(f"{Path(command.words[0]).name} exited {status}: {' / '.join(said[-6:])[-500:]}")
    return Measured(seconds, peak)


Step = Command | Callable[[], object]


def run_steps(steps: Sequence[Step], log: Path) -> Measured:
    """Run commands one after the other: their seconds together, the highest peak. Functions prepare and are not timed."""
    seconds, peak = 0.0, 0.0
    for step in steps:
        if not isinstance(step, Command):
            step()
            continue
        found = run_watched(step, log)
        seconds, peak = seconds + found.seconds, max(peak, found.peak_mib)
    return Measured(seconds, peak)
