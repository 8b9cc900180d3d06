"""The bulk versioned insert: one stream, one commit, in one of four modes."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import pyarrow as pa

from catalog.definition import ColumnSpec, TableDef, TableKind
from catalog.errors import DatabaseError, ErrorKind
from catalog.identifiers import CATALOG_NAME, TableName
from catalog.types import storable
from flightserver.context import Context
from flightserver.database import Database
from flightserver.execution.ddl import Ddl
from flightserver.execution.ingest import Load, NoteBuffered, ignore, ingest
from flightserver.protocol.commands import IfExists, IfNotExist, StatementIngest
from providers.commit.idempotency import Idempotency

PRIMARY_KEY_OPTION = "primary_key"
IDEMPOTENCY_OPTION = "idempotency_key"
OPTIONS = (PRIMARY_KEY_OPTION, IDEMPOTENCY_OPTION)
DIGEST_BYTES = 16
"""Of the hash by which a repeated stream is recognised."""


@dataclass(frozen=True)
class Stream:
    """What a DoPut brings: a function that waits for the schema, None when the client sent none, and validated batches.

    Nothing of it is read before it is asked for: a client that has said everything with its command may keep its side
    of the call open until it is answered.
    """

    opened: Callable[[], pa.Schema | None]
    batches: Iterator[pa.RecordBatch]
    idempotency_key: str | None = None
    note_buffered: NoteBuffered = ignore
    """Told how many bytes of the stream are in memory; raises when that is too much."""

    @property
    def schema(self) -> pa.Schema | None:
        """The schema, when it has come."""
        return self.opened()

    def parameters(self) -> pa.Table | None:
        """The whole stream as rows of parameters; None when it has no columns, which binds nothing."""
        schema = self.schema or pa.schema([])
        batches, size = [], 0
        for batch in self.batches:
            batches.append(batch)
            size += int(batch.nbytes)
            self.note_buffered(size)
        return pa.Table.from_batches(batches, schema) if schema.names else None

    def request(self, text: str, parameters: pa.Table | None) -> Idempotency | None:
        """The name under which a statement happens once, if the client gave one; its `parameters` were this stream."""
        if not self.idempotency_key or parameters is None:
            return None
        digest = hashlib.blake2b(text.encode(), digest_size=DIGEST_BYTES)
        for batch in parameters.to_batches():
            digest.update(batch.serialize())
        return Idempotency(self.idempotency_key, digest.hexdigest())


class TableLoad:
    """Takes ingest streams."""

    def __init__(self, database: Database, ddl: Ddl) -> None:
        self._database = database
        self._ddl = ddl

    def run(self, command: StatementIngest, context: Context, stream: Stream) -> int:
        """Load a stream; return how many rows it had."""
        _refuse_unknown_options(command)
        if command.catalog not in (None, "", CATALOG_NAME):
            raise DatabaseError(ErrorKind.NOT_FOUND, f"catalog {command.catalog} does not exist; use {CATALOG_NAME}")
        name = TableName(command.schema or context.namespace, command.table)
        if_exists, if_missing = _mode(command)
        existing = self._existing(name, command, context)
        if existing is not None and if_exists is IfExists.FAIL:
            raise DatabaseError(ErrorKind.ALREADY_EXISTS, f"table {name} exists already")
        if existing is not None and if_exists is IfExists.APPEND:
            load = _load(command, stream)
            return ingest(self._database, existing, context, load.batches, load.rules).affected
        if existing is None and if_missing is IfNotExist.FAIL:
            context.registry.table(name)
        return self._create(name, command, context, stream)

    @staticmethod
    def _existing(name: TableName, command: StatementIngest, context: Context) -> TableDef | None:
        """The table that the stream is for. A temporary table may be made beside one that is not."""
        found = context.registry.tables.get(name)
        if command.temporary and found is not None and found not in context.temporary.tables:
            return None
        return found

    def _create(self, name: TableName, command: StatementIngest, context: Context, stream: Stream) -> int:
        """Load a table that nobody sees yet, then put it into the catalog, in the place of an old one."""
        registry = context.registry
        registry.require_namespace(name.namespace)
        if name in registry.views:
            raise DatabaseError(ErrorKind.ALREADY_EXISTS, f"{name} exists already as a view")
        if stream.schema is None:
            raise DatabaseError(ErrorKind.INVALID, f"the stream for {name} has no schema to make a table of")
        columns = tuple(ColumnSpec(f.name, storable(f.type, f.name), f.nullable) for f in stream.schema)
        key = tuple(part.strip() for part in command.options.get(PRIMARY_KEY_OPTION, "").split(",") if part.strip())
        table = self._ddl.define(name, TableKind.SHARED, columns, key, {})
        load = _load(command, stream)
        return self._ddl.create_loaded(
            table, context, load.batches, load.rules, self._publisher(table, command, context)
        )

    def _publisher(self, table: TableDef, command: StatementIngest, context: Context) -> Callable[[], None]:
        if command.temporary:
            return partial(self._ddl.publish_temporary, table, context)
        return partial(self._ddl.publish, table, context, replacing=table.name in context.registry.tables)


@dataclass(frozen=True)
class _Load:
    """A stream, and the rules by which it is taken; an idempotent one is hashed as it passes."""

    batches: Iterator[pa.RecordBatch]
    rules: Load


def _load(command: StatementIngest, stream: Stream) -> _Load:
    key = command.options.get(IDEMPOTENCY_OPTION) or stream.idempotency_key
    if not key:
        return _Load(stream.batches, Load(note_buffered=stream.note_buffered))
    digest = hashlib.blake2b(digest_size=DIGEST_BYTES)

    def hashed() -> Iterator[pa.RecordBatch]:
        for batch in stream.batches:
            digest.update(batch.serialize())
            yield batch

    rules = Load(idempotency=lambda: Idempotency(key, digest.hexdigest()), note_buffered=stream.note_buffered)
    return _Load(hashed(), rules)


def _refuse_unknown_options(command: StatementIngest) -> None:
    """A misspelt `primary_key` must not make a table without one."""
    for name in command.options:
        if name not in OPTIONS:
            known = ", ".join(OPTIONS)
            raise DatabaseError(ErrorKind.INVALID, f"the ingest option {name} is not known; there are {known}")


def _mode(command: StatementIngest) -> tuple[IfExists, IfNotExist]:
    options = command.table_definition_options
    if options is None:
        return IfExists.APPEND, IfNotExist.FAIL
    return options.if_exists, options.if_not_exist
