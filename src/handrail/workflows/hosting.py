"""`Hosting` for workflows, which reach it here; adapters have it from `databases/hosting.py`."""

from handrail.databases.hosting import Hosting

__all__ = ["Hosting"]
