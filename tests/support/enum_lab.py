"""A project in a folder whose models a test changes: autogenerate, upgrade with rows in place, look, downgrade."""

from __future__ import annotations

import io
import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import produce_migrations
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy.dialects.postgresql.base import PGInspector

from handrail.enums.plan import Wishes
from handrail.migrator import enum_hooks
from support.enum_cells import Rows

ENV = """
from alembic import context
options = context.config.attributes


def offline():
    context.configure(dialect_name=options["dialect"], literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()


def online(connection):
    context.configure(
        connection=connection,
        target_metadata=options.get("metadata"),
        compare_server_default=True,
        render_as_batch=options.get("render_as_batch", connection.dialect.name == "sqlite"),
        include_schemas=options.get("include_schemas", False),
        include_object=options.get("include_object"),
        **options.get("more", {}),
        transaction_per_migration=options.get("transaction_per_migration", False),
    )
    with context.begin_transaction():
        context.run_migrations()


if context.is_offline_mode():
    offline()
else:
    with options["engine"]() as connection:
        online(connection)
"""
TEMPLATE = '''"""${message}"""
from alembic import op
import sqlalchemy as sa
${imports if imports else ""}

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = ${repr(branch_labels)}
depends_on = ${repr(depends_on)}


def upgrade():
    ${upgrades if upgrades else "pass"}


def downgrade():
    ${downgrades if downgrades else "pass"}
'''
#: What a generated script may import.
STOCK = ("from alembic import op", "import sqlalchemy as sa", "from sqlalchemy.dialects import postgresql")


@dataclass
class Lab:
    """The folder, and how to connect. `wishes` hold for every comparison; `notes` are what was told. Several may
    share a folder: one writes the scripts, and all run them on their own databases."""

    folder: Path
    engine: sa.Engine
    wishes: Wishes = field(default_factory=Wishes)
    notes: list[str] = field(default_factory=list)
    attributes: dict[str, Any] = field(default_factory=dict)
    numbers: Any = field(default_factory=lambda: itertools.count(1))

    def __post_init__(self) -> None:
        (self.folder / "versions").mkdir(parents=True, exist_ok=True)
        (self.folder / "env.py").write_text(ENV)
        (self.folder / "script.py.mako").write_text(TEMPLATE)
        self.config = Config()
        self.config.set_main_option("script_location", str(self.folder).replace("%", "%%"))
        self.config.attributes["engine"] = self.engine.connect
        self.config.attributes.update(self.attributes)

    def autogenerate(self, metadata: sa.MetaData, wishes: Wishes | None = None) -> str:
        """Write a revision from the models; its text. It must compile, and import stock things only. `wishes` are for
        this one alone."""
        enum_hooks.register(lambda: wishes or self.wishes, self.notes.append)
        self.config.attributes["metadata"] = metadata
        number = f"{next(self.numbers):04d}"
        command.revision(self.config, message=f"step {number}", autogenerate=True, rev_id=number)
        text = next((self.folder / "versions").glob(f"{number}_*.py")).read_text()
        compile(text, number, "exec")
        imports = [line for line in text.splitlines() if line.startswith(("import ", "from "))]
        assert set(imports) <= set(STOCK), imports
        return text

    def differences(self, metadata: sa.MetaData) -> list[Any]:
        """What autogenerate would write now."""
        enum_hooks.register(lambda: self.wishes, self.notes.append)
        options: dict[str, Any] = {"target_metadata": metadata, "compare_server_default": True}
        options["include_schemas"] = self.attributes.get("include_schemas", False)
        options.update(self.attributes.get("more", {}))
        options["include_object"] = self.config.attributes.get("include_object")
        with self.engine.connect() as connection:
            context = MigrationContext.configure(connection, opts=options)
            upgrade = produce_migrations(context, metadata).upgrade_ops
            assert upgrade is not None
            return list(upgrade.as_diffs())

    def upgrade(self, target: str = "head") -> None:
        command.upgrade(self.config, target)

    def sql(self, target: str = "head") -> str:
        """The upgrade as SQL, written without a connection."""
        told = io.StringIO()
        config = Config(output_buffer=told)
        config.set_main_option("script_location", str(self.folder).replace("%", "%%"))
        config.attributes["dialect"] = self.engine.dialect.name
        command.upgrade(config, target, sql=True)
        return told.getvalue()

    def downgrade(self, target: str = "-1") -> None:
        command.downgrade(self.config, target)

    def execute(self, sql: str, *rows: Mapping[str, Any]) -> None:
        with self.engine.begin() as connection:
            connection.execute(sa.text(sql), list(rows)) if rows else connection.execute(sa.text(sql))

    def insert(self, metadata: sa.MetaData, rows: Rows) -> None:
        """Put rows into tables, in the order of their ids."""
        with self.engine.begin() as connection:
            for table, found in rows.items():
                for number, row in enumerate(found, start=1):
                    connection.execute(metadata.tables[table].insert(), {"id": number, **row})

    def rows(self, metadata: sa.MetaData) -> Rows:
        """All rows as stored texts."""
        found: Rows = {}
        with self.engine.connect() as connection:
            for name, table in metadata.tables.items():
                columns = [sa.cast(sa.column(one.name), sa.String).label(one.name) for one in table.columns][1:]
                query: Any = sa.select(sa.column("id"), *columns).select_from(sa.table(table.name, schema=table.schema))
                read = connection.execute(query.order_by(sa.column("id")))
                found[name] = [dict(zip(row._fields[1:], row[1:], strict=True)) for row in read]
        return found

    def left(self) -> list[str]:
        """Tables and enum types that the database has, beside Alembic's own."""
        with self.engine.connect() as connection:
            inspector = sa.inspect(connection)
            types = inspector.get_enums() if isinstance(inspector, PGInspector) else []
            return [name for name in inspector.get_table_names() if name != "alembic_version"] + [
                one["name"] for one in types
            ]

    def texts(self, table: str, column: str) -> list[str | None]:
        """The stored texts in the order of the ids, past any type of Python's."""
        with self.engine.connect() as connection:
            found = connection.execute(sa.text(f'SELECT CAST("{column}" AS VARCHAR) FROM "{table}" ORDER BY id'))
            return [row[0] for row in found]
