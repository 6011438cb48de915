"""Running Alembic: the contract, and the adapter that runs it in a child process."""
