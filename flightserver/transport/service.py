"""Commands and actions of Flight SQL, carried out. Knows sessions, handles and statements; knows nothing of Flight.

A query is planned when its FlightInfo is asked for and runs when its ticket is redeemed. A change that arrives on the
query path runs in GetFlightInfo, once; its ticket yields the count of rows that it affected.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.metadata import version

import pyarrow as pa

from catalog.definition import ColumnSpec, TableDef, TableKind
from catalog.errors import DatabaseError, ErrorKind
from catalog.identifiers import CATALOG_NAME, TableName
from catalog.types import format_type, storable
from flightserver.database import Database
from flightserver.execution.executor import Executor, Prepared
from flightserver.execution.ingest import Ingest
from flightserver.execution.rewriting import qualified
from flightserver.execution.rows import Affected, Rows
from flightserver.protocol import actions, commands, metadata, results, sql_info
from flightserver.protocol.commands import Command, IfExists, IfNotExist
from flightserver.protocol.schemas import column_metadata
from flightserver.protocol.xdbc_types import xdbc_types
from flightserver.session import Session
from flightserver.transport.handles import Handles
from providers.idempotency import Idempotency
from providers.query_engine import WITHHELD_FUNCTIONS

AFFECTED_SCHEMA = pa.schema([pa.field("rows_affected", pa.int64())])
TABLE_TYPE, VIEW_TYPE = "TABLE", "VIEW"
PRIMARY_KEY_OPTION = "primary_key"
IDEMPOTENCY_OPTION = "idempotency_key"


@dataclass
class PreparedHandle:
    """A prepared statement and the parameters that were bound last."""

    prepared: Prepared
    bound: pa.Table | None = None

    @property
    def parameter_count(self) -> int:
        """How many parameters the statement has."""
        return len(self.prepared.parameters)


@dataclass(frozen=True)
class Stream:
    """What a DoPut brings: the schema, None when the client sent none, and validated batches."""

    schema: pa.Schema | None
    batches: Iterator[pa.RecordBatch]
    idempotency_key: str | None = None

    def to_table(self) -> pa.Table:
        """The whole stream."""
        return pa.Table.from_batches(self.batches, self.schema or pa.schema([]))

    def drain(self) -> None:
        """Read to the end: clients wait for their last message to be taken before they read the answer."""
        for _ in self.batches:
            pass


@dataclass
class Service:
    """The protocol's meaning."""

    database: Database
    executor: Executor
    results: Handles[Rows] = field(init=False)
    statements: Handles[PreparedHandle] = field(init=False)

    def __post_init__(self) -> None:
        lifetime = self.database.settings.result_lifetime_s
        self.results = Handles("result", lifetime)
        self.statements = Handles("prepared statement", self.database.settings.token_lifetime_s)

    def describe(self, command: Command, session: Session) -> tuple[pa.Schema, commands.Command]:
        """GetFlightInfo: the schema of a command's result, and what its ticket says."""
        match command:
            case commands.PlainSql(text) | commands.StatementQuery(text, _):
                return self._pending(_as_rows(self.executor.execute(text, session)), session)
            case commands.PreparedStatementQuery(handle):
                held = self.statements.get(session.user, handle)
                outcome = self.executor.run(held.prepared.statement, session, held.bound, held.parameter_count)
                return self._pending(_as_rows(outcome), session)
            case _:
                return self.describe_catalog(command, session).schema, command

    def schema(self, command: Command, session: Session) -> pa.Schema:
        """GetSchema: the schema alone; nothing runs."""
        match command:
            case commands.PlainSql(text) | commands.StatementQuery(text, _):
                return self.executor.prepare(text, session).schema or AFFECTED_SCHEMA
            case commands.PreparedStatementQuery(handle):
                return self.statements.get(session.user, handle).prepared.schema or AFFECTED_SCHEMA
            case _:
                return self.describe_catalog(command, session).schema

    def fetch(self, command: Command, session: Session) -> Rows:
        """DoGet: the result of a ticket."""
        match command:
            case commands.TicketStatementQuery(handle):
                return self.results.get(session.user, handle)
            case commands.PlainSql(text) | commands.StatementQuery(text, _):
                return _as_rows(self.executor.execute(text, session))
            case commands.PreparedStatementQuery(handle):
                held = self.statements.get(session.user, handle)
                return _as_rows(self.executor.run(held.prepared.statement, session, held.bound, held.parameter_count))
            case _:
                return Rows.of_table(self.describe_catalog(command, session))

    def put(self, command: Command, session: Session, stream: Stream) -> bytes:
        """DoPut: carry out a change or bind parameters; return the answer's metadata."""
        match command:
            case commands.PlainSql(text) | commands.StatementUpdate(text, _):
                stream.drain()
                return results.encode_update_result(_affected(self.executor.execute(text, session)))
            case commands.PreparedStatementUpdate(handle):
                held = self.statements.get(session.user, handle)
                bound = stream.to_table() if held.parameter_count else None
                if bound is None:
                    stream.drain()
                outcome = self.executor.run(held.prepared.statement, session, bound, held.parameter_count)
                return results.encode_update_result(_affected(outcome))
            case commands.PreparedStatementQuery(handle):
                self.statements.get(session.user, handle).bound = stream.to_table()
                return results.encode_bind_result(handle)
            case commands.StatementIngest():
                return results.encode_update_result(self._ingest(command, session, stream))
        raise DatabaseError(ErrorKind.UNSUPPORTED, f"{type(command).__name__} cannot be put")

    def act(self, action: actions.Action, session: Session) -> bytes | None:
        """DoAction: return the one result's body, or None when there is none."""
        match action:
            case actions.CreatePreparedStatement(query, _):
                prepared = self.executor.prepare(query, session)
                handle = self.statements.put(session.user, PreparedHandle(prepared))
                return results.encode_prepared_result(
                    handle, prepared.schema, prepared.parameters, prepared.schema is None
                )
            case actions.ClosePreparedStatement(handle):
                self.statements.remove(session.user, handle)
                return None
        raise DatabaseError(ErrorKind.UNSUPPORTED, f"action {type(action).__name__} is not served by this version")

    def describe_catalog(self, command: Command, session: Session) -> pa.Table:
        """The result of a metadata command."""
        registry = self.database.catalog.registry
        match command:
            case commands.GetCatalogs():
                return metadata.catalogs([CATALOG_NAME])
            case commands.GetDbSchemas():
                infos = [metadata.DbSchemaInfo(CATALOG_NAME, name) for name in registry.namespaces]
                return metadata.db_schemas(infos, command)
            case commands.GetTables():
                return metadata.tables(list(self._table_infos(session)), command)
            case commands.GetTableTypes():
                return metadata.table_types([TABLE_TYPE, VIEW_TYPE])
            case commands.GetPrimaryKeys():
                return metadata.primary_keys(list(self._key_columns()), command)
            case commands.GetExportedKeys() | commands.GetImportedKeys() | commands.GetCrossReference():
                return metadata.foreign_keys()
            case commands.GetXdbcTypeInfo():
                return xdbc_types(command)
            case commands.GetSqlInfo(info):
                facts = sql_info.ServerFacts(
                    version("flightserver"), pa.__version__, withheld_functions=WITHHELD_FUNCTIONS
                )
                return sql_info.build(info, facts)
        raise DatabaseError(ErrorKind.UNSUPPORTED, f"{type(command).__name__} is not served by this version")

    def _pending(self, rows: Rows, session: Session) -> tuple[pa.Schema, commands.Command]:
        handle = self.results.put(session.user, rows)
        return rows.schema, commands.TicketStatementQuery(handle)

    def _table_infos(self, session: Session) -> Iterator[metadata.TableInfo]:
        registry = self.database.catalog.registry
        for name, table in registry.tables.items():
            yield metadata.TableInfo(CATALOG_NAME, name.namespace, name.table, TABLE_TYPE, described_schema(table))
        for name in registry.views:
            yield metadata.TableInfo(
                CATALOG_NAME, name.namespace, name.table, VIEW_TYPE, self._view_schema(name, session)
            )

    def _view_schema(self, name: TableName, session: Session) -> pa.Schema:
        """A view's columns; none when it names what no longer exists."""
        try:
            return self.executor.reader.plan(f"SELECT * FROM {qualified(name)}", session).schema
        except DatabaseError:
            return pa.schema([])

    def _key_columns(self) -> Iterator[metadata.KeyColumn]:
        for name, table in self.database.catalog.registry.tables.items():
            if not table.has_hidden_key:
                for position, column in enumerate(table.key_columns, start=1):
                    key_name = f"{name.table}_pkey"
                    yield metadata.KeyColumn(CATALOG_NAME, name.namespace, name.table, column.name, key_name, position)

    def _ingest(self, command: commands.StatementIngest, session: Session, stream: Stream) -> int:
        """The bulk versioned insert: one stream, one commit, in one of four modes."""
        if command.temporary:
            raise DatabaseError(ErrorKind.UNSUPPORTED, "temporary tables are not served by this version")
        if command.catalog not in (None, "", CATALOG_NAME):
            raise DatabaseError(ErrorKind.NOT_FOUND, f"catalog {command.catalog} does not exist; use {CATALOG_NAME}")
        name = TableName(command.schema or session.namespace, command.table)
        if_exists, if_missing = _ingest_mode(command)
        existing = self.database.catalog.registry.tables.get(name)
        if existing is not None and if_exists is IfExists.FAIL:
            raise DatabaseError(ErrorKind.ALREADY_EXISTS, f"table {name} exists already")
        if existing is not None and if_exists is IfExists.APPEND:
            return self._append(existing, command, session, stream)
        if existing is None and if_missing is IfNotExist.FAIL:
            self.database.catalog.registry.table(name)
        return self._create(name, command, session, stream)

    def _append(self, table: TableDef, command: commands.StatementIngest, session: Session, stream: Stream) -> int:
        key = command.options.get(IDEMPOTENCY_OPTION) or stream.idempotency_key
        digest = hashlib.blake2b(digest_size=16) if key else None
        ingest = Ingest(self.database, table, session)
        try:
            for batch in stream.batches:
                if digest is not None:
                    digest.update(batch.serialize())
                ingest.add(batch)
            return ingest.finish(Idempotency(key, digest.hexdigest()) if key and digest else None).affected
        except BaseException:
            ingest.abort()
            raise

    def _create(self, name: TableName, command: commands.StatementIngest, session: Session, stream: Stream) -> int:
        """Load a table that nobody sees yet, then put it into the catalog, in the place of an old one."""
        registry = self.database.catalog.registry
        registry.require_namespace(name.namespace)
        if name in registry.views:
            raise DatabaseError(ErrorKind.ALREADY_EXISTS, f"{name} exists already as a view")
        if stream.schema is None:
            raise DatabaseError(ErrorKind.INVALID, f"the stream for {name} has no schema to make a table of")
        columns = tuple(ColumnSpec(f.name, storable(f.type, f.name), f.nullable) for f in stream.schema)
        key = tuple(part.strip() for part in command.options.get(PRIMARY_KEY_OPTION, "").split(",") if part.strip())
        table = self.executor.ddl.define(name, TableKind.SHARED, columns, key, {})
        try:
            rows = self._append(table, command, session, stream)
            self.executor.ddl.publish(table, replacing=name in registry.tables)
        except BaseException:
            self.database.store.drop_table(table)
            raise
        return rows


def described_schema(table: TableDef) -> pa.Schema:
    """A table's schema with the column metadata that drivers read."""
    fields = []
    for column in table.visible_columns:
        described = column_metadata(
            catalog=CATALOG_NAME,
            db_schema=table.name.namespace,
            table=table.name.table,
            type_name=format_type(column.type),
        )
        fields.append(column.field.with_metadata(described))
    return pa.schema(fields)


def _ingest_mode(command: commands.StatementIngest) -> tuple[IfExists, IfNotExist]:
    options = command.table_definition_options
    if options is None:
        return IfExists.APPEND, IfNotExist.FAIL
    return options.if_exists, options.if_not_exist


def _as_rows(outcome: Rows | Affected) -> Rows:
    if isinstance(outcome, Affected):
        return Rows.of_table(pa.table([[outcome.rows]], schema=AFFECTED_SCHEMA))
    return outcome


def _affected(outcome: Rows | Affected) -> int:
    if isinstance(outcome, Affected):
        return outcome.rows
    raise DatabaseError(ErrorKind.INVALID, "the statement returns rows; run it as a query")
