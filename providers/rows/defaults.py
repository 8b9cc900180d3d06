"""Values of DEFAULT expressions, for whole columns at once.

Functions are evaluated once per row: `SNOWFLAKE_ID()` and `UUID_V7()` differ from row to row, `NOW()` and
`CURRENT_USER` are the same in all rows of a statement.
"""

import time
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import pyarrow as pa
from datafusion import SessionConfig, SessionContext, SQLOptions

from catalog.definition import Column, Default, DefaultFunction, TableDef
from catalog.errors import DatabaseError, ErrorKind
from catalog.types import format_type
from providers.rows.conversion import Strictness, converted
from providers.rows.sequence import SeqAllocator
from providers.rows.uuids import uuid_v7


def default_column(column: Column, rows: int, user: str, allocator: SeqAllocator) -> pa.Array:
    """Return `rows` values of a column's DEFAULT, or NULLs when it has none."""
    default = column.default
    if default is None:
        return pa.nulls(rows, column.storage)
    match default.function:
        case None:
            return pa.repeat(literal_value(default, column), rows)
        case DefaultFunction.NOW:
            now = pa.chunked_array([pa.array([time.time_ns()], pa.timestamp("ns", "UTC"))])
            return pa.repeat(converted(now, column.type, Strictness.STATEMENT)[0], rows)
        case DefaultFunction.CURRENT_USER:
            return pa.repeat(pa.scalar(user), rows).cast(column.storage)
        case DefaultFunction.SNOWFLAKE_ID:
            return pa.array(allocator.reserve(rows)).cast(column.storage)
        case DefaultFunction.UUID_V7:
            return uuid_v7(rows).cast(column.storage)


def literal_value(default: Default, column: Column) -> pa.Scalar:
    """The value of a literal DEFAULT as INSERT would store it; INVALID when it does not fit."""
    return _value_of(str(default), column.name, column.type)


def missing_values(table: TableDef) -> dict[str, pa.Scalar]:
    """What rows older than a column hold in it, by physical name, where that is not NULL."""
    found = ((column.physical, missing_value(column)) for column in table.columns)
    return {name: value for name, value in found if value is not None}


def missing_value(column: Column) -> pa.Scalar | None:
    """What rows older than a column hold in it; None where that is NULL."""
    return None if column.before is None else _value_of(column.before, column.name, column.type)


def columns_by(rows: pa.Table | pa.RecordBatch, schema: pa.Schema, missing: Mapping[str, pa.Scalar]) -> list[Any]:
    """The columns of `schema` for rows of another version of a definition.

    Dropped columns disappear; columns added since hold `missing[physical name]`, or NULL.
    """
    present = set(rows.schema.names)

    def absent(field: pa.Field) -> pa.Array:
        value = missing.get(field.name)
        return pa.nulls(rows.num_rows, field.type) if value is None else pa.repeat(value, rows.num_rows)

    return [rows.column(field.name) if field.name in present else absent(field) for field in schema]


@lru_cache(maxsize=1024)
def _value_of(literal: str, column: str, declared: pa.DataType) -> pa.Scalar:
    value = _evaluated(literal, exact=bool(pa.types.is_decimal(declared)))
    try:
        return converted(value, declared, Strictness.STATEMENT)[0]
    except ValueError as error:
        raise DatabaseError(
            ErrorKind.INVALID,
            f"column {column}: DEFAULT {literal} is no value of type {format_type(declared)}: {error}",
        ) from error


def _evaluated(literal: str, *, exact: bool) -> pa.ChunkedArray:
    """The value of a literal in a type of the engine; when it must be `exact`, a number with a point is a decimal."""
    config = SessionConfig().set("datafusion.sql_parser.parse_float_as_decimal", str(exact).lower())
    options = SQLOptions().with_allow_ddl(False).with_allow_dml(False).with_allow_statements(False)
    try:
        return SessionContext(config).sql_with_options(f"SELECT {literal}", options).to_arrow_table().column(0)
    except Exception as error:
        raise DatabaseError(ErrorKind.INVALID, f"DEFAULT {literal} is not a literal") from error
