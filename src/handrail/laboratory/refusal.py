"""What RDS answers when it does not do what it was asked for."""

from __future__ import annotations


class Refusal(Exception):
    """An error of the API: `code` as in the service's model, `message` in its own words where they are known."""

    def __init__(self, code: str, message: str, status: int = 0) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        #: The HTTP status; 0 is the one that the service's model says, else 400.
        self.status = status


def invalid_value(message: str) -> Refusal:
    """A parameter that cannot be what it is."""
    return Refusal("InvalidParameterValue", message)


def invalid_combination(message: str) -> Refusal:
    """Parameters that cannot be together."""
    return Refusal("InvalidParameterCombination", message)


def instance_not_found(identifier: str) -> Refusal:
    """No instance of this name."""
    return Refusal("DBInstanceNotFound", f"DBInstance {identifier} not found.")


def snapshot_not_found(identifier: str) -> Refusal:
    """No snapshot of this name."""
    return Refusal("DBSnapshotNotFound", f"DBSnapshot {identifier} not found.")
