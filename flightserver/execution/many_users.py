"""Rows of many users in one stream: a column says whose each row is; all of them are one commit.

The stream is kept in memory until its end. It is converted once for all users, sorted by user, and each user's rows are
a slice of it. Who sends it must be allowed to act for every user that it names.
"""

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from catalog.definition import DELETED_COLUMN, DefaultFunction, TableDef, TableKind
from catalog.errors import DatabaseError, ErrorKind
from catalog.grants import Privilege
from flightserver.context import Context
from flightserver.database import Database
from flightserver.execution.ingest import Load
from providers.commit.idempotency import Outcome
from providers.commit.request import Request
from providers.rows.change import Change, RowsOfUsers
from providers.rows.offered import admitted


def ingest_for_users(
    database: Database,
    table: TableDef,
    context: Context,
    batches: Iterable[pa.RecordBatch],
    load: Load,
    user_column: str,
) -> Outcome:
    """Take a stream whose `user_column` says whose each row is; an error leaves nothing of it.

    A table that has such a column gets its values, too.
    """
    if table.kind is not TableKind.USER:
        raise DatabaseError(ErrorKind.INVALID, f"user_column is for USER tables, and {table.name} is none")
    offered = _collected(batches, load)
    if offered is None:
        return Outcome(0, 0)
    if user_column not in offered.column_names:
        raise DatabaseError(ErrorKind.INVALID, f"the stream for {table.name} has no column {user_column!r} of users")
    users = _users(offered.column(user_column), user_column)
    for name in users.dictionary.to_pylist():
        context.principal.acting_for(name, context.find_identity)
    rows = _completed(offered, table, users.cast(pa.string()), user_column)
    named = [name for name in rows.column_names if name != DELETED_COLUMN]
    change = admitted(table, rows, context.user, database.store.allocator, load.strictness)
    if load.guard is not None:
        load.guard.admit(change.live_rows, Privilege.INSERT)
    request = Request(load.idempotency(), context.request.note)
    return context.work.offer_each(table, _by_user(change, users), named, load.rule, request)


def _collected(batches: Iterable[pa.RecordBatch], load: Load) -> pa.Table | None:
    """The whole stream."""
    found, size = [], 0
    for batch in batches:
        found.append(batch)
        size += int(batch.nbytes)
        load.note_buffered(size)
    return pa.Table.from_batches(found) if found else None


def _users(values: pa.ChunkedArray, name: str) -> pa.DictionaryArray:
    """The users of a stream, each named once; INVALID where a row has none."""
    kind = values.type.value_type if pa.types.is_dictionary(values.type) else values.type
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)):
        raise DatabaseError(ErrorKind.INVALID, f"the column {name} of users must be text, not {values.type}")
    if values.null_count:
        raise DatabaseError(
            ErrorKind.INVALID, f"the column {name} of users has NULL in it: every row must be of a user"
        )
    plain = values.cast(pa.string()).combine_chunks()
    return pc.dictionary_encode(plain if isinstance(plain, pa.Array) else pa.concat_arrays(plain.chunks))


def _completed(offered: pa.Table, table: TableDef, users: pa.Array, user_column: str) -> pa.Table:
    """The columns that are for the table, with the user of each row where that is a column's default."""
    rows = offered if user_column in table.by_name else offered.drop_columns([user_column])
    for column in table.columns:
        default = column.default
        is_user = default is not None and default.function is DefaultFunction.CURRENT_USER
        if is_user and column.name not in rows.column_names:
            rows = rows.append_column(column.name, users)
    return rows


def _by_user(change: Change, users: pa.DictionaryArray) -> RowsOfUsers:
    """The rows of each user together, in the order in which they came."""
    codes = users.indices.to_numpy()
    order = np.argsort(codes, kind="stable")
    rows = change.rows.take(pa.array(order)).combine_chunks()
    deleted = None if change.deleted is None else change.deleted[order]
    counts: list[int] = np.bincount(codes, minlength=len(users.dictionary)).tolist()
    return RowsOfUsers(Change(rows, deleted), users.dictionary.to_pylist(), counts)
