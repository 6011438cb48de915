"""A process that digests parts of tables for another one; started by `readers`, one JSON document a line each way.

It has a connection of its own and no other way to the caller: its words end when the caller is gone.
"""

from __future__ import annotations

import json
import sys
from base64 import b64encode
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from handrail.databases.sqlite.connection import begin_snapshot, connect
from handrail.databases.sqlite.rows import Part, Span, digest_part
from handrail.databases.sqlite.stand_ins import stand_in

#: A writer may be waiting for the caller's lock to go, and lets nobody else in until then: no use to wait for it long.
_PATIENCE_MS = 100


def serve(path: Path, ask: Callable[[], str], answer: Callable[[str], object]) -> None:
    """Answer until nothing more is asked."""
    with closing(connect(path)) as raw:
        raw.execute(f"PRAGMA busy_timeout = {_PATIENCE_MS}").fetchone()
        while line := ask():
            asked = json.loads(line)
            if asked["do"] == "begin":
                begin_snapshot(raw)
                stand_in(raw)
                answer("{}\n")
            elif asked["do"] == "end":
                raw.execute("ROLLBACK")
                answer("{}\n")
            else:
                found = digest_part(raw, _part(asked))
                sums = [f"{total:x}" for total in found.sums]
                units = b64encode(found.units).decode()
                told = {"rows": found.rows, "sums": sums, "seconds": found.seconds, "units": units}
                answer(json.dumps(told) + "\n")


def _part(asked: dict[str, Any]) -> Part:
    spans = tuple(Span(above, upto, tuple(units)) for above, upto, units in asked["spans"])
    return Part(asked["table"], tuple(map(tuple, asked["groups"])), spans)


def _answer(line: str) -> None:
    sys.stdout.write(line)
    sys.stdout.flush()


if __name__ == "__main__":
    serve(Path(sys.argv[1]), sys.stdin.readline, _answer)
