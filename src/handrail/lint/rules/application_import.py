"""HR-PR105: a migration that imports modules of the application."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import replace
from typing import ClassVar, Final

from handrail.lint.finding import Finding, Severity
from handrail.lint.rule import Case, LintContext
from handrail.migrations.imports import Import

_HEAD = "from alembic import op\nimport sqlalchemy as sa\n"
_BODY = "\n\ndef upgrade():\n    pass\n"
_LIBRARIES = """
alembic sqlalchemy sqlmodel geoalchemy2 pgvector advanced_alchemy citext alembic_utils alembic_postgresql_enum
fastapi_users_db_sqlalchemy fastapi_users_db_sqlmodel flask flask_sqlalchemy flask_migrate handrail
psycopg psycopg2 asyncpg aiosqlite pymysql numpy pandas yaml pydantic cryptography bcrypt passlib argon2 werkzeug
dateutil pytz tzdata pendulum arrow babel orjson ujson simplejson requests httpx tqdm rich click typer structlog loguru
six attr attrs typing_extensions packaging slugify ulid uuid6 uuid_utils nanoid cuid2 shortuuid shapely sqlparse sqlglot
"""
#: Libraries that scripts use for types and values; what they give does not follow the application's changes.
KNOWN: Final = frozenset(_LIBRARIES.split())
#: Parts of a module's path by which it belongs to the migrations, and by which it holds the application's models.
_OWN: Final = frozenset({"migration", "migrations", "alembic", "versions"})
_MODELS: Final = frozenset({"model", "models", "dbmodels", "schemas", "entities", "orm"})
_HELPERS: Final = frozenset({"utils", "util", "db_types"})


class ApplicationImport:
    code: ClassVar[str] = "HR-PR105"
    title: ClassVar[str] = "application imported by a migration"
    why: ClassVar[str] = (
        "A revision must do in a year what it does today. Models and helpers of the application move on: a column that "
        "a later revision adds is in the model already, and the old revision's SELECT or INSERT fails on a new "
        "database; a renamed module breaks every `alembic upgrade` from base."
    )
    BAD: ClassVar[tuple[Case, ...]] = (
        Case("models", {"models.py": _HEAD + "from app.models import Booking\n" + _BODY}),
        Case("inside the function", {"inner.py": _HEAD + "\n\ndef upgrade():\n    import shop.models as models\n"}),
        Case("a relative import", {"relative.py": _HEAD + "from ..models import Booking\n" + _BODY}),
    )
    GOOD: ClassVar[tuple[Case, ...]] = (
        Case(
            "libraries and the standard library",
            {
                "libraries.py": _HEAD
                + "import uuid\nfrom collections.abc import Sequence\nimport sqlmodel.sql.sqltypes\n"
                "from pgvector.sqlalchemy import Vector\nimport sqlalchemy_utils\n"
                "from sqlalchemy.dialects import postgresql\nfrom alembic_utils.pg_view import PGView\n" + _BODY
            },
        ),
        Case(
            "for the type checker only",
            {
                "typing.py": "from __future__ import annotations\nfrom typing import TYPE_CHECKING\n" + _HEAD
                + "if TYPE_CHECKING:\n    from app.models import Booking\n" + _BODY
            },
        ),
        Case(
            "a table as it is now, written down",
            {
                "frozen.py": _HEAD + "\n\ndef upgrade():\n"
                "    bookings = sa.table('bookings', sa.column('id'))\n"
                "    op.execute(bookings.update().where(bookings.c.id == 1).values(id=2))\n"
            },
        ),
    )  # fmt: skip

    def check(self, context: LintContext) -> Iterable[Finding]:
        for script in context.scripts:
            for module in _modules(script.imports):
                root = module.module.partition(".")[0]
                if root in KNOWN or root in sys.stdlib_module_names or root.startswith("sqlalchemy_"):
                    continue
                yield Finding(
                    rule=self.code,
                    severity=_severity(module),
                    file=script.revision.path,
                    line=module.line,
                    column=module.column,
                    message=f"the migration imports {module.module}, which goes on changing after it",
                    why=self.why,
                    fix_hint="write down in the script what it needs as it is now: "
                    'bookings = sa.table("bookings", sa.column("id"), …)',
                )


def _modules(imports: Iterable[Import]) -> Iterable[Import]:
    """Each module once, where it is imported first; queried when what any of its imports brings is."""
    found: dict[str, Import] = {}
    for one in imports:
        first = found.setdefault(one.module, one)
        found[one.module] = replace(first, is_queried=first.is_queried or one.is_queried)
    return found.values()


def _severity(module: Import) -> Severity:
    """A warning for models and tables, which follow the schema; of interest for constants and helpers."""
    parts = frozenset(module.module.split("."))
    if parts & _OWN:
        return Severity.INFO
    if parts & _MODELS:
        return Severity.WARNING
    return Severity.WARNING if module.is_queried and not parts & _HELPERS else Severity.INFO
