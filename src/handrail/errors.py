"""Errors that say what happened, why, and what to type next; each class carries its exit code.

The exit code tells in what state the database is (documented in docs/exit-codes.md, stable, tested).
"""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """What `handrail` returns to the shell. 0-11, 129, 130 and 143 are a contract; nothing else is ever returned."""

    DONE = 0
    UNEXPECTED = 1
    USAGE = 2
    LINT_REFUSED = 3
    PENDING_OR_DRIFT = 4
    BACKUP_NOT_VERIFIED = 5
    REHEARSAL_FAILED = 6
    APPLY_FAILED_BROUGHT_BACK = 7
    APPLY_FAILED_NOT_BROUGHT_BACK = 8
    LOCK_NOT_OBTAINED = 9
    APPROVAL_MISSING = 10
    PARTLY_DONE = 11
    HUNG_UP = 129
    CANCELLED = 130
    TERMINATED = 143


class HandrailError(Exception):
    """Every failure that handrail foresees.

    `message` says what happened, `why` the reason in one or two sentences (may be empty), `hint` what to
    type or change next. `code` is a stable identifier of the message (`HR201`), for documents and machines.
    None of the three may ever hold a password.
    """

    exit_code: ExitCode = ExitCode.UNEXPECTED
    code: str = "HR100"

    def __init__(self, message: str, *, why: str = "", hint: str = "", code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.why = why
        self.hint = hint
        if code is not None:
            self.code = code


class Interruption(KeyboardInterrupt):
    """A signal asked this process to end. `what` became of the call, in words: "cancelled", "ended by SIGTERM".

    It is no HandrailError: whoever handles failures lets it pass, as Python's own answer to Ctrl-C."""

    def __init__(self, what: str, exit_code: ExitCode) -> None:
        super().__init__(what)
        self.what = what
        self.exit_code = exit_code


class UsageError(HandrailError):
    """The command line, the configuration or the Alembic project cannot be used as it is. Nothing was touched."""

    exit_code = ExitCode.USAGE
    code = "HR200"


class ConfigError(UsageError):
    """handrail.toml or [tool.handrail] is not valid."""

    code = "HR210"


class ProjectError(UsageError):
    """alembic.ini, env.py or a migration script cannot be loaded, or a revision is unknown or ambiguous."""

    code = "HR220"


class NoModels(ProjectError):
    """env.py names no models to compare with."""

    code = "HR222"


class DatabaseUnavailable(UsageError):
    """No connection: unreachable, wrong password, no rights, not a database, unknown engine."""

    code = "HR230"


class UnsupportedEngine(DatabaseUnavailable):
    """An engine handrail does not know; it refuses rather than guessing."""

    code = "HR231"


class EnumColumnError(UsageError, ValueError):
    """An enum class, or what was said about its column, cannot be stored as asked.

    It is raised while the user's own models are imported, where a traceback shows its text and nothing else; so that
    text holds all three parts.
    """

    code = "HR240"

    def __str__(self) -> str:
        # Python 3.12 and later make an error that a member raises anew, from its text alone; that must not get longer.
        parts = [part.removesuffix(".") for part in (self.message, self.why, self.hint) if part]
        return " ".join(f"{part[:1].upper()}{part[1:]}." for part in parts)


class EnumTypeError(EnumColumnError, TypeError):
    """Something else than an enum class, a member of it or a string stands where one is needed."""

    code = "HR241"


class MissingLibrary(UsageError, ImportError):
    """An optional library is needed and not installed."""

    code = "HR242"

    def __str__(self) -> str:
        return f"{self.message}: {self.hint}"


class LintRefused(HandrailError):
    """A finding of the configured level remains."""

    exit_code = ExitCode.LINT_REFUSED
    code = "HR300"


class Drift(HandrailError):
    """`check`: revisions are pending, or models and database differ."""

    exit_code = ExitCode.PENDING_OR_DRIFT
    code = "HR400"


class BackupError(HandrailError):
    """A backup could not be made, found, read or verified. The live database is untouched."""

    exit_code = ExitCode.BACKUP_NOT_VERIFIED
    code = "HR500"


class RehearsalFailed(HandrailError):
    """The upgrade failed, or lost something, on the restored copy. The live database is untouched."""

    exit_code = ExitCode.REHEARSAL_FAILED
    code = "HR600"


class BroughtBack(HandrailError):
    """The apply, the proof or the health check failed; the database is as it was before."""

    exit_code = ExitCode.APPLY_FAILED_BROUGHT_BACK
    code = "HR700"


class NotBroughtBack(HandrailError):
    """The apply, the proof or the health check failed, and the database is not as before."""

    exit_code = ExitCode.APPLY_FAILED_NOT_BROUGHT_BACK
    code = "HR800"


class LockNotObtained(HandrailError):
    """Another handrail run holds the database, or the database stayed locked."""

    exit_code = ExitCode.LOCK_NOT_OBTAINED
    code = "HR900"


class ApprovalMissing(HandrailError):
    """A confirmation is needed and nobody can be asked (no terminal, no --yes), or it was refused."""

    exit_code = ExitCode.APPROVAL_MISSING
    code = "HR1000"


class PartlyDone(HandrailError):
    """A run was interrupted and can be finished or undone by `handrail recover`."""

    exit_code = ExitCode.PARTLY_DONE
    code = "HR1100"
