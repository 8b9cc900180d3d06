"""Commands of Flight SQL: what clients put into FlightDescriptor.cmd and get back as tickets.

Every command is a frozen dataclass with the fields of its message, under the message's name without `Command`.
`transaction_id` None means "commit by itself"; a filter that is None does not filter, while an empty one selects what
has no catalog or schema. Clients without Flight SQL may send SQL text instead, which becomes `PlainSql`, or the path
of a table, which is read or appended to.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, unique
from types import MappingProxyType
from typing import Any, TypeAlias

from catalog.errors import DatabaseError, ErrorKind
from catalog.identifiers import TableName, quote_identifier
from flightserver.protocol.codec import Record
from flightserver.protocol.generated import flight_sql_pb2 as pb
from flightserver.protocol.wire import check_size, unwrap, wrap


@dataclass(frozen=True)
class PlainSql:
    """SQL text that came without any envelope."""

    query: str


@dataclass(frozen=True)
class StatementQuery:
    """Run a statement and return its rows."""

    query: str
    transaction_id: bytes | None = None


@dataclass(frozen=True)
class StatementUpdate:
    """Run a statement and return the number of rows that it changed."""

    query: str
    transaction_id: bytes | None = None


@dataclass(frozen=True)
class SubstraitPlan:
    """A serialized Substrait plan and the Substrait release that it was written for."""

    plan: bytes
    version: str


@dataclass(frozen=True)
class StatementSubstraitPlan:
    """Run a Substrait plan."""

    plan: SubstraitPlan
    transaction_id: bytes | None = None


@dataclass(frozen=True)
class PreparedStatementQuery:
    """Bind parameters to a prepared query (DoPut), or run it."""

    prepared_statement_handle: bytes


@dataclass(frozen=True)
class PreparedStatementUpdate:
    """Run a prepared statement once per row of parameters and return the number of rows that it changed."""

    prepared_statement_handle: bytes


@dataclass(frozen=True)
class TicketStatementQuery:
    """Fetch the rows of a statement that GetFlightInfo has accepted."""

    statement_handle: bytes


@unique
class IfNotExist(Enum):
    """What an ingest does when its table does not exist."""

    CREATE = 1
    FAIL = 2


@unique
class IfExists(Enum):
    """What an ingest does when its table exists."""

    FAIL = 1
    APPEND = 2
    REPLACE = 3


@dataclass(frozen=True)
class TableDefinitionOptions:
    """How an ingest treats its table's definition. Both answers must be given."""

    if_not_exist: IfNotExist
    if_exists: IfExists


@dataclass(frozen=True)
class StatementIngest:
    """Load the record batches of a DoPut stream into a table."""

    table: str
    table_definition_options: TableDefinitionOptions | None = None
    schema: str | None = None
    catalog: str | None = None
    temporary: bool = False
    transaction_id: bytes | None = None
    options: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True)
class GetSqlInfo:
    """Facts about the server, by id; no id asks for all."""

    info: tuple[int, ...] = ()


@dataclass(frozen=True)
class GetXdbcTypeInfo:
    """The server's SQL types, all or those with one XDBC code."""

    data_type: int | None = None


@dataclass(frozen=True)
class GetCatalogs:
    """Names of the catalogs."""


@dataclass(frozen=True)
class GetDbSchemas:
    """Names of the schemas."""

    catalog: str | None = None
    db_schema_filter_pattern: str | None = None


@dataclass(frozen=True)
class GetTables:
    """Tables and views, with their Arrow schemas when `include_schema`."""

    catalog: str | None = None
    db_schema_filter_pattern: str | None = None
    table_name_filter_pattern: str | None = None
    table_types: tuple[str, ...] = ()
    include_schema: bool = False


@dataclass(frozen=True)
class GetTableTypes:
    """Kinds of tables that GetTables knows."""


@dataclass(frozen=True)
class GetPrimaryKeys:
    """Key columns of a table."""

    table: str
    catalog: str | None = None
    db_schema: str | None = None


@dataclass(frozen=True)
class GetExportedKeys:
    """Foreign keys that refer to a table."""

    table: str
    catalog: str | None = None
    db_schema: str | None = None


@dataclass(frozen=True)
class GetImportedKeys:
    """Foreign keys of a table."""

    table: str
    catalog: str | None = None
    db_schema: str | None = None


@dataclass(frozen=True)
class GetCrossReference:
    """Foreign keys of one table that refer to another."""

    pk_table: str
    fk_table: str
    pk_catalog: str | None = None
    pk_db_schema: str | None = None
    fk_catalog: str | None = None
    fk_db_schema: str | None = None


