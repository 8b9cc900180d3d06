"""Values of DEFAULT expressions, for whole columns at once.

Functions are evaluated once per row: `SNOWFLAKE_ID()` and `UUID_V7()` differ from row to row, `NOW()` and
`CURRENT_USER` are the same in all rows of a statement.
"""

import os
import time
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from datafusion import SessionContext, SQLOptions

from catalog.definition import Column, Default, DefaultFunction, TableDef
from catalog.errors import DatabaseError, ErrorKind
from providers.rows.sequence import SeqAllocator

_HEX = np.frombuffer(b"0123456789abcdef", dtype=np.uint8)
_UUID_DASHES = (8, 13, 18, 23)
_UUID_TEXT_BYTES = 36


def default_column(column: Column, rows: int, user: str, allocator: SeqAllocator) -> pa.Array:
    """Return `rows` values of a column's DEFAULT, or NULLs when it has none."""
    default = column.default
    if default is None:
        return pa.nulls(rows, column.storage)
    match default.function:
        case None:
            return pa.repeat(literal_value(default, column), rows)
        case DefaultFunction.NOW:
            return pa.repeat(pa.scalar(time.time_ns() // 1000, pa.timestamp("us", "UTC")), rows).cast(column.storage)
        case DefaultFunction.CURRENT_USER:
            return pa.repeat(pa.scalar(user), rows).cast(column.storage)
        case DefaultFunction.SNOWFLAKE_ID:
            return pa.array(allocator.reserve(rows)).cast(column.storage)
        case DefaultFunction.UUID_V7:
            return uuid_v7(rows).cast(column.storage)


def literal_value(default: Default, column: Column) -> pa.Scalar:
    """The value of a literal DEFAULT in the column's type; INVALID when it does not fit."""
    try:
        return _evaluate(str(default)).cast(column.storage)
    except (pa.ArrowException, ValueError) as error:
        raise DatabaseError(
            ErrorKind.INVALID, f"column {column.name}: DEFAULT {default} is no value of type {column.type}"
        ) from error


def missing_values(table: TableDef) -> dict[str, pa.Scalar]:
    """What rows older than a column hold in it, by physical name, for columns with a literal DEFAULT."""
    return {
        column.physical: literal_value(column.default, column)
        for column in table.columns
        if column.default is not None and column.default.literal is not None
    }


def columns_by(rows: pa.Table | pa.RecordBatch, schema: pa.Schema, missing: Mapping[str, pa.Scalar]) -> list[Any]:
    """The columns of `schema` for rows of another version of a definition.

    Dropped columns disappear; columns added since hold `missing[physical name]`, or NULL.
    """
    present = set(rows.schema.names)
    return [
        rows.column(field.name)
        if field.name in present
        else pa.repeat(missing.get(field.name, pa.scalar(None, field.type)), rows.num_rows)
        for field in schema
    ]


def uuid_v7(rows: int) -> pa.Array:
    """Random UUIDs of version 7 (RFC 9562) as canonical text: 48 bits of Unix milliseconds, then random bits.

    Values of one call ascend by at least the millisecond they were made in.
    """
    raw = np.frombuffer(os.urandom(16 * rows), dtype=np.uint8).reshape(rows, 16).copy()
    raw[:, :6] = np.frombuffer((time.time_ns() // 1_000_000).to_bytes(6, "big"), dtype=np.uint8)
    raw[:, 6] = (raw[:, 6] & 0x0F) | 0x70
    raw[:, 8] = (raw[:, 8] & 0x3F) | 0x80
    return uuid_text(raw)


def uuid_text(raw: npt.NDArray[np.uint8]) -> pa.Array:
    """Canonical text of UUIDs given as rows of 16 bytes."""
    rows = len(raw)
    digits = _HEX[np.stack((raw >> 4, raw & 0x0F), axis=2).reshape(rows, 32)]
    text = np.full((rows, _UUID_TEXT_BYTES), ord("-"), dtype=np.uint8)
    text[:, [i for i in range(_UUID_TEXT_BYTES) if i not in _UUID_DASHES]] = digits
    offsets = np.arange(0, (rows + 1) * _UUID_TEXT_BYTES, _UUID_TEXT_BYTES, dtype=np.int32)
    return pa.StringArray.from_buffers(rows, pa.py_buffer(offsets), pa.py_buffer(text))


@lru_cache(maxsize=1024)
def _evaluate(literal: str) -> pa.Scalar:
    options = SQLOptions().with_allow_ddl(False).with_allow_dml(False).with_allow_statements(False)
    try:
        table = SessionContext().sql_with_options(f"SELECT {literal}", options).to_arrow_table()
    except Exception as error:
        raise DatabaseError(ErrorKind.INVALID, f"DEFAULT {literal} is not a literal") from error
    return table.column(0)[0]
