"""Metadata commands: catalogs, schemas, tables, keys, types, facts about the server."""

from collections.abc import Iterator
from dataclasses import replace
from importlib.metadata import version

import pyarrow as pa

from catalog.definition import Column, DefaultFunction, TableDef
from catalog.errors import DatabaseError, ErrorKind
from catalog.identifiers import CATALOG_NAME, SYSTEM_NAMESPACE, TableName
from catalog.types import format_type, type_name
from flightserver.context import Context
from flightserver.execution.reading import Reader
from flightserver.execution.rewriting import qualified
from flightserver.protocol import commands, metadata, sql_info
from flightserver.protocol.commands import Command
from flightserver.protocol.java import readable_by
from flightserver.protocol.schemas import column_metadata
from flightserver.protocol.xdbc_types import xdbc_types
from flightserver.settings import Settings
from flightserver.sql.text.query_text import QueryText
from providers.engine.session import WITHHELD_FUNCTIONS

TABLE_TYPE, VIEW_TYPE = "TABLE", "VIEW"
INT32_MAX = 2**31 - 1


def server_facts(settings: Settings) -> sql_info.ServerFacts:
    """What GetSqlInfo says of a server with these settings."""
    return sql_info.ServerFacts(
        version("flightserver"),
        pa.__version__,
        transactions=sql_info.WITH_SAVEPOINTS,
        ingest_transactions=True,
        statement_timeout_ms=_milliseconds(settings.session_idle_timeout_s),
        transaction_timeout_ms=_milliseconds(settings.transaction_idle_timeout_s),
        withheld_functions=WITHHELD_FUNCTIONS,
    )


def describe_catalog(
    command: Command, reader: Reader, context: Context, facts: sql_info.ServerFacts, user_agent: str
) -> pa.Table:
    """The result of a metadata command, for a client's library."""
    match command:
        case commands.GetCatalogs():
            return metadata.catalogs([CATALOG_NAME])
        case commands.GetDbSchemas():
            names = context.registry.namespaces | {SYSTEM_NAMESPACE}
            return metadata.db_schemas([metadata.DbSchemaInfo(CATALOG_NAME, name) for name in names], command)
        case commands.GetTables():
            tables = [
                replace(table, schema=readable_by(user_agent, table.schema)) for table in _tables(reader, context)
            ]
            return metadata.tables(tables, command)
        case commands.GetTableTypes():
            return metadata.table_types([TABLE_TYPE, VIEW_TYPE])
        case commands.GetPrimaryKeys():
            return metadata.primary_keys(list(_key_columns(context)), command)
        case commands.GetExportedKeys() | commands.GetImportedKeys() | commands.GetCrossReference():
            return metadata.foreign_keys()
        case commands.GetXdbcTypeInfo():
            return xdbc_types(command)
        case commands.GetSqlInfo(info):
            return sql_info.build(info, facts)
    raise DatabaseError(ErrorKind.UNSUPPORTED, f"{type(command).__name__} is not a request for information")


def described_schema(table: TableDef) -> pa.Schema:
    """A table's schema with the column metadata that drivers read."""
    return pa.schema([_described_column(column, table.name) for column in table.visible_columns])


def _milliseconds(seconds: float) -> int:
    """As an int32, which is what the protocol has for it."""
    return min(int(seconds * 1000), INT32_MAX)


def _tables(reader: Reader, context: Context) -> Iterator[metadata.TableInfo]:
    registry = context.registry
    for name, table in registry.tables.items():
        yield metadata.TableInfo(CATALOG_NAME, name.namespace, name.table, TABLE_TYPE, described_schema(table))
    for name in registry.views:
        schema = _view_schema(name, reader, context)
        yield metadata.TableInfo(CATALOG_NAME, name.namespace, name.table, VIEW_TYPE, schema)
    for name, computed in reader.system.items():
        schema = _described_all(computed.schema, name)
        yield metadata.TableInfo(CATALOG_NAME, name.namespace, name.table, VIEW_TYPE, schema)


def _view_schema(name: TableName, reader: Reader, context: Context) -> pa.Schema:
    """A view's columns; none when it names what no longer exists."""
    try:
        return _described_all(reader.describe(QueryText(f"SELECT * FROM {qualified(name)}"), context).schema, name)
    except DatabaseError:
        return pa.schema([])


def _described_column(column: Column, table: TableName) -> pa.Field:
    """A table's column. Keys cannot be updated, but they can be written, so that nothing is read-only."""
    numbers_itself = column.default is not None and column.default.function is DefaultFunction.SNOWFLAKE_ID
    return _described(
        column.field, table, format_type(column.type), is_read_only=False, is_auto_increment=numbers_itself
    )


def _described_all(schema: pa.Schema, name: TableName) -> pa.Schema:
    """The columns of a view."""
    described = (_described(f, name, type_name(f.type), is_read_only=True, is_auto_increment=False) for f in schema)
    return pa.schema(described)


def _described(
    field: pa.Field, name: TableName, type_name: str, *, is_read_only: bool, is_auto_increment: bool
) -> pa.Field:
    is_decimal = pa.types.is_decimal(field.type)
    described = column_metadata(
        catalog=CATALOG_NAME,
        db_schema=name.namespace,
        table=name.table,
        type_name=type_name,
        precision=field.type.precision if is_decimal else None,
        scale=field.type.scale if is_decimal else None,
        is_auto_increment=is_auto_increment,
        is_case_sensitive=pa.types.is_string(field.type),
        is_read_only=is_read_only,
        is_searchable=not pa.types.is_nested(field.type),
    )
    return field.with_metadata(described)


def _key_columns(context: Context) -> Iterator[metadata.KeyColumn]:
    for name, table in context.registry.tables.items():
        if not table.has_hidden_key:
            for position, column in enumerate(table.key_columns, start=1):
                key_name = f"{name.table}_pkey"
                yield metadata.KeyColumn(CATALOG_NAME, name.namespace, name.table, column.name, key_name, position)
