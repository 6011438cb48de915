"""handrail: the safety system for Alembic migrations."""

__version__ = "0.1.0"
