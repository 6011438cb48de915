"""Enum columns: what models want, what a database holds, and the steps from the one to the other. Pure."""
