"""HR-LK118: constraints on domains, which are checked in every table that uses them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from handrail.lint.change_rule import POSTGRES, Around, ChangeRule
from handrail.lint.finding import Finding, Severity
from handrail.lint.rule import Case, Harm
from handrail.lint.samples import upgrade
from handrail.migrations.changes import Command
from handrail.migrations.sql_words import Cursor, statements

_SETUP = (
    "CREATE DOMAIN price AS numeric",
    "CREATE TABLE bookings (id integer PRIMARY KEY, cost price)",
    "INSERT INTO bookings VALUES (1, 2)",
)
_HARM = Harm("bookings", lock="Share")


class DomainConstraint(ChangeRule):
    code: ClassVar[str] = "HR-LK118"
    title: ClassVar[str] = "constraint on a domain"
    why: ClassVar[str] = (
        "A constraint that is added to a domain is checked in every row of every table that uses it, with all writers "
        "of these tables locked out. A column of a domain with a constraint cannot be added without a "
        "rewrite of its table."
    )
    engines = POSTGRES
    BAD: ClassVar[tuple[Case, ...]] = (
        Case(
            "a constraint added",
            {"add.py": upgrade("op.execute('ALTER DOMAIN price ADD CONSTRAINT ck CHECK (VALUE > 0)')")},
            setup=_SETUP,
            harm=_HARM,
        ),
        Case(
            "NOT NULL, the domain in a variable",
            {"null.py": upgrade("domain = 'price'", "op.execute(f'ALTER DOMAIN {domain} SET NOT NULL')")},
            setup=_SETUP,
            harm=_HARM,
        ),
        Case(
            "a new domain with a constraint",
            {"new.py": upgrade("op.execute('CREATE DOMAIN size AS integer CHECK (VALUE > 0)')")},
            setup=_SETUP,
        ),
    )
    GOOD: ClassVar[tuple[Case, ...]] = (
        Case(
            "not validated yet",
            {"add.py": upgrade("op.execute('ALTER DOMAIN price ADD CONSTRAINT ck CHECK (VALUE > 0) NOT VALID')")},
            setup=_SETUP,
        ),
        Case(
            "a new domain without a constraint, with a default",
            {
                "plain.py": upgrade(
                    "op.execute('CREATE DOMAIN size AS integer DEFAULT 1')",
                    "op.execute('ALTER DOMAIN price SET DEFAULT 1')",
                )
            },
            setup=_SETUP,
        ),
    )

    def look(self, around: Around) -> Iterable[Finding]:
        change = around.change
        if not isinstance(change, Command) or change.words not in {"CREATE DOMAIN", "ALTER DOMAIN"}:
            return
        name, keys = _named(change.sql)
        is_constrained = "CHECK" in keys or _follow(keys, "NOT", "NULL")
        if change.words == "CREATE DOMAIN" and is_constrained:
            message = f"domain {name} has a constraint, which ties every table that uses it"
            yield around.finding(message, Severity.INFO, fix="a plain type, and a CHECK on each column")
        elif change.words == "ALTER DOMAIN" and _scans(keys) and not _is_made_here(around, name):
            message = f"the constraint on domain {name} is checked in every table that uses it, writers locked out"
            fix = f"ALTER DOMAIN {name} ADD CONSTRAINT … CHECK (…) NOT VALID; or a CHECK on each column"
            yield around.finding(message, Severity.WARNING, fix=fix)


def _named(sql: str) -> tuple[str, list[str]]:
    """The domain's name and the words after it."""
    cursor = Cursor(next(iter(statements(sql)), []))
    cursor.next()
    cursor.take("DOMAIN")
    return ".".join(cursor.dotted()), [word.key for word in cursor.rest()]


def _scans(keys: list[str]) -> bool:
    is_added = keys[:1] == ["ADD"] and not _follow(keys, "NOT", "VALID")
    return is_added or keys[:3] == ["SET", "NOT", "NULL"] or keys[:2] == ["VALIDATE", "CONSTRAINT"]


def _follow(keys: list[str], *wanted: str) -> bool:
    return any(tuple(keys[at : at + len(wanted)]) == wanted for at in range(len(keys)))


def _is_made_here(around: Around, name: str) -> bool:
    made = (change for change in around.before if isinstance(change, Command) and change.words == "CREATE DOMAIN")
    return any(_named(change.sql)[0] == name for change in made)
