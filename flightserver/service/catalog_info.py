"""Metadata commands: catalogs, schemas, tables, keys, types, facts about the server."""

from collections.abc import Iterator
from importlib.metadata import version

import pyarrow as pa

from catalog.definition import TableDef
from catalog.errors import DatabaseError, ErrorKind
from catalog.identifiers import CATALOG_NAME, SYSTEM_NAMESPACE, TableName
from catalog.types import format_type, type_name
from flightserver.context import Context
from flightserver.execution.reading import Reader
from flightserver.execution.rewriting import qualified
from flightserver.protocol import commands, metadata, sql_info
from flightserver.protocol.commands import Command
from flightserver.protocol.schemas import column_metadata
from flightserver.protocol.xdbc_types import xdbc_types
from providers.query_engine import WITHHELD_FUNCTIONS

TABLE_TYPE, VIEW_TYPE = "TABLE", "VIEW"


def describe_catalog(command: Command, reader: Reader, context: Context) -> pa.Table:
    """The result of a metadata command."""
    match command:
        case commands.GetCatalogs():
            return metadata.catalogs([CATALOG_NAME])
        case commands.GetDbSchemas():
            names = context.registry.namespaces | {SYSTEM_NAMESPACE}
            return metadata.db_schemas([metadata.DbSchemaInfo(CATALOG_NAME, name) for name in names], command)
        case commands.GetTables():
            return metadata.tables(list(_tables(reader, context)), command)
        case commands.GetTableTypes():
            return metadata.table_types([TABLE_TYPE, VIEW_TYPE])
        case commands.GetPrimaryKeys():
            return metadata.primary_keys(list(_key_columns(context)), command)
        case commands.GetExportedKeys() | commands.GetImportedKeys() | commands.GetCrossReference():
            return metadata.foreign_keys()
        case commands.GetXdbcTypeInfo():
            return xdbc_types(command)
        case commands.GetSqlInfo(info):
            facts = sql_info.ServerFacts(
                version("flightserver"),
                pa.__version__,
                transactions=sql_info.WITH_SAVEPOINTS,
                ingest_transactions=True,
                withheld_functions=WITHHELD_FUNCTIONS,
            )
            return sql_info.build(info, facts)
    raise DatabaseError(ErrorKind.UNSUPPORTED, f"{type(command).__name__} is not a request for information")


def described_schema(table: TableDef) -> pa.Schema:
    """A table's schema with the column metadata that drivers read."""
    return pa.schema(
        [_described(column.field, table.name, format_type(column.type)) for column in table.visible_columns]
    )


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
        return _described_all(reader.describe(f"SELECT * FROM {qualified(name)}", context).schema, name)
    except DatabaseError:
        return pa.schema([])


def _described_all(schema: pa.Schema, name: TableName) -> pa.Schema:
    return pa.schema([_described(field, name, type_name(field.type)) for field in schema])


def _described(field: pa.Field, name: TableName, type_name: str) -> pa.Field:
    described = column_metadata(catalog=CATALOG_NAME, db_schema=name.namespace, table=name.table, type_name=type_name)
    return field.with_metadata(described)


def _key_columns(context: Context) -> Iterator[metadata.KeyColumn]:
    for name, table in context.registry.tables.items():
        if not table.has_hidden_key:
            for position, column in enumerate(table.key_columns, start=1):
                key_name = f"{name.table}_pkey"
                yield metadata.KeyColumn(CATALOG_NAME, name.namespace, name.table, column.name, key_name, position)