MetadataCommand: TypeAlias = (
    GetSqlInfo
    | GetXdbcTypeInfo
    | GetCatalogs
    | GetDbSchemas
    | GetTables
    | GetTableTypes
    | GetPrimaryKeys
    | GetExportedKeys
    | GetImportedKeys
    | GetCrossReference
)
"""Commands whose descriptor is their own ticket: they carry no state of the server."""

Command: TypeAlias = (
    MetadataCommand
    | PlainSql
    | StatementQuery
    | StatementUpdate
    | StatementSubstraitPlan
    | PreparedStatementQuery
    | PreparedStatementUpdate
    | TicketStatementQuery
    | StatementIngest
)

_RECORDS: tuple[Record[Any], ...] = (
    Record(StatementQuery, pb.CommandStatementQuery),
    Record(StatementUpdate, pb.CommandStatementUpdate),
    Record(StatementSubstraitPlan, pb.CommandStatementSubstraitPlan),
    Record(PreparedStatementQuery, pb.CommandPreparedStatementQuery),
    Record(PreparedStatementUpdate, pb.CommandPreparedStatementUpdate),
    Record(TicketStatementQuery, pb.TicketStatementQuery),
    Record(StatementIngest, pb.CommandStatementIngest),
    Record(GetSqlInfo, pb.CommandGetSqlInfo),
    Record(GetXdbcTypeInfo, pb.CommandGetXdbcTypeInfo),
    Record(GetCatalogs, pb.CommandGetCatalogs),
    Record(GetDbSchemas, pb.CommandGetDbSchemas),
    Record(GetTables, pb.CommandGetTables),
    Record(GetTableTypes, pb.CommandGetTableTypes),
    Record(GetPrimaryKeys, pb.CommandGetPrimaryKeys),
    Record(GetExportedKeys, pb.CommandGetExportedKeys),
    Record(GetImportedKeys, pb.CommandGetImportedKeys),
    Record(GetCrossReference, pb.CommandGetCrossReference),
)
_BY_TYPE_NAME = {record.type_name: record for record in _RECORDS}
_BY_VALUE_TYPE = {record.value_type: record for record in _RECORDS}

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f]")
_SQL_START = re.compile(
    r"(?:\s|\(|--[^\n]*(?:\n|\Z)|/\*(?s:.*?)\*/)*+"  # blanks, opening brackets and comments
    r"[A-Za-z]+(?=[\s(*;'\"\[+-]|/\*|\Z)"  # then a word that ends as words in SQL do
)


def decode_command(data: bytes) -> Command:
    """Return the command in a descriptor or ticket.

    Raises INVALID for bytes that are neither a Flight SQL message nor SQL text, and UNSUPPORTED for a well-formed
    message of a type that is no command.
    """
    check_size("the command", data)
    envelope = unwrap(data)
    if envelope is None:
        return _plain_sql(data)
    type_name, body = envelope
    record = _BY_TYPE_NAME.get(type_name)
    if record is None:
        raise DatabaseError(ErrorKind.UNSUPPORTED, f"{type_name[:200]} is not a command that this server knows")
    command: Command = record.decode(body)
    return command


def encode_command(command: Command) -> bytes:
    """Return the bytes of a descriptor or ticket that ask for `command`."""
    if isinstance(command, PlainSql):
        return _plain_bytes(command)
    return wrap(_BY_VALUE_TYPE[type(command)].message(command))


def table_of_path(path: Sequence[bytes]) -> TableName:
    """Return the table that a descriptor's path names, as ListFlights does: its namespace, then its name."""
    try:
        namespace, table = (part.decode() for part in path)
    except ValueError:
        raise DatabaseError(ErrorKind.INVALID, "a path must name a namespace and a table") from None
    return TableName(namespace, table)


def rows_of(table: TableName) -> StatementQuery:
    """Return the command that reads a whole table."""
    return StatementQuery(f"SELECT * FROM {quote_identifier(table.namespace)}.{quote_identifier(table.table)}")


def append_to(table: TableName) -> StatementIngest:
    """Return the command that loads a stream into a table."""
    return StatementIngest(table.table, schema=table.namespace)


def encode_ticket(handle: bytes) -> bytes:
    """Return the ticket that fetches the statement called `handle`."""
    return encode_command(TicketStatementQuery(handle))


def _plain_sql(data: bytes) -> PlainSql:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = ""
    if _CONTROL.search(text) or not _SQL_START.match(text):
        raise DatabaseError(ErrorKind.INVALID, "the command is neither a Flight SQL message nor SQL text")
    return PlainSql(text)


def _plain_bytes(command: PlainSql) -> bytes:
    try:
        return command.query.encode()
    except UnicodeEncodeError:
        raise DatabaseError(ErrorKind.INVALID, "the SQL text cannot be written as UTF-8") from None
