"""How a call ends: errors turned into messages and exit codes, with or without Typer."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from handrail.cli.output import Output
from handrail.errors import ExitCode, HandrailError, Interruption
from handrail.interruptions import heard


@contextmanager
def answering(command: str, as_json: bool) -> Iterator[Output]:
    """Run a command's body; whatever it raises becomes a message and the documented exit code. Ctrl-C, SIGTERM and
    SIGHUP are heard within."""
    output = Output(command, as_json=as_json)
    with heard(output.at_once), _told(output):
        output.display.begin(command, "reading the project and its database")
        yield output
        output.finish()


@contextmanager
def _told(output: Output) -> Iterator[None]:
    try:
        yield
    except HandrailError as error:
        output.error(error)
        raise SystemExit(int(error.exit_code)) from error
    except KeyboardInterrupt as error:
        ended = error if isinstance(error, Interruption) else Interruption("cancelled", ExitCode.CANCELLED)
        told = HandrailError(ended.what, hint="if a run was under way: handrail status", code="HR130")
        told.exit_code = ended.exit_code
        output.error(told)
        raise SystemExit(int(ended.exit_code)) from None
    except Exception as error:
        if os.environ.get("HANDRAIL_DEBUG"):
            raise
        what = f"unexpected {type(error).__name__}: {error}"
        output.error(
            HandrailError(what, hint="handrail status shows where the database stands, HANDRAIL_DEBUG=1 the details")
        )
        raise SystemExit(int(ExitCode.UNEXPECTED)) from error
    finally:
        output.display.end()
