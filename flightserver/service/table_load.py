"""The bulk versioned insert: one stream, one commit, in one of four modes.

Mode replace replaces the rows that the user's statements see, and nothing else: the table keeps its kind, key, defaults
and options, and a stream that does not fit them is refused.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import pyarrow as pa

from catalog.definition import DELETED_COLUMN, Audit, ColumnSpec, TableDef, TableKind
from catalog.errors import DatabaseError, ErrorKind
from catalog.identifiers import CATALOG_NAME, TableName
from catalog.types import storable
from flightserver.access.rights import Use
from flightserver.context import Context
from flightserver.database import Database
from flightserver.execution.ddl import Ddl
from flightserver.execution.guarding import Guard
from flightserver.execution.ingest import Load, NoteBuffered, ignore, ingest
from flightserver.execution.many_users import ingest_for_users
from flightserver.execution.new_table import NewTable
from flightserver.protocol.commands import IfExists, IfNotExist, StatementIngest
from providers.commit.idempotency import Idempotency
from providers.commit.request import PLAIN
from providers.commit.resolve import OnExisting

PRIMARY_KEY_OPTION = "primary_key"
IDEMPOTENCY_OPTION = "idempotency_key"
AS_USER_OPTION = "as_user"
USER_COLUMN_OPTION = "user_column"
OPTIONS = (PRIMARY_KEY_OPTION, IDEMPOTENCY_OPTION, AS_USER_OPTION, USER_COLUMN_OPTION)
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
    user: str
    """Who sends it."""
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
        return Idempotency(self.idempotency_key, digest.hexdigest(), self.user)


def is_for_another(command: StatementIngest) -> bool:
    """Tell whether a stream is for somebody else, or for many."""
    return AS_USER_OPTION in command.options or USER_COLUMN_OPTION in command.options


class TableLoad:
    """Takes ingest streams."""

    def __init__(self, database: Database, ddl: Ddl, guard: Callable[[TableDef, Context], Guard | None]) -> None:
        self._database = database
        self._ddl = ddl
        self._guard = guard

    def run(self, command: StatementIngest, context: Context, stream: Stream) -> int:
        """Load a stream; return how many rows it had."""
        _refuse_unknown_options(command)
        if command.catalog not in (None, "", CATALOG_NAME):
            raise DatabaseError(ErrorKind.NOT_FOUND, f"catalog {command.catalog} does not exist; use {CATALOG_NAME}")
        name = TableName(command.schema or context.namespace, command.table)
        if_exists, if_missing = _mode(command)
        existing = _existing(name, command, context)
        if existing is not None:
            context.door.refuse_for_another(existing)
        if existing is not None and if_exists is IfExists.FAIL:
            raise DatabaseError(ErrorKind.ALREADY_EXISTS, f"table {name} exists already")
        if existing is None and if_missing is IfNotExist.FAIL:
            existing = context.door.table(name, Use.INSERT)
        if existing is None:
            if USER_COLUMN_OPTION in command.options:
                raise DatabaseError(ErrorKind.INVALID, f"user_column is for USER tables, and there is no {name} yet")
            return self._create(name, command, context, stream)
        is_recorded = is_for_another(command) or existing.options.audit is not Audit.NONE
        if if_exists is IfExists.APPEND and not is_recorded:
            context = replace(context, request=PLAIN)  # rows of one's own are no business of the audit log
        load = self._by_rights(_load(command, stream), existing, context)
        if if_exists is IfExists.REPLACE:
            _refuse_another_definition(existing, command, stream)
            door = context.door if existing is context.temporary.by_name.get(name) else context.door.lasting
            door.table(name, Use.DELETE)
            if load.rules.guard is not None and load.rules.guard.hides_rows:
                raise DatabaseError(
                    ErrorKind.INVALID, f"{name} has row policies, so a stream cannot take the place of all its rows"
                )
            load = replace(load, rules=replace(load.rules, replaces=True))
        user_column = command.options.get(USER_COLUMN_OPTION)
        if user_column is not None:
            if load.rules.replaces:
                raise DatabaseError(ErrorKind.INVALID, "user_column and the mode replace do not go together")
            return ingest_for_users(self._database, existing, context, load.batches, load.rules, user_column).affected
        return ingest(self._database, existing, context, load.batches, load.rules).affected

    def _by_rights(self, load: "_Load", table: TableDef, context: Context) -> "_Load":
        """How a stream is taken of who may insert: to replace rows is to update them, and to mark them is to delete."""
        temporary = table is context.temporary.by_name.get(table.name)
        door = context.door if temporary else context.door.lasting
        guard = self._guard(table, context)
        may_update = door.find_table(table.name, Use.UPDATE) is not None
        rule = load.rules.rule if may_update or table.has_hidden_key else OnExisting.REFUSE

        def allowed() -> Iterator[pa.RecordBatch]:
            for batch in load.batches:
                if DELETED_COLUMN in batch.schema.names:
                    door.table(table.name, Use.DELETE)
                    if guard is not None and guard.hides_rows:
                        raise DatabaseError(
                            ErrorKind.INVALID, f"{table.name} has row policies, so a stream cannot delete its rows"
                        )
                yield batch

        return replace(load, batches=allowed(), rules=replace(load.rules, rule=rule, guard=guard))

    def _create(self, name: TableName, command: StatementIngest, context: Context, stream: Stream) -> int:
        """Load a table that nobody sees yet, then put it into the catalog."""
        context.door.require_namespace(name.namespace)
        context.refuse_making(TableKind.SHARED, temporary=command.temporary)
        if not command.temporary:
            context.door.lasting.refuse_taken(name)
        if stream.schema is None:
            raise DatabaseError(ErrorKind.INVALID, f"the stream for {name} has no schema to make a table of")
        columns = tuple(ColumnSpec(f.name, storable(f.type, f.name), f.nullable) for f in stream.schema)
        table = replace(self._ddl.define(name, TableKind.SHARED, columns, _asked_key(command), {}), owner=context.user)
        load = _load(command, stream)
        if_absent = _mode(command)[0] is not IfExists.FAIL
        new = NewTable(self._database, table, context, command.temporary, if_absent)
        loaded = new.publish_filled(load.batches, load.rules)
        if loaded is None:
            raise DatabaseError(
                ErrorKind.CONFLICT, f"table {name} was made by another client meanwhile; send the stream again"
            )
        return loaded


def _existing(name: TableName, command: StatementIngest, context: Context) -> TableDef | None:
    """The table that the stream is for: the session's temporary one where that is meant, else the one that lasts.

    Where none lasts and none is to be made, it is what the name means to the session.
    """
    if command.temporary:
        return context.temporary.by_name.get(name)
    return context.door.lasting.find_table(name, Use.INSERT)


def _refuse_another_definition(table: TableDef, command: StatementIngest, stream: Stream) -> None:
    """A replacement keeps what the table is; raise INVALID for a stream that asks for something else."""
    if table.is_stream:
        raise DatabaseError(
            ErrorKind.UNSUPPORTED, f"{table.name} is a STREAM table: its rows are only appended, nothing replaces them"
        )
    if stream.schema is None:
        raise DatabaseError(ErrorKind.INVALID, f"the stream for {table.name} has no schema, so it replaces nothing")
    unknown = [name for name in stream.schema.names if name != DELETED_COLUMN and name not in table.by_name]
    if unknown:
        raise DatabaseError(
            ErrorKind.INVALID,
            f"a replacement keeps the columns of {table.name}, and there is no {unknown[0]!r} among them; "
            "drop the table to make another one",
        )
    key = () if table.has_hidden_key else tuple(column.name for column in table.key_columns)
    if _asked_key(command) not in ((), key):
        kept = ", ".join(key) or "none"
        raise DatabaseError(
            ErrorKind.INVALID,
            f"a replacement keeps the key of {table.name} ({kept}); drop the table to make another one",
        )


def _asked_key(command: StatementIngest) -> tuple[str, ...]:
    """The key that a table shall be made with, empty for none."""
    return tuple(part.strip() for part in command.options.get(PRIMARY_KEY_OPTION, "").split(",") if part.strip())


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

    rules = Load(
        idempotency=lambda: Idempotency(key, digest.hexdigest(), stream.user), note_buffered=stream.note_buffered
    )
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
