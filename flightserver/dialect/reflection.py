"""What there is: namespaces, tables, columns and keys, as SHOW, DESCRIBE and the catalogs tell them.

These are statements like any other, so they see what the connection's own transaction has defined.
"""

from typing import Any

from sqlalchemy import exc
from sqlalchemy.engine import Connection
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.engine.interfaces import (
    ReflectedCheckConstraint,
    ReflectedColumn,
    ReflectedForeignKeyConstraint,
    ReflectedIndex,
    ReflectedPrimaryKeyConstraint,
    ReflectedUniqueConstraint,
)
from sqlalchemy.engine.reflection import cache

from flightserver.dialect import types

_VIEW = "VIEW"
_TEMPORARY = "TEMPORARY"
_NUMBERED = "SNOWFLAKE_ID()"
_DEFINITION = "SELECT view_definition FROM information_schema.views WHERE table_name = ? AND table_schema = ?"
_OPTIONS = (
    "SELECT relname, reloptions FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
    " WHERE n.nspname = ? AND c.relkind = 'r' AND reloptions IS NOT NULL"
)
_UNIQUES = (
    "SELECT c.constraint_name, u.column_name FROM information_schema.table_constraints c"
    " JOIN information_schema.key_column_usage u ON u.constraint_schema = c.constraint_schema"
    " AND u.table_name = c.table_name AND u.constraint_name = c.constraint_name"
    " WHERE c.table_schema = ? AND c.table_name = ? AND c.constraint_type = 'UNIQUE'"
    " ORDER BY c.constraint_name, u.ordinal_position"
)


