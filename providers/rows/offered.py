"""Rows that a client offers, brought into a table's form: types, defaults, NOT NULL, keys. Vectorised.

Every fault names the column, and the row where that helps. How values change their type is `conversion.py`.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from catalog.definition import DELETED_COLUMN, Column, TableDef
from catalog.errors import DatabaseError, ErrorKind
from catalog.types import format_type
from providers.rows.change import Change
from providers.rows.conversion import Strictness, converted
from providers.rows.defaults import columns_by, default_column
from providers.rows.keys import Mask
from providers.rows.sequence import SeqAllocator


def admitted(table: TableDef, offered: pa.Table, user: str, allocator: SeqAllocator, strictness: Strictness) -> Change:
    """Bring rows with user-named columns into physical columns. Columns that are not offered get their default."""
    deleted = _deleted(table, offered)
    _refuse_unknown(table, offered)
    columns = []
    for column in table.columns:
        index = offered.schema.get_field_index(column.name)
        if index < 0:
            values = pa.chunked_array([default_column(column, offered.num_rows, user, allocator)])
        else:
            values = convert(offered.column(index), column, table, strictness)
        _check_nulls(values, column, table, deleted)
        columns.append(values)
    _check_key_numbers(table, columns)
    return Change(pa.Table.from_arrays(columns, schema=table.row_schema), deleted)


def tombstones(table: TableDef, keys: pa.Table) -> Change:
    """Tombstones for rows given by the physical columns of their key."""
    rows = pa.Table.from_arrays(columns_by(keys, table.row_schema, {}), schema=table.row_schema)
    return Change(rows, np.ones(keys.num_rows, dtype=np.bool_))


def convert(values: pa.ChunkedArray, column: Column, table: TableDef, strictness: Strictness) -> pa.ChunkedArray:
    """Values as a column stores them; INVALID when they do not fit."""
    try:
        return converted(values, column.type, strictness)
    except ValueError as error:
        raise DatabaseError(
            ErrorKind.INVALID, f"column {column.name} of {table.name} has type {format_type(column.type)}: {error}"
        ) from error


def _deleted(table: TableDef, offered: pa.Table) -> Mask | None:
    if DELETED_COLUMN not in offered.column_names:
        return None
    flags = offered.column(DELETED_COLUMN)
    if not pa.types.is_boolean(flags.type):
        raise DatabaseError(
            ErrorKind.INVALID, f"column {DELETED_COLUMN} for {table.name} must be boolean, not {flags.type}"
        )
    if table.has_hidden_key:
        raise DatabaseError(ErrorKind.INVALID, f"table {table.name} has no key, so a stream cannot delete its rows")
    return np.asarray(pc.fill_null(flags, False).to_numpy(), dtype=np.bool_)


def _refuse_unknown(table: TableDef, offered: pa.Table) -> None:
    seen = set()
    for name in offered.column_names:
        if name in seen:
            raise DatabaseError(ErrorKind.INVALID, f"column {name} is offered twice for {table.name}")
        seen.add(name)
        if name != DELETED_COLUMN:
            table.column(name)


def _check_nulls(values: pa.ChunkedArray, column: Column, table: TableDef, deleted: Mask | None) -> None:
    if column.nullable or not values.null_count:
        return
    missing = np.asarray(values.is_null().to_numpy(), dtype=np.bool_)
    if deleted is not None and column.id not in table.key:
        missing = missing & ~deleted
    if missing.any():
        what = "is in the key" if column.id in table.key else "is NOT NULL"
        raise DatabaseError(
            ErrorKind.INVALID,
            f"column {column.name} of {table.name} {what}, but row {int(np.argmax(missing)) + 1} has no value for it",
        )


def _check_key_numbers(table: TableDef, columns: list[pa.ChunkedArray]) -> None:
    for column, values in zip(table.columns, columns, strict=True):
        in_key = column.id in table.key
        if in_key and pa.types.is_floating(values.type) and pc.any(pc.is_nan(values)).as_py():
            raise DatabaseError(
                ErrorKind.INVALID, f"column {column.name} of {table.name} is in the key and cannot be NaN"
            )
