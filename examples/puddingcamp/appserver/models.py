"""Imports every model, so that `metadata` is whole when Alembic compares it with a database."""

from __future__ import annotations

from appserver.apps.account.models import User
from appserver.apps.calendar.models import Booking
from appserver.tables import Model

metadata = Model.metadata

__all__ = ["Booking", "User", "metadata"]
