"""Metadata commands: catalogs, schemas, tables, keys, types, facts about the server."""

from collections.abc import Iterator, Sequence
from importlib.metadata import version

import pyarrow as pa

from catalog.definition import Column, DefaultFunction, TableDef
from catalog.errors import DatabaseError, ErrorKind
from catalog.identifiers import CATALOG_NAME, COMPUTED_NAMESPACES, TableName
from catalog.types import format_type, type_name
from flightserver.access.rights import Use
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

_NAMES = pa.schema([("namespace", pa.string()), ("table", pa.string())])


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
            names = [*context.door.namespaces, *COMPUTED_NAMESPACES]
            return metadata.db_schemas([metadata.DbSchemaInfo(CATALOG_NAME, name) for name in names], command)
        case commands.GetTables():

            def schema_of(info: metadata.TableInfo) -> pa.Schema:
                return readable_by(user_agent, _schema(info, reader, context))

            return metadata.tables(_tables(reader, context, command), command, schema_of)
        case commands.GetTableTypes():
            return metadata.table_types([TABLE_TYPE, VIEW_TYPE])
        case commands.GetPrimaryKeys():
            return metadata.primary_keys(_key_columns(context, command), command)
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


def _tables(reader: Reader, context: Context, command: commands.GetTables) -> Iterator[metadata.TableInfo]:
    """The tables and views that a command's patterns name."""
    door, system = context.door, _as_rows(list(reader.system))
    yield from _named(TABLE_TYPE, door.table_names(_as_rows), command)
    yield from _named(VIEW_TYPE, [*door.view_names(_as_rows), system], command)


def _named(table_type: str, names: list[pa.RecordBatch], command: commands.GetTables) -> Iterator[metadata.TableInfo]:
    found = pa.Table.from_batches(names, _NAMES).combine_chunks()  # of which each would compile the patterns
    for column, pattern in (
        ("table", command.table_name_filter_pattern),
        ("namespace", command.db_schema_filter_pattern),
    ):
        if pattern is not None:
            found = found.filter(metadata.like(found.column(column), pattern))
    for namespace, name in zip(*(column.to_pylist() for column in found.columns), strict=True):
        yield metadata.TableInfo(CATALOG_NAME, namespace, name, table_type)


def _as_rows(names: Sequence[TableName]) -> pa.RecordBatch:
    """Names as Arrow has them: to look at one takes a hundredth of the time."""
    return pa.record_batch([[name.namespace for name in names], [name.table for name in names]], schema=_NAMES)


def _schema(info: metadata.TableInfo, reader: Reader, context: Context) -> pa.Schema:
    name = TableName(info.db_schema or "", info.name)
    table = context.door.find_table(name, Use.DESCRIBE)
    if table is not None:
        return described_schema(table)
    if name in reader.system:
        return _described_all(reader.system[name].schema, name)
    return _view_schema(name, reader, context)


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


def _key_columns(context: Context, command: commands.GetPrimaryKeys) -> Iterator[metadata.KeyColumn]:
    """The keys of the tables of the command's name, in every namespace."""
    door = context.door
    for namespace in door.namespaces:
        table = door.find_table(TableName(namespace, command.table), Use.DESCRIBE)
        if table is not None and not table.has_hidden_key:
            for position, column in enumerate(table.key_columns, start=1):
                key_name = f"{command.table}_pkey"
                yield metadata.KeyColumn(CATALOG_NAME, namespace, command.table, column.name, key_name, position)
