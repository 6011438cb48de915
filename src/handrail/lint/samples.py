"""The text that the rules' cases share."""

from __future__ import annotations

HEAD = "from alembic import op\nimport sqlalchemy as sa\n\n\n"
#: The beginning of a script whose upgrade() goes on in lines indented by four.
START = f"{HEAD}def upgrade():\n"
BOOKINGS = (
    "CREATE TABLE bookings (id integer PRIMARY KEY, topic varchar(20), email text)",
    "INSERT INTO bookings VALUES (1, 'a', 'a@b.c'), (2, 'b', 'b@b.c')",
)
#: The same with one more row: a good case with it may take for a moment the lock that a bad one holds for long.
BOOKINGS_TOO = (*BOOKINGS, "INSERT INTO bookings VALUES (3, 'c', 'c@b.c')")


def upgrade(*lines: str, head: str = HEAD) -> str:
    """A script whose upgrade() has these lines."""
    return f"{head}def upgrade():\n" + "".join(f"    {line}\n" for line in lines)