class Reflection(DefaultDialect):
    """The part of the dialect that an inspector asks."""

    @cache
    def get_schema_names(self, connection: Connection, **kw: Any) -> list[str]:
        """All namespaces."""
        return [name for (name,) in connection.exec_driver_sql("SHOW NAMESPACES")]

    @cache
    def has_schema(self, connection: Connection, schema_name: str, **kw: Any) -> bool:
        """Tell whether there is a namespace."""
        return schema_name in self.get_schema_names(connection, **kw)

    @cache
    def has_table(self, connection: Connection, table_name: str, schema: str | None = None, **kw: Any) -> bool:
        """Tell whether there is a table or view."""
        return table_name in self._kinds(connection, schema, **kw)

    @cache
    def get_table_names(self, connection: Connection, schema: str | None = None, **kw: Any) -> list[str]:
        """Tables of a namespace that others see, too."""
        return [name for name, kind in self._kinds(connection, schema, **kw).items() if kind not in {_VIEW, _TEMPORARY}]

    @cache
    def get_temp_table_names(self, connection: Connection, schema: str | None = None, **kw: Any) -> list[str]:
        """Temporary tables of the connection in a namespace."""
        return [name for name, kind in self._kinds(connection, schema, **kw).items() if kind == _TEMPORARY]

    @cache
    def get_view_names(self, connection: Connection, schema: str | None = None, **kw: Any) -> list[str]:
        """Views of a namespace."""
        return [name for name, kind in self._kinds(connection, schema, **kw).items() if kind == _VIEW]

    @cache
    def get_view_definition(self, connection: Connection, view_name: str, schema: str | None = None, **kw: Any) -> str:
        """The query of a view, as it was written."""
        found = connection.exec_driver_sql(_DEFINITION, (view_name, schema or self._namespace_of(connection))).scalar()
        if found is None:
            raise exc.NoSuchTableError(view_name if schema is None else f"{schema}.{view_name}")
        return str(found)

    @cache
    def get_table_options(
        self, connection: Connection, table_name: str, schema: str | None = None, **kw: Any
    ) -> dict[str, Any]:
        """The storage options of a table that are not the defaults, as the table's own keyword has them."""
        self._require(connection, table_name, schema, **kw)
        options = self._options(connection, schema, **kw).get(table_name)
        return {"flightserver_with": dict(one.split("=", 1) for one in options)} if options else {}

    @cache
    def get_columns(
        self, connection: Connection, table_name: str, schema: str | None = None, **kw: Any
    ) -> list[ReflectedColumn]:
        """Columns of a table or view, in order."""
        return [
            ReflectedColumn(
                name=row.column,
                type=types.of_text(row.type),
                nullable=row.nullable,
                default=row.default,
                autoincrement=row.default == _NUMBERED,
            )
            for row in self._described(connection, table_name, schema, **kw)
        ]

    @cache
    def get_pk_constraint(
        self, connection: Connection, table_name: str, schema: str | None = None, **kw: Any
    ) -> ReflectedPrimaryKeyConstraint:
        """The key; the server keeps no name for it."""
        rows = [row for row in self._described(connection, table_name, schema, **kw) if row.key_position is not None]
        rows.sort(key=lambda row: row.key_position)
        return {"constrained_columns": [row.column for row in rows], "name": None}

    def get_foreign_keys(
        self, connection: Connection, table_name: str, schema: str | None = None, **kw: Any
    ) -> list[ReflectedForeignKeyConstraint]:
        """None: the server has no foreign keys."""
        self._require(connection, table_name, schema, **kw)
        return []

    def get_indexes(
        self, connection: Connection, table_name: str, schema: str | None = None, **kw: Any
    ) -> list[ReflectedIndex]:
        """None: the server has no indexes."""
        self._require(connection, table_name, schema, **kw)
        return []

    def get_unique_constraints(
        self, connection: Connection, table_name: str, schema: str | None = None, **kw: Any
    ) -> list[ReflectedUniqueConstraint]:
        """Those of the table, by name."""
        self._require(connection, table_name, schema, **kw)
        namespace = schema or self._namespace_of(connection)
        found: dict[str, list[str]] = {}
        for name, column in connection.exec_driver_sql(_UNIQUES, (namespace, table_name)):
            found.setdefault(name, []).append(column)
        return [{"name": name, "column_names": columns} for name, columns in found.items()]

    def get_check_constraints(
        self, connection: Connection, table_name: str, schema: str | None = None, **kw: Any
    ) -> list[ReflectedCheckConstraint]:
        """None: the server has no CHECK."""
        self._require(connection, table_name, schema, **kw)
        return []

    @cache
    def _options(self, connection: Connection, schema: str | None, **kw: Any) -> dict[str, list[str]]:
        """The options of each table of a namespace that has any."""
        rows = connection.exec_driver_sql(_OPTIONS, (schema or self._namespace_of(connection),))
        return {name: list(options) for name, options in rows}

    def _namespace_of(self, connection: Connection) -> str:
        """Where names without a namespace resolve."""
        return str(connection.exec_driver_sql("SELECT CURRENT_SCHEMA").scalar())

    @cache
    def _kinds(self, connection: Connection, schema: str | None, **kw: Any) -> dict[str, str]:
        """The kind of each table and view of a namespace; nothing for a namespace that does not exist."""
        if schema is not None and not self.has_schema(connection, schema, **kw):
            return {}
        place = "" if schema is None else f" IN {self._quoted(schema)}"
        return {row.table: row.kind for row in connection.exec_driver_sql(f"SHOW TABLES{place}")}

    @cache
    def _described(self, connection: Connection, table_name: str, schema: str | None, **kw: Any) -> list[Any]:
        self._require(connection, table_name, schema, **kw)
        names = [table_name] if schema is None else [schema, table_name]
        return list(connection.exec_driver_sql(f"DESCRIBE {'.'.join(map(self._quoted, names))}"))

    def _require(self, connection: Connection, table_name: str, schema: str | None, **kw: Any) -> None:
        if not self.has_table(connection, table_name, schema, **kw):
            raise exc.NoSuchTableError(table_name if schema is None else f"{schema}.{table_name}")

    def _quoted(self, name: str) -> str:
        return self.identifier_preparer.quote_identifier(name)
